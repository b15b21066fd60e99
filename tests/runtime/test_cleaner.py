"""The cleaner on the loop: which log, when, and what becomes of a round that isn't wanted any more."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from kafkawire.api import offset_commit, offset_fetch
from kafkawire.batches import headers
from kafkawire.errors import ErrorCode
from pykafkad.config import Config
from pykafkad.runtime.cleaner import Cleaner
from pykafkad.runtime.coordinators import OFFSETS_TOPIC
from pykafkad.runtime.rounds import Here, Told, WorkerDied
from pykafkad.storage.cleaning.job import Job
from tests.kit.broker import Broker, batch, records_of
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run

SMALL = {"cleanup_policy": "compact", "internal_segment_bytes": "300"}


def cleaner_of(broker: Broker, rounds: Any = None) -> Cleaner:
    return Cleaner(
        config=broker.config,
        clock=broker.clock,
        metrics=broker.metrics,
        partitions=broker.partitions,
        rounds=rounds or (lambda: Here(broker.disk)),
    )


def write(broker: Broker, topic: str, key: bytes, *values: bytes | None, **settings: Any) -> None:
    """Each value in a batch of its own."""
    for value in values:
        data = batch(value, key=key, **settings)
        broker.partition(topic).append(memoryview(data), 1, broker.clock.now_ms())


def contents(broker: Broker, topic: str) -> list[tuple[int, bytes | None]]:
    partition = broker.partition(topic)
    found: list[tuple[int, bytes | None]] = []
    offset = partition.log.start_offset
    while (piece := partition.log.read(offset, 1 << 20, partition.high_watermark, at_least_one=True)) is not None:
        data = piece.read()
        found += records_of(data)
        offset = headers(data)[-1].next_offset
    return found


def gauge(broker: Broker, name: str) -> list[tuple[tuple[str, ...], float]]:
    return list(broker.metrics.gauges[name]())


async def committed(broker: GroupBroker, group: str, offset: int, *, partition: int) -> int:
    one = offset_commit.RequestPartition(partition_index=partition, committed_offset=offset)
    topic = offset_commit.RequestTopic(name="t", partitions=[one])
    response = await broker.call(offset_commit.Request(group_id=group, topics=[topic]), 9)
    code: int = response.topics[0].partitions[0].error_code
    return code


async def fetched(broker: GroupBroker, group: str) -> dict[tuple[str, int], int]:
    request = offset_fetch.Request(groups=[offset_fetch.RequestGroup(group_id=group, topics=None)])
    (found,) = (await broker.call(request, 9)).groups
    return {
        (topic.name, one.partition_index): one.committed_offset for topic in found.topics for one in topic.partitions
    }


def test_a_dirty_log_is_cleaned_and_remembered_as_clean() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL)
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(1)
        log = broker.partition("t").log
        assert contents(broker, "t")[-1] == (19, b"19") and len(contents(broker, "t")) < 8
        assert log.cleaned_offset == log.segments[-1].base_offset and not log.cleaning
        assert gauge(broker, "kafka_log_logcleanermanager_max_dirty_percent") == [((), 0)]
        await cleaner.stop()
        again = await broker.restarted()
        assert again.partition("t").log.cleaned_offset == log.cleaned_offset
        assert contents(again, "t")[-1] == (19, b"19")

    run(main())


def test_a_clean_log_waits_until_it_is_dirty_enough() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL, min_cleanable_dirty_ratio="0.5")
        for number in range(20):
            write(broker, "t", b"%d" % number, b"v" * 40)
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(1)
        write(broker, "t", b"19", *[b"w" * 40] * 8)
        before = contents(broker, "t")
        await asyncio.sleep(60)
        assert contents(broker, "t") == before
        broker.add("t", **SMALL, min_cleanable_dirty_ratio="0.1")
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) < len(before)
        await cleaner.stop()

    run(main())


def test_the_longest_lag_cleans_a_log_that_is_hardly_dirty_and_rolls_a_quiet_one() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", cleanup_policy="compact", max_compaction_lag_ms="60000")
        await asyncio.sleep(1)
        write(broker, "t", b"k", b"1", b"2")
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(50)
        assert contents(broker, "t") == [(0, b"1"), (1, b"2")]
        await asyncio.sleep(60)
        assert contents(broker, "t") == [(1, b"2")]
        await cleaner.stop()

    run(main())


def test_young_records_are_left_alone() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL, min_compaction_lag_ms="100000")
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(90)
        assert len(contents(broker, "t")) == 20
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) < 8
        await cleaner.stop()

    run(main())


def test_a_policy_changes_live_in_both_directions() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL | {"cleanup_policy": "delete"})
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) == 20
        broker.add("t", **SMALL)
        await asyncio.sleep(60)
        left = len(contents(broker, "t"))
        assert left < 8
        broker.add("t", **SMALL | {"cleanup_policy": "delete"})
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) == left + 20
        await cleaner.stop()
        again = broker.crashed()
        assert len(contents(again, "t")) == left + 20, "what compaction took out is not taken for a loss"

    run(main())


class Listening:
    """Rounds that stop before each message until they are let on."""

    def __init__(self, inner: Here) -> None:
        self.inner = inner
        self.gate = asyncio.Event()
        self.given_up = 0

    async def run(self, job: Job) -> AsyncGenerator[Told, None]:
        over = False
        try:
            async for told in self.inner.run(job):
                await self.gate.wait()
                yield told
            over = True
        finally:
            self.given_up += not over

    async def close(self) -> None:
        pass


def test_a_round_over_a_topic_that_goes_is_given_up() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL)
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        rounds = Listening(Here(broker.disk))
        cleaner = cleaner_of(broker, lambda: rounds)
        cleaner.start()
        await asyncio.sleep(1)
        assert broker.partition("t").log.cleaning
        broker.drop("t")
        broker.add("t", generation=1, **SMALL)
        write(broker, "t", b"k", b"new")
        rounds.gate.set()
        await asyncio.sleep(1)
        assert rounds.given_up == 1
        assert contents(broker, "t") == [(0, b"new")]
        await cleaner.stop()

    run(main())


def test_retention_waits_for_the_round_and_then_has_its_turn() -> None:
    async def main() -> None:
        broker = Broker()
        both = SMALL | {"cleanup_policy": "compact,delete", "retention_ms": "100000"}
        broker.add("t", **both)
        for number in range(20):
            write(broker, "t", b"%d" % number, b"v" * 40)
        rounds = Listening(Here(broker.disk))
        cleaner = cleaner_of(broker, lambda: rounds)
        cleaner.start()
        await asyncio.sleep(101)
        partition = broker.partition("t")
        assert partition.retain(broker.clock.now_ms()) == 0
        rounds.gate.set()
        await asyncio.sleep(1)
        assert partition.log.start_offset > 0 and not partition.log.cleaning
        await cleaner.stop()

    run(main())


@pytest.mark.parametrize("step", ["the last renames", "calling it off"])
def test_a_swap_that_could_not_be_ended_is_ended_when_the_disk_allows_it(step: str) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL)
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        log = broker.partition("t").log
        full = OSError(errno.ENOSPC, "No space left on device")
        if step == "the last renames":
            broker.disk.failing["rename", ".swap"] = full
        else:
            broker.disk.failing["rename", ".log"] = broker.disk.failing["remove", ".swap"] = full
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(60)
        assert any(name.endswith(".swap") for name in broker.disk.list(log.directory))
        assert contents(broker, "t")[-1] == (19, b"19")
        broker.partition("t").log.advance_start(15)
        assert not broker.partition("t").retain(broker.clock.now_ms())  # nor does a move begin
        broker.disk.failing.clear()
        await asyncio.sleep(60)
        assert not any(name.endswith(".swap") for name in broker.disk.list(log.directory))
        write(broker, "t", b"k", *(b"%d" % number for number in range(20, 40)))
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) < 8 and contents(broker, "t")[-1] == (39, b"39")
        await cleaner.stop()
        broker = broker.crashed()
        assert contents(broker, "t")[-1] == (39, b"39")

    run(main())


def test_a_damaged_log_is_uncleanable_and_others_are_cleaned() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("bad", **SMALL)
        broker.add("good", **SMALL)
        for topic in ("bad", "good"):
            write(broker, topic, b"k", *(b"%d" % number for number in range(20)))
        log = broker.partition("bad").log
        broker.disk.flip_bit(log.segments[0].path, 70)
        cleaner = cleaner_of(broker)
        cleaner.start()
        await asyncio.sleep(100)
        assert len(contents(broker, "good")) < 8
        assert len(contents(broker, "bad")) == 20
        assert gauge(broker, "kafka_log_logcleanermanager_uncleanable_partitions_count") == [(("/data",), 1)]
        ((_, waiting),) = gauge(broker, "kafka_log_logcleanermanager_uncleanable_bytes")
        assert waiting == sum(segment.size for segment in log.segments[:-1])
        broker.drop("bad")
        await asyncio.sleep(20)
        assert gauge(broker, "kafka_log_logcleanermanager_uncleanable_partitions_count") == [(("/data",), 0)]
        await cleaner.stop()

    run(main())


class Dying:
    """Rounds whose process dies so many times."""

    def __init__(self, inner: Here, times: int) -> None:
        self.inner = inner
        self.times = times

    async def run(self, job: Job) -> AsyncGenerator[Told, None]:
        self.times -= 1
        if self.times >= 0:
            raise WorkerDied("killed")
        async for told in self.inner.run(job):
            yield told

    async def close(self) -> None:
        pass


def test_a_cleaner_that_dies_is_begun_again_but_not_for_ever() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL)
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker, lambda: Dying(Here(broker.disk), 2))
        cleaner.start()
        await asyncio.sleep(1)
        assert gauge(broker, "kafka_log_logcleaner_deadthreadcount") == [((), 1)]
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) < 8
        assert gauge(broker, "kafka_log_logcleaner_deadthreadcount") == [((), 0)]
        await cleaner.stop()

        broker.add("poison", **SMALL)
        write(broker, "poison", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker, lambda: Dying(Here(broker.disk), 100))
        cleaner.start()
        await asyncio.sleep(100)
        assert gauge(broker, "kafka_log_logcleanermanager_uncleanable_partitions_count") == [(("/data",), 1)]
        await cleaner.stop()

    run(main())


def test_settings_change_live() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **SMALL)
        write(broker, "t", b"k", *(b"%d" % number for number in range(20)))
        cleaner = cleaner_of(broker)
        cleaner.configure(broker.config.with_dynamic({"log.cleaner.threads": "0"}, {}))
        await asyncio.sleep(60)
        assert len(contents(broker, "t")) == 20
        cleaner.configure(broker.config.with_dynamic({"log.cleaner.threads": "2"}, {}))
        await asyncio.sleep(1)
        assert len(contents(broker, "t")) < 8
        await cleaner.stop()
        disabled = cleaner_of(broker)
        disabled.configure(Config(log_cleaner_enable=False))
        await disabled.stop()

    run(main())


def test_coordinators_commit_while_their_log_is_compacted() -> None:
    async def main() -> None:
        broker = GroupBroker(t=3)
        broker.add(OFFSETS_TOPIC, 1, cleanup_policy="compact", internal_segment_bytes="2000")
        cleaner = cleaner_of(broker)
        cleaner.configure(broker.config.with_dynamic({"log.cleaner.backoff.ms": "50"}, {}))
        cleaner.start()
        await asyncio.sleep(1)

        async def consume(group: str) -> None:
            for offset in range(100):
                for partition in range(3):
                    assert await committed(broker, group, offset, partition=partition) == ErrorCode.NONE
                await asyncio.sleep(0.01)

        await asyncio.gather(*(consume(f"g{number}") for number in range(4)))
        log = broker.partition(OFFSETS_TOPIC).log
        assert log.cleaned_offset is not None and log.end_offset >= 1200
        assert log.size < 20_000, "of 1,200 commits, twelve count"
        await cleaner.stop()
        again = await broker.restarted()
        await asyncio.sleep(1)  # the machine is built from what was left
        for number in range(4):
            assert await fetched(again, f"g{number}") == {("t", partition): 99 for partition in range(3)}

    run(main())
