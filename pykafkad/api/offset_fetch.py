"""OffsetFetch: how far groups have come: one group per request up to version 7, many from 8 on, topic ids from 10 on.

All versions go through the batched form; the old one is made from its only group at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kafkawire.api.offset_fetch import (
    Request,
    RequestGroup,
    RequestTopics,
    Response,
    ResponseGroup,
    ResponsePartition,
    ResponsePartitions,
    ResponseTopic,
    ResponseTopics,
)
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may, may_topic, together
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Fetched, FetchedOffset, WantedOffset

if TYPE_CHECKING:
    from pykafkad.api.call import Call

GROUP_ERRORS = 2  # below, a group's error stands on each partition
BATCHES = 8
TOPIC_IDS = 10


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if call.version >= BATCHES:
        parts = [_fetch(call, group, request.require_stable) for group in request.groups]
        return together(parts, lambda groups: Response(groups=groups))
    topics = request.topics
    only = RequestGroup(
        group_id=request.group_id,
        topics=None
        if topics is None
        else [RequestTopics(name=topic.name, partition_indexes=topic.partition_indexes) for topic in topics],
    )
    return together([_fetch(call, only, request.require_stable)], lambda groups: _single(call, only, groups[0]))


def _fetch(call: Call, group: RequestGroup, require_stable: bool) -> ResponseGroup | asyncio.Future[ResponseGroup]:
    group_id = group.group_id
    if not may(call, Operation.DESCRIBE, group_id):
        return ResponseGroup(group_id=group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    shard = call.node.groups.shard(group_id)
    if isinstance(shard, Refused):
        return ResponseGroup(group_id=group_id, error_code=shard.code)
    wanted, refused = (None, {}) if group.topics is None else _wanted(call, group.topics)

    def respond(body: Any) -> ResponseGroup:
        if isinstance(body, Refused):
            return ResponseGroup(group_id=group_id, error_code=body.code)
        assert isinstance(body, Fetched)
        if group.topics is None:
            return ResponseGroup(group_id=group_id, topics=_all(call, body.offsets))
        return ResponseGroup(group_id=group_id, topics=_asked(group.topics, body.offsets, refused))

    return shard.ask(
        call.now, respond, shard.machine.fetch, group_id=group_id, wanted=wanted, require_stable=require_stable
    )


def _wanted(call: Call, topics: Sequence[RequestTopics]) -> tuple[list[WantedOffset], dict[int, ErrorCode]]:
    """What to look up, and by position which topics are refused."""
    image = call.node.metadata.image
    wanted: list[WantedOffset] = []
    refused: dict[int, ErrorCode] = {}
    for position, asked in enumerate(topics):
        topic = image.topic_by_id(asked.topic_id) if call.version >= TOPIC_IDS else image.topics.get(asked.name)
        name = asked.name if topic is None else topic.name
        if call.version >= TOPIC_IDS and topic is None:
            refused[position] = ErrorCode.UNKNOWN_TOPIC_ID
        elif not may_topic(call, Operation.DESCRIBE, name):
            refused[position] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif topic is None:
            wanted += [WantedOffset(name, index) for index in asked.partition_indexes]
        else:
            wanted += [WantedOffset(name, index, topic.id) for index in asked.partition_indexes]
    return wanted, refused


def _asked(
    topics: Sequence[RequestTopics], offsets: Sequence[FetchedOffset], refused: dict[int, ErrorCode]
) -> list[ResponseTopics]:
    found = iter(offsets)
    response = []
    for position, asked in enumerate(topics):
        code = refused.get(position)
        if code is None:
            partitions = [_partition(next(found)) for _ in asked.partition_indexes]
        else:
            partitions = [_partition(FetchedOffset("", index, code=code)) for index in asked.partition_indexes]
        response.append(ResponseTopics(name=asked.name, topic_id=asked.topic_id, partitions=partitions))
    return response


def _all(call: Call, offsets: Sequence[FetchedOffset]) -> list[ResponseTopics]:
    """Everything of a group; topics that the caller may not see, or that can't be named by id, are left out."""
    image, by_id = call.node.metadata.image, call.version >= TOPIC_IDS
    topics: dict[str, ResponseTopics | None] = {}
    for offset in offsets:
        if offset.topic not in topics:
            topic = image.topics.get(offset.topic)
            if (by_id and topic is None) or not may_topic(call, Operation.DESCRIBE, offset.topic):
                topics[offset.topic] = None
            elif by_id and topic is not None:
                topics[offset.topic] = ResponseTopics(topic_id=topic.id)
            else:
                topics[offset.topic] = ResponseTopics(name=offset.topic)
        shown = topics[offset.topic]
        if shown is not None:
            shown.partitions.append(_partition(offset))
    return [shown for shown in topics.values() if shown is not None]


def _partition(offset: FetchedOffset) -> ResponsePartitions:
    return ResponsePartitions(
        partition_index=offset.partition,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
        error_code=offset.code,
    )


def _single(call: Call, asked: RequestGroup, group: ResponseGroup) -> Response:
    topics = group.topics
    if group.error_code and call.version < GROUP_ERRORS:
        code = ErrorCode(group.error_code)
        topics = _asked(asked.topics or [], (), dict.fromkeys(range(len(asked.topics or [])), code))
    return Response(
        error_code=group.error_code,
        topics=[
            ResponseTopic(
                name=topic.name,
                partitions=[
                    ResponsePartition(
                        partition_index=one.partition_index,
                        committed_offset=one.committed_offset,
                        committed_leader_epoch=one.committed_leader_epoch,
                        metadata=one.metadata,
                        error_code=one.error_code,
                    )
                    for one in topic.partitions
                ],
            )
            for topic in topics
        ],
    )
