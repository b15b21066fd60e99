"""The transaction coordinator in a broker: markers until every partition has them, timeouts, expiry, verification."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kafkawire.errors import ErrorCode
from kafkawire.records import build
from kafkawire.stored import txn_log
from kafkawire.stored.txn_log import TransactionLogKey
from pykafkad.cluster.image import PartitionImage, TopicImage
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.runtime.markers import Marker
from pykafkad.runtime.transactions import TRANSACTIONS_TOPIC
from pykafkad.state.decisions import Decision
from pykafkad.state.transactions.phases import Empty
from pykafkad.state.transactions.stored import record
from tests.kit.broker import topic_id
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.producers import add, end, initialise, partitions, state

Where = tuple[str, int]


class Reluctant(GroupBroker):
    """Partitions that say what a test has them say to a marker, or say nothing yet."""

    def __init__(self, **more: Any) -> None:
        self.says: dict[Where, ErrorCode | None] = {}
        self.told: list[tuple[Where, Marker]] = []
        self.silent: list[Callable[[ErrorCode], None]] = []
        super().__init__(**more)

    def write_marker(self, topic: str, index: int, marker: Marker, now: int, done: Callable[[ErrorCode], None]) -> None:
        self.told.append(((topic, index), marker))
        code = self.says.get((topic, index), ErrorCode.NONE)
        if code is None:
            self.silent.append(done)
        else:
            done(code)


async def with_transaction(**topics: int) -> Reluctant:
    broker = Reluctant(transactions=1, **(topics or {"t": 2}))
    await initialise(broker)
    assert set((await add(broker, "x", (0, 0), ("t", 0), ("t", 1))).values()) == {0}
    return broker


def test_markers_say_what_was_decided() -> None:
    async def main() -> None:
        broker = await with_transaction()
        await end(broker, "x", (0, 0), commit=True, version=5)
        await asyncio.sleep(0)
        marker = Marker(producer_id=0, producer_epoch=1, commit=True, coordinator_epoch=0, epoch_bumps=True)
        assert broker.told == [(("t", 0), marker), (("t", 1), marker)]
        broker.told.clear()
        await add(broker, "x", (0, 1), ("t", 0))
        await end(broker, "x", (0, 1), commit=False, version=4)
        await asyncio.sleep(0)
        assert broker.told == [(("t", 0), Marker(0, 1, False, 0, False))]

    run(main())


def test_a_partition_that_refuses_is_asked_again_and_the_others_are_not() -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.says["t", 1] = ErrorCode.KAFKA_STORAGE_ERROR
        await end(broker, "x", (0, 0))
        await asyncio.sleep(1)
        assert [where for where, _ in broker.told].count(("t", 0)) == 1
        assert await state(broker) == "PrepareCommit" and broker.transactions.unsent_markers() == 1
        assert await partitions(broker) == [("t", 1)], "those that have yet to hear of it"
        assert await add(broker, "x", (0, 1), ("t", 0)) == {("t", 0): ErrorCode.CONCURRENT_TRANSACTIONS}
        broker.says.clear()
        await asyncio.sleep(1)
        assert await state(broker) == "CompleteCommit" and broker.transactions.unsent_markers() == 0
        assert await partitions(broker) == []

    run(main())


def test_a_partition_that_takes_its_time_is_not_asked_twice() -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.says = {("t", 0): None, ("t", 1): ErrorCode.NOT_LEADER_OR_FOLLOWER}
        await end(broker, "x", (0, 0))
        await asyncio.sleep(1)
        broker.says["t", 1] = ErrorCode.NONE
        await asyncio.sleep(1)
        assert [where for where, _ in broker.told].count(("t", 0)) == 1
        assert await state(broker) == "PrepareCommit"
        [done] = broker.silent
        done(ErrorCode.NONE)
        assert await state(broker) == "CompleteCommit"

    run(main())


@pytest.mark.parametrize("code", [ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED])
def test_a_partition_that_knows_better_does_not_hold_the_transactional_id_up(code: ErrorCode) -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.says["t", 0] = code
        await end(broker, "x", (0, 0))
        await asyncio.sleep(0)
        assert await state(broker) == "CompleteCommit"

    run(main())


def test_a_deleted_topic_needs_no_marker() -> None:
    async def main() -> None:
        broker = Reluctant(transactions=1, t=1, u=1)
        await initialise(broker)
        await add(broker, "x", (0, 0), ("t", 0), ("u", 0))
        broker.says["u", 0] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        await end(broker, "x", (0, 0))
        await asyncio.sleep(1)
        assert await state(broker) == "PrepareCommit", "the cluster has it: it will be found again"
        broker.drop("u")
        await asyncio.sleep(1)
        assert await state(broker) == "CompleteCommit"

    run(main())


def test_what_was_decided_is_told_again_after_a_crash() -> None:
    async def main() -> None:
        broker: GroupBroker = await with_transaction()
        assert isinstance(broker, Reluctant)
        broker.says = {("t", 0): None, ("t", 1): None}
        await end(broker, "x", (0, 0))
        await asyncio.sleep(0)
        assert len(broker.told) == 2
        broker = broker.crashed()
        await asyncio.sleep(1)
        assert await state(broker) == "CompleteCommit"
        assert await add(broker, "x", (0, 1), ("t", 0)) == {("t", 0): 0}

    run(main())


def test_a_decision_is_told_to_nobody_before_it_is_safe() -> None:
    async def main() -> None:
        broker = await with_transaction()
        parts = (PartitionImage((1, 2), (1, 2), 1, 0, 0),)
        broker.topics[TRANSACTIONS_TOPIC] = TopicImage(TRANSACTIONS_TOPIC, topic_id(TRANSACTIONS_TOPIC), parts)
        broker.publish()
        deciding = asyncio.ensure_future(end(broker, "x", (0, 0)))
        await asyncio.sleep(1)
        assert not deciding.done() and broker.told == []
        log = broker.partition(TRANSACTIONS_TOPIC)
        log.replica_asks(2, 0, log.log.end_offset, 0, broker.clock.now_ms())
        assert (await deciding)[0] == 0 and len(broker.told) == 2

    run(main())


def test_nobody_is_told_early_because_another_transaction_is_told_again() -> None:
    async def main() -> None:
        broker = await with_transaction()
        other = (await initialise(broker, "y"))[1:]
        await add(broker, "y", other, ("t", 1))
        broker.says["t", 0] = ErrorCode.KAFKA_STORAGE_ERROR
        await end(broker, "x", (0, 0))
        parts = (PartitionImage((1, 2), (1, 2), 1, 0, 0),)
        broker.topics[TRANSACTIONS_TOPIC] = TopicImage(TRANSACTIONS_TOPIC, topic_id(TRANSACTIONS_TOPIC), parts)
        broker.publish()
        deciding = asyncio.ensure_future(end(broker, "y", other))
        await asyncio.sleep(1)
        assert not deciding.done() and {marker.producer_id for _, marker in broker.told} == {0}
        log = broker.partition(TRANSACTIONS_TOPIC)
        log.replica_asks(2, 0, log.log.end_offset, 0, broker.clock.now_ms())
        assert (await deciding)[0] == 0
        await asyncio.sleep(1)
        assert {marker.producer_id for _, marker in broker.told} == {0, other[0]}

    run(main())


def test_a_full_disk_delays_the_record_that_all_is_done() -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.says = {("t", 0): None}
        await end(broker, "x", (0, 0))
        await asyncio.sleep(0)
        broker.disk.failing["append", ".log"] = OSError(28, "no space left")
        [done] = broker.silent
        done(ErrorCode.NONE)
        await asyncio.sleep(1)
        assert await state(broker) == "PrepareCommit" and broker.transactions.unwritten_ends() == 1
        broker.disk.failing.clear()
        await asyncio.sleep(1)
        assert await state(broker) == "CompleteCommit" and broker.transactions.unwritten_ends() == 0

    run(main())


def test_a_record_of_a_later_broker_takes_nothing_from_the_one_before_it() -> None:
    async def main() -> None:
        broker = await with_transaction()
        key = txn_log.write(TransactionLogKey(transactional_id="x"), None, 0)[0]
        later = build([(key, b"\0\x07from the future")], timestamp=broker.clock.now_ms())
        broker.partition(TRANSACTIONS_TOPIC).append_own(later, broker.clock.now_ms())
        broker = broker.crashed()
        await asyncio.sleep(1)
        assert await state(broker) == "Ongoing"

    run(main())


def sweep(work: Iterator[None]) -> None:
    for _ in work:
        pass


def test_transactions_end_at_their_timeout_and_ids_at_their_expiry() -> None:
    async def main() -> None:
        broker = Reluctant(transactions=1, t=1, config=Config.load({"transactional.id.expiration.ms": "100000"}))
        await initialise(broker, timeout_ms=1000)
        await add(broker, "x", (0, 0), ("t", 0))
        [(name, begun)] = broker.transactions.open()
        assert (name, begun) == ("x", broker.clock.now_ms())
        await asyncio.sleep(1)
        sweep(broker.transactions.abort_overdue(broker.clock.now_ms()))
        assert await state(broker) == "Ongoing"
        await asyncio.sleep(0.001)
        sweep(broker.transactions.abort_overdue(broker.clock.now_ms()))
        await asyncio.sleep(0)
        assert await state(broker) == "CompleteAbort" and list(broker.transactions.open()) == []
        counted = broker.metrics.counters
        prefix = "kafka_coordinator_transaction_transactioncoordinator_"
        assert [counted[prefix + name][()].value for name in ("timedout_total", "aborted_total")] == [1, 1]
        await asyncio.sleep(99)
        sweep(broker.transactions.expire(broker.clock.now_ms()))
        assert await state(broker) == "CompleteAbort"
        await asyncio.sleep(2)
        sweep(broker.transactions.expire(broker.clock.now_ms()))
        assert await state(broker) == ""

    run(main())


def at_the_last_epoch(broker: Reluctant) -> None:
    """The transactional id x, of which nothing is open, as it would be after a long life."""
    shard = broker.transactions.shard("x")
    assert not isinstance(shard, Refused)
    known = shard.machine.transactions["x"]
    old = record("x", known.moved(Empty(), broker.clock.now_ms(), epoch=32_766), 1)
    shard.tell(broker.clock.now_ms(), lambda: Decision((old,)))


def test_an_overdue_transaction_of_the_last_epoch_waits_for_a_producer_id() -> None:
    async def main() -> None:
        broker = Reluctant(transactions=1, t=1)
        await initialise(broker, timeout_ms=1000)
        at_the_last_epoch(broker)
        await add(broker, "x", (0, 32_766), ("t", 0))
        while broker.node.producer_ids.at_hand() is not None:
            pass
        await asyncio.sleep(2)
        sweep(broker.transactions.abort_overdue(broker.clock.now_ms()))
        assert await state(broker) == "Ongoing"
        await asyncio.sleep(1)
        sweep(broker.transactions.abort_overdue(broker.clock.now_ms()))
        await asyncio.sleep(0)
        assert await state(broker) == "CompleteAbort"
        again = await initialise(broker, shown=(0, 32_766))
        assert again[0] == 0 and again[1] > 0 and again[2] == 0, "its producer goes on with what the abort brought"

    run(main())


def test_who_was_given_another_producer_id_waits_until_it_counts() -> None:
    async def main() -> None:
        broker = Reluctant(transactions=1, t=1)
        await initialise(broker)
        at_the_last_epoch(broker)
        await add(broker, "x", (0, 32_766), ("t", 0))
        broker.says["t", 0] = None
        code, *who = await end(broker, "x", (0, 32_766))
        await asyncio.sleep(0)
        assert (code, who[1]) == (0, 0)
        joined = broker.transactions.verify("x", *who, [("t", 0)], broker.clock.now_ms(), add=True)
        assert isinstance(joined, asyncio.Future)
        broker.silent.pop()(ErrorCode.NONE)
        assert await joined == [ErrorCode.NONE]

    run(main())


def test_partitions_join_and_are_vouched_for() -> None:
    async def main() -> None:
        broker = Reluctant(transactions=1, t=2)
        await initialise(broker)

        async def ask(who: tuple[int, int], *partitions: Where, add: bool) -> list[str]:
            found = broker.transactions.verify("x", *who, partitions, broker.clock.now_ms(), add=add)
            return [code.name for code in (await found if isinstance(found, asyncio.Future) else found)]

        assert await ask((0, 0), ("t", 0), ("t", 1), add=False) == ["TRANSACTION_ABORTABLE"] * 2
        assert await ask((0, 0), ("t", 0), add=True) == ["NONE"]
        assert await ask((0, 0), ("t", 0), ("t", 1), add=False) == ["NONE", "TRANSACTION_ABORTABLE"]
        assert await ask((0, 7), ("t", 0), add=True) == ["PRODUCER_FENCED"]
        failures = broker.metrics.counter("kafka_server_addpartitionstotxnmanager_verificationfailure_total")
        assert failures.value == 2 + 1 + 1
        # The next transaction waits a moment for the end of the last one, and no longer.
        broker.says["t", 0] = None
        await end(broker, "x", (0, 0))
        await asyncio.sleep(0)
        begun = broker.loop.time()
        assert await ask((0, 1), ("t", 0), add=True) == ["CONCURRENT_TRANSACTIONS"]
        assert broker.loop.time() - begun == pytest.approx(0.1, abs=0.021)
        broker.loop.call_later(0.05, lambda: broker.silent.pop()(ErrorCode.NONE))
        assert await ask((0, 1), ("t", 0), add=True) == ["NONE"]

    run(main())


def test_nobody_vouches_without_a_coordinator() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        assert broker.transactions.verify("x", 0, 0, [("t", 0)], 0, add=True) == [ErrorCode.NOT_COORDINATOR]

    run(main())


def test_the_coordinator_speaks_the_version_of_the_cluster() -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.features = {"transaction.version": 1}
        broker.publish()
        assert (await initialise(broker))[0] == ErrorCode.CONCURRENT_TRANSACTIONS
        await asyncio.sleep(0)
        assert broker.told[-1][1].epoch_bumps is False
        _, producer_id, epoch = await initialise(broker)
        await add(broker, "x", (producer_id, epoch), ("t", 0))
        broker.features = {"transaction.version": 2}
        broker.publish()
        await initialise(broker)
        await asyncio.sleep(0)
        assert broker.told[-1][1].epoch_bumps is True

    run(main())


def test_a_coordinator_that_moves_away_tells_nobody_any_more() -> None:
    async def main() -> None:
        broker = await with_transaction()
        broker.says["t", 0] = ErrorCode.NOT_LEADER_OR_FOLLOWER
        await end(broker, "x", (0, 0))
        await asyncio.sleep(0)
        broker.add(TRANSACTIONS_TOPIC, 1, replicas=(2, 1), isr=(2,), leader=2, epoch=1)
        told = len(broker.told)
        await asyncio.sleep(1)
        assert len(broker.told) == told
        assert (await end(broker, "x", (0, 0)))[0] == ErrorCode.NOT_COORDINATOR

    run(main())
