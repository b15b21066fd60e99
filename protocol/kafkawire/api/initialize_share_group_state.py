"""InitializeShareGroupState (API key 83): begin to keep state of a share partition."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=83, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[InitializeStateData] = array()


@struct
class InitializeStateData:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition: Int32 = 0
    state_epoch: Int32 = 0
    start_offset: Int64 = 0


@message(api_key=83, versions=_VERSIONS, flexible=since(0))
class Response:
    results: list[InitializeStateResult] = array()


@struct
class InitializeStateResult:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
