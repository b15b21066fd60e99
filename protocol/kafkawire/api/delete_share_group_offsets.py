"""DeleteShareGroupOffsets (API key 92): forget what an empty share group read of topics."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=92, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[RequestTopic] = array()


@struct
class RequestTopic:
    topic_name: String = ""


@message(api_key=92, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    responses: list[ResponseTopic] = array()


@struct
class ResponseTopic:
    topic_name: String = ""
    topic_id: Uuid = ZERO_UUID
    error_code: Int16 = 0
    error_message: String | None = None
