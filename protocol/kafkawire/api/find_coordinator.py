"""FindCoordinator (API key 10): tell which broker coordinates a group, a transaction or a share partition.

v1  transactions too.   v3  flexible.   v4  several keys at once.   v6  share groups.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Int8,
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

_VERSIONS = between(0, 6)


@message(api_key=10, versions=_VERSIONS, flexible=since(3))
class Request:
    key: Annotated[String, until(3)] = ""
    key_type: Annotated[Int8, since(1)] = 0
    coordinator_keys: Annotated[list[String], since(4)] = array()


@message(api_key=10, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Annotated[Int16, until(3)] = 0
    error_message: Annotated[String | None, between(1, 3), ignorable] = ""
    node_id: Annotated[Int32, until(3)] = 0
    host: Annotated[String, until(3)] = ""
    port: Annotated[Int32, until(3)] = 0
    coordinators: Annotated[list[Coordinator], since(4)] = array()


@struct
class Coordinator:
    key: Annotated[String, since(4)] = ""
    node_id: Annotated[Int32, since(4)] = 0
    host: Annotated[String, since(4)] = ""
    port: Annotated[Int32, since(4)] = 0
    error_code: Annotated[Int16, since(4)] = 0
    error_message: Annotated[String | None, since(4), ignorable] = ""
