"""Grouped syncs: one serves all who wait; answers wait where flush.messages says so."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused, StorageFailed
from pykafkad.runtime.flusher import Flusher
from tests.kit.broker import Broker
from tests.kit.loop import VirtualLoop, run


class Log:
    directory = "/data/t-0"

    def __init__(self) -> None:
        self.synced: list[int] = []

    def flush(self, upto: int) -> None:
        self.synced.append(upto)


class Flushed:
    def __init__(self) -> None:
        self.log: Any = Log()
        self.told: list[tuple[int, bool]] = []

    def flushed(self, upto: int, failure: StorageFailed | None) -> None:
        self.told.append((upto, failure is None))


def test_requests_during_a_sync_share_the_next_one() -> None:
    async def main() -> None:
        flusher, one = Flusher(), Flushed()
        flusher.request(one, 1)
        flusher.request(one, 2)
        flusher.request(one, 3)
        await flusher.drain()
        assert one.log.synced == [1, 3]
        assert one.told == [(1, True), (3, True)]

    run(main())


def test_partitions_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        flusher, one, two = Flusher(), Flushed(), Flushed()
        flusher.request(one, 1)
        flusher.request(two, 5)
        await flusher.drain()
        assert one.told == [(1, True)] and two.told == [(5, True)]

    run(main())


def test_a_failure_is_told() -> None:
    async def main() -> None:
        flusher, one = Flusher(), Flushed()

        def fail(upto: int) -> None:
            raise StorageFailed("/data", "fsync: I/O error")

        one.log.flush = fail
        flusher.request(one, 1)
        await flusher.drain()
        assert one.told == [(1, False)]

    run(main())


def test_with_flush_messages_the_marks_wait_for_the_sync() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        partition, told = broker.partition("t"), []
        for _ in range(3):
            broker.write("t", b"x")
        assert (partition.durable_end, partition.high_watermark) == (0, 0)
        partition.durable(1, lambda: told.append("durable"))
        partition.committed(3, lambda: told.append("committed"))
        await broker.partitions.flusher.drain()
        assert told == ["durable", "committed"]
        assert (partition.durable_end, partition.high_watermark, partition.log.recovery_point) == (3, 3, 3)

    run(main())


def test_a_sync_that_could_not_begin_is_begun_again() -> None:
    """Too many open files, say: those who wait are refused, and who asks again appends nothing that would sync."""

    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        partition, told = broker.partition("t"), []
        broker.disk.failing["fsync", ""] = OSError(errno.EMFILE, "too many open files")
        broker.write("t", b"x")
        partition.committed(1, lambda: told.append("committed"), told.append)
        await broker.partitions.flusher.drain()
        assert [type(one) for one in told] == [Refused] and partition.high_watermark == 0
        broker.disk.failing.clear()
        await asyncio.sleep(2)
        await broker.partitions.flusher.drain()
        assert partition.high_watermark == 1

    run(main())


def test_flush_messages_above_one_makes_only_every_so_many_wait() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="3")
        partition = broker.partition("t")
        broker.write("t", b"x")
        broker.write("t", b"x")
        assert partition.high_watermark == 2
        broker.write("t", b"x")
        assert partition.high_watermark == 2
        await broker.partitions.flusher.drain()
        assert partition.high_watermark == 3
        broker.write("t", b"x")
        assert partition.high_watermark == 4

    run(main())


def test_a_hundred_acks_share_a_sync() -> None:
    """Each producer waits for its sync; those who came while one was running share the next."""

    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        partition, safe = broker.partition("t"), []
        syncs = 0

        def sync(path: str) -> None:
            nonlocal syncs
            syncs += path.endswith(".log")

        broker.disk.before_fsync = sync
        rounds = 10
        for _ in range(rounds):
            for _ in range(100):
                end = broker.write("t", b"x").last_offset + 1
                partition.durable(end, lambda end=end: safe.append(partition.log.recovery_point >= end))  # type: ignore[misc]
            await broker.partitions.flusher.drain()
        assert safe == [True] * rounds * 100
        assert syncs == rounds * 2, "the first of each round alone, the others together"
        assert broker.crashed(power_cut=True).partition("t").log.end_offset == rounds * 100

    run(main())


def test_a_failed_sync_refuses_those_who_wait_and_all_who_come() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        partition, told = broker.partition("t"), []

        def lost(refused: Refused) -> None:
            told.append(refused.code)

        broker.disk.failing[("fsync", ".log")] = OSError(5, "I/O error")
        broker.write("t", b"x")
        partition.durable(1, lambda: told.append("durable"), lost)
        await broker.partitions.flusher.drain()
        assert told == [ErrorCode.KAFKA_STORAGE_ERROR] and partition.high_watermark == 0
        broker.disk.failing.clear()  # a later sync would succeed, and prove nothing
        refused = broker.partitions.get("t", 0)
        assert isinstance(refused, Refused) and refused.code == ErrorCode.KAFKA_STORAGE_ERROR
        assert not partition.leads

    run(main())


def test_flush_ms_syncs_what_is_older_to_the_millisecond() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_ms="5000")
        broker.write("t", b"x")
        assert broker.partition("t").high_watermark == 1, "answers do not wait for it"
        await asyncio.sleep(4.999)
        broker.write("t", b"y")
        assert broker.partition("t").log.recovery_point == 0
        await asyncio.sleep(0.002)
        assert broker.partition("t").log.recovery_point == 2
        broker.write("t", b"z")
        await asyncio.sleep(4.999)
        assert broker.partition("t").log.recovery_point == 2
        await asyncio.sleep(0.002)
        assert broker.partition("t").log.recovery_point == 3

    run(main())


def test_flush_ms_changes_while_records_wait() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_ms="600000")
        broker.write("t", b"x")
        broker.add("t", flush_ms="1000")
        await asyncio.sleep(1.001)
        assert broker.partition("t").log.recovery_point == 1
        broker.write("t", b"x")
        broker.add("t")
        await asyncio.sleep(3600)
        assert broker.partition("t").log.recovery_point == 1, "nothing asks for it any more"
        broker.set_broker(log_flush_interval_ms="1000")
        await asyncio.sleep(1.001)
        assert broker.partition("t").log.recovery_point == 2
        broker.write("t", b"x")
        broker.drop("t")
        await asyncio.sleep(2)  # and no sync of what is gone

    run(main())


def test_with_threads_the_loop_goes_on_while_the_disk_syncs() -> None:
    async def main() -> None:
        import threading

        loop, one, release = asyncio.get_running_loop(), Flushed(), threading.Event()
        assert not isinstance(loop, VirtualLoop)
        done = loop.create_future()
        one.log.flush = lambda upto: release.wait(5)
        one.flushed = lambda upto, failure: done.set_result(upto)  # type: ignore[method-assign]
        flusher = Flusher()
        flusher.request(one, 7)
        await asyncio.sleep(0)
        assert not done.done()
        release.set()
        assert await done == 7
        flusher.close()

    asyncio.run(main())
