"""JoinGroup (API key 11): join a classic group and wait for the rebalance to end.

v1  rebalance timeout.   v4  a new member first gets an id and comes again (KIP-394).   v5  static members.
v6  flexible.   v7  the answer names the protocol type.   v8  the reason.   v9  the leader may skip the assignment.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Bytes,
    Int16,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    nullable,
    since,
    struct,
)

_VERSIONS = between(0, 9)


@message(api_key=11, versions=_VERSIONS, flexible=since(6))
class Request:
    group_id: String = ""
    session_timeout_ms: Int32 = 0
    rebalance_timeout_ms: Annotated[Int32, since(1), ignorable] = -1
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(5)] = None
    protocol_type: String = ""
    protocols: list[RequestProtocol] = array()
    reason: Annotated[String | None, since(8), ignorable] = None


@struct
class RequestProtocol:
    name: String = ""
    metadata: Bytes = b""


@message(api_key=11, versions=_VERSIONS, flexible=since(6))
class Response:
    throttle_time_ms: Annotated[Int32, since(2), ignorable] = 0
    error_code: Int16 = 0
    generation_id: Int32 = -1
    protocol_type: Annotated[String | None, since(7), ignorable] = None
    protocol_name: Annotated[String | None, nullable(since=7)] = ""
    leader: String = ""
    skip_assignment: Annotated[Bool, since(9)] = False
    member_id: String = ""
    members: list[ResponseMember] = array()


@struct
class ResponseMember:
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(5), ignorable] = None
    metadata: Bytes = b""
