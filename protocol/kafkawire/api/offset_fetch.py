"""OffsetFetch (API key 9): tell how far a group has read.

v2  all topics on request, and an error for the group.   v5  leader epochs.   v6  flexible.
v7  waits out transactions on request.   v8  several groups.   v9  consumer protocol.   v10  topics by id.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    ignorable,
    message,
    nullable,
    since,
    struct,
    until,
)

_VERSIONS = between(1, 10)


@message(api_key=9, versions=_VERSIONS, flexible=since(6))
class Request:
    group_id: Annotated[String, until(7)] = ""
    topics: Annotated[list[RequestTopic] | None, until(7), nullable(since=2)] = array()
    groups: Annotated[list[RequestGroup], since(8)] = array()
    require_stable: Annotated[Bool, since(7)] = False


@struct
class RequestTopic:
    name: Annotated[String, until(7)] = ""
    partition_indexes: Annotated[list[Int32], until(7)] = array()


@struct
class RequestGroup:
    group_id: Annotated[String, since(8)] = ""
    member_id: Annotated[String | None, since(9), ignorable] = None
    member_epoch: Annotated[Int32, since(9), ignorable] = -1
    topics: Annotated[list[RequestTopics] | None, since(8)] = array()


@struct
class RequestTopics:
    name: Annotated[String, between(8, 9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partition_indexes: Annotated[list[Int32], since(8)] = array()


@message(api_key=9, versions=_VERSIONS, flexible=since(6))
class Response:
    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    topics: Annotated[list[ResponseTopic], until(7)] = array()
    error_code: Annotated[Int16, between(2, 7), ignorable] = 0
    groups: Annotated[list[ResponseGroup], since(8)] = array()


@struct
class ResponseTopic:
    name: Annotated[String, until(7)] = ""
    partitions: Annotated[list[ResponsePartition], until(7)] = array()


@struct
class ResponsePartition:
    partition_index: Annotated[Int32, until(7)] = 0
    committed_offset: Annotated[Int64, until(7)] = 0
    committed_leader_epoch: Annotated[Int32, between(5, 7), ignorable] = -1
    metadata: Annotated[String | None, until(7)] = ""
    error_code: Annotated[Int16, until(7)] = 0


@struct
class ResponseGroup:
    group_id: Annotated[String, since(8)] = ""
    topics: Annotated[list[ResponseTopics], since(8)] = array()
    error_code: Annotated[Int16, since(8)] = 0


@struct
class ResponseTopics:
    name: Annotated[String, between(8, 9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: Annotated[list[ResponsePartitions], since(8)] = array()


@struct
class ResponsePartitions:
    partition_index: Annotated[Int32, since(8)] = 0
    committed_offset: Annotated[Int64, since(8)] = 0
    committed_leader_epoch: Annotated[Int32, since(8), ignorable] = -1
    metadata: Annotated[String | None, since(8)] = ""
    error_code: Annotated[Int16, since(8)] = 0
