"""DescribeTopicPartitions (API key 75): topics page by page, with their eligible leader replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_topic_partitions
from kafkawire.api.describe_topic_partitions import Cursor, ResponsePartition, ResponseTopic
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.offline import offline_replicas
from pykafkad.api.operations import authorised_operations
from pykafkad.cluster.image import ClusterImage, TopicImage, is_internal
from pykafkad.runtime.topic_rules import refuse_name

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_topic_partitions.Request)
def handle(call: Call, request: describe_topic_partitions.Request) -> describe_topic_partitions.Response:
    image = call.node.image
    cursor = request.cursor
    if cursor is not None and cursor.partition_index < 0:
        return _invalid(request)
    all_topics = not request.topics
    names = sorted(image.topics) if all_topics else sorted({topic.name for topic in request.topics})
    first_partition = 0
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
        if names and names[0] == cursor.topic_name:
            first_partition = cursor.partition_index
        elif not all_topics:
            return _invalid(request)  # the cursor must be one of the topics asked for
    room = max(1, min(call.node.config.max_request_partition_size_limit, request.response_partition_limit))
    response = describe_topic_partitions.Response()
    for name in names:
        topic = image.topic(name)
        if not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, name):
            if not all_topics:
                response.topics.append(ResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name))
            continue
        if topic is None:
            refused = refuse_name(name)
            code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if refused is None else refused.code
            may = authorised_operations(call, ResourceType.TOPIC, name)  # of a topic that isn't there, too
            absent = ResponseTopic(error_code=code, name=name, is_internal=is_internal(name))
            absent.topic_authorized_operations = may
            response.topics.append(absent)
            continue
        if room == 0:
            response.next_cursor = Cursor(topic_name=name, partition_index=0)
            break
        start, first_partition = first_partition, 0
        stop = min(len(topic.partitions), start + room)
        response.topics.append(_topic(call, image, topic, start, stop))
        room -= max(0, stop - start)
        if stop < len(topic.partitions):
            response.next_cursor = Cursor(topic_name=name, partition_index=stop)
            break
    return response


def _invalid(request: describe_topic_partitions.Request) -> describe_topic_partitions.Response:
    topics = [ResponseTopic(error_code=ErrorCode.INVALID_REQUEST, name=topic.name) for topic in request.topics]
    return describe_topic_partitions.Response(topics=topics)


def _topic(call: Call, image: ClusterImage, topic: TopicImage, start: int, stop: int) -> ResponseTopic:
    partitions = []
    for index in range(start, stop):
        partition = topic.partitions[index]
        offline = offline_replicas(call, image, topic.name, index, partition)
        alive = image.alive(partition.leader) and partition.leader not in offline
        partitions.append(
            ResponsePartition(
                error_code=ErrorCode.NONE if alive else ErrorCode.LEADER_NOT_AVAILABLE,
                partition_index=index,
                leader_id=partition.leader if alive else -1,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=[],
                last_known_elr=[],
                offline_replicas=offline,
            )
        )
    return ResponseTopic(
        name=topic.name,
        topic_id=topic.id,
        is_internal=is_internal(topic.name),
        partitions=partitions,
        topic_authorized_operations=authorised_operations(call, ResourceType.TOPIC, topic.name),
    )
