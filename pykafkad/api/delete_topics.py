"""DeleteTopics (API key 20), by name; from v6 by name or by id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import delete_topics
from kafkawire.api.delete_topics import DeletableTopicResult, DeleteTopicState
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.operations import may_on_cluster, too_late
from pykafkad.model import ZERO_UUID

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(delete_topics.Request)
async def handle(call: Call, request: delete_topics.Request) -> delete_topics.Response:
    topics = request.topics if call.version >= 6 else [DeleteTopicState(name=name) for name in request.topic_names]
    if not call.node.config.delete_topic_enable:
        code = ErrorCode.TOPIC_DELETION_DISABLED if call.version >= 3 else ErrorCode.INVALID_REQUEST
        return delete_topics.Response(responses=[_answer(one.name, one.topic_id, code) for one in topics])
    late = too_late(request.timeout_ms)
    results: list[DeletableTopicResult] = []
    names: dict[str, bytes] = {}  # to delete -> the id to answer with
    repeated = Counter(
        one.name if one.name is not None else one.topic_id
        for one in topics
        if one.name is None or one.topic_id == ZERO_UUID
    )
    told = set()
    image = call.node.image
    everything = may_on_cluster(call, Operation.DELETE)

    def may(operation: Operation, name: str) -> bool:
        return everything or call.authorise(operation, ResourceType.TOPIC, name)

    for one in topics:
        name, topic_id = one.name, one.topic_id
        asked = name if name is not None else topic_id
        if name is not None and topic_id != ZERO_UUID:
            message = "You may not specify both topic name and topic id."
            results.append(_answer(name, topic_id, ErrorCode.INVALID_REQUEST, message))
        elif name is None and topic_id == ZERO_UUID:
            message = "Neither topic name nor id were specified."
            results.append(_answer(None, ZERO_UUID, ErrorCode.INVALID_REQUEST, message))
        elif repeated[asked] > 1:
            if asked not in told:
                told.add(asked)
                message = f"Duplicate topic {'name' if name is not None else 'id'}."
                results.append(_answer(name, topic_id, ErrorCode.INVALID_REQUEST, message))
        elif late:
            results.append(DeletableTopicResult(name=name, topic_id=topic_id, error_code=ErrorCode.REQUEST_TIMED_OUT))
        elif name is not None:
            topic = image.topic(name)
            if not may(Operation.DELETE, name):
                results.append(_answer(name, ZERO_UUID, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
            elif topic is None:
                results.append(_answer(name, ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            else:
                names[name] = topic.id
        else:
            topic = image.topic_by_id(topic_id)
            if topic is None:
                results.append(_answer(None, topic_id, ErrorCode.UNKNOWN_TOPIC_ID))
            elif not may(Operation.DESCRIBE, topic.name):
                results.append(_answer(None, topic_id, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
            elif not may(Operation.DELETE, topic.name):
                results.append(_answer(topic.name, topic_id, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
            elif topic.name in names:
                message = "The provided topic name maps to an ID that was already supplied."
                results.append(_answer(topic.name, topic_id, ErrorCode.INVALID_REQUEST, message))
                del names[topic.name]
            else:
                names[topic.name] = topic_id
    if names:
        outcome = await call.node.admin.delete_topics(list(names))
        for name, refused in outcome.items():
            code = ErrorCode.NONE if refused is None else refused.code
            results.append(_answer(name, names[name], code, refused.detail if refused else ""))
    return delete_topics.Response(responses=results)


def _answer(name: str | None, topic_id: bytes, code: ErrorCode, message: str = "") -> DeletableTopicResult:
    said = None if code is ErrorCode.NONE else message or code.message
    return DeletableTopicResult(name=name, topic_id=topic_id, error_code=code, error_message=said)
