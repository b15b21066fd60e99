"""DescribeQuorum (API key 55): show the state of the metadata quorum."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    String,
    Uint16,
    Uuid,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 2)


@message(api_key=55, versions=_VERSIONS, flexible=since(0))
class Request:
    topics: list[TopicData] = array()


@struct
class TopicData:
    topic_name: String = ""
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition_index: Int32 = 0


@message(api_key=55, versions=_VERSIONS, flexible=since(0))
class Response:
    error_code: Int16 = 0
    error_message: Annotated[String | None, since(2), ignorable] = ""
    topics: list[ResponseTopicData] = array()
    nodes: Annotated[list[Node], since(2)] = array()


@struct
class ResponseTopicData:
    topic_name: String = ""
    partitions: list[ResponsePartitionData] = array()


@struct
class ResponsePartitionData:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: Annotated[String | None, since(2), ignorable] = ""
    leader_id: Int32 = 0
    leader_epoch: Int32 = 0
    high_watermark: Int64 = 0
    current_voters: list[ReplicaState] = array()
    observers: list[ReplicaState] = array()


@struct
class ReplicaState:
    replica_id: Int32 = 0
    replica_directory_id: Annotated[Uuid, since(2)] = ZERO_UUID
    log_end_offset: Int64 = 0
    last_fetch_timestamp: Annotated[Int64, since(1), ignorable] = -1
    last_caught_up_timestamp: Annotated[Int64, since(1), ignorable] = -1


@struct
class Node:
    node_id: Annotated[Int32, since(2)] = 0
    listeners: Annotated[list[Listener], since(2)] = array()


@struct
class Listener:
    name: Annotated[String, since(2)] = ""
    host: Annotated[String, since(2)] = ""
    port: Annotated[Uint16, since(2)] = 0
