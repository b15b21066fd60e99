"""AddOffsetsToTxn (API key 25): announce that a transaction will also commit offsets of a group."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    Int64,
    String,
    between,
    message,
    since,
)

_VERSIONS = between(0, 4)


@message(api_key=25, versions=_VERSIONS, flexible=since(3))
class Request:
    transactional_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    group_id: String = ""


@message(api_key=25, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
