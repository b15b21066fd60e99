"""Partitions move between log directories while clients use them (AlterReplicaLogDirs)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import pytest

from kafkawire.api import alter_replica_log_dirs as wire
from kafkawire.api import describe_log_dirs
from kafkawire.errors import ErrorCode
from pykafkad.model import TopicPartition
from pykafkad.runtime.partition import Appended, Partition
from pykafkad.runtime.refusals import RECOVERING
from pykafkad.storage.moving import Mirror
from tests.kit.broker import Broker, records_of
from tests.kit.loop import run

A, B, C = "/a", "/b", "/c"


async def alter(broker: Broker, path: str, *partitions: tuple[str, int], version: int = 2) -> list[ErrorCode]:
    topics = [wire.AlterReplicaLogDirTopic(name=name, partitions=[index]) for name, index in partitions]
    request = wire.Request(dirs=[wire.AlterReplicaLogDir(path=path, topics=topics)])
    response = await broker.answer(request, version, key=34)
    return [ErrorCode(one.error_code) for topic in response.results for one in topic.partitions]


def where(broker: Broker, topic: str = "t", index: int = 0) -> str:
    return broker.partition(topic, index).log.log_dir


def other(broker: Broker, topic: str = "t") -> str:
    return B if where(broker, topic) == A else A


async def described(broker: Broker) -> dict[tuple[str, bool], tuple[int, int]]:
    """(directory, is future) -> (size, lag) of t-0."""
    request = describe_log_dirs.Request(topics=[describe_log_dirs.DescribableLogDirTopic(topic="t", partitions=[0])])
    response = await broker.answer(request, 5, key=35)
    return {
        (result.log_dir, one.is_future_key): (one.partition_size, one.offset_lag)
        for result in response.results
        for topic in result.topics
        for one in topic.partitions
    }


def values(broker: Broker, topic: str = "t") -> list[bytes | None]:
    partition, found = broker.partition(topic), []
    while (piece := partition.read(len(found), 1 << 20, partition.high_watermark, True)) is not None:
        found += [value for offset, value in records_of(piece) if offset == len(found) or offset > len(found)]
    return found


async def settled(broker: Broker, topic: str = "t") -> None:
    while (topic, 0) in broker.partitions.moves:  # noqa: ASYNC110 - in virtual time
        await asyncio.sleep(0.01)


def folders(broker: Broker) -> list[str]:
    return [f"{path}/{name}" for path in broker.dirs for name in broker.disk.list(path) if name.startswith("t-0")]


def test_a_partition_moves_while_it_is_written() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B))
        broker.add("t", segment_bytes="1048576")
        broker.partitions.start()
        target = other(broker)
        written = [b"%06d" % number + bytes(5_000) for number in range(600)]
        for value in written[:500]:
            broker.write("t", value)
        partition, log = broker.partition("t"), broker.partition("t").log
        assert await alter(broker, target, ("t", 0)) == [ErrorCode.NONE]
        shown = []
        for value in written[500:]:
            broker.write("t", value)
            await asyncio.sleep(0)
            shown.append(await described(broker))
        await settled(broker)
        assert broker.partition("t") is partition and partition.log is log and log.log_dir == target
        assert values(broker) == written
        future = [one[target, True] for one in shown if (target, True) in one]
        assert future and future[0][1] > 0 and all(size > 0 for size, _ in future[2:])
        assert await described(broker) == {(target, False): (log.size, 0)}
        await asyncio.sleep(100)
        assert folders(broker) == [f"{target}/t-0"]
        broker = await broker.restarted()
        assert where(broker) == target and values(broker) == written
        assert broker.write("t", b"more") == Appended(600, 600, -1, 0)

    run(main())


def test_an_empty_partition_moves_too() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        target = other(broker)
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(1)
        assert where(broker) == target
        assert broker.write("t", b"x") == Appended(0, 0, -1, 0) and values(broker) == [b"x"]
        broker = await broker.restarted()
        assert where(broker) == target and values(broker) == [b"x"]

    run(main())


def test_a_move_survives_a_kill_and_goes_on() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B))
        broker.add("t", segment_bytes="1048576")
        target = other(broker)
        written = [b"%06d" % number + bytes(50_000) for number in range(100)]
        for value in written:
            broker.write("t", value)
        broker.set_broker(replica_alter_log_dirs_io_max_bytes_per_second="1000000")
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(2)
        broker = broker.crashed()
        assert any(name.endswith("-future") for name in folders(broker)) and where(broker) != target
        broker.partitions.start()
        await asyncio.sleep(0.1)
        kept = (await described(broker))[target, True][0]
        assert kept > 1_000_000  # what was complete need not come again
        await settled(broker)
        assert where(broker) == target and values(broker) == written
        await broker.partitions.stop()

    run(main())


def test_a_move_goes_on_only_when_its_partition_is_recovered() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        for _ in range(30):
            broker.write("t", bytes(100_000))
        broker.set_broker(replica_alter_log_dirs_io_max_bytes_per_second="100000")
        target = other(broker)
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(1)
        broker = broker.crashed()
        get = broker.partitions.get
        broker.partitions.get = lambda topic, index: RECOVERING  # type: ignore[method-assign]
        broker.partitions.moves.resume()
        broker.partitions.get = get  # type: ignore[method-assign]
        broker.set_broker()
        broker.partitions.moves.resume()
        await settled(broker)
        assert where(broker) == target

    run(main())


def test_asked_to_stay_a_partition_stays() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B, C), t=1)
        home = where(broker)
        first, second = (path for path in (A, B, C) if path != home)
        broker.write("t", b"x")
        assert await alter(broker, home, ("t", 0)) == [ErrorCode.NONE]
        assert ("t", 0) not in broker.partitions.moves
        await alter(broker, first, ("t", 0))
        await asyncio.sleep(0)
        await alter(broker, second, ("t", 0))  # elsewhere
        await alter(broker, second, ("t", 0))  # twice is once
        await asyncio.sleep(0)
        assert await alter(broker, home, ("t", 0)) == [ErrorCode.NONE]
        await asyncio.sleep(1)
        assert where(broker) == home and folders(broker) == [f"{home}/t-0"]

    run(main())


def test_with_flush_messages_nothing_acknowledged_is_lost_in_a_power_cut_after_the_swap() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B))
        broker.add("t", flush_messages="1")
        target = other(broker)
        acknowledged = 0

        def heard() -> None:
            nonlocal acknowledged
            acknowledged += 1

        await alter(broker, target, ("t", 0))
        for number in range(40):
            broker.write("t", b"%d" % number)
            broker.partition("t").committed(number + 1, heard)
            await asyncio.sleep(0)
        await settled(broker)
        broker = broker.crashed(power_cut=True)
        assert where(broker) == target
        assert values(broker)[:acknowledged] == [b"%d" % number for number in range(acknowledged)]

    run(main())


def test_a_move_waits_until_compaction_is_done() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        broker.write("t", b"x")
        target, log = other(broker), broker.partition("t").log
        log.cleaning = True
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(1)
        assert where(broker) != target
        log.cleaning = False
        await asyncio.sleep(1)
        assert where(broker) == target

    run(main())


def test_what_kafka_refuses() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1, **{"x" * 230: 1})
        target = other(broker)
        for version in (1, 2):
            assert await alter(broker, "/nowhere", ("t", 0), version=version) == [ErrorCode.LOG_DIR_NOT_FOUND]
        assert await alter(broker, target, ("x" * 230, 0)) == [ErrorCode.INVALID_TOPIC_EXCEPTION]
        assert await alter(broker, target, ("later", 0), ("t", 7)) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] * 2
        broker.add("elsewhere", leader=2, replicas=(2,))
        assert await alter(broker, target, ("elsewhere", 0)) == [ErrorCode.REPLICA_NOT_AVAILABLE]
        broker.add("later")
        assert where(broker, "later") == target  # it was to be made there
        broker.set_broker(cordoned_log_dirs=target)
        for name in ("t", "nowhere"):
            assert await alter(broker, target, (name, 0)) == [ErrorCode.INVALID_REPLICA_ASSIGNMENT]
        broker.set_broker()
        next(one for one in broker.log_dirs if one.path == target).health.fail("I/O error")
        assert await alter(broker, target, ("t", 0)) == [ErrorCode.KAFKA_STORAGE_ERROR]

    run(main())


@pytest.mark.parametrize("then", ["called off", "sent elsewhere", "deleted"])
def test_what_comes_in_the_moment_of_the_swap_finds_it_done(then: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B, C), t=1)
        home = where(broker)
        target, third = (path for path in (A, B, C) if path != home)
        broker.write("t", b"x")
        swap, loop = Mirror.swap, asyncio.get_running_loop()

        def meanwhile() -> None:
            match then:
                case "called off":
                    broker.partitions.moves.cancel(TopicPartition("t", 0))
                case "sent elsewhere":
                    answers.append(loop.create_task(alter(broker, third, ("t", 0))))
                case _:
                    broker.drop("t")

        def swapped(mirror: Mirror) -> str | None:
            if mirror.target.path == target:
                loop.call_soon(meanwhile)  # before anybody who waits for the swap can hear of it
            return swap(mirror)

        def when_idle(partition: Partition, callback: Callable[[], None]) -> None:
            flusher.request(partition, 1)  # the swap has to wait for a sync
            idle(partition, callback)  # type: ignore[arg-type]

        answers: list[asyncio.Task[list[ErrorCode]]] = []
        flusher = broker.partitions.flusher
        idle = flusher.when_idle
        monkeypatch.setattr(Mirror, "swap", swapped)
        monkeypatch.setattr(flusher, "when_idle", when_idle)
        broker.partitions.start()
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(1)
        await settled(broker)
        await asyncio.sleep(200)
        if then == "deleted":
            assert folders(broker) == [] and broker.partitions.all() == []
            return
        now = third if then == "sent elsewhere" else target
        assert where(broker) == now and folders(broker) == [f"{now}/t-0"]
        assert set(await described(broker)) == {(now, False)}
        assert broker.write("t", b"y") == Appended(1, 1, -1, 0)
        broker = await broker.restarted()
        assert where(broker) == now and values(broker) == [b"x", b"y"]

    run(main())


def test_a_deleted_topic_takes_its_move_along() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        broker.write("t", b"x")
        await alter(broker, other(broker), ("t", 0))
        await asyncio.sleep(0)
        broker.drop("t")
        await asyncio.sleep(1)
        assert all(name.endswith("-delete") for name in folders(broker))

    run(main())


def test_a_full_target_holds_the_move_up_until_there_is_room() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        broker.write("t", b"x")
        target = other(broker)
        broker.disk.failing["append", ".log"] = OSError(errno.ENOSPC, "No space left on device", target)
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(20)
        assert where(broker) != target and not broker.partitions.dirs.offline
        broker.disk.failing.clear()
        await asyncio.sleep(20)
        assert where(broker) == target and values(broker) == [b"x"]

    run(main())


def test_a_move_of_what_is_lost_until_the_next_start_rests_until_then() -> None:
    """Somebody has deleted a file of the log. What was brought over is kept: there may be no other copy of it."""

    async def main() -> None:
        broker = Broker(dirs=(A, B))
        broker.add("t", segment_bytes="1048576")
        broker.partitions.start()
        target = other(broker)
        written = [b"%06d" % number + bytes(50_000) for number in range(100)]
        for value in written:
            broker.write("t", value)
        broker.set_broker(replica_alter_log_dirs_io_max_bytes_per_second="300000")
        await alter(broker, target, ("t", 0))
        await asyncio.sleep(1)
        active = broker.partition("t").log.segments[-1]
        broker.disk.remove(active.path)
        await asyncio.sleep(60)
        assert ("t", 0) in broker.partitions.unavailable
        assert ("t", 0) not in broker.partitions.moves
        assert not [place for place in await described(broker) if place[1]]
        assert any(name.endswith("-future") for name in folders(broker))
        broker = broker.crashed()
        broker.partitions.start()
        await asyncio.sleep(0.1)
        await settled(broker)
        assert where(broker) == target and values(broker) == written[: active.base_offset]
        await broker.partitions.stop()

    run(main())


def test_the_pace_of_a_move_is_a_setting() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1)
        for _ in range(40):
            broker.write("t", bytes(100_000))
        broker.set_broker(replica_alter_log_dirs_io_max_bytes_per_second="1000000")
        begun = asyncio.get_running_loop().time()
        await alter(broker, other(broker), ("t", 0))
        await settled(broker)
        assert asyncio.get_running_loop().time() - begun >= 3

    run(main())
