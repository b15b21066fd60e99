"""Fetch (API key 1): read records, by consumers and by followers; waits until there is enough.

v4  isolation level and aborted transactions.   v5  log start offset.   v7  incremental fetch sessions (KIP-227).
v9  leader epochs fence.   v11  racks and the preferred replica (KIP-392).   v12  flexible; diverging epochs.
v13  topics by id.   v15  replica state as a tagged field.   v16  tells new leaders at once (KIP-951).
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Int8,
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

_VERSIONS = between(4, 18)


@message(api_key=1, versions=_VERSIONS, flexible=since(12))
class Request:
    cluster_id: Annotated[String | None, tag(0), since(12), ignorable] = None
    replica_id: Annotated[Int32, until(14)] = -1
    replica_state: Annotated[ReplicaState, tag(1), since(15)] = default()
    max_wait_ms: Int32 = 0
    min_bytes: Int32 = 0
    max_bytes: Annotated[Int32, ignorable] = 2147483647
    isolation_level: Annotated[Int8, ignorable] = 0
    session_id: Annotated[Int32, since(7), ignorable] = 0
    session_epoch: Annotated[Int32, since(7), ignorable] = -1
    topics: list[Topic] = array()
    forgotten_topics_data: Annotated[list[ForgottenTopic], since(7)] = array()
    rack_id: Annotated[String, since(11), ignorable] = ""


@struct
class ReplicaState:
    replica_id: Annotated[Int32, since(15)] = -1
    replica_epoch: Annotated[Int64, since(15)] = -1


@struct
class Topic:
    topic: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: list[Partition] = array()


@struct
class Partition:
    partition: Int32 = 0
    current_leader_epoch: Annotated[Int32, since(9), ignorable] = -1
    fetch_offset: Int64 = 0
    last_fetched_epoch: Annotated[Int32, since(12)] = -1
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    partition_max_bytes: Int32 = 0
    replica_directory_id: Annotated[Uuid, tag(0), since(17), ignorable] = ZERO_UUID
    high_watermark: Annotated[Int64, tag(1), since(18), ignorable] = 9223372036854775807


@struct
class ForgottenTopic:
    topic: Annotated[String, between(7, 12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: Annotated[list[Int32], since(7)] = array()


@message(api_key=1, versions=_VERSIONS, flexible=since(12))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    error_code: Annotated[Int16, since(7), ignorable] = 0
    session_id: Annotated[Int32, since(7)] = 0
    responses: list[FetchableTopicResponse] = array()
    node_endpoints: Annotated[list[NodeEndpoint], tag(0), since(16)] = array()


@struct
class FetchableTopicResponse:
    topic: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: list[PartitionData] = array()


@struct
class PartitionData:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    high_watermark: Int64 = 0
    last_stable_offset: Annotated[Int64, ignorable] = -1
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    diverging_epoch: Annotated[EpochEndOffset, tag(0), since(12)] = default()
    current_leader: Annotated[LeaderIdAndEpoch, tag(1), since(12)] = default()
    snapshot_id: Annotated[SnapshotId, tag(2), since(12)] = default()
    aborted_transactions: Annotated[list[AbortedTransaction] | None, ignorable] = array()
    preferred_read_replica: Annotated[Int32, since(11)] = -1
    records: Records | None = None


@struct
class EpochEndOffset:
    epoch: Annotated[Int32, since(12)] = -1
    end_offset: Annotated[Int64, since(12)] = -1


@struct
class LeaderIdAndEpoch:
    leader_id: Annotated[Int32, since(12)] = -1
    leader_epoch: Annotated[Int32, since(12)] = -1


@struct
class SnapshotId:
    end_offset: Int64 = -1
    epoch: Int32 = -1


@struct
class AbortedTransaction:
    producer_id: Int64 = 0
    first_offset: Int64 = 0


@struct
class NodeEndpoint:
    node_id: Annotated[Int32, since(16)] = 0
    host: Annotated[String, since(16)] = ""
    port: Annotated[Int32, since(16)] = 0
    rack: Annotated[String | None, since(16)] = None
