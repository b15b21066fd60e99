"""OffsetCommit over all versions; who may commit when is in tests/scripts/groups."""

from __future__ import annotations

import asyncio

import pytest

from kafkawire import codec
from kafkawire.api import offset_commit
from kafkawire.errors import ErrorCode
from pykafkad.runtime.coordinators import OFFSETS_TOPIC
from tests.kit.broker import topic_id
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import codes_of, commit_request, deny, member, offsets_of


@pytest.mark.parametrize("version", range(2, 10))
def test_by_name(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=2)
        request = commit_request("g", ("t", 0, 5), ("t", 1, 6), ("t", 2, 7), ("none", 0, 1))
        response = await broker.call(request, version)
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert [one.partition_index for one in response.topics[0].partitions] == [2, 0, 1]  # refused first, as in Kafka
        assert codes_of(response) == [unknown, 0, 0, unknown]
        assert await offsets_of(broker, "g") == {("t", 0): 5, ("t", 1): 6}
        assert codec.encode(response, version)

    run(main())


def test_topics_named_twice_are_answered_once_beside_refusals_and_without_partitions_not_at_all() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=2)
        request = commit_request("g", ("t", 0, 5))
        again = offset_commit.RequestPartition(partition_index=1, committed_offset=6)
        request.topics += [
            offset_commit.RequestTopic(name="t", partitions=[again]),
            offset_commit.RequestTopic(name="t", partitions=[]),
            offset_commit.RequestTopic(name="none", partitions=[]),
        ]
        response = await broker.call(request, 9)
        assert [(topic.name, len(topic.partitions)) for topic in response.topics] == [("t", 1), ("t", 1)]
        again.partition_index = 9
        response = await broker.call(request, 9)
        assert [(topic.name, len(topic.partitions)) for topic in response.topics] == [("t", 2)]

    run(main())


def test_by_id() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        partition = offset_commit.RequestPartition(partition_index=0, committed_offset=5)
        request = offset_commit.Request(
            group_id="g",
            topics=[
                offset_commit.RequestTopic(topic_id=topic_id("t"), partitions=[partition]),
                offset_commit.RequestTopic(topic_id=b"?" * 16, partitions=[partition]),
            ],
        )
        response = await broker.call(request, 10)
        assert codes_of(response) == [ErrorCode.UNKNOWN_TOPIC_ID, 0]
        assert [topic.topic_id for topic in response.topics] == [b"?" * 16, topic_id("t")]
        assert await offsets_of(broker, "g") == {("t", 0): 5}

    run(main())


def test_a_member_commits_and_stays_alive_by_it() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        who, generation = await member(broker)
        for offset in range(5):
            await asyncio.sleep(8)
            request = commit_request("g", ("t", 0, offset), member_id=who, generation=generation)
            assert codes_of(await broker.call(request, 9)) == [0]

    run(main())


def test_metadata() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        long = await broker.call(commit_request("g", ("t", 0, 1), metadata="x" * 4097), 9)
        assert codes_of(long) == [ErrorCode.OFFSET_METADATA_TOO_LARGE]
        assert codes_of(await broker.call(commit_request("g", ("t", 0, 1), metadata="x" * 4096), 9)) == [0]
        assert codes_of(await broker.call(commit_request("g", ("t", 0, 2), metadata=None), 9)) == [0]

    run(main())


def test_an_unknown_group_with_a_generation() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        request = commit_request("g", ("t", 0, 1), member_id="m", generation=3)
        assert codes_of(await broker.call(request, 8)) == [ErrorCode.ILLEGAL_GENERATION]
        assert codes_of(await broker.call(request, 9)) == [ErrorCode.GROUP_ID_NOT_FOUND]

    run(main())


def test_an_expiry_of_its_own() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        request = commit_request("g", ("t", 0, 1))
        request.retention_time_ms = 1000
        assert codes_of(await broker.call(request, 4)) == [0]
        now = broker.clock.now_ms()
        list(broker.groups.expire_offsets(now + 999))
        assert await offsets_of(broker, "g") == {("t", 0): 1}
        list(broker.groups.expire_offsets(now + 1000))
        assert await offsets_of(broker, "g") == {}

    run(main())


def test_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1, u=1)
        deny(monkeypatch, ("READ", "g"), ("READ", "u"), ("READ", "none"))
        assert codes_of(await broker.call(commit_request("g", ("t", 0, 1)), 9)) == [
            ErrorCode.GROUP_AUTHORIZATION_FAILED
        ]
        mixed = await broker.call(commit_request("h", ("t", 0, 1), ("u", 0, 1), ("none", 0, 1)), 9)
        assert codes_of(mixed) == [ErrorCode.TOPIC_AUTHORIZATION_FAILED, ErrorCode.TOPIC_AUTHORIZATION_FAILED, 0]

    run(main())


def test_nothing_to_commit_needs_no_coordinator() -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        assert (await broker.call(offset_commit.Request(group_id="g"), 9)).topics == []
        assert codes_of(await broker.call(commit_request("g", ("none", 0, 1)), 9)) == [
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        ]
        assert codes_of(await broker.call(commit_request("g", ("t", 0, 1)), 9)) == [ErrorCode.NOT_COORDINATOR]

    run(main())


def test_an_endless_retention() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        request = commit_request("g", ("t", 0, 5))
        request.retention_time_ms = (1 << 63) - 1
        assert codes_of(await broker.call(request, 2)) == [0]
        assert await offsets_of(broker, "g") == {("t", 0): 5}

    run(main())


def test_with_flush_messages_a_commit_is_answered_when_it_is_on_the_disk() -> None:
    """Coordinators write to an ordinary topic, so its flush settings hold for commits too; syncs are shared."""

    async def main() -> None:
        broker = GroupBroker(t=1)
        broker.add(OFFSETS_TOPIC, 1, cleanup_policy="compact", flush_messages="1")
        syncs = 0

        def sync(path: str) -> None:
            nonlocal syncs
            syncs += path.endswith(".log")

        broker.disk.before_fsync = sync
        waiting = [broker.send(commit_request("g", ("t", 0, offset)), 9) for offset in range(50)]
        assert not any(future.done() for future in waiting)
        assert [codes_of(response) for response in await asyncio.gather(*waiting)] == [[0]] * 50
        assert syncs == 2
        again = broker.crashed(power_cut=True)
        assert await offsets_of(again, "g") == {("t", 0): 49}

    run(main())
