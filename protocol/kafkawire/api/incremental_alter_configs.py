"""IncrementalAlterConfigs (API key 44): set, remove, append to and subtract from single settings."""

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

_VERSIONS = between(0, 1)


@message(api_key=44, versions=_VERSIONS, flexible=since(1))
class Request:
    resources: list[AlterConfigsResource] = array()
    validate_only: Bool = False


@struct
class AlterConfigsResource:
    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[AlterableConfig] = array()


@struct
class AlterableConfig:
    name: String = ""
    config_operation: Int8 = 0
    value: String | None = ""


@message(api_key=44, versions=_VERSIONS, flexible=since(1))
class Response:
    throttle_time_ms: Int32 = 0
    responses: list[AlterConfigsResourceResponse] = array()


@struct
class AlterConfigsResourceResponse:
    error_code: Int16 = 0
    error_message: String | None = ""
    resource_type: Int8 = 0
    resource_name: String = ""
