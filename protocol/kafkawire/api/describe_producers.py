"""DescribeProducers (API key 61): show the producers that a partition remembers."""

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


@message(api_key=61, versions=_VERSIONS, flexible=since(0))
class Request:
    topics: list[TopicRequest] = array()


@struct
class TopicRequest:
    name: String = ""
    partition_indexes: list[Int32] = array()


@message(api_key=61, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    topics: list[TopicResponse] = array()


@struct
class TopicResponse:
    name: String = ""
    partitions: list[PartitionResponse] = array()


@struct
class PartitionResponse:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    active_producers: list[ProducerState] = array()


@struct
class ProducerState:
    producer_id: Int64 = 0
    producer_epoch: Int32 = 0
    last_sequence: Int32 = -1
    last_timestamp: Int64 = -1
    coordinator_epoch: Int32 = 0
    current_txn_start_offset: Int64 = -1
