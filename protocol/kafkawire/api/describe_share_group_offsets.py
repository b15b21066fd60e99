"""DescribeShareGroupOffsets (API key 90): show how far share groups have read."""

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
)

_VERSIONS = between(0, 1)


@message(api_key=90, versions=_VERSIONS, flexible=since(0))
class Request:
    groups: list[RequestGroup] = array()


@struct
class RequestGroup:
    group_id: String = ""
    topics: list[RequestTopic] | None = array()


@struct
class RequestTopic:
    topic_name: String = ""
    partitions: list[Int32] = array()


@message(api_key=90, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    groups: list[ResponseGroup] = array()


@struct
class ResponseGroup:
    group_id: String = ""
    topics: list[ResponseTopic] = array()
    error_code: Int16 = 0
    error_message: String | None = None


@struct
class ResponseTopic:
    topic_name: String = ""
    topic_id: Uuid = ZERO_UUID
    partitions: list[ResponsePartition] = array()


@struct
class ResponsePartition:
    partition_index: Int32 = 0
    start_offset: Int64 = 0
    leader_epoch: Int32 = 0
    lag: Annotated[Int64, since(1), ignorable] = -1
    error_code: Int16 = 0
    error_message: String | None = None
