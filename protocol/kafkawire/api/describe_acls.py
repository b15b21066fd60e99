"""DescribeAcls (API key 29): list the access rules that match a filter."""

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


@message(api_key=29, versions=_VERSIONS, flexible=since(2))
class Request:
    resource_type_filter: Int8 = 0
    resource_name_filter: String | None = ""
    pattern_type_filter: Int8 = 3
    principal_filter: String | None = ""
    host_filter: String | None = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@message(api_key=29, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
    resources: list[Resource] = array()


@struct
class Resource:
    resource_type: Int8 = 0
    resource_name: String = ""
    pattern_type: Int8 = 3
    acls: list[AclDescription] = array()


@struct
class AclDescription:
    principal: String = ""
    host: String = ""
    operation: Int8 = 0
    permission_type: Int8 = 0
