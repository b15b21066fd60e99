"""InitProducerId: ids from blocks, one for everybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.api import init_producer_id as wire
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker
from tests.kit.loop import run

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
        assert await asked(broker, "") == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await asked(broker, "tx") == (ErrorCode.COORDINATOR_NOT_AVAILABLE, -1, -1)
        assert await asked(broker, producer_id=5) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await asked(broker, producer_epoch=5) == (ErrorCode.INVALID_REQUEST, -1, -1)
        assert await asked(broker, producer_id=5, producer_epoch=5) == (0, 0, 0)

    run(main())
