"""CreateAcls (API key 30): add access rules."""

from __future__ import annotations

from kafkawire.schema import (
    Int8,
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(1, 3)


@message(api_key=30, versions=_VERSIONS, flexible=since(2))
class Request:
    creations: list[AclCreation] = array()


@struct
class AclCreation:
    resource_type: Int8 = 0
    resource_name: String = ""
    resource_pattern_type: Int8 = 3
    principal: String = ""
    host: String = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@message(api_key=30, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[AclCreationResult] = array()


@struct
class AclCreationResult:
    error_code: Int16 = 0
    error_message: String | None = ""
