"""CreatePartitions (API key 37): let topics grow."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkawire.api import create_partitions
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.runtime.topic_rules import NewPartitions

if TYPE_CHECKING:
    from pykafkad.api.call import Call


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
    if wanted:
        outcome.update(await call.node.admin.create_partitions(wanted, validate_only=request.validate_only))
    results = []
    for name, refused in outcome.items():
        result = create_partitions.TopicResult(name=name)
        if refused is not None:
            result.error_code = refused.code
            result.error_message = refused.detail or refused.code.message
        results.append(result)
    return create_partitions.Response(results=results)
