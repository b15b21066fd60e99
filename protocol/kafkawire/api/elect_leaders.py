"""ElectLeaders (API key 43): hand partitions back to their preferred leaders, or to any replica in need."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Int8,
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 2)


@message(api_key=43, versions=_VERSIONS, flexible=since(2))
class Request:
    election_type: Annotated[Int8, since(1)] = 0
    topic_partitions: list[TopicPartitions] | None = array()
    timeout_ms: Int32 = 60000


@struct
class TopicPartitions:
    topic: String = ""
    partitions: list[Int32] = array()


@message(api_key=43, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(1)] = 0
    replica_election_results: list[ReplicaElectionResult] = array()


@struct
class ReplicaElectionResult:
    topic: String = ""
    partition_result: list[PartitionResult] = array()


@struct
class PartitionResult:
    partition_id: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
