"""OffsetForLeaderEpoch (API key 23): where an epoch ended, so that readers and followers notice a cut log.

v3  replicas name themselves.   v4  flexible.
"""

from __future__ import annotations

from kafkawire.api import offset_for_leader_epoch
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.runtime.lineage import end_of_epoch

_NOT_ALLOWED = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)


@handles(offset_for_leader_epoch.Request)
def handle(call: Call, request: offset_for_leader_epoch.Request) -> offset_for_leader_epoch.Response:
    cluster = call.authorise(Operation.CLUSTER_ACTION, ResourceType.CLUSTER, "kafka-cluster")
    topics = []
    for topic in request.topics:
        allowed = cluster or call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic.topic)
        answers = []
        for asked in topic.partitions:
            end: tuple[int, int] | Refused
            if not allowed:
                end = _NOT_ALLOWED
            else:
                partition = call.node.partitions.get(topic.topic, asked.partition)
                if isinstance(partition, Refused):
                    end = partition
                else:
                    end = end_of_epoch(partition, asked.current_leader_epoch, asked.leader_epoch)
            answer = offset_for_leader_epoch.EpochEndOffset(partition=asked.partition)
            if isinstance(end, Refused):
                answer.error_code = int(end.code)
            else:
                answer.leader_epoch, answer.end_offset = end
            answers.append(answer)
        topics.append(offset_for_leader_epoch.OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
    return offset_for_leader_epoch.Response(topics=topics)
