"""AlterConfigs (API key 33): replace all settings of a resource; IncrementalAlterConfigs is the safer way."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
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

_VERSIONS = between(0, 2)


@message(api_key=33, versions=_VERSIONS, flexible=since(2))
class Request:
    resources: list[Resource] = array()
    validate_only: Bool = False


@struct
class Resource:
    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[AlterableConfig] = array()


@struct
class AlterableConfig:
    name: String = ""
    value: String | None = ""


@message(api_key=33, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    responses: list[ResourceResponse] = array()


@struct
class ResourceResponse:
    error_code: Int16 = 0
    error_message: String | None = ""
    resource_type: Int8 = 0
    resource_name: String = ""
