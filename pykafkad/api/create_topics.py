"""CreateTopics (API key 19).

v5  the response tells partitions, replication factor and configs.   v7  and the topic's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import create_topics
from kafkawire.api.create_topics import CreatableTopicConfigs, CreatableTopicResult
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.operations import may_on_cluster, too_late
from pykafkad.cluster.image import TopicImage
from pykafkad.errors import Refused
from pykafkad.runtime import config_view
from pykafkad.runtime.topic_rules import NewTopic

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_LATE = Refused(ErrorCode.REQUEST_TIMED_OUT)


@handles(create_topics.Request)
async def handle(call: Call, request: create_topics.Request) -> create_topics.Response:
    everything = may_on_cluster(call, Operation.CREATE)
    wanted = []
    outcome: dict[str, TopicImage | Refused] = {}
    asked: dict[str, create_topics.CreatableTopic] = {}
    for topic in request.topics:
        asked[topic.name] = topic
        if everything or call.authorise(Operation.CREATE, ResourceType.TOPIC, topic.name):
            wanted.append(_new_topic(topic))
        else:
            outcome[topic.name] = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.")
    if wanted and too_late(request.timeout_ms):
        outcome.update({topic.name: _LATE for topic in wanted})
    elif wanted:
        outcome.update(await call.node.admin.create_topics(wanted, validate_only=request.validate_only))
    shown = _shown(call, create_topics.CreatableTopic()) if len(outcome) > 1 and call.version >= 5 else None
    results = [_result(call, name, asked[name], answer, shown) for name, answer in outcome.items()]
    return create_topics.Response(topics=results)


def _new_topic(topic: create_topics.CreatableTopic) -> NewTopic:
    return NewTopic(
        topic.name,
        topic.num_partitions,
        topic.replication_factor,
        [(one.partition_index, one.broker_ids) for one in topic.assignments],
        {one.name: one.value for one in topic.configs},
    )


def _result(
    call: Call,
    name: str,
    asked: create_topics.CreatableTopic,
    answer: TopicImage | Refused,
    shown: list[CreatableTopicConfigs] | None,
) -> CreatableTopicResult:
    """``shown`` are the configs of a topic without overrides, described once for many."""
    if isinstance(answer, Refused):
        message = None if answer is _LATE else answer.detail or answer.code.message
        return CreatableTopicResult(name=name, error_code=answer.code, error_message=message, configs=[])
    result = CreatableTopicResult(name=name, topic_id=answer.id, error_message=None)
    if call.version < 5:
        return result
    if not call.authorise(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, name):
        result.topic_config_error_code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        result.configs = None
        return result
    result.num_partitions = len(answer.partitions)
    result.replication_factor = len(answer.partitions[0].replicas)
    result.configs = shown if shown is not None and not asked.configs else _shown(call, asked)
    return result


def _shown(call: Call, asked: create_topics.CreatableTopic) -> list[CreatableTopicConfigs]:
    overrides = {one.name: one.value for one in asked.configs if one.value is not None}
    return [
        CreatableTopicConfigs(
            name=one.key,
            value=overrides.get(one.key, one.value),
            read_only=one.read_only,
            config_source=one.source,
        )
        for one in config_view.topic(call.node.config, overrides, created=True)
    ]
