"""DescribeDelegationToken (API key 41): list delegation tokens."""

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


@message(api_key=41, versions=_VERSIONS, flexible=since(2))
class Request:
    owners: list[Owner] | None = array()


@struct
class Owner:
    principal_type: String = ""
    principal_name: String = ""


@message(api_key=41, versions=_VERSIONS, flexible=since(2))
class Response:
    error_code: Int16 = 0
    tokens: list[DescribedDelegationToken] = array()
    throttle_time_ms: Int32 = 0


@struct
class DescribedDelegationToken:
    principal_type: String = ""
    principal_name: String = ""
    token_requester_principal_type: Annotated[String, since(3)] = ""
    token_requester_principal_name: Annotated[String, since(3)] = ""
    issue_timestamp: Int64 = 0
    expiry_timestamp: Int64 = 0
    max_timestamp: Int64 = 0
    token_id: String = ""
    hmac: Bytes = b""
    renewers: list[DescribedDelegationTokenRenewer] = array()


@struct
class DescribedDelegationTokenRenewer:
    principal_type: String = ""
    principal_name: String = ""
