"""ExpireDelegationToken (API key 40): set when a delegation token ends."""

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


@message(api_key=40, versions=_VERSIONS, flexible=since(2))
class Request:
    hmac: Bytes = b""
    expiry_time_period_ms: Int64 = 0


@message(api_key=40, versions=_VERSIONS, flexible=since(2))
class Response:
    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0
