"""Heartbeat (API key 12): stay in a classic group, and hear that it rebalances."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    between,
    ignorable,
    message,
    since,
)

_VERSIONS = between(0, 4)


@message(api_key=12, versions=_VERSIONS, flexible=since(4))
class Request:
    group_id: String = ""
    generation_id: Int32 = 0
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(3)] = None


@message(api_key=12, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
