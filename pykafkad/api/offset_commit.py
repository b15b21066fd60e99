"""OffsetCommit: remember how far a group has come. Hot: one commit is one record in the coordinator's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.offset_commit import Request, Response, ResponsePartition, ResponseTopic
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may, may_topic
from pykafkad.api.merging import refused_first
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import CommitRequest, Committed, NewOffset

if TYPE_CHECKING:
    from pykafkad.api.call import Call

GROUP_ID_NOT_FOUND = 9
TOPIC_IDS = 10


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    group_id = request.group_id
    if not may(call, Operation.READ, group_id):
        return _refuse(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
    image, by_id = call.node.metadata.image, call.version >= TOPIC_IDS
    new: list[NewOffset] = []
    answers: list[ResponsePartition] = []  # those of ``new``, in its order
    parted: list[tuple[bytes | str, ResponseTopic, ResponseTopic]] = []
    for asked in request.topics:
        topic = image.topic_by_id(asked.topic_id) if by_id else image.topics.get(asked.name)
        name = topic.name if topic is not None else asked.name
        code = ErrorCode.NONE
        if by_id and topic is None:
            code = ErrorCode.UNKNOWN_TOPIC_ID
        elif not may_topic(call, Operation.READ, name):
            code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif topic is None:
            code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        refused = ResponseTopic(name=asked.name, topic_id=asked.topic_id)
        passed = ResponseTopic(name=asked.name, topic_id=asked.topic_id)
        parted.append((asked.topic_id if by_id else asked.name, refused, passed))
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
            metadata = one.committed_metadata or ""
            new.append(NewOffset(name, index, one.committed_offset, one.committed_leader_epoch, metadata, topic.id))
    response = Response(topics=refused_first(parted))
    if not new:
        return response

    def respond(body: Any) -> Response:
        if isinstance(body, Refused):
            for answer in answers:
                answer.error_code = body.code
        else:
            assert isinstance(body, Committed)
            for answer, verdict in zip(answers, body.codes, strict=True):
                answer.error_code = verdict
        return response

    shard = call.node.groups.shard(group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    unknown = ErrorCode.GROUP_ID_NOT_FOUND if call.version >= GROUP_ID_NOT_FOUND else ErrorCode.ILLEGAL_GENERATION
    commit = CommitRequest(
        group_id,
        request.member_id,
        request.group_instance_id,
        request.generation_id_or_member_epoch,
        new,
        request.retention_time_ms,
        unknown,
    )
    return shard.ask(call.now, respond, shard.machine.commit, commit)


def _refuse(request: Request, code: ErrorCode) -> Response:
    return Response(
        topics=[
            ResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    ResponsePartition(partition_index=one.partition_index, error_code=code) for one in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
