"""EndTxn: the decision, and what the producer goes on with."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny
from tests.kit.producers import add, end, initialise, state


async def with_transaction() -> GroupBroker:
    broker = GroupBroker(transactions=1, t=1)
    await initialise(broker)
    assert await add(broker, "x", (0, 0), ("t", 0)) == {("t", 0): 0}
    return broker


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("version", range(6))
def test_an_end_is_carried_out(version: int, commit: bool) -> None:
    async def main() -> None:
        broker = await with_transaction()
        # Only version 5 speaks transaction version 2, where every end brings another epoch.
        assert await end(broker, "x", (0, 0), commit=commit, version=version) == (
            (0, 0, 1) if version == 5 else (0, -1, -1)
        )
        assert await state(broker) == ("PrepareCommit" if commit else "PrepareAbort")
        await asyncio.sleep(0)
        assert await state(broker) == ("CompleteCommit" if commit else "CompleteAbort")

    run(main())


def test_the_next_transaction_finds_the_last_one_complete() -> None:
    """With its partitions at hand the coordinator is done before anybody can ask again."""

    async def main() -> None:
        broker = await with_transaction()
        who = (0, 0)
        for _ in range(20):
            _, *rest = await end(broker, "x", who)
            await asyncio.sleep(0)  # the answer goes out, and the next request comes in
            who = (rest[0], rest[1])
            assert await add(broker, "x", who, ("t", 0)) == {("t", 0): 0}

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_transaction()
        assert await end(broker, "", (0, 0)) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await end(broker, "y", (0, 0)) == (ErrorCode.INVALID_PRODUCER_ID_MAPPING, -1, -1)
        assert await end(broker, "x", (1, 0)) == (ErrorCode.INVALID_PRODUCER_ID_MAPPING, -1, -1)
        assert await end(broker, "x", (0, 1), version=2) == (ErrorCode.PRODUCER_FENCED, -1, -1)
        assert await end(broker, "x", (0, 1), version=1) == (ErrorCode.INVALID_PRODUCER_EPOCH, -1, -1)
        deny(monkeypatch, ("WRITE", "x"))
        assert await end(broker, "x", (0, 0)) == (ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1)
        assert await state(broker) == "Ongoing"

    run(main())


def test_without_a_coordinator() -> None:
    async def main() -> None:
        broker = GroupBroker()
        assert await end(broker, "", (0, 0)) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await end(broker, "x", (0, 0)) == (ErrorCode.NOT_COORDINATOR, -1, -1)

    run(main())
