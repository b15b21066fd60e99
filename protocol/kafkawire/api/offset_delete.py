"""OffsetDelete (API key 47): forget what a group read of topics that it no longer subscribes to."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=47, versions=_VERSIONS)
class Request:
    group_id: String = ""
    topics: list[RequestTopic] = array()


@struct
class RequestTopic:
    name: String = ""
    partitions: list[RequestPartition] = array()


@struct
class RequestPartition:
    partition_index: Int32 = 0


@message(api_key=47, versions=_VERSIONS)
class Response:
    error_code: Int16 = 0
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    topics: list[ResponseTopic] = array()


@struct
class ResponseTopic:
    name: String = ""
    partitions: list[ResponsePartition] = array()


@struct
class ResponsePartition:
    partition_index: Int32 = 0
    error_code: Int16 = 0
