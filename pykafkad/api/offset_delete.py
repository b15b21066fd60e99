"""OffsetDelete: forget offsets of topics that no member of the group subscribes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.offset_delete import Request, Response, ResponsePartition, ResponseTopic
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may, may_topic
from pykafkad.api.merging import refused_first
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Deleted, WantedOffset

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if not may(call, Operation.DELETE, request.group_id):
        return Response(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    image = call.node.metadata.image
    wanted: list[WantedOffset] = []
    answers: list[ResponsePartition] = []  # those of ``wanted``, in its order
    parted: list[tuple[str, ResponseTopic, ResponseTopic]] = []
    for asked in request.topics:
        topic = image.topics.get(asked.name)
        if not may_topic(call, Operation.READ, asked.name):
            code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        else:
            code = ErrorCode.NONE if topic is not None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        refused, passed = ResponseTopic(name=asked.name), ResponseTopic(name=asked.name)
        parted.append((asked.name, refused, passed))
        for one in asked.partitions:
            index = one.partition_index
            answer = ResponsePartition(partition_index=index, error_code=code)
            if topic is None or code is not ErrorCode.NONE:
                refused.partitions.append(answer)
                continue
            if not 0 <= index < len(topic.partitions):
                answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                refused.partitions.append(answer)
                continue
            passed.partitions.append(answer)
            answers.append(answer)
            wanted.append(WantedOffset(asked.name, index))
    response = Response(topics=refused_first(parted))

    def respond(body: Any) -> Response:
        if isinstance(body, Refused):
            return Response(error_code=body.code)
        assert isinstance(body, Deleted)
        for answer, verdict in zip(answers, body.codes, strict=True):
            answer.error_code = verdict
        return response

    if not request.group_id:
        return respond(Refused(ErrorCode.INVALID_GROUP_ID))
    shard = call.node.groups.shard(request.group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    return shard.ask(call.now, respond, shard.machine.delete_offsets, group_id=request.group_id, wanted=wanted)
