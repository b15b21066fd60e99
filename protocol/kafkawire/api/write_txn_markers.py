"""WriteTxnMarkers (API key 27): write the ends of transactions into logs, between brokers."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int8,
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
)

_VERSIONS = between(1, 2)


@message(api_key=27, versions=_VERSIONS, flexible=since(1))
class Request:
    markers: list[WritableTxnMarker] = array()


@struct
class WritableTxnMarker:
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    transaction_result: Bool = False
    topics: list[WritableTxnMarkerTopic] = array()
    coordinator_epoch: Int32 = 0
    transaction_version: Annotated[Int8, since(2), ignorable] = 0


@struct
class WritableTxnMarkerTopic:
    name: String = ""
    partition_indexes: list[Int32] = array()


@message(api_key=27, versions=_VERSIONS, flexible=since(1))
class Response:
    markers: list[WritableTxnMarkerResult] = array()


@struct
class WritableTxnMarkerResult:
    producer_id: Int64 = 0
    topics: list[WritableTxnMarkerTopicResult] = array()


@struct
class WritableTxnMarkerTopicResult:
    name: String = ""
    partitions: list[WritableTxnMarkerPartitionResult] = array()


@struct
class WritableTxnMarkerPartitionResult:
    partition_index: Int32 = 0
    error_code: Int16 = 0
