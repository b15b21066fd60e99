"""LeaveGroup (API key 13): leave a classic group.

v3  several members at once, by id or by instance.   v4  flexible.   v5  the reason.
"""

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
    since,
    struct,
    until,
)

_VERSIONS = between(0, 5)


@message(api_key=13, versions=_VERSIONS, flexible=since(4))
class Request:
    group_id: String = ""
    member_id: Annotated[String, until(2)] = ""
    members: Annotated[list[MemberIdentity], since(3)] = array()


@struct
class MemberIdentity:
    member_id: Annotated[String, since(3)] = ""
    group_instance_id: Annotated[String | None, since(3)] = None
    reason: Annotated[String | None, since(5), ignorable] = None


@message(api_key=13, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    members: Annotated[list[MemberResponse], since(3)] = array()


@struct
class MemberResponse:
    member_id: Annotated[String, since(3)] = ""
    group_instance_id: Annotated[String | None, since(3)] = ""
    error_code: Annotated[Int16, since(3)] = 0
