"""Several log directories: where partitions go, and what the loss of one directory costs."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from kafkawire.api import describe_log_dirs, metadata
from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.runtime.partition import Appended
from tests.kit.broker import Broker, records_of
from tests.kit.loop import run

A, B, C = "/a", "/b", "/c"
EIO = OSError(errno.EIO, "I/O error")


def code(result: Any) -> ErrorCode:
    assert isinstance(result, Refused), result
    return result.code


def where(broker: Broker, topic: str, index: int = 0) -> str:
    return broker.partition(topic, index).log.log_dir


async def described(broker: Broker) -> dict[str, tuple[int, set[tuple[str, int]]]]:
    response = await broker.answer(describe_log_dirs.Request(topics=None), 5, key=35)
    return {
        result.log_dir: (
            result.error_code,
            {(topic.name, one.partition_index) for topic in result.topics for one in topic.partitions},
        )
        for result in response.results
    }


async def told(broker: Broker, topic: str) -> list[tuple[int, int, list[int]]]:
    """(error, leader, offline replicas) of each partition."""
    request = metadata.Request(topics=[metadata.RequestTopic(name=topic)])
    (answer,) = (await broker.answer(request, 12, key=3)).topics
    return [(one.error_code, one.leader_id, one.offline_replicas) for one in answer.partitions]


def test_new_partitions_go_where_the_fewest_are() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B, C), t=7)
        homes = [where(broker, "t", index) for index in range(7)]
        assert sorted(map(homes.count, (A, B, C))) == [2, 2, 3]
        broker = await broker.restarted()
        assert [where(broker, "t", index) for index in range(7)] == homes

    run(main())


def test_one_directory_fails_and_the_others_serve() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        broker.write("t", b"zero", index=0)
        broker.write("t", b"one", index=1)
        doomed = next(index for index in range(2) if where(broker, "t", index) == B)
        other = 1 - doomed
        partition = broker.partition("t", doomed)
        assert await told(broker, "t") == [(0, 1, []), (0, 1, [])]
        woken: list[int] = []
        partition.on_grow(woken.append)
        broker.disk.failing["append", f"/b/t-{doomed}/{0:020d}.log"] = EIO
        assert code(broker.write("t", b"x", index=doomed)) == ErrorCode.KAFKA_STORAGE_ERROR
        assert woken == [-1]
        broker.disk.failing.clear()
        assert code(broker.partitions.get("t", doomed)) == ErrorCode.KAFKA_STORAGE_ERROR
        assert broker.write("t", b"x", index=other) == Appended(1, 1, -1, 0)
        expected = {doomed: (ErrorCode.LEADER_NOT_AVAILABLE, -1, [1]), other: (0, 1, [])}
        assert await told(broker, "t") == [expected[0], expected[1]]
        assert await described(broker) == {
            A: (0, {("t", other)}),
            B: (ErrorCode.KAFKA_STORAGE_ERROR, set()),
        }
        broker.add("later", 3)
        assert {where(broker, "later", index) for index in range(3)} == {A}
        broker = await broker.restarted()  # the disk was exchanged, or it was a cable
        assert broker.write("t", b"y", index=doomed) == Appended(1, 1, -1, 0)
        assert not broker.log_dirs[1].clean and broker.log_dirs[0].clean

    run(main())


def test_a_failed_sync_in_a_thread_ends_the_directory_and_those_who_wait() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B))
        broker.add("t", 2, flush_messages="1")
        index = next(index for index in range(2) if where(broker, "t", index) == A)
        partition, refused = broker.partition("t", index), []
        broker.disk.failing["fsync", f"/a/t-{index}/{0:020d}.log"] = EIO
        assert isinstance(broker.write("t", b"x", index=index), Appended)
        partition.committed(1, lambda: refused.append(None), lambda no: refused.append(no.code))
        await broker.partitions.flusher.drain()
        await asyncio.sleep(0)
        assert refused == [ErrorCode.KAFKA_STORAGE_ERROR]
        broker.disk.failing.clear()
        assert code(broker.partitions.get("t", index)) == ErrorCode.KAFKA_STORAGE_ERROR
        broker.write("t", b"x", index=1 - index)
        await broker.partitions.flusher.drain()
        assert broker.partition("t", 1 - index).high_watermark == 1

    run(main())


def test_the_last_directory_to_fail_is_told() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        lost: list[str] = []
        broker.partitions.on_no_disk = lambda: lost.append("all")
        broker.log_dirs[0].health.fail("one")
        assert lost == []
        broker.log_dirs[1].health.fail("two")
        assert lost == ["all"]

    run(main())


def test_what_lies_in_a_directory_that_is_offline_from_the_start_is_not_made_anew() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=4, __consumer_offsets=4)
        homes = {index: where(broker, "t", index) for index in range(4)}
        internal = {index: where(broker, "__consumer_offsets", index) for index in range(4)}
        for index in range(4):
            broker.write("t", b"x", index=index)
        broker = await broker.restarted(offline=(B,))
        for index, home in homes.items():
            if home == A:
                assert broker.partition("t", index).high_watermark == 1
            else:
                assert code(broker.partitions.get("t", index)) == ErrorCode.KAFKA_STORAGE_ERROR
        assert (await described(broker))[B] == (ErrorCode.KAFKA_STORAGE_ERROR, set())
        for index, home in internal.items():
            assert isinstance(broker.partitions.get("__consumer_offsets", index), Refused) == (home == B)
        broker.add("new", 2)
        assert {where(broker, "new", index) for index in range(2)} == {A}
        broker = await broker.restarted()
        assert [broker.partition("t", index).high_watermark for index in range(4)] == [1] * 4
        assert {index: where(broker, "t", index) for index in range(4)} == homes

    run(main())


def test_a_topic_deleted_while_its_directory_was_offline_does_not_come_back() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        for index in range(2):
            broker.write("t", b"old", index=index)
        broker = await broker.restarted(offline=(B,))
        broker.drop("t")
        broker.add("t", 2, generation=1)
        assert [where(broker, "t", index) for index in range(2)] == [A, A]
        broker.write("t", b"new")
        broker.write("t", b"new", index=1)
        broker = await broker.restarted()
        for index in range(2):
            partition = broker.partition("t", index)
            assert partition.log.log_dir == A
            assert records_of(partition.read(0, 1000, 1, True)) == [(0, b"new")]
        assert any(name.endswith("-stray") for name in broker.disk.list(B))

    run(main())


def test_the_same_partition_in_two_directories_is_served_from_neither() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=1, u=1)
        broker.write("t", b"x")
        home = where(broker, "t")
        other = B if home == A else A
        await broker.partitions.stop()
        broker.disk.make_directory(f"{other}/t-0")
        for name in broker.disk.list(f"{home}/t-0"):
            broker.disk.replace(f"{other}/t-0/{name}", broker.disk.read(f"{home}/t-0/{name}"))
        broker = broker._again()
        refused = broker.partitions.get("t", 0)
        assert code(refused) == ErrorCode.KAFKA_STORAGE_ERROR
        assert "/a/t-0 and /b/t-0" in refused.detail  # type: ignore[union-attr]
        broker.write("u", b"x")
        broker.disk.remove_tree(f"{other}/t-0")
        broker = await broker.restarted()
        assert broker.partition("t").high_watermark == 1

    run(main())


def test_a_file_deleted_while_it_is_in_use_costs_its_partition() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        for index in range(2):
            broker.write("t", b"x", index=index)
        broker.partitions.start()
        await asyncio.sleep(60)
        assert broker.partitions.unavailable == {}
        broker.disk.remove(broker.partition("t", 1).log.segments[0].path)
        await asyncio.sleep(11)
        refused = broker.partitions.get("t", 1)
        assert code(refused) == ErrorCode.KAFKA_STORAGE_ERROR and "was deleted" in refused.detail  # type: ignore[union-attr]
        assert isinstance(broker.write("t", b"x"), Appended)
        assert (await told(broker, "t"))[1] == (ErrorCode.LEADER_NOT_AVAILABLE, -1, [1])
        await broker.partitions.stop()

    run(main())


def test_a_directory_that_is_gone_is_offline() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        doomed = next(index for index in range(2) if where(broker, "t", index) == B)
        where(broker, "t", 1 - doomed)
        broker.partitions.start()
        broker.disk.remove("/b/meta.properties")
        await asyncio.sleep(11)
        assert "unmounted" in broker.partitions.dirs.offline[B]
        assert code(broker.partitions.get("t", doomed)) == ErrorCode.KAFKA_STORAGE_ERROR
        assert isinstance(broker.write("t", b"x", index=1 - doomed), Appended)
        await broker.partitions.stop()

    run(main())


def test_cordoned_directories_get_nothing_new() -> None:
    async def main() -> None:
        broker = Broker(dirs=(A, B), t=2)
        assert {where(broker, "t", index) for index in range(2)} == {A, B}
        broker.set_broker(cordoned_log_dirs=B)
        broker.add("later", 4)
        assert {where(broker, "later", index) for index in range(4)} == {A}
        response = await broker.answer(describe_log_dirs.Request(topics=None), 5, key=35)
        assert [(result.log_dir, result.is_cordoned) for result in response.results] == [(A, False), (B, True)]
        broker.set_broker()
        broker.add("last", 4)
        assert {where(broker, "last", index) for index in range(4)} == {B}

    run(main())
