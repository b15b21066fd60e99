"""WriteShareGroupState (API key 85): keep the state of share partitions, between brokers."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int8,
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


@message(api_key=85, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[WriteStateData] = array()


@struct
class WriteStateData:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition: Int32 = 0
    state_epoch: Int32 = 0
    leader_epoch: Int32 = 0
    start_offset: Int64 = 0
    delivery_complete_count: Annotated[Int32, since(1), ignorable] = -1
    state_batches: list[StateBatch] = array()


@struct
class StateBatch:
    first_offset: Int64 = 0
    last_offset: Int64 = 0
    delivery_state: Int8 = 0
    delivery_count: Int16 = 0


@message(api_key=85, versions=_VERSIONS, flexible=since(0))
class Response:
    results: list[WriteStateResult] = array()


@struct
class WriteStateResult:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
