"""DeleteRecords (API key 21): move the start of logs forward."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    Int64,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 2)


@message(api_key=21, versions=_VERSIONS, flexible=since(2))
class Request:
    topics: list[Topic] = array()
    timeout_ms: Int32 = 0


@struct
class Topic:
    name: String = ""
    partitions: list[Partition] = array()


@struct
class Partition:
    partition_index: Int32 = 0
    offset: Int64 = 0


@message(api_key=21, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    topics: list[TopicResult] = array()


@struct
class TopicResult:
    name: String = ""
    partitions: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition_index: Int32 = 0
    low_watermark: Int64 = 0
    error_code: Int16 = 0
