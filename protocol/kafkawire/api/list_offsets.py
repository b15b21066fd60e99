"""ListOffsets (API key 2): tell the offset that belongs to a time, or to the start or end of a log.

v2  isolation level.   v4  leader epochs.   v6  flexible.   v7  the largest timestamp (-3).
v8  the start of the local log (-4).   v9  the end of the tiered one (-5).
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
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

_VERSIONS = between(1, 11)


@message(api_key=2, versions=_VERSIONS, flexible=since(6))
class Request:
    replica_id: Int32 = 0
    isolation_level: Annotated[Int8, since(2)] = 0
    topics: list[Topic] = array()
    timeout_ms: Annotated[Int32, since(10), ignorable] = 0


@struct
class Topic:
    name: String = ""
    partitions: list[Partition] = array()


@struct
class Partition:
    partition_index: Int32 = 0
    current_leader_epoch: Annotated[Int32, since(4), ignorable] = -1
    timestamp: Int64 = 0


@message(api_key=2, versions=_VERSIONS, flexible=since(6))
class Response:
    throttle_time_ms: Annotated[Int32, since(2), ignorable] = 0
    topics: list[TopicResponse] = array()


@struct
class TopicResponse:
    name: String = ""
    partitions: list[PartitionResponse] = array()


@struct
class PartitionResponse:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    timestamp: Int64 = -1
    offset: Int64 = -1
    leader_epoch: Annotated[Int32, since(4)] = -1
