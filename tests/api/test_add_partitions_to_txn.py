"""AddPartitionsToTxn: all partitions or none for a producer, batches and verification for brokers."""

from __future__ import annotations

import pytest

from kafkawire.api import add_partitions_to_txn as wire
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import deny
from tests.kit.producers import add, codes, initialise, state

X = (0, 0)


async def with_producer() -> GroupBroker:
    broker = GroupBroker(transactions=1, t=2, u=1)
    assert await initialise(broker) == (0, *X)
    return broker


@pytest.mark.parametrize("version", range(4))
def test_a_producer_announces_what_it_will_write_to(version: int) -> None:
    async def main() -> None:
        broker = await with_producer()
        wanted = [("t", 1), ("u", 0), ("t", 0)]
        assert await add(broker, "x", X, *wanted, version=version) == dict.fromkeys(wanted, 0)
        assert await state(broker) == "Ongoing"

    run(main())


def test_one_that_cannot_be_added_keeps_all_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_producer()
        deny(monkeypatch, ("WRITE", "u"))
        assert await add(broker, "x", X, ("t", 0), ("t", 2), ("nope", 0), ("u", 0)) == {
            ("t", 0): ErrorCode.OPERATION_NOT_ATTEMPTED,
            ("t", 2): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ("nope", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ("u", 0): ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        }
        assert await state(broker) == "Empty"

    run(main())


@pytest.mark.parametrize(
    ("name", "who", "version", "code"),
    [
        ("", X, 3, ErrorCode.INVALID_REQUEST),
        ("nobody", X, 3, ErrorCode.INVALID_PRODUCER_ID_MAPPING),
        ("x", (9, 0), 3, ErrorCode.INVALID_PRODUCER_ID_MAPPING),
        ("x", (0, 1), 3, ErrorCode.PRODUCER_FENCED),
        ("x", (0, 1), 2, ErrorCode.PRODUCER_FENCED),
        ("x", (0, 1), 1, ErrorCode.INVALID_PRODUCER_EPOCH),
    ],
)
def test_refusals(name: str, who: tuple[int, int], version: int, code: ErrorCode) -> None:
    async def main() -> None:
        broker = await with_producer()
        assert await add(broker, name, who, ("t", 0), version=version) == {("t", 0): code}

    run(main())


def test_who_may_not_use_the_transactional_id(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_producer()
        deny(monkeypatch, ("WRITE", "x"))
        assert await add(broker, "x", X, ("t", 0)) == {("t", 0): ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}

    run(main())


def batch(name: str, epoch: int, *, verify_only: bool, partitions: int = 1) -> wire.Transaction:
    return wire.Transaction(
        transactional_id=name,
        producer_id=0,
        producer_epoch=epoch,
        verify_only=verify_only,
        topics=[wire.Topic(name="t", partitions=list(range(partitions)))],
    )


@pytest.mark.parametrize("version", [4, 5])
def test_a_broker_adds_and_verifies_for_several_producers(version: int) -> None:
    async def main() -> None:
        broker = await with_producer()

        async def ask(*transactions: wire.Transaction) -> dict[str, list[int]]:
            response = await broker.call(wire.Request(transactions=list(transactions)), version)
            assert response.error_code == 0
            return {
                one.transactional_id: list(codes(one.topic_results).values()) for one in response.results_by_transaction
            }

        unadded, fenced = ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.PRODUCER_FENCED
        assert await ask() == {}
        assert await ask(batch("x", 0, verify_only=True)) == {"x": [unadded]}
        assert await ask(batch("x", 0, verify_only=False), batch("y", 0, verify_only=False)) == {
            "x": [0],
            "y": [ErrorCode.INVALID_PRODUCER_ID_MAPPING],
        }
        assert await ask(batch("x", 0, verify_only=True, partitions=2)) == {"x": [0, unadded]}
        assert await ask(batch("x", 1, verify_only=True)) == {"x": [fenced]}

    run(main())


def test_of_an_id_that_comes_twice_the_last_ones_partitions_count() -> None:
    async def main() -> None:
        broker = await with_producer()
        first, last = batch("x", 0, verify_only=False), batch("x", 0, verify_only=False, partitions=3)
        response = await broker.call(wire.Request(transactions=[first, last]), 5)
        unknown, kept_out = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.OPERATION_NOT_ATTEMPTED
        found = [list(codes(one.topic_results).values()) for one in response.results_by_transaction]
        assert found == [[kept_out, kept_out, unknown]] * 2
        assert await state(broker) == "Empty"

    run(main())


def test_batches_are_for_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_producer()
        deny(monkeypatch, ("CLUSTER_ACTION", "kafka-cluster"))
        response = await broker.call(wire.Request(transactions=[batch("x", 0, verify_only=False)]), 5)
        assert response.error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        assert await state(broker) == "Empty"

    run(main())
