"""AlterClientQuotas (API key 49): set and remove quotas of users, clients and addresses."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
    Float64,
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


@message(api_key=49, versions=_VERSIONS, flexible=since(1))
class Request:
    entries: list[EntryData] = array()
    validate_only: Bool = False


@struct
class EntryData:
    entity: list[EntityData] = array()
    ops: list[OpData] = array()


@struct
class EntityData:
    entity_type: String = ""
    entity_name: String | None = ""


@struct
class OpData:
    key: String = ""
    value: Float64 = 0.0
    remove: Bool = False


@message(api_key=49, versions=_VERSIONS, flexible=since(1))
class Response:
    throttle_time_ms: Int32 = 0
    entries: list[ResponseEntryData] = array()


@struct
class ResponseEntryData:
    error_code: Int16 = 0
    error_message: String | None = ""
    entity: list[EntityData] = array()
