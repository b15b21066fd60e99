"""DeleteTopics (API key 20): delete topics.

v5  the answer may carry a message.   v6  topics by name or by id.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
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

_VERSIONS = between(1, 6)


@message(api_key=20, versions=_VERSIONS, flexible=since(4))
class Request:
    topics: Annotated[list[DeleteTopicState], since(6)] = array()
    topic_names: Annotated[list[String], until(5), ignorable] = array()
    timeout_ms: Int32 = 0


@struct
class DeleteTopicState:
    name: Annotated[String | None, since(6)] = None
    topic_id: Annotated[Uuid, since(6)] = ZERO_UUID


@message(api_key=20, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    responses: list[DeletableTopicResult] = array()


@struct
class DeletableTopicResult:
    name: Annotated[String | None, nullable(since=6)] = ""
    topic_id: Annotated[Uuid, since(6), ignorable] = ZERO_UUID
    error_code: Int16 = 0
    error_message: Annotated[String | None, since(5), ignorable] = None
