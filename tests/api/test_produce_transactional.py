"""Produce in transactions: who is asked, what is answered, and what never enters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.config import Config
from tests.api.test_produce import KEY, produced, request
from tests.kit.broker import Broker, batch
from tests.kit.loop import run
from tests.kit.vouching import Question, Voucher

E = ErrorCode


def made(sequence: int = 0, *, producer: int = 7, epoch: int = 0, values: tuple[bytes, ...] = (b"a",)) -> bytearray:
    return batch(*values, transactional=True, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)


def vouched(*codes: ErrorCode, slow: bool = False, **topics: int) -> tuple[Broker, Voucher]:
    broker = Broker(**(topics or {"t": 2}))
    voucher = broker.node.transactions = Voucher(*codes, slow=slow)
    return broker, voucher


async def sent(broker: Broker, *partitions: Any, version: int = 9) -> list[tuple[int, int]]:
    answers = await produced(broker, *partitions, version=version, transactional_id="tx")
    return [(answer.error_code, answer.base_offset) for answer in answers]


@pytest.mark.parametrize("version", range(3, 14))
def test_only_the_first_batch_on_a_partition_asks(version: int) -> None:
    async def main() -> None:
        broker, voucher = vouched()
        assert await sent(broker, ("t", 0, made()), ("t", 1, made()), version=version) == [(0, 0), (0, 0)]
        assert voucher.asked == [Question("tx", 7, 0, [("t", 0), ("t", 1)], version >= 12)]
        assert await sent(broker, ("t", 0, made(1)), version=version) == [(0, 1)]
        assert len(voucher.asked) == 1
        broker.end("t", 7, 0, commit=True)
        assert await sent(broker, ("t", 0, made(2)), ("t", 1, made(1)), version=version)
        assert voucher.asked[1:] == [Question("tx", 7, 0, [("t", 0)], version >= 12)]

    run(main())


@pytest.mark.parametrize(
    ("said", "by_version"),
    [
        (E.TRANSACTION_ABORTABLE, {9: E.INVALID_TXN_STATE, 11: E.TRANSACTION_ABORTABLE, 13: E.TRANSACTION_ABORTABLE}),
        (E.INVALID_PRODUCER_ID_MAPPING, {9: E.INVALID_PRODUCER_ID_MAPPING, 13: E.INVALID_PRODUCER_ID_MAPPING}),
        (E.PRODUCER_FENCED, {9: E.INVALID_PRODUCER_EPOCH, 13: E.INVALID_PRODUCER_EPOCH}),
        (
            E.CONCURRENT_TRANSACTIONS,
            {9: E.NOT_ENOUGH_REPLICAS, 11: E.NOT_ENOUGH_REPLICAS, 12: E.CONCURRENT_TRANSACTIONS},
        ),
        (E.NOT_COORDINATOR, {9: E.NOT_ENOUGH_REPLICAS, 13: E.NOT_ENOUGH_REPLICAS}),
        (E.COORDINATOR_LOAD_IN_PROGRESS, {13: E.NOT_ENOUGH_REPLICAS}),
        (E.COORDINATOR_NOT_AVAILABLE, {13: E.NOT_ENOUGH_REPLICAS}),
        (E.NETWORK_EXCEPTION, {13: E.NOT_ENOUGH_REPLICAS}),
    ],
)
def test_what_the_coordinator_says_as_each_version_knows_it(said: E, by_version: dict[int, E]) -> None:
    async def main() -> None:
        for version, code in by_version.items():
            broker, _ = vouched(said)
            assert await sent(broker, ("t", 0, made()), version=version) == [(code, -1)]
            assert broker.partition("t").log.end_offset == 0

    run(main())


def test_one_refused_partition_leaves_the_others() -> None:
    async def main() -> None:
        broker, _ = vouched(E.NONE, E.TRANSACTION_ABORTABLE)
        assert await sent(broker, ("t", 0, made()), ("t", 1, made())) == [(0, 0), (E.INVALID_TXN_STATE, -1)]

    run(main())


def test_refusals_say_why() -> None:
    async def main() -> None:
        broker, _ = vouched(E.NOT_COORDINATOR)
        (answer,) = await produced(broker, ("t", 0, made()), transactional_id="tx")
        assert answer.error_message.endswith("Underlying error: NOT_COORDINATOR") and answer.log_start_offset == -1

    run(main())


def test_two_producers_in_one_request_are_one_too_many() -> None:
    async def main() -> None:
        broker, voucher = vouched()
        both = await sent(broker, ("t", 0, made()), ("t", 1, made(producer=8)))
        assert both == [(E.INVALID_PRODUCER_ID_MAPPING, -1)] * 2 and not voucher.asked

    run(main())


def test_a_slow_answer_keeps_the_order_and_the_bytes() -> None:
    async def main() -> None:
        broker, voucher = vouched(slow=True)
        raw = made(values=(b"first",))
        answer = asyncio.ensure_future(broker.ask(request(("t", 0, raw), transactional_id="tx"), 9, key=KEY))
        raw[:] = bytes(len(raw))  # the connection reads on
        await asyncio.sleep(1)
        assert not answer.done() and broker.partition("t").log.end_offset == 0
        voucher.answer()
        response = await answer
        assert response.responses[0].partition_responses[0].error_code == 0
        assert broker.partition("t").log.end_offset == 1

    run(main())


def test_a_marker_between_the_question_and_the_answer_makes_the_answer_worthless() -> None:
    """The transaction that was vouched for has ended meanwhile (KIP-890): what would begin here would never end."""

    async def main() -> None:
        broker, voucher = vouched(slow=True)
        answer = asyncio.ensure_future(broker.ask(request(("t", 0, made()), transactional_id="tx"), 9, key=KEY))
        await asyncio.sleep(0)
        broker.end("t", 7, 0, commit=False)
        voucher.answer()
        response = await answer
        assert response.responses[0].partition_responses[0].error_code == E.INVALID_TXN_STATE
        assert broker.partition("t").last_stable_offset == broker.partition("t").log.end_offset == 1

    run(main())


def test_verification_can_be_switched_off_for_old_clients_only() -> None:
    async def main() -> None:
        broker = Broker(config=Config.load({"transaction.partition.verification.enable": "false"}), t=1)
        voucher = broker.node.transactions = Voucher(E.TRANSACTION_ABORTABLE)
        assert await sent(broker, ("t", 0, made()), version=11) == [(0, 0)]
        assert not voucher.asked
        broker.end("t", 7, 0, commit=True)
        assert await sent(broker, ("t", 0, made(1)), version=12) == [(E.TRANSACTION_ABORTABLE, -1)]

    run(main())


def test_without_verification_a_batch_that_was_refused_holds_nobody_back() -> None:
    async def main() -> None:
        broker = Broker(config=Config.load({"transaction.partition.verification.enable": "false"}), t=1)
        broker.node.transactions = Voucher()
        assert await sent(broker, ("t", 0, made())) == [(0, 0)]
        broker.end("t", 7, 0, commit=True)
        assert await sent(broker, ("t", 0, made())) == [(0, 0)], "an answer had got lost"
        assert await sent(broker, ("t", 0, made(1))) == [(0, 2)]

    run(main())


def test_a_plain_batch_in_a_request_with_a_transactional_id_is_plain() -> None:
    async def main() -> None:
        broker, voucher = vouched()
        plain = batch(b"a")
        assert await sent(broker, ("t", 0, plain)) == [(0, 0)] and not voucher.asked

    run(main())
