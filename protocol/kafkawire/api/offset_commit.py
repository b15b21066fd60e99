"""OffsetCommit (API key 8): remember how far a group has read.

v2-v4  carry the retention; later the broker decides.   v6  the leader epoch of each position.
v7  static members name their instance.   v8  flexible.   v9  serves the consumer protocol too.   v10  topics by id.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
    until,
)

_VERSIONS = between(2, 10)


@message(api_key=8, versions=_VERSIONS, flexible=since(8))
class Request:
    group_id: String = ""
    generation_id_or_member_epoch: Annotated[Int32, ignorable] = -1
    member_id: Annotated[String, ignorable] = ""
    group_instance_id: Annotated[String | None, since(7)] = None
    retention_time_ms: Annotated[Int64, until(4), ignorable] = -1
    topics: list[RequestTopic] = array()


@struct
class RequestTopic:
    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: list[RequestPartition] = array()


@struct
class RequestPartition:
    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, since(6), ignorable] = -1
    committed_metadata: String | None = ""


@message(api_key=8, versions=_VERSIONS, flexible=since(8))
class Response:
    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    topics: list[ResponseTopic] = array()


@struct
class ResponseTopic:
    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: list[ResponsePartition] = array()


@struct
class ResponsePartition:
    partition_index: Int32 = 0
    error_code: Int16 = 0
