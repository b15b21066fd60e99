"""DescribeClientQuotas (API key 48): list the quotas that match a filter."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
    Float64,
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


@message(api_key=48, versions=_VERSIONS, flexible=since(1))
class Request:
    components: list[ComponentData] = array()
    strict: Bool = False


@struct
class ComponentData:
    entity_type: String = ""
    match_type: Int8 = 0
    match: String | None = ""


@message(api_key=48, versions=_VERSIONS, flexible=since(1))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
    entries: list[EntryData] | None = array()


@struct
class EntryData:
    entity: list[EntityData] = array()
    values: list[ValueData] = array()


@struct
class EntityData:
    entity_type: String = ""
    entity_name: String | None = ""


@struct
class ValueData:
    key: String = ""
    value: Float64 = 0.0
