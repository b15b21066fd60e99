"""ListTransactions: all of all shards, and the filters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.api import list_transactions as wire
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny
from tests.kit.producers import add, end, initialise


async def with_transactions() -> GroupBroker:
    """Producers 0 to 2: one has begun a second ago, one has committed, one has done nothing."""
    broker = GroupBroker(transactions=5, t=1)
    for name in ("open", "done", "idle"):
        await initialise(broker, name)
    await add(broker, "open", (0, 0), ("t", 0))
    await add(broker, "done", (1, 0), ("t", 0))
    await end(broker, "done", (1, 0))
    await asyncio.sleep(1)
    return broker


def rows(response: Any) -> list[tuple[str, int, str]]:
    return sorted((one.transactional_id, one.producer_id, one.transaction_state) for one in response.transaction_states)


DONE, IDLE, OPEN = ("done", 1, "CompleteCommit"), ("idle", 2, "Empty"), ("open", 0, "Ongoing")


@pytest.mark.parametrize("version", range(3))
def test_all(version: int) -> None:
    async def main() -> None:
        assert rows(await (await with_transactions()).call(wire.Request(), version)) == [DONE, IDLE, OPEN]

    run(main())


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"state_filters": ["Ongoing", "Empty"]}, [IDLE, OPEN]),
        ({"state_filters": ["ongoing"]}, []),
        ({"producer_id_filters": [1, 7]}, [DONE]),
        ({"duration_filter": 500}, [DONE, IDLE, OPEN]),  # what has never begun counts as old, as in Kafka
        ({"duration_filter": 60_000, "state_filters": ["Ongoing"]}, []),
        ({"transactional_id_pattern": "o.*"}, [OPEN]),
        ({"transactional_id_pattern": "o"}, []),
        ({"transactional_id_pattern": ""}, [DONE, IDLE, OPEN]),
        ({"transactional_id_pattern": "(id|d)[lo]+(e|ne)"}, [DONE, IDLE]),
        ({"transactional_id_pattern": ".*e.*", "state_filters": ["Empty"]}, [IDLE]),
    ],
)
def test_filters(filters: dict[str, Any], expected: list[tuple[str, int, str]]) -> None:
    async def main() -> None:
        assert rows(await (await with_transactions()).call(wire.Request(**filters), 2)) == expected

    run(main())


def test_what_is_no_state_is_told() -> None:
    async def main() -> None:
        response = await (await with_transactions()).call(wire.Request(state_filters=["Bogus", "Dead", "Ongoing"]), 0)
        assert response.unknown_state_filters == ["Bogus"] and rows(response) == [OPEN]

    run(main())


@pytest.mark.parametrize("pattern", ["a([", "*", "a{2,1}", "[z-a]"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    async def main() -> None:
        response = await GroupBroker(transactions=1).call(wire.Request(transactional_id_pattern=pattern), 2)
        assert response.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION

    run(main())


def test_who_may_not_describe_an_id_does_not_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_transactions()
        deny(monkeypatch, ("DESCRIBE", "open"))
        assert rows(await broker.call(wire.Request(), 2)) == [DONE, IDLE]

    run(main())
