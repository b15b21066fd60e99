"""DescribeTransactions (API key 65): show transactions by their transactional ids."""

from __future__ import annotations

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

_VERSIONS = between(0, 0)


@message(api_key=65, versions=_VERSIONS, flexible=since(0))
class Request:
    transactional_ids: list[String] = array()


@message(api_key=65, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    transaction_states: list[TransactionState] = array()


@struct
class TransactionState:
    error_code: Int16 = 0
    transactional_id: String = ""
    transaction_state: String = ""
    transaction_timeout_ms: Int32 = 0
    transaction_start_time_ms: Int64 = 0
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    topics: list[TopicData] = array()


@struct
class TopicData:
    topic: String = ""
    partitions: list[Int32] = array()
