"""The partitions on a node follow the image, and come back after a stop, a kill and a power cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.runtime.partition import Appended
from tests.kit.broker import DATA, Broker, topic_id
from tests.kit.loop import run


def code(result: Any) -> ErrorCode:
    assert isinstance(result, Refused), result
    return result.code


def folders(broker: Broker) -> list[str]:
    return sorted(name for name in broker.disk.list(DATA) if broker.disk.is_directory(f"{DATA}/{name}"))


def test_what_is_asked_for_and_what_is_not() -> None:
    async def main() -> None:
        broker = Broker(t=2)
        get = broker.partitions.get
        assert broker.partition("t", 1).index == 1
        assert get("t", 1) is get("t", 1)
        assert code(get("t", 2)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert code(get("t", -1)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert code(get("u", 0)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert broker.partitions.get_by_id(topic_id("t"), 0) is get("t", 0)
        assert code(broker.partitions.get_by_id(topic_id("u"), 0)) == ErrorCode.UNKNOWN_TOPIC_ID
        broker.add("elsewhere", leader=2, replicas=(2,))
        assert code(get("elsewhere", 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
        broker.add("headless", leader=-1)
        assert code(get("headless", 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER

    run(main())


def test_partitions_open_when_asked_for_or_in_the_background() -> None:
    async def main() -> None:
        broker = Broker(t=40, __consumer_offsets=50)
        assert folders(broker) == [] and broker.partitions.all() == []
        broker.partition("t", 7)
        assert folders(broker) == ["t-7"]
        broker.partitions.start()
        await asyncio.sleep(2)
        assert len(folders(broker)) == 40 and len(broker.partitions.all()) == 40
        broker.add("later", 3)
        await asyncio.sleep(2)
        assert len(folders(broker)) == 43
        await broker.partitions.stop()

    run(main())


def test_internal_topics_have_folders_only_where_something_is_written() -> None:
    async def main() -> None:
        broker = Broker(__consumer_offsets=50)
        broker.partition("__consumer_offsets", 3)
        assert folders(broker) == []
        broker.write("__consumer_offsets", b"x", index=7)
        assert folders(broker) == ["__consumer_offsets-7"]

    run(main())


def test_a_topic_that_goes_takes_its_partitions_along() -> None:
    async def main() -> None:
        broker = Broker(t=2)
        told: list[int] = []
        partition = broker.partition("t")
        broker.write("t", b"x")
        partition.on_grow(told.append)
        broker.drop("t")
        assert told == [-1]
        assert code(broker.partitions.get("t", 0)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert all(name.endswith("-delete") for name in folders(broker))
        broker.partitions.start()
        await asyncio.sleep(100)
        assert folders(broker) == []

    run(main())


def test_a_topic_of_the_same_name_begins_empty() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.write("t", b"old")
        broker.add("t", generation=1)
        partition = broker.partition("t")
        assert partition.topic_id == topic_id("t", 1) and partition.log.end_offset == 0

    run(main())


def test_a_topic_deleted_before_anybody_asked_after_the_restart() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.write("t", b"old")
        broker = await broker.restarted()
        broker.drop("t")
        assert all(name.endswith("-delete") for name in folders(broker))

    run(main())


def test_a_clean_restart_finds_everything() -> None:
    async def main() -> None:
        broker = Broker(t=2, u=1)
        broker.write("t", b"a", index=1)
        broker.write("u", b"b", b"c")
        broker.partition("u").delete_records(1)
        broker = await broker.restarted()
        assert broker.log_dir.clean
        partition = broker.partition("u")
        assert (partition.log.start_offset, partition.high_watermark) == (1, 2)
        assert broker.partition("t", 1).high_watermark == 1
        assert broker.write("t", b"d", index=1) == Appended(1, 1, -1, 0)

    run(main())


def test_after_a_kill_everything_written_is_committed() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        for _ in range(10):
            broker.write("t", b"x")
        broker = broker.crashed()
        assert not broker.log_dir.clean
        assert broker.partition("t").high_watermark == 10

    run(main())


def test_after_a_power_cut_everything_answered_under_flush_messages_is_there() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        for _ in range(10):
            broker.write("t", b"x")
        await broker.partitions.flusher.drain()
        assert broker.partition("t").high_watermark == 10
        broker = broker.crashed(power_cut=True)
        assert broker.partition("t").high_watermark == 10

    run(main())


def test_a_stopped_broker_takes_no_more() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        await broker.partitions.stop()
        assert code(broker.partitions.get("t", 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert not partition.leads

    run(main())


def test_retention_runs_by_the_calendar() -> None:
    async def main() -> None:
        config = Config.load({"log.retention.check.interval.ms": "60000", "log.initial.task.delay.ms": "30000"})
        broker = Broker(config=config)
        broker.add("t", retention_ms="10000", file_delete_delay_ms="1000")
        broker.partitions.start()
        broker.write("t", b"old")
        await asyncio.sleep(29)
        assert broker.partition("t").log.start_offset == 0
        await asyncio.sleep(2)
        assert broker.partition("t").log.start_offset == 1
        await asyncio.sleep(60)
        assert not [name for name in broker.disk.list(f"{DATA}/t-0") if name.endswith(".deleted")]
        await broker.partitions.stop()

    run(main())


def test_watermarks_are_checkpointed() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.partitions.start()
        broker.write("t", b"x")
        await asyncio.sleep(6)
        assert b"t 0 1" in broker.disk.read(f"{DATA}/replication-offset-checkpoint")
        writes = broker.disk.io["append"]
        await asyncio.sleep(60)
        assert broker.disk.io["append"] == writes, "an idle broker leaves the disk alone"
        await broker.partitions.stop()

    run(main())


def test_silent_producers_are_forgotten() -> None:
    async def main() -> None:
        config = Config.load({"producer.id.expiration.ms": "5000", "producer.id.expiration.check.interval.ms": "1000"})
        broker = Broker(config=config, t=1)
        broker.partitions.start()
        broker.write("t", b"x", producer_id=5, producer_epoch=0, base_sequence=0)
        await asyncio.sleep(4)
        assert len(broker.partition("t").producers) == 1
        await asyncio.sleep(3)
        assert len(broker.partition("t").producers) == 0
        await broker.partitions.stop()

    run(main())


def test_a_directory_that_cannot_be_made_is_told_and_heals() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.disk.capacity = 0
        assert code(broker.partitions.get("t", 0)) == ErrorCode.KAFKA_STORAGE_ERROR
        broker.disk.capacity = None
        assert isinstance(broker.write("t", b"x"), Appended)

    run(main())


def test_one_partition_that_cannot_be_opened_does_not_keep_the_others_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = Broker(t=3)
        opens = broker.log_dir.open_log

        def stumble(topic: str, index: int, *rest: Any, **more: Any) -> Any:
            if index == 1:
                raise ValueError("what is this?")
            return opens(topic, index, *rest, **more)

        monkeypatch.setattr(broker.log_dir, "open_log", stumble)
        broker.partitions.start()
        await asyncio.sleep(1)
        assert [partition.index for partition in broker.partitions.all()] == [0, 2]
        await broker.partitions.stop()

    run(main())


def test_gauges() -> None:
    async def main() -> None:
        broker = Broker(t=2)
        broker.write("t", b"x")
        gauges = broker.metrics.gauges

        def value(name: str) -> dict[tuple[str, ...], float]:
            return dict(gauges[name]())

        assert value("kafka_server_replicamanager_partitioncount") == {(): 2}
        assert value("kafka_server_replicamanager_leadercount") == {(): 2}
        assert value("kafka_log_log_logendoffset") == {("t", "0"): 1}
        assert value("kafka_cluster_partition_insyncreplicascount") == {("t", "0"): 1, ("t", "1"): 1}
        for read in gauges.values():
            list(read())

    run(main())
