"""DescribeTransactions: what the coordinator knows of a transactional id."""

from __future__ import annotations

from typing import Any

import pytest

from kafkawire.api import describe_transactions as wire
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny
from tests.kit.producers import add, initialise


async def describe(broker: GroupBroker, *names: str) -> dict[str, Any]:
    response = await broker.call(wire.Request(transactional_ids=list(names)), 0)
    return {one.transactional_id: one for one in response.transaction_states}


def test_a_transaction_and_who_may_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=3, t=2, u=1)
        await initialise(broker, timeout_ms=5000)
        begun = broker.clock.now_ms()
        await add(broker, "x", (0, 0), ("u", 0), ("t", 1), ("t", 0))
        one = (await describe(broker, "x"))["x"]
        assert (one.error_code, one.transaction_state, one.transaction_timeout_ms) == (0, "Ongoing", 5000)
        assert (one.transaction_start_time_ms, one.producer_id, one.producer_epoch) == (begun, 0, 0)
        assert [(topic.topic, topic.partitions) for topic in one.topics] == [("t", [0, 1]), ("u", [0])]
        deny(monkeypatch, ("DESCRIBE", "t"), ("DESCRIBE", "secret"))
        told = await describe(broker, "x", "", "nobody", "secret")
        assert [topic.topic for topic in told["x"].topics] == ["u"]
        assert {name: ErrorCode(one.error_code).name for name, one in told.items()} == {
            "x": "NONE",
            "": "INVALID_REQUEST",
            "nobody": "TRANSACTIONAL_ID_NOT_FOUND",
            "secret": "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        }

    run(main())


def test_nobody_has_asked_for_a_coordinator_yet() -> None:
    async def main() -> None:
        told = await describe(GroupBroker(), "x")
        assert told["x"].error_code == ErrorCode.NOT_COORDINATOR

    run(main())
