"""DescribeTopicPartitions (API key 75): show topics and their partitions page by page."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=75, versions=_VERSIONS, flexible=since(0))
class Request:
    topics: list[TopicRequest] = array()
    response_partition_limit: Int32 = 2000
    cursor: Cursor | None = None


@struct
class TopicRequest:
    name: String = ""


@struct
class Cursor:
    topic_name: String = ""
    partition_index: Int32 = 0


@message(api_key=75, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    topics: list[ResponseTopic] = array()
    next_cursor: Cursor | None = None


@struct
class ResponseTopic:
    error_code: Int16 = 0
    name: String | None = ""
    topic_id: Annotated[Uuid, ignorable] = ZERO_UUID
    is_internal: Annotated[Bool, ignorable] = False
    partitions: list[ResponsePartition] = array()
    topic_authorized_operations: Int32 = -2147483648


@struct
class ResponsePartition:
    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Annotated[Int32, ignorable] = -1
    replica_nodes: list[Int32] = array()
    isr_nodes: list[Int32] = array()
    eligible_leader_replicas: list[Int32] | None = None
    last_known_elr: list[Int32] | None = None
    offline_replicas: Annotated[list[Int32], ignorable] = array()
