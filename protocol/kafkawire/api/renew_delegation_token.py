"""RenewDelegationToken (API key 39): let a delegation token live longer."""

from __future__ import annotations

from kafkawire.schema import (
    Bytes,
    Int16,
    Int32,
    Int64,
    between,
    message,
    since,
)

_VERSIONS = between(1, 2)


@message(api_key=39, versions=_VERSIONS, flexible=since(2))
class Request:
    hmac: Bytes = b""
    renew_period_ms: Int64 = 0


@message(api_key=39, versions=_VERSIONS, flexible=since(2))
class Response:
    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0
