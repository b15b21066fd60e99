"""InitProducerId: ids from blocks, one for everybody; epochs for transactional ids."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.api import init_producer_id as wire
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.producers import add, end, initialise, state

KEY = 22


async def asked(
    broker: Broker, transactional_id: str | None = None, version: int = 4, **more: Any
) -> tuple[int, int, int]:
    request = wire.Request(transactional_id=transactional_id, transaction_timeout_ms=60_000, **more)
    response = await broker.answer(request, version, key=KEY)
    assert response_frame(1, response, version)
    return response.error_code, response.producer_id, response.producer_epoch


@pytest.mark.parametrize("version", range(6))
def test_everybody_gets_an_id_of_their_own(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        assert [await asked(broker, version=version) for _ in range(3)] == [(0, 0, 0), (0, 1, 0), (0, 2, 0)]
        assert broker.producer_id_blocks == [range(1000)]

    run(main())


def test_those_who_come_together_share_one_block() -> None:
    async def main() -> None:
        broker = Broker()
        answers = await asyncio.gather(*(asked(broker) for _ in range(1500)))
        assert sorted(producer for _, producer, _ in answers) == list(range(1500))
        assert broker.producer_id_blocks == [range(1000), range(1000, 2000)]

    run(main())


def test_a_caller_that_goes_away_takes_nothing_along() -> None:
    async def main() -> None:
        broker = Broker()
        impatient = asyncio.ensure_future(asked(broker))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await asked(broker) == (0, 0, 0)
        assert len(broker.producer_id_blocks) == 1

    run(main())


def test_without_a_block_the_producer_is_asked_to_come_again() -> None:
    async def main() -> None:
        broker = Broker()

        async def fail(count: int) -> range:
            raise ConnectionError("the store is gone")

        broker.node.admin.next_producer_ids = fail  # type: ignore[method-assign]
        assert await asked(broker) == (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, -1, -1)
        del broker.node.admin.next_producer_ids
        broker.node.admin.next_producer_ids = broker._next_producer_ids  # type: ignore[method-assign]
        assert await asked(broker) == (0, 0, 0)

    run(main())


def test_refusals() -> None:
    async def main() -> None:
        broker = Broker()
        assert await asked(broker, producer_id=5) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await asked(broker, producer_epoch=5) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await asked(broker, producer_id=5, producer_epoch=5) == (0, 0, 0)

    run(main())


@pytest.mark.parametrize("version", range(6))
def test_a_transactional_id_keeps_its_producer_id(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1)
        assert await initialise(broker, version=version) == (0, 0, 0)
        assert await initialise(broker, version=version) == (0, 0, 1)
        assert await initialise(broker, "y", version=version) == (0, 1, 0)

    run(main())


def test_a_new_producer_aborts_what_the_last_one_left_open() -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1, t=1)
        await initialise(broker)
        await add(broker, "x", (0, 0), ("t", 0))
        assert await initialise(broker) == (ErrorCode.CONCURRENT_TRANSACTIONS, -1, -1)
        await asyncio.sleep(0)
        assert await state(broker) == "CompleteAbort"
        code, producer_id, epoch = await initialise(broker)
        assert (code, producer_id) == (0, 0) and epoch > 1
        assert (await end(broker, "x", (0, 0)))[0] == ErrorCode.PRODUCER_FENCED

    run(main())


def test_a_transactional_id_is_refused() -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1)
        assert await initialise(broker, "") == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await initialise(broker, timeout_ms=0) == (ErrorCode.INVALID_TRANSACTION_TIMEOUT, -1, -1)
        assert await initialise(broker, timeout_ms=900_001) == (ErrorCode.INVALID_TRANSACTION_TIMEOUT, -1, -1)
        await initialise(broker)
        assert await initialise(broker, shown=(0, 7), version=4) == (ErrorCode.PRODUCER_FENCED, -1, -1)
        assert await initialise(broker, shown=(0, 7), version=3) == (ErrorCode.INVALID_PRODUCER_EPOCH, -1, -1)
        assert await initialise(broker, shown=(0, -1)) == (ErrorCode.INVALID_REQUEST, -1, -1)
        nowhere = GroupBroker()
        assert await initialise(nowhere, "") == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await initialise(nowhere) == (ErrorCode.NOT_COORDINATOR, -1, -1)
        for timeout_ms in (0, 900_001):
            refused = await initialise(nowhere, timeout_ms=timeout_ms)
            assert refused == (ErrorCode.INVALID_TRANSACTION_TIMEOUT, -1, -1)

    run(main())


def test_no_producer_id_can_be_had() -> None:
    async def main() -> None:
        broker = GroupBroker(transactions=1)

        async def fail(count: int) -> range:
            raise OSError("the store is gone")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(broker.node.producer_ids, "_next_block", fail)
            assert await initialise(broker) == (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, -1, -1)
        assert await initialise(broker) == (0, 0, 0)

    run(main())
