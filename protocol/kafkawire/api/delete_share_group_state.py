"""DeleteShareGroupState (API key 86): delete what the share coordinator keeps of partitions."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=86, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    topics: list[DeleteStateData] = array()


@struct
class DeleteStateData:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition: Int32 = 0


@message(api_key=86, versions=_VERSIONS, flexible=since(0))
class Response:
    results: list[DeleteStateResult] = array()


@struct
class DeleteStateResult:
    topic_id: Uuid = ZERO_UUID
    partitions: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
