"""TxnOffsetCommit (API key 28): commit a group's offsets as part of a transaction.

v3  flexible, and the member says who it is, so that zombies are fenced.
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

_VERSIONS = between(0, 5)


@message(api_key=28, versions=_VERSIONS, flexible=since(3))
class Request:
    transactional_id: String = ""
    group_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    generation_id: Annotated[Int32, since(3)] = -1
    member_id: Annotated[String, since(3)] = ""
    group_instance_id: Annotated[String | None, since(3)] = None
    topics: list[RequestTopic] = array()


@struct
class RequestTopic:
    name: String = ""
    partitions: list[RequestPartition] = array()


@struct
class RequestPartition:
    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, since(2), ignorable] = -1
    committed_metadata: String | None = ""


@message(api_key=28, versions=_VERSIONS, flexible=since(3))
class Response:
    throttle_time_ms: Int32 = 0
    topics: list[ResponseTopic] = array()


@struct
class ResponseTopic:
    name: String = ""
    partitions: list[ResponsePartition] = array()


@struct
class ResponsePartition:
    partition_index: Int32 = 0
    error_code: Int16 = 0
