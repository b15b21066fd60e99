"""DeleteRecords (API key 21): move a log's start, so that nobody reads what lies before it.

The bytes go with the next retention run, segment by segment. With one replica the low watermark of the answer is the
new start itself.
"""

from __future__ import annotations

from kafkawire.api import delete_records
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType
from pykafkad.api.merging import merged
from pykafkad.errors import Refused

_NOT_ALLOWED = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_INTERNAL = Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, "records of internal topics can't be deleted")
_UNKNOWN = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


@handles(delete_records.Request)
def handle(call: Call, request: delete_records.Request) -> delete_records.Response:
    topics = []
    for name, partitions in merged((topic.name, topic.partitions) for topic in request.topics).items():
        answers = []
        for asked in {one.partition_index: one for one in partitions}.values():  # named twice: the last one counts
            mark = _delete(call, name, asked.partition_index, asked.offset)
            answer = delete_records.PartitionResult(partition_index=asked.partition_index)
            if isinstance(mark, Refused):
                answer.low_watermark, answer.error_code = -1, int(mark.code)
            else:
                answer.low_watermark = mark
            answers.append(answer)
        topics.append(delete_records.TopicResult(name=name, partitions=answers))
    return delete_records.Response(topics=topics)


def _delete(call: Call, topic: str, index: int, offset: int) -> int | Refused:
    if not call.authorise(Operation.DELETE, ResourceType.TOPIC, topic):
        return _NOT_ALLOWED
    known = call.node.image.topic(topic)
    if known is None or not 0 <= index < len(known.partitions):
        return _UNKNOWN
    partition = call.node.partitions.get(topic, index)
    if isinstance(partition, Refused):
        return partition
    return _INTERNAL if partition.internal else partition.delete_records(offset)
