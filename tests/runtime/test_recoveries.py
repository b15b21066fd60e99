"""Logs that a crash left are read again in threads: the loop serves others meanwhile, and whoever asks comes first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.runtime.partition import Appended, Partition
from pykafkad.runtime.refusals import RECOVERING
from tests.kit.broker import DATA, Broker
from tests.kit.disk import MemoryDisk, MemoryFile

THREADS = 2


class GatedDisk(MemoryDisk):
    """Whoever looks into one of these folders stands before a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, threading.Event] = {}
        self.looked_into: list[str] = []
        self.changed = threading.Condition()

    async def reached(self, count: int) -> None:
        """So many threads stand before gates."""

        def wait() -> None:
            with self.changed:
                assert self.changed.wait_for(lambda: len(self.looked_into) >= count, 10)

        await asyncio.to_thread(wait)

    def files(self, path: str) -> dict[str, int]:
        self.looked_into.append(path.removeprefix(f"{DATA}/"))
        with self.changed:
            self.changed.notify_all()
        if (gate := self.gates.get(path)) is not None:
            assert gate.wait(10)
        return super().files(path)


@pytest.fixture
def disk() -> Iterator[GatedDisk]:
    disk = GatedDisk()
    yield disk
    for gate in disk.gates.values():
        gate.set()


async def crashed(disk: GatedDisk, *closed: str, **topics: int) -> Broker:
    """A broker after the kill -9 of one that wrote a record to each partition; folders ``closed`` can't be read yet."""
    broker = Broker(disk=disk, **topics)
    for topic, count in topics.items():
        for index in range(count):
            broker.write(topic, b"x", index=index)
    for folder in closed:
        disk.gates[f"{DATA}/{folder}"] = threading.Event()
    disk.looked_into.clear()
    return broker.crashed()


async def opened(broker: Broker, topic: str, index: int = 0) -> Partition:
    while isinstance(found := broker.partitions.get(topic, index), Refused):
        assert found is RECOVERING
        await asyncio.sleep(0)
    return found


def in_real_time(main: Callable[[GatedDisk], Awaitable[None]], disk: GatedDisk) -> None:
    asyncio.run(asyncio.wait_for(main(disk), 20))


def test_what_is_left_to_do_is_told(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = Broker(disk=disk)
        broker.add("t", 3, internal_segment_bytes="200")
        for index in range(3):
            for _ in range(4):
                broker.write("t", b"x" * 50, index=index)
        broker = broker.crashed()

        def left(name: str) -> list[tuple[tuple[str, ...], float]]:
            return list(broker.metrics.gauges[f"kafka_log_logmanager_remaining{name}torecover"]())

        def opening(path: str, *, create: bool = False) -> MemoryFile:
            if path.endswith(".log"):
                seen.extend(left("segments"))
            return open_file(path, create=create)

        seen: list[tuple[tuple[str, ...], float]] = []
        open_file, disk.open = disk.open, opening  # type: ignore[method-assign]
        assert left("logs") == left("segments") == []
        disk.looked_into.clear()
        for index in range(3):
            disk.gates[f"{DATA}/t-{index}"] = threading.Event()
            broker.partitions.get("t", index)
        await disk.reached(THREADS)
        assert left("logs") == [((DATA,), 3)]
        for gate in disk.gates.values():
            gate.set()
        for index in range(3):
            await opened(broker, "t", index)
        assert {directory for (directory, _), _ in seen} == {DATA}
        assert {"0"} <= {thread for (_, thread), _ in seen} <= {"0", "1"}
        assert {4, 3, 2, 1} <= {count for _, count in seen}
        assert left("logs") == left("segments") == []

    in_real_time(main, disk)


def test_others_are_served_while_a_log_is_read_again(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = await crashed(disk, "t-0", t=1, u=1)
        refused = broker.partitions.get("t", 0)
        assert isinstance(refused, Refused) and refused.code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        partition = await opened(broker, "u")
        assert partition.high_watermark == 1
        assert broker.write("u", b"y") == Appended(1, 1, -1, 0)
        broker.add("new")
        assert broker.write("new", b"z") == Appended(0, 0, -1, 0)
        assert broker.partitions.get("t", 0) is RECOVERING
        disk.gates[f"{DATA}/t-0"].set()
        assert (await opened(broker, "t")).high_watermark == 1
        await broker.partitions.stop()

    in_real_time(main, disk)


def test_who_is_asked_for_comes_before_what_is_opened_behind_the_scenes(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = await crashed(disk, "t-0", "t-1", t=40)
        broker.partitions.start()
        await disk.reached(THREADS)
        for _ in range(20):  # the walk through all of them has passed
            await asyncio.sleep(0)
        assert broker.partitions.get("t", 37) is RECOVERING
        disk.gates[f"{DATA}/t-0"].set()
        await opened(broker, "t", 37)
        assert disk.looked_into[THREADS] == "t-37"
        disk.gates[f"{DATA}/t-1"].set()
        for index in range(40):
            await opened(broker, "t", index)
        assert len(disk.looked_into) == 40
        await broker.partitions.stop()

    in_real_time(main, disk)


def test_a_topic_deleted_and_made_anew_while_its_log_is_read_again_begins_empty(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = await crashed(disk, "t-0", t=1)
        assert broker.partitions.get("t", 0) is RECOVERING
        await disk.reached(1)
        broker.drop("t")
        broker.add("t", generation=1)
        assert broker.partitions.get("t", 0) is RECOVERING
        disk.gates.pop(f"{DATA}/t-0").set()
        assert (await opened(broker, "t")).log.end_offset == 0
        assert any(name.endswith("-delete") for name in disk.list(DATA))
        await broker.partitions.stop()

    in_real_time(main, disk)


def test_a_stop_waits_for_what_is_being_read_and_leaves_the_rest_for_the_next_start(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = await crashed(disk, "t-0", "t-1", t=4)
        broker.partitions.start()
        await disk.reached(THREADS)
        stopping = asyncio.ensure_future(broker.partitions.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        for gate in disk.gates.values():
            gate.set()
        await stopping
        assert sorted(disk.looked_into) == ["t-0", "t-1"]
        broker = await crashed_again(broker)
        for index in range(4):
            assert (await opened(broker, "t", index)).high_watermark == 1
        await broker.partitions.stop()

    async def crashed_again(broker: Broker) -> Broker:
        again = broker._again()
        assert not again.log_dir.clean  # two of its logs have not been read since the crash
        return again

    in_real_time(main, disk)


def test_sizes_are_told_of_logs_that_are_not_open(disk: GatedDisk) -> None:
    async def main(disk: GatedDisk) -> None:
        broker = Broker(disk=disk, t=3)
        for index in range(3):
            broker.write("t", b"x" * 100 * index, index=index)
        before = broker.partitions.sizes(broker.log_dir)
        assert len({size for _, size, _ in before}) == 3
        again = await broker.restarted()
        assert again.partitions.sizes(again.log_dir) == before
        assert again.partitions.all() == []
        await again.partitions.stop()

    in_real_time(main, disk)
