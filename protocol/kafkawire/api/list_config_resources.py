"""ListConfigResources (API key 74): list what has settings: client metrics at first, all kinds of resources later.

v1  which kinds is in the request.
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
)

_VERSIONS = between(0, 1)


@message(api_key=74, versions=_VERSIONS, flexible=since(0))
class Request:
    resource_types: Annotated[list[Int8], since(1)] = array()


@message(api_key=74, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    config_resources: list[ConfigResource] = array()


@struct
class ConfigResource:
    resource_name: String = ""
    resource_type: Annotated[Int8, since(1), ignorable] = 16
