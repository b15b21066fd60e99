"""AddPartitionsToTxn (API key 24): announce the partitions that a transaction is about to write to.

v4  brokers may verify or add several transactions at once.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int16,
    Int32,
    Int64,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
    until,
)

_VERSIONS = between(0, 5)


@message(api_key=24, versions=_VERSIONS, flexible=since(3))
class Request:
    transactions: Annotated[list[Transaction], since(4)] = array()
    v3_and_below_transactional_id: Annotated[String, until(3)] = ""
    v3_and_below_producer_id: Annotated[Int64, until(3)] = 0
    v3_and_below_producer_epoch: Annotated[Int16, until(3)] = 0
    v3_and_below_topics: Annotated[list[Topic], until(3)] = array()


@struct
class Transaction:
    transactional_id: Annotated[String, since(4)] = ""
    producer_id: Annotated[Int64, since(4)] = 0
    producer_epoch: Annotated[Int16, since(4)] = 0
    verify_only: Annotated[Bool, since(4)] = False
    topics: Annotated[list[Topic], since(4)] = array()


@struct
class Topic:
    name: String = ""
    partitions: list[Int32] = array()


@message(api_key=24, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(4), ignorable] = 0
    results_by_transaction: Annotated[list[Result], since(4)] = array()
    results_by_topic_v3_and_below: Annotated[list[TopicResult], until(3)] = array()


@struct
class Result:
    transactional_id: Annotated[String, since(4)] = ""
    topic_results: Annotated[list[TopicResult], since(4)] = array()


@struct
class TopicResult:
    name: String = ""
    results_by_partition: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition_index: Int32 = 0
    partition_error_code: Int16 = 0
