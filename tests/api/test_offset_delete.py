"""OffsetDelete: what a live consumer group subscribes to stays."""

from __future__ import annotations

import pytest

from kafkawire.api import offset_delete
from kafkawire.consumer_protocol import Subscription, write_subscription
from kafkawire.errors import ErrorCode
from tests.kit.coordination import GroupBroker
from tests.kit.loop import run
from tests.kit.members import codes_of, commit_request, deny, member, offsets_of


def delete(group: str, **topics: list[int]) -> offset_delete.Request:
    return offset_delete.Request(
        group_id=group,
        topics=[
            offset_delete.RequestTopic(
                name=name, partitions=[offset_delete.RequestPartition(partition_index=one) for one in partitions]
            )
            for name, partitions in topics.items()
        ],
    )


def test_of_a_simple_group() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=2)
        await broker.call(commit_request("g", ("t", 0, 5), ("t", 1, 6)), 9)
        response = await broker.call(delete("g", t=[0, 7], none=[0]), 0)
        assert response.error_code == 0
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert codes_of(response) == [unknown, 0, unknown]  # of a topic, what was refused first
        assert await offsets_of(broker, "g") == {("t", 1): 6}

    run(main())


def test_a_group_outlives_its_last_offset_until_the_next_check() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        await broker.call(commit_request("g", ("t", 0, 5)), 9)
        for _ in range(2):
            assert codes_of(await broker.call(delete("g", t=[0]), 0)) == [0]
        assert await offsets_of(broker, "g") == {}
        list(broker.groups.expire_offsets(broker.clock.now_ms()))
        response = await broker.call(delete("g", t=[0]), 0)
        assert response.error_code == ErrorCode.GROUP_ID_NOT_FOUND

    run(main())


def test_of_a_group_that_consumes() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1, u=1)
        await broker.call(commit_request("g", ("t", 0, 5), ("u", 0, 6)), 9)
        metadata = bytes(write_subscription(Subscription(topics=["t"])))
        await member(broker, protocols=(("range", metadata),))
        response = await broker.call(delete("g", t=[0], u=[0]), 0)
        assert codes_of(response) == [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0]
        assert await offsets_of(broker, "g") == {("t", 0): 5}

    run(main())


def test_of_members_whose_metadata_nobody_can_read() -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)
        await broker.call(commit_request("g", ("t", 0, 5)), 9)
        await member(broker, protocols=(("range", b"?"),))
        assert codes_of(await broker.call(delete("g", t=[0]), 0)) == [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC]

    run(main())


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        broker = GroupBroker(offsets=1, t=1)

        async def code(request: offset_delete.Request) -> int:
            return int((await broker.call(request, 0)).error_code)

        assert await code(delete("nobody", t=[0])) == ErrorCode.GROUP_ID_NOT_FOUND
        assert await code(delete("nobody")) == ErrorCode.GROUP_ID_NOT_FOUND
        assert await code(delete("", t=[0])) == ErrorCode.INVALID_GROUP_ID
        await broker.call(commit_request("h", ("t", 0, 5)), 9)
        deny(monkeypatch, ("DELETE", "g"), ("READ", "t"))
        assert await code(delete("g", t=[0])) == ErrorCode.GROUP_AUTHORIZATION_FAILED
        assert codes_of(await broker.call(delete("h", t=[0]), 0)) == [ErrorCode.TOPIC_AUTHORIZATION_FAILED]

    run(main())
