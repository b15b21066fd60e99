"""CreatePartitions (API key 37): give topics more partitions."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 3)


@message(api_key=37, versions=_VERSIONS, flexible=since(2))
class Request:
    topics: list[Topic] = array()
    timeout_ms: Int32 = 0
    validate_only: Bool = False


@struct
class Topic:
    name: String = ""
    count: Int32 = 0
    assignments: list[Assignment] | None = array()


@struct
class Assignment:
    broker_ids: list[Int32] = array()


@message(api_key=37, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[TopicResult] = array()


@struct
class TopicResult:
    name: String = ""
    error_code: Int16 = 0
    error_message: String | None = None
