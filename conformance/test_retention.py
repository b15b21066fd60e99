"""What goes and what stays: by the records' time, by size, on demand; and settings that change at run time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.brokers import Broker
from conformance.clients import Failed, Message, eventually, produce
from conformance.clients import client as make_client

Start = Callable[..., Broker]
DAY = 86_400_000
KB100 = bytes(100_000)


class Stand:
    """A broker that looks after its logs three times a second, and what a scenario asks of it."""

    def __init__(self, start: Start, topic: str) -> None:
        self.broker = start(log_retention_check_interval_ms=300, log_initial_task_delay_ms=100)
        self.client = make_client("confluent", self.broker.bootstrap)
        self.admin = Arranger(self.broker.bootstrap)
        self.topic = topic

    def write(self, count: int, *, value: bytes = b"x", age_ms: int = 0) -> None:
        """Batches of one record, so that they can be told apart."""
        timestamp = int(time.time() * 1000) - age_ms
        for _ in range(count):
            produce(self.client, self.topic, [Message(value, partition=0, timestamp=timestamp)])

    def ends(self) -> tuple[int | None, int | None]:
        return self.client.offset_at(self.topic, 0, -2), self.client.offset_at(self.topic, 0, -1)

    def becomes(self, start: int, end: int) -> None:
        eventually(lambda: self.ends() == (start, end), f"the log goes from {start} to {end}", timeout=20)

    def files(self, suffix: str = ".log") -> dict[str, int]:
        folder = self.broker.data / f"{self.topic}-0"
        return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name.endswith(suffix)}

    def passes(self) -> None:
        """Until retention has been round once more: a topic whose records are too old says so."""
        other = Stand.__new__(Stand)
        other.__dict__ |= self.__dict__ | {"topic": f"{self.topic}-clock-{time.monotonic_ns()}"}
        self.admin.create(other.topic)
        other.write(1, age_ms=30 * DAY)
        other.becomes(1, 1)

    def set_default(self, key: str, value: str | None) -> None:
        """A setting of the broker for all topics; None takes it away again."""
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        op = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        entry = ConfigEntry(key, value, incremental_operation=op)
        (broker,) = self.admin.brokers()
        resource = ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=[entry])
        self.admin.wait(self.admin.inner.incremental_alter_configs([resource]))


def test_records_go_by_their_own_time(kind: str, own_broker: Start, topic: str) -> None:
    """The file is young, the records are old: they go, and the segment with them. A record from the future stays."""
    stand = Stand(own_broker, topic)
    stand.admin.create(topic)
    stand.write(3, age_ms=8 * DAY)
    stand.becomes(3, 3)
    stand.write(1, age_ms=8 * DAY)
    stand.becomes(4, 4)
    stand.write(1, age_ms=-3_000_000)
    stand.admin.alter(topic, {"retention.ms": "1"})
    stand.passes()
    assert stand.ends() == (4, 5)


def test_retention_shrinks_while_the_broker_runs(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic, 1, {"retention.ms": "-1", "segment.bytes": "1048576"})
    stand.write(25, value=KB100, age_ms=DAY)
    stand.write(1, value=KB100)
    stand.passes()
    assert stand.ends() == (0, 26)
    stand.admin.alter(topic, {"retention.ms": str(DAY // 2)})
    stand.becomes(20, 26)  # ten fit a segment; the third has a young record


def test_size_keeps_at_least_what_was_asked(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic, 1, {"segment.bytes": "1048576"})
    stand.write(35, value=KB100)
    stand.admin.alter(topic, {"retention.bytes": "2000000"})
    stand.becomes(10, 35)  # another segment less would be below the limit
    stand.admin.alter(topic, {"retention.bytes": "1400000"})
    stand.becomes(20, 35)
    stand.admin.alter(topic, {"retention.bytes": "0"})
    stand.becomes(35, 35)


def test_what_delete_records_left_behind_goes_under_every_policy(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic, 1, {"retention.ms": "-1", "segment.bytes": "1048576"})
    stand.write(25, value=KB100)
    stand.admin.delete_records(topic, 0, 12)
    eventually(lambda: len(stand.files()) == 2, "the segment below the start is gone", timeout=20)
    assert stand.ends() == (12, 25)
    stand.admin.alter(topic, {"cleanup.policy": "compact"})
    assert stand.ends() == (12, 25)


def test_the_brokers_default_changes_for_topics_without_a_setting(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic)
    stand.admin.create(f"{topic}-own", 1, {"retention.ms": str(7 * DAY)})
    own = Stand(own_broker, f"{topic}-own")
    for one in (stand, own):
        one.write(2, age_ms=DAY)
    stand.set_default("log.retention.ms", "1000000")
    try:
        stand.becomes(2, 2)
        assert own.ends() == (0, 2)
    finally:
        stand.set_default("log.retention.ms", None)


def test_segments_close_by_time_and_index_as_soon_as_the_settings_say(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic)
    stand.write(1, age_ms=2 * DAY)
    stand.write(1, age_ms=DAY)
    assert len(stand.files()) == 1
    stand.admin.alter(topic, {"segment.ms": str(DAY)})
    eventually(lambda: stand.admin.configs(topic)["segment.ms"] == str(DAY), "the setting is there")
    stand.write(1)  # two days after the segment's first record
    assert list(stand.files()) == [f"{0:020d}.log", f"{2:020d}.log"]
    assert f"{2:020d}.snapshot" in stand.files(".snapshot")


def test_lags_of_compaction_that_contradict_each_other_are_refused(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    with pytest.raises(Failed) as failure:
        stand.admin.create(topic, 1, {"min.compaction.lag.ms": "20", "max.compaction.lag.ms": "10"})
    assert failure.value.code == 40  # INVALID_CONFIG
    stand.admin.create(topic, 1, {"max.compaction.lag.ms": "10"})
    with pytest.raises(Failed) as failure:
        stand.admin.alter(topic, {"min.compaction.lag.ms": "20"})
    assert failure.value.code == 40
    stand.admin.alter(topic, {"min.compaction.lag.ms": "10"})


def test_deleted_files_stay_for_a_while(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic, 1, {"file.delete.delay.ms": "600000"})
    stand.write(1, age_ms=8 * DAY)
    stand.becomes(1, 1)
    assert list(stand.files()) == [f"{1:020d}.log"]
    assert f"{0:020d}.log.deleted" in stand.files(".deleted")


def test_room_is_reserved_given_back_and_no_record_after_a_crash(kind: str, own_broker: Start, topic: str) -> None:
    stand = Stand(own_broker, topic)
    stand.admin.create(topic, 1, {"preallocate": "true", "segment.bytes": "1048576"})
    stand.write(11, value=KB100)
    first, second = stand.files().values()
    assert 1_000_000 < first < 1_048_576 and second == 1_048_576
    stand.broker.kill()
    stand.broker.start()
    stand.admin.await_leaders(topic)
    assert stand.ends() == (0, 11)
    stand.write(1, value=KB100)
    assert [record.offset for record in stand.client.read(topic, 12)] == list(range(12))
    stand.broker.stop()
    assert all(size < 1_048_576 for size in stand.files().values())
