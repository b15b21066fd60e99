"""Group members in few words, for tests of the group APIs."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from kafkawire.api import heartbeat, join_group, leave_group, offset_commit, offset_fetch, sync_group
from pykafkad.api.call import Call
from tests.kit.coordination import GroupBroker

RANGE = (("range", b"M"),)


def join_request(
    group: str = "g",
    member_id: str = "",
    *,
    instance: str | None = None,
    protocols: tuple[tuple[str, bytes], ...] = RANGE,
    protocol_type: str = "consumer",
    session_ms: int = 10000,
) -> join_group.Request:
    return join_group.Request(
        group_id=group,
        member_id=member_id,
        group_instance_id=instance,
        session_timeout_ms=session_ms,
        rebalance_timeout_ms=30000,
        protocol_type=protocol_type,
        protocols=[join_group.RequestProtocol(name=name, metadata=metadata) for name, metadata in protocols],
    )


def join(
    broker: GroupBroker, group: str = "g", member_id: str = "", version: int = 3, **more: Any
) -> Awaitable[join_group.Response]:
    return broker.call(join_request(group, member_id, **more), version)


def sync_request(group: str, member_id: str, generation: int, **given: bytes) -> sync_group.Request:
    return sync_group.Request(
        group_id=group,
        generation_id=generation,
        member_id=member_id,
        protocol_type="consumer",
        protocol_name="range",
        assignments=[sync_group.RequestAssignment(member_id=who, assignment=what) for who, what in given.items()],
    )


async def member(broker: GroupBroker, group: str = "g", **more: Any) -> tuple[str, int]:
    """Somebody alone in a stable group: member id and generation."""
    joined = await join(broker, group, version=5 if "instance" in more else 3, **more)
    assert joined.error_code == 0, joined
    request = sync_request(group, joined.member_id, joined.generation_id, **{joined.member_id: b"P"})
    request.group_instance_id = more.get("instance")
    request.protocol_type = more.get("protocol_type", "consumer")
    synced = await broker.call(request, 5)
    assert synced.error_code == 0, synced
    return joined.member_id, joined.generation_id


def heartbeat_request(group: str, member_id: str, generation: int, instance: str | None = None) -> heartbeat.Request:
    return heartbeat.Request(group_id=group, member_id=member_id, generation_id=generation, group_instance_id=instance)


def leave_request(group: str, *members: tuple[str, str | None]) -> leave_group.Request:
    return leave_group.Request(
        group_id=group,
        members=[leave_group.MemberIdentity(member_id=who, group_instance_id=instance) for who, instance in members],
    )


def commit_request(
    group: str, *offsets: tuple[str, int, int], member_id: str = "", generation: int = -1, metadata: str | None = ""
) -> offset_commit.Request:
    topics: dict[str, list[Any]] = {}
    for topic, partition, offset in offsets:
        topics.setdefault(topic, []).append(
            offset_commit.RequestPartition(
                partition_index=partition, committed_offset=offset, committed_metadata=metadata
            )
        )
    return offset_commit.Request(
        group_id=group,
        member_id=member_id,
        generation_id_or_member_epoch=generation,
        topics=[offset_commit.RequestTopic(name=name, partitions=found) for name, found in topics.items()],
    )


def codes_of(response: Any) -> list[int]:
    return [one.error_code for topic in response.topics for one in topic.partitions]


async def offsets_of(broker: GroupBroker, group: str) -> dict[tuple[str, int], int]:
    request = offset_fetch.Request(groups=[offset_fetch.RequestGroup(group_id=group, topics=None)])
    response = await broker.call(request, 8)
    return {
        (topic.name, one.partition_index): one.committed_offset
        for topic in response.groups[0].topics
        for one in topic.partitions
    }


def deny(monkeypatch: pytest.MonkeyPatch, *refused: tuple[str, str]) -> None:
    """Let an authorizer refuse what is named: (operation, resource)."""
    monkeypatch.setattr(Call, "authorise", lambda call, operation, kind, name: (operation.name, name) not in refused)
