"""CreateDelegationToken (API key 38): make a token that stands for its owner for a while."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bytes,
    Int16,
    Int32,
    Int64,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(1, 3)


@message(api_key=38, versions=_VERSIONS, flexible=since(2))
class Request:
    owner_principal_type: Annotated[String | None, since(3)] = ""
    owner_principal_name: Annotated[String | None, since(3)] = ""
    renewers: list[CreatableRenewers] = array()
    max_lifetime_ms: Int64 = 0


@struct
class CreatableRenewers:
    principal_type: String = ""
    principal_name: String = ""


@message(api_key=38, versions=_VERSIONS, flexible=since(2))
class Response:
    error_code: Int16 = 0
    principal_type: String = ""
    principal_name: String = ""
    token_requester_principal_type: Annotated[String, since(3)] = ""
    token_requester_principal_name: Annotated[String, since(3)] = ""
    issue_timestamp_ms: Int64 = 0
    expiry_timestamp_ms: Int64 = 0
    max_timestamp_ms: Int64 = 0
    token_id: String = ""
    hmac: Bytes = b""
    throttle_time_ms: Int32 = 0
