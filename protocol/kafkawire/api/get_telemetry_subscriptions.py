"""GetTelemetrySubscriptions (API key 71): tell a client which metrics to push, and how often."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    message,
    since,
)

_VERSIONS = between(0, 0)


@message(api_key=71, versions=_VERSIONS, flexible=since(0))
class Request:
    client_instance_id: Uuid = ZERO_UUID


@message(api_key=71, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    accepted_compression_types: list[Int8] = array()
    push_interval_ms: Int32 = 0
    telemetry_max_bytes: Int32 = 0
    delta_temporality: Bool = False
    requested_metrics: list[String] = array()
