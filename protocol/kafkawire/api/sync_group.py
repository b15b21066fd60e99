"""SyncGroup (API key 14): hand the leader's assignment to the members of a classic group.

v3  static members.   v4  flexible.   v5  protocol type and name.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bytes,
    Int16,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 5)


@message(api_key=14, versions=_VERSIONS, flexible=since(4))
class Request:
    group_id: String = ""
    generation_id: Int32 = 0
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(3)] = None
    protocol_type: Annotated[String | None, since(5), ignorable] = None
    protocol_name: Annotated[String | None, since(5), ignorable] = None
    assignments: list[RequestAssignment] = array()


@struct
class RequestAssignment:
    member_id: String = ""
    assignment: Bytes = b""


@message(api_key=14, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    protocol_type: Annotated[String | None, since(5), ignorable] = None
    protocol_name: Annotated[String | None, since(5), ignorable] = None
    assignment: Bytes = b""
