"""ListGroups (API key 16): list the groups that a broker coordinates.

v4  by state.   v5  by type.
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
)

_VERSIONS = between(0, 5)


@message(api_key=16, versions=_VERSIONS, flexible=since(3))
class Request:
    states_filter: Annotated[list[String], since(4)] = array()
    types_filter: Annotated[list[String], since(5)] = array()


@message(api_key=16, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    groups: list[ListedGroup] = array()


@struct
class ListedGroup:
    group_id: String = ""
    protocol_type: String = ""
    group_state: Annotated[String, since(4), ignorable] = ""
    group_type: Annotated[String, since(5), ignorable] = ""
