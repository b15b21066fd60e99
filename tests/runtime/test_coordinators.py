"""Which shard serves which group, and what happens to shards when the cluster changes."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire.api import heartbeat, list_groups, offset_commit, offset_fetch
from kafkawire.errors import ErrorCode
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, Groups, java_hash, partition_for
from pykafkad.runtime.group_shards import GroupShard, group_settings
from pykafkad.runtime.refusals import LOADING, MOVED
from pykafkad.state.decisions import Decision
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run


def commit(group: str, offset: int, topic: str = "t", partition: int = 0) -> offset_commit.Request:
    one = offset_commit.RequestPartition(partition_index=partition, committed_offset=offset)
    return offset_commit.Request(group_id=group, topics=[offset_commit.RequestTopic(name=topic, partitions=[one])])


async def committed(broker: GroupBroker, group: str, offset: int, topic: str = "t", partition: int = 0) -> int:
    response = await broker.call(commit(group, offset, topic, partition), 9)
    code: int = response.topics[0].partitions[0].error_code
    return code


async def fetched(broker: GroupBroker, group: str) -> dict[tuple[str, int], int]:
    request = offset_fetch.Request(groups=[offset_fetch.RequestGroup(group_id=group, topics=None)])
    response = await broker.call(request, 9)
    return {
        (topic.name, one.partition_index): one.committed_offset
        for topic in response.groups[0].topics
        for one in topic.partitions
    }


def shard_of(groups: Groups, group: str) -> GroupShard:
    shard = groups.shard(group)
    assert not isinstance(shard, Refused)
    return shard


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", -2147483648),
        ("grüße", 0),
        ("𝄞x", 57026029),
    ],
)
def test_the_hash_is_javas(text: str, value: int) -> None:
    units = text.encode("utf-16-be")
    expected = 0
    for n in range(0, len(units), 2):
        expected = (expected * 31 + int.from_bytes(units[n : n + 2], "big")) % 2**32
    expected -= 2**32 if expected >= 2**31 else 0
    assert java_hash(text) == expected
    if text.isascii():
        assert java_hash(text) == value


def test_the_partition_of_a_group() -> None:
    assert partition_for("hello", 50) == 99162322 % 50
    assert partition_for("polygenelubricants", 50) == 0  # the one hash that has no absolute value
    assert partition_for("console-consumer-1", 50) == abs(java_hash("console-consumer-1")) % 50


def test_settings_come_from_the_config() -> None:
    settings = group_settings(Config.load({"group.max.size": "7", "offsets.retention.minutes": "2"}))
    assert (settings.max_size, settings.offsets_retention_ms) == (7, 120_000)
    assert settings.initial_rebalance_delay_ms == 3000


def test_without_the_topic_nobody_coordinates() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        assert broker.groups.shard("g") is MOVED
        assert await committed(broker, "g", 1) == ErrorCode.NOT_COORDINATOR
        assert (await broker.call(list_groups.Request(), 5)).groups == []

    run(main())


def test_shards_are_opened_when_asked_for() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=50)
        assert broker.groups.shards() == []
        assert broker.groups.shard("g") is broker.groups.shard("g")
        assert len(broker.groups.shards()) == 1

    run(main())


def test_after_a_restart_what_is_stored_is_opened_unasked() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=50)
        for number in range(5):
            assert await committed(broker, f"group-{number}", number) == 0
        opened = len(broker.groups.shards())
        broker = await broker.restarted()
        await asyncio.sleep(1)
        assert len(broker.groups.shards()) == opened
        lags = sorted((group, topic, offset) for group, topic, _, offset, _ in broker.groups.lags())
        assert lags == [(f"group-{n}", "t", n) for n in range(5)]

    run(main())


def test_offsets_come_through_a_kill() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=3)
        assert await committed(broker, "g", 41) == 0
        again = broker.crashed()
        assert isinstance(again, GroupBroker)
        assert await fetched(again, "g") == {("t", 0): 41}

    run(main())


def test_a_damaged_batch_is_not_taken_for_an_offset() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=1)
        assert await committed(broker, "g", 41) == 0
        log = broker.partition("__consumer_offsets").log
        await broker.partitions.stop()  # cleanly: the next start trusts the log
        broker.disk.flip_bit(log.segments[-1].path, log.segments[-1].size - 12)
        again = broker._again()
        await asyncio.sleep(1)
        assert again.groups.shard("g") == MOVED

    run(main())


def test_a_log_that_can_not_be_read_for_a_while_is_loaded_afterwards() -> None:
    def broken(ticket: int, now: int) -> Decision:
        raise AssertionError("so that the machine is built anew")

    async def main() -> None:
        broker = GroupBroker(t=1, offsets=1)
        assert await committed(broker, "g", 41) == 0
        shard = shard_of(broker.groups, "g")
        broker.disk.failing["pread", ".log"] = OSError("too many open files")
        assert shard.ask(broker.clock.now_ms(), lambda body: body, broken) == MOVED
        await asyncio.sleep(3)
        assert shard.refusal == LOADING
        broker.disk.failing.clear()
        await asyncio.sleep(3)
        assert await fetched(broker, "g") == {("t", 0): 41}

    run(main())


def test_leadership_comes_and_goes() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=1)
        assert await committed(broker, "g", 1) == 0
        first = shard_of(broker.groups, "g")
        broker.add(OFFSETS_TOPIC, 1, leader=2, replicas=(1, 2), epoch=1)
        assert broker.groups.shard("g") is MOVED and first.refusal is MOVED
        broker.add(OFFSETS_TOPIC, 1, leader=1, replicas=(1, 2), isr=(1,), epoch=2)
        await asyncio.sleep(1)
        assert await fetched(broker, "g") == {("t", 0): 1}
        assert broker.groups.shard("g") is not first

    run(main())


def test_the_offsets_of_a_deleted_topic_go_and_those_of_its_namesake_stay() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, u=1, offsets=1)
        assert await committed(broker, "g", 5, "t") == 0
        assert await committed(broker, "g", 6, "u") == 0
        broker.drop("t")
        assert await fetched(broker, "g") == {("u", 0): 6}
        broker.add("u", 1, generation=1)  # deleted and made again between two images
        assert await fetched(broker, "g") == {}
        assert await committed(broker, "g", 7, "u") == 0
        assert await fetched(broker, "g") == {("u", 0): 7}

    run(main())


def test_offsets_expire_slice_by_slice() -> None:
    async def main() -> None:
        config = Config.load({"offsets.retention.minutes": "1"})
        broker = GroupBroker(t=1, offsets=5, config=config)
        for number in range(8):
            await committed(broker, f"g{number}", 1)
        now = broker.clock.now_ms()
        list(broker.groups.expire_offsets(now + 59_999))
        assert len(list(broker.groups.lags())) == 8
        slices = list(broker.groups.expire_offsets(now + 60_000))
        assert len(slices) == len(broker.groups.shards())
        assert list(broker.groups.lags()) == []

    run(main())


def test_a_loading_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        from pykafkad.runtime import shard as shard_module

        broker = GroupBroker(t=1, offsets=1)
        for number in range(100):
            await committed(broker, "g", number)
        monkeypatch.setattr(shard_module, "LOAD_STEP_BYTES", 300)
        broker = await broker.restarted()
        assert await committed(broker, "g", 1) == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        assert (await broker.call(heartbeat.Request(group_id="g", member_id="m"), 4)).error_code == 0
        listed = await broker.call(list_groups.Request(), 5)
        assert listed.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        # A topic that is deleted meanwhile is dealt with when loading is over.
        broker.drop("t")
        await asyncio.sleep(1)
        assert await fetched(broker, "g") == {}

    run(main())


def test_stopping_sends_everybody_away() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1, offsets=1)
        shard = shard_of(broker.groups, "g")
        broker.groups.stop()
        assert shard.refusal is MOVED and broker.groups.shards() == []

    run(main())
