"""Metadata (API key 3): tell a client where topics' partitions live.

v1  null asks for all topics; before, an empty list did.   v4  says whether missing topics may be made.
v7  leader epochs.   v8  the operations that are allowed, on request.   v9  flexible.   v10  topic ids.
v12  topics by id.   v13  an error for the whole answer.
"""

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
    nullable,
    since,
    struct,
)

_VERSIONS = between(0, 13)


@message(api_key=3, versions=_VERSIONS, flexible=since(9))
class Request:
    topics: Annotated[list[RequestTopic] | None, nullable(since=1)] = array()
    allow_auto_topic_creation: Annotated[Bool, since(4)] = True
    include_cluster_authorized_operations: Annotated[Bool, between(8, 10)] = False
    include_topic_authorized_operations: Annotated[Bool, since(8)] = False


@struct
class RequestTopic:
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    name: Annotated[String | None, nullable(since=10)] = ""


@message(api_key=3, versions=_VERSIONS, flexible=since(9))
class Response:
    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    brokers: list[ResponseBroker] = array()
    cluster_id: Annotated[String | None, since(2), ignorable] = None
    controller_id: Annotated[Int32, since(1), ignorable] = -1
    topics: list[ResponseTopic] = array()
    cluster_authorized_operations: Annotated[Int32, between(8, 10)] = -2147483648
    error_code: Annotated[Int16, since(13), ignorable] = 0


@struct
class ResponseBroker:
    node_id: Int32 = 0
    host: String = ""
    port: Int32 = 0
    rack: Annotated[String | None, since(1), ignorable] = None


@struct
class ResponseTopic:
    error_code: Int16 = 0
    name: Annotated[String | None, nullable(since=12)] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    is_internal: Annotated[Bool, since(1), ignorable] = False
    partitions: list[ResponsePartition] = array()
    topic_authorized_operations: Annotated[Int32, since(8)] = -2147483648


@struct
class ResponsePartition:
    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Annotated[Int32, since(7), ignorable] = -1
    replica_nodes: list[Int32] = array()
    isr_nodes: list[Int32] = array()
    offline_replicas: Annotated[list[Int32], since(5), ignorable] = array()
