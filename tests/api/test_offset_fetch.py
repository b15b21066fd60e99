"""OffsetFetch over all versions."""

from __future__ import annotations

import pytest

from kafkawire import codec
from kafkawire.api import offset_fetch
from kafkawire.errors import ErrorCode
from pykafkad.state.decisions import NOTHING
from tests.kit.broker import topic_id
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import commit_request, deny


async def with_offsets() -> GroupBroker:
    broker = GroupBroker(offsets=3, t=2, u=1)
    await broker.call(commit_request("g", ("t", 0, 5), ("u", 0, 6), metadata="note"), 9)
    await broker.call(commit_request("h", ("t", 1, 7)), 9)
    return broker


def old(group: str, **topics: list[int]) -> offset_fetch.Request:
    asked = [offset_fetch.RequestTopic(name=name, partition_indexes=found) for name, found in topics.items()]
    return offset_fetch.Request(group_id=group, topics=asked)


def new(group: str, **topics: list[int]) -> offset_fetch.RequestGroup:
    asked = [offset_fetch.RequestTopics(name=name, partition_indexes=found) for name, found in topics.items()]
    return offset_fetch.RequestGroup(group_id=group, topics=asked)


def shown(topics: list[offset_fetch.ResponseTopic]) -> list[tuple[str, int, int, str | None, int]]:
    return [
        (topic.name, one.partition_index, one.committed_offset, one.metadata, one.error_code)
        for topic in topics
        for one in topic.partitions
    ]


@pytest.mark.parametrize("version", range(1, 8))
def test_one_group(version: int) -> None:
    async def main() -> None:
        broker = await with_offsets()
        response = await broker.call(old("g", t=[0, 1], none=[3]), version)
        assert shown(response.topics) == [("t", 0, 5, "note", 0), ("t", 1, -1, "", 0), ("none", 3, -1, "", 0)]
        assert response.error_code == 0 and codec.encode(response, version)
        if version >= 2:
            everything = await broker.call(offset_fetch.Request(group_id="g", topics=None), version)
            assert [row[:3] for row in shown(everything.topics)] == [("t", 0, 5), ("u", 0, 6)]

    run(main())


@pytest.mark.parametrize("version", [8, 9])
def test_many_groups(version: int) -> None:
    async def main() -> None:
        broker = await with_offsets()
        request = offset_fetch.Request(groups=[new("g", t=[0]), new("h", t=[0, 1]), new("nobody", t=[0])])
        response = await broker.call(request, version)
        assert [(group.group_id, group.error_code) for group in response.groups] == [("g", 0), ("h", 0), ("nobody", 0)]
        assert [shown(group.topics) for group in response.groups] == [  # type: ignore[arg-type]
            [("t", 0, 5, "note", 0)],
            [("t", 0, -1, "", 0), ("t", 1, 7, "", 0)],
            [("t", 0, -1, "", 0)],
        ]
        assert codec.encode(response, version)

    run(main())


def test_by_id() -> None:
    async def main() -> None:
        broker = await with_offsets()
        asked = [
            offset_fetch.RequestTopics(topic_id=topic_id("t"), partition_indexes=[0]),
            offset_fetch.RequestTopics(topic_id=b"?" * 16, partition_indexes=[1, 2]),
        ]
        response = await broker.call(
            offset_fetch.Request(
                groups=[
                    offset_fetch.RequestGroup(group_id="g", topics=asked),
                    offset_fetch.RequestGroup(group_id="g", topics=None),
                ]
            ),
            10,
        )
        first, second = response.groups
        assert [topic.topic_id for topic in first.topics] == [topic_id("t"), b"?" * 16]
        assert [(one.committed_offset, one.error_code) for one in first.topics[1].partitions] == [
            (-1, ErrorCode.UNKNOWN_TOPIC_ID)
        ] * 2
        assert [topic.topic_id for topic in second.topics] == [topic_id("t"), topic_id("u")]

    run(main())


@pytest.mark.parametrize("version", [1, 2, 7, 8])
def test_where_a_groups_error_stands(version: int) -> None:
    async def main() -> None:
        broker = GroupBroker(t=1)
        if version >= 8:
            response = await broker.call(offset_fetch.Request(groups=[new("g", t=[0])]), version)
            (group,) = response.groups
            assert (group.error_code, group.topics) == (ErrorCode.NOT_COORDINATOR, [])
            return
        response = await broker.call(old("g", t=[0]), version)
        if version >= 2:
            assert (response.error_code, response.topics) == (ErrorCode.NOT_COORDINATOR, [])
        else:
            assert shown(response.topics) == [("t", 0, -1, "", ErrorCode.NOT_COORDINATOR)]
        assert codec.encode(response, version)

    run(main())


def test_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = await with_offsets()
        deny(monkeypatch, ("DESCRIBE", "h"), ("DESCRIBE", "u"))
        request = offset_fetch.Request(
            groups=[new("g", u=[0], t=[0]), new("h", t=[0]), offset_fetch.RequestGroup(group_id="g", topics=None)]
        )
        first, second, everything = (await broker.call(request, 8)).groups
        assert shown(first.topics) == [  # type: ignore[arg-type]
            ("u", 0, -1, "", ErrorCode.TOPIC_AUTHORIZATION_FAILED),
            ("t", 0, 5, "note", 0),
        ]
        assert (second.error_code, second.topics) == (ErrorCode.GROUP_AUTHORIZATION_FAILED, [])
        assert [topic.name for topic in everything.topics] == ["t"]

    run(main())


def test_an_offset_of_an_earlier_topic_of_that_name_is_none() -> None:
    async def main() -> None:
        broker = await with_offsets()
        (shard,) = [one for one in broker.groups.shards() if "g" in one.machine.offsets]
        shard.machine.forget_topics = lambda deleted: NOTHING  # type: ignore[method-assign]
        broker.add("t", 2, generation=1)
        response = await broker.call(offset_fetch.Request(groups=[new("g", t=[0])]), 8)
        assert response.groups[0].topics[0].partitions[0].committed_offset == -1

    run(main())
