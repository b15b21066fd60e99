"""AddOffsetsToTxn: the partition that holds a group's offsets joins the transaction."""

from __future__ import annotations

import pytest

from kafkawire.api import describe_transactions
from kafkawire.errors import ErrorCode
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, partition_for
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny
from tests.kit.producers import add_offsets, initialise


@pytest.mark.parametrize("version", range(5))
def test_a_group_joins(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1, offsets=7)
        await initialise(broker)
        assert await add_offsets(broker, "x", (0, 0), "g", version) == 0
        [told] = (await broker.call(describe_transactions.Request(transactional_ids=["x"]), 0)).transaction_states
        assert [(one.topic, one.partitions) for one in told.topics] == [(OFFSETS_TOPIC, [partition_for("g", 7)])]

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1, offsets=7)
        await initialise(broker)
        assert await add_offsets(broker, "", (0, 0), "g") == ErrorCode.INVALID_REQUEST
        assert await add_offsets(broker, "y", (0, 0), "g") == ErrorCode.INVALID_PRODUCER_ID_MAPPING
        assert await add_offsets(broker, "x", (0, 1), "g", 2) == ErrorCode.PRODUCER_FENCED
        assert await add_offsets(broker, "x", (0, 1), "g", 1) == ErrorCode.INVALID_PRODUCER_EPOCH
        deny(monkeypatch, ("WRITE", "x"), ("READ", "h"))
        assert await add_offsets(broker, "x", (0, 0), "g") == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        assert await add_offsets(broker, "y", (0, 0), "h") == ErrorCode.GROUP_AUTHORIZATION_FAILED

    run(main())
