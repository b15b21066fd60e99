"""Produce (API key 0): append record batches to partitions.

v5  log start offset.   v8  errors by record.   v9  flexible.   v10  tells new leaders at once (KIP-951).
v12  may add the partition to the transaction itself (KIP-890).   v13  topics by id.
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    Int64,
    Records,
    String,
    Uuid,
    array,
    between,
    default,
    ignorable,
    message,
    since,
    struct,
    tag,
    until,
)

_VERSIONS = between(3, 13)


@message(api_key=0, versions=_VERSIONS, flexible=since(9))
class Request:
    transactional_id: String | None = None
    acks: Int16 = 0
    timeout_ms: Int32 = 0
    topic_data: list[TopicProduceData] = array()


@struct
class TopicProduceData:
    name: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partition_data: list[PartitionProduceData] = array()


@struct
class PartitionProduceData:
    index: Int32 = 0
    records: Records | None = None


@message(api_key=0, versions=_VERSIONS, flexible=since(9))
class Response:
    responses: list[TopicProduceResponse] = array()
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    node_endpoints: Annotated[list[NodeEndpoint], tag(0), since(10)] = array()


@struct
class TopicProduceResponse:
    name: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partition_responses: list[PartitionProduceResponse] = array()


@struct
class PartitionProduceResponse:
    index: Int32 = 0
    error_code: Int16 = 0
    base_offset: Int64 = 0
    log_append_time_ms: Annotated[Int64, ignorable] = -1
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    record_errors: Annotated[list[BatchIndexAndErrorMessage], since(8), ignorable] = array()
    error_message: Annotated[String | None, since(8), ignorable] = None
    current_leader: Annotated[LeaderIdAndEpoch, tag(0), since(10)] = default()


@struct
class BatchIndexAndErrorMessage:
    batch_index: Annotated[Int32, since(8)] = 0
    batch_index_error_message: Annotated[String | None, since(8)] = None


@struct
class LeaderIdAndEpoch:
    leader_id: Annotated[Int32, since(10)] = -1
    leader_epoch: Annotated[Int32, since(10)] = -1


@struct
class NodeEndpoint:
    node_id: Annotated[Int32, since(10)] = 0
    host: Annotated[String, since(10)] = ""
    port: Annotated[Int32, since(10)] = 0
    rack: Annotated[String | None, since(10)] = None
