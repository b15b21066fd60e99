"""ListTransactions (API key 66): list transactions by state, producer and age."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
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

_VERSIONS = between(0, 2)


@message(api_key=66, versions=_VERSIONS, flexible=since(0))
class Request:
    state_filters: list[String] = array()
    producer_id_filters: list[Int64] = array()
    duration_filter: Annotated[Int64, since(1)] = -1
    transactional_id_pattern: Annotated[String | None, since(2)] = None


@message(api_key=66, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    unknown_state_filters: list[String] = array()
    transaction_states: list[TransactionState] = array()


@struct
class TransactionState:
    transactional_id: String = ""
    producer_id: Int64 = 0
    transaction_state: String = ""
