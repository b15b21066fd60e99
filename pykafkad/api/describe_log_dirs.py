"""DescribeLogDirs (API key 35): what lies in which log directory, and how much room is left.

v2  flexible.   v3  an error for the whole answer.   v4  sizes of the volume.   v5  cordoned directories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_log_dirs
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.storage.directory import LogDir

_OFFLINE = int(ErrorCode.KAFKA_STORAGE_ERROR)
_DAMAGED = int(ErrorCode.CORRUPT_MESSAGE)


@handles(describe_log_dirs.Request)
def handle(call: Call, request: describe_log_dirs.Request) -> describe_log_dirs.Response:
    if not call.authorise(Operation.DESCRIBE, ResourceType.CLUSTER, "kafka-cluster"):
        # Versions without a place for the error just get an empty list.
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED if call.version >= 3 else ErrorCode.NONE
        return describe_log_dirs.Response(error_code=int(code))
    wanted: set[tuple[str, int]] | None = None
    if request.topics is not None:
        wanted = {(topic.topic, index) for topic in request.topics for index in topic.partitions}
    dirs = call.node.partitions.dirs
    results = [_describe(call, log_dir, wanted) for log_dir in dirs.online]
    results += [describe_log_dirs.Result(error_code=_OFFLINE, log_dir=path) for path in dirs.offline]
    for result in results:
        result.is_cordoned = dirs.is_cordoned(result.log_dir)
    return describe_log_dirs.Response(results=results)


def _describe(call: Call, log_dir: LogDir, wanted: set[tuple[str, int]] | None) -> describe_log_dirs.Result:
    result = describe_log_dirs.Result(log_dir=log_dir.path)
    try:
        result.total_bytes, result.usable_bytes = log_dir.space()
    except OSError:
        result.error_code = _OFFLINE
        return result
    topics: dict[str, describe_log_dirs.Topic] = {}
    for (name, index), size, lag in call.node.partitions.sizes(log_dir):
        if wanted is None or (name, index) in wanted:
            topic = topics.get(name)
            if topic is None:
                topic = topics[name] = describe_log_dirs.Topic(name=name)
            topic.partitions.append(
                describe_log_dirs.Partition(partition_index=index, partition_size=size, offset_lag=lag)
            )
    if any(partition.log.damage for partition in call.node.partitions.all() if partition.log.log_dir == log_dir.path):
        result.error_code = _DAMAGED  # it serves; but somebody should know
    for (name, index), size, lag in call.node.partitions.moves.arriving(log_dir):
        if wanted is None or (name, index) in wanted:
            topic = topics.setdefault(name, describe_log_dirs.Topic(name=name))
            topic.partitions.append(
                describe_log_dirs.Partition(
                    partition_index=index, partition_size=size, offset_lag=lag, is_future_key=True
                )
            )
    result.topics = list(topics.values())
    return result
