"""OffsetForLeaderEpoch (API key 23): tell where a leader epoch ended, by which followers and consumers see logs part.

v3  followers say who they are.   v4  flexible.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
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

_VERSIONS = between(2, 4)


@message(api_key=23, versions=_VERSIONS, flexible=since(4))
class Request:
    replica_id: Annotated[Int32, since(3), ignorable] = -2
    topics: list[OffsetForLeaderTopic] = array()


@struct
class OffsetForLeaderTopic:
    topic: String = ""
    partitions: list[OffsetForLeaderPartition] = array()


@struct
class OffsetForLeaderPartition:
    partition: Int32 = 0
    current_leader_epoch: Annotated[Int32, ignorable] = -1
    leader_epoch: Int32 = 0


@message(api_key=23, versions=_VERSIONS, flexible=since(4))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    topics: list[OffsetForLeaderTopicResult] = array()


@struct
class OffsetForLeaderTopicResult:
    topic: String = ""
    partitions: list[EpochEndOffset] = array()


@struct
class EpochEndOffset:
    error_code: Int16 = 0
    partition: Int32 = 0
    leader_epoch: Annotated[Int32, ignorable] = -1
    end_offset: Int64 = -1
