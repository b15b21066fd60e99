"""AlterReplicaLogDirs (API key 34): move partitions to another log directory of this broker.

Answered at once; the copying goes on behind it, and DescribeLogDirs shows how far it is. Asked to go where it is, a
partition that is on its way stays. One that isn't here yet is made there when it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirTopicResult,
    Request,
    Response,
)
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.storage.names import future_directory_name

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_LONGEST_NAME = 255
_UNIQUE = "0" * 32
_NOT_HERE = (
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
)


@handles(Request)
def handle(call: Call, request: Request) -> Response:
    allowed = call.authorise(Operation.ALTER, ResourceType.CLUSTER, "kafka-cluster")
    paths = {(topic.name, i): one.path for one in request.dirs for topic in one.topics for i in topic.partitions}
    results: dict[str, AlterReplicaLogDirTopicResult] = {}
    for (name, index), path in paths.items():  # named twice: the last directory counts
        code = _alter(call, TopicPartition(name, index), path) if allowed else ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        result = results.setdefault(name, AlterReplicaLogDirTopicResult(topic_name=name))
        result.partitions.append(AlterReplicaLogDirPartitionResult(partition_index=index, error_code=int(code)))
    return Response(results=list(results.values()))


def _alter(call: Call, key: TopicPartition, path: str) -> ErrorCode:
    refused = _begin(call, key, path)
    if refused is None:
        return ErrorCode.NONE
    events.warning("cannot move a partition", partition=str(key), to=path, reason=refused.detail)
    return refused.code


def _begin(call: Call, key: TopicPartition, path: str) -> Refused | None:
    partitions = call.node.partitions
    if len(future_directory_name(*key, _UNIQUE)) > _LONGEST_NAME:
        return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, "the topic's name is too long for the folder of a move")
    target = partitions.dirs.by_path(path)
    if isinstance(target, Refused):
        return target
    if partitions.dirs.is_cordoned(target.path):
        return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"log directory {target.path} is cordoned")
    moving_to = partitions.moves.target(key)
    if moving_to is not None and moving_to is not target:
        partitions.moves.cancel(key)
        moving_to = None
    partition = partitions.get(*key)
    if isinstance(partition, Refused):
        if partition.code in _NOT_HERE:
            partitions.dirs.prefer(key, target)
        if partition.code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
            return Refused(ErrorCode.REPLICA_NOT_AVAILABLE, partition.detail)
        return partition
    if partition.log.log_dir == target.path or moving_to is target:
        return None
    if partitions.dirs.offline:  # one of them may hold what a move left behind
        return Refused(ErrorCode.KAFKA_STORAGE_ERROR, "a log directory is offline")
    partitions.moves.begin(key, target)
    return None
