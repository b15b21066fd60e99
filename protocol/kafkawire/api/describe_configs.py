"""DescribeConfigs (API key 32): show the settings of topics, brokers, groups.

v3  documentation on request, and the type of each setting.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
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
)

_VERSIONS = between(1, 4)


@message(api_key=32, versions=_VERSIONS, flexible=since(4))
class Request:
    resources: list[Resource] = array()
    include_synonyms: Bool = False
    include_documentation: Annotated[Bool, since(3)] = False


@struct
class Resource:
    resource_type: Int8 = 0
    resource_name: String = ""
    configuration_keys: list[String] | None = array()


@message(api_key=32, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[Result] = array()


@struct
class Result:
    error_code: Int16 = 0
    error_message: String | None = ""
    resource_type: Int8 = 0
    resource_name: String = ""
    configs: list[ResourceResult] = array()


@struct
class ResourceResult:
    name: String = ""
    value: String | None = ""
    read_only: Bool = False
    config_source: Annotated[Int8, ignorable] = -1
    is_sensitive: Bool = False
    synonyms: Annotated[list[Synonym], ignorable] = array()
    config_type: Annotated[Int8, since(3), ignorable] = 0
    documentation: Annotated[String | None, since(3), ignorable] = ""


@struct
class Synonym:
    name: String = ""
    value: String | None = ""
    source: Int8 = 0
