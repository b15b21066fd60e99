"""CreatePartitions (API key 37): let topics grow."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import create_partitions
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.operations import too_late
from pykafkad.errors import Refused
from pykafkad.runtime.topic_rules import NewPartitions

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_LATE = Refused(ErrorCode.REQUEST_TIMED_OUT)


@handles(create_partitions.Request)
async def handle(call: Call, request: create_partitions.Request) -> create_partitions.Response:
    times = Counter(topic.name for topic in request.topics)
    outcome: dict[str, Refused | None] = {}
    wanted = []
    for topic in request.topics:
        if times[topic.name] > 1:
            outcome[topic.name] = Refused(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
        elif not call.authorise(Operation.ALTER, ResourceType.TOPIC, topic.name):
            outcome[topic.name] = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.")
        else:
            given = topic.assignments
            assignments = None if given is None else [one.broker_ids for one in given]
            wanted.append(NewPartitions(topic.name, topic.count, assignments))
    if wanted and too_late(request.timeout_ms):
        outcome.update({topic.topic: _LATE for topic in wanted})
    elif wanted:
        outcome.update(await call.node.admin.create_partitions(wanted, validate_only=request.validate_only))
    results = []
    for name, refused in outcome.items():
        result = create_partitions.TopicResult(name=name)
        if refused is not None:
            result.error_code = refused.code
            said_by_code = refused is _LATE or refused.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            result.error_message = None if said_by_code else refused.detail or refused.code.message
        results.append(result)
    return create_partitions.Response(results=results)
