"""AlterReplicaLogDirs (API key 34): move replicas between one broker's disks."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(1, 2)


@message(api_key=34, versions=_VERSIONS, flexible=since(2))
class Request:
    dirs: list[AlterReplicaLogDir] = array()


@struct
class AlterReplicaLogDir:
    path: String = ""
    topics: list[AlterReplicaLogDirTopic] = array()


@struct
class AlterReplicaLogDirTopic:
    name: String = ""
    partitions: list[Int32] = array()


@message(api_key=34, versions=_VERSIONS, flexible=since(2))
class Response:
    throttle_time_ms: Int32 = 0
    results: list[AlterReplicaLogDirTopicResult] = array()


@struct
class AlterReplicaLogDirTopicResult:
    topic_name: String = ""
    partitions: list[AlterReplicaLogDirPartitionResult] = array()


@struct
class AlterReplicaLogDirPartitionResult:
    partition_index: Int32 = 0
    error_code: Int16 = 0
