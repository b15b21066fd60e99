"""DescribeGroups (API key 15): show classic groups and their members.

v4  static members show their instance.   v6  an unknown group is an error, with a message.
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
    since,
    struct,
)

_VERSIONS = between(0, 6)


@message(api_key=15, versions=_VERSIONS, flexible=since(5))
class Request:
    groups: list[String] = array()
    include_authorized_operations: Annotated[Bool, since(3)] = False


@message(api_key=15, versions=_VERSIONS, flexible=since(5))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    groups: list[DescribedGroup] = array()


@struct
class DescribedGroup:
    error_code: Int16 = 0
    error_message: Annotated[String | None, since(6)] = None
    group_id: String = ""
    group_state: String = ""
    protocol_type: String = ""
    protocol_data: String = ""
    members: list[DescribedGroupMember] = array()
    authorized_operations: Annotated[Int32, since(3)] = -2147483648


@struct
class DescribedGroupMember:
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(4), ignorable] = None
    client_id: String = ""
    client_host: String = ""
    member_metadata: Bytes = b""
    member_assignment: Bytes = b""
