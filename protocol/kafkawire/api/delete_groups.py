"""DeleteGroups (API key 42): delete empty groups and their offsets."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 2)


@message(api_key=42, versions=_VERSIONS, flexible=since(2))
class Request:
    groups_names: list[String] = array()


@message(api_key=42, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[DeletableGroupResult] = array()


@struct
class DeletableGroupResult:
    group_id: String = ""
    error_code: Int16 = 0
