"""PushTelemetry (API key 72): take a client's metrics."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Bytes,
    Int8,
    Int16,
    Int32,
    Uuid,
    between,
    message,
    since,
)

_VERSIONS = between(0, 0)


@message(api_key=72, versions=_VERSIONS, flexible=since(0))
class Request:
    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    terminating: Bool = False
    compression_type: Int8 = 0
    metrics: Bytes = b""


@message(api_key=72, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
