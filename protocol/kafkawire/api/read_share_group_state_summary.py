"""ReadShareGroupStateSummary (API key 87): read the state of share partitions without its batches, between brokers."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 1)


@message(api_key=87, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[ReadStateSummaryData] = array()


@struct
class ReadStateSummaryData:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition: Int32 = 0
    leader_epoch: Int32 = 0


@message(api_key=87, versions=_VERSIONS, flexible=since(0))
class Response:
    results: list[ReadStateSummaryResult] = array()


@struct
class ReadStateSummaryResult:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    state_epoch: Int32 = 0
    leader_epoch: Int32 = 0
    start_offset: Int64 = 0
    delivery_complete_count: Annotated[Int32, since(1), ignorable] = -1
