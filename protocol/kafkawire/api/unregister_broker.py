"""UnregisterBroker (API key 64): take a broker out of the cluster for good."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    between,
    message,
    since,
)

_VERSIONS = between(0, 0)


@message(api_key=64, versions=_VERSIONS, flexible=since(0))
class Request:
    broker_id: Int32 = 0


@message(api_key=64, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
