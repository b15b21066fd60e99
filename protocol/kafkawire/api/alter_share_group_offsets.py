"""AlterShareGroupOffsets (API key 91): set where an empty share group begins to read."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=91, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[RequestTopic] = array()


@struct
class RequestTopic:
    topic_name: String = ""
    partitions: list[RequestPartition] = array()


@struct
class RequestPartition:
    partition_index: Int32 = 0
    start_offset: Int64 = 0


@message(api_key=91, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    responses: list[ResponseTopic] = array()


@struct
class ResponseTopic:
    topic_name: String = ""
    topic_id: Uuid = ZERO_UUID
    partitions: list[ResponsePartition] = array()


@struct
class ResponsePartition:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
