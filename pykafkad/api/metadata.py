"""Metadata (API key 3): which brokers there are, which topics, who leads what. Creates topics that are missing.

Hot file: clients ask often and for the same topics. What a topic looks like on one listener is kept with the image it
was made from.

Kafka answers UNKNOWN_TOPIC_OR_PARTITION while it creates a topic, and the client asks again; here the answer waits the
millisecond that it takes, and has the topic.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from kafkawire.api import metadata
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import NOT_ASKED, Operation, ResourceType
from pykafkad.api.endpoints import advertised
from pykafkad.api.operations import CLUSTER_NAME, authorised_operations, may_on_cluster
from pykafkad.cluster.image import INTERNAL_TOPICS, ClusterImage, TopicImage, is_internal
from pykafkad.errors import Refused
from pykafkad.model import ZERO_UUID

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_UNKNOWN = int(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_UNKNOWN_ID = int(ErrorCode.UNKNOWN_TOPIC_ID)
_NOT_AUTHORISED = int(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_LEADER_NOT_AVAILABLE = int(ErrorCode.LEADER_NOT_AVAILABLE)
_LISTENER_NOT_FOUND = int(ErrorCode.LISTENER_NOT_FOUND)


@handles(metadata.Request)
def handle(call: Call, request: metadata.Request) -> metadata.Response | Coroutine[Any, Any, metadata.Response]:
    asked = request.topics
    image = call.node.metadata.image
    if asked is None or (call.version == 0 and not asked):
        return _response(call, request, image, _all_topics(call, request, image))
    if call.version < 12 and any(topic.name is None or topic.topic_id != ZERO_UUID for topic in asked):
        return _invalid(asked)
    if any(topic.topic_id != ZERO_UUID for topic in asked):
        return _response(call, request, image, [_by_id(call, request, image, topic.topic_id) for topic in asked])
    missing: list[str] = []
    topics = []
    seen = set()
    for topic in asked:
        name = topic.name
        if name in seen:
            continue
        seen.add(name)
        if name is None:
            topics.append(metadata.ResponseTopic(error_code=int(ErrorCode.INVALID_REQUEST), name=None))
        elif not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, name):
            topics.append(metadata.ResponseTopic(error_code=_NOT_AUTHORISED, name=name))
        elif (found := image.topics.get(name)) is None:
            missing.append(name)
        else:
            topics.append(_topic(call, request, image, found))
    if not missing:
        return _response(call, request, image, topics)
    if call.node.config.auto_create_topics_enable and request.allow_auto_topic_creation:
        return _with_created(call, request, topics, missing)
    topics.extend(_missing(name) for name in missing)
    return _response(call, request, image, topics)


def _invalid(asked: Iterable[metadata.RequestTopic]) -> metadata.Response:
    """Ids were there before they meant anything: versions 10 and 11."""
    error = int(ErrorCode.INVALID_REQUEST)
    topics = [metadata.ResponseTopic(error_code=error, name=one.name or "", topic_id=one.topic_id) for one in asked]
    return metadata.Response(topics=topics)


def _missing(name: str) -> metadata.ResponseTopic:
    from pykafkad.runtime.topic_rules import refuse_name

    refused = refuse_name(name)
    return metadata.ResponseTopic(
        error_code=_UNKNOWN if refused is None else int(refused.code), name=name, is_internal=is_internal(name)
    )


async def _with_created(
    call: Call, request: metadata.Request, topics: list[metadata.ResponseTopic], missing: list[str]
) -> metadata.Response:
    from pykafkad.runtime.topic_rules import NewTopic

    admin = call.node.admin
    on_cluster = may_on_cluster(call, Operation.CREATE)
    outcome: dict[str, TopicImage | Refused] = {}
    wanted = []
    for name in missing:
        if not on_cluster and not call.authorise(Operation.CREATE, ResourceType.TOPIC, name):
            outcome[name] = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        elif name in INTERNAL_TOPICS:
            outcome[name] = await admin.ensure_internal_topic(name)
        else:
            wanted.append(NewTopic(name))
    if wanted:
        outcome.update(await admin.create_topics(wanted))
    image = call.node.metadata.image
    for name in missing:
        made = outcome[name]
        found = image.topics.get(name)
        if found is not None:  # made now, or by somebody who was faster
            topics.append(_topic(call, request, image, found))
            continue
        code = int(made.code) if isinstance(made, Refused) else _UNKNOWN
        topics.append(metadata.ResponseTopic(error_code=code, name=name, is_internal=is_internal(name)))
    return _response(call, request, image, topics)


def _response(
    call: Call, request: metadata.Request, image: ClusterImage, topics: list[metadata.ResponseTopic]
) -> metadata.Response:
    response = metadata.Response(
        brokers=_brokers(call, image),
        cluster_id=call.node.cluster_id,
        controller_id=_controller(image),
        topics=topics,
    )
    if request.include_cluster_authorized_operations and 8 <= call.version <= 10:
        may = may_on_cluster(call, Operation.DESCRIBE)
        operations = authorised_operations(call, ResourceType.CLUSTER, CLUSTER_NAME) if may else 0
        response.cluster_authorized_operations = operations
    return response


def _controller(image: ClusterImage) -> int:
    """Any live broker takes admin requests; the controller, if there is one, makes the better answer."""
    if image.controller_id in image.brokers:
        return image.controller_id
    return next((broker.id for broker in image.brokers.values() if not broker.fenced), -1)


def _brokers(call: Call, image: ClusterImage) -> list[metadata.ResponseBroker]:
    key = ("metadata.brokers", call.peer.listener, call.peer.local_address)
    found: list[metadata.ResponseBroker] | None = image.memo.get(key)
    if found is None:
        found = []
        for broker in image.brokers.values():
            address = None if broker.fenced else advertised(call, broker.id)
            if address is not None:
                host, port = address
                found.append(metadata.ResponseBroker(node_id=broker.id, host=host, port=port, rack=broker.rack))
        if len(image.memo) < 1000:  # clients may reach a broker under any number of addresses
            image.memo[key] = found
    return found


def _all_topics(call: Call, request: metadata.Request, image: ClusterImage) -> list[metadata.ResponseTopic]:
    """Every topic that the peer may know of."""
    return [
        _topic(call, request, image, topic)
        for topic in image.topics.values()
        if call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
    ]


def _by_id(call: Call, request: metadata.Request, image: ClusterImage, topic_id: bytes) -> metadata.ResponseTopic:
    topic = image.topic_by_id(topic_id)
    if topic is None:
        return metadata.ResponseTopic(error_code=_UNKNOWN_ID, name=None, topic_id=topic_id)
    if not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
        return metadata.ResponseTopic(error_code=_NOT_AUTHORISED, name=None, topic_id=topic_id)
    return _topic(call, request, image, topic)


def _topic(call: Call, request: metadata.Request, image: ClusterImage, topic: TopicImage) -> metadata.ResponseTopic:
    old = call.version < 6
    memo = image.memo.get(("metadata.topics", call.peer.listener, old))
    if memo is None:
        memo = image.memo["metadata.topics", call.peer.listener, old] = {}
    found: metadata.ResponseTopic | None = memo.get(topic.name)
    if found is None:
        found = memo[topic.name] = _describe(call, image, topic, old)
    if request.include_topic_authorized_operations:
        operations = authorised_operations(call, ResourceType.TOPIC, topic.name)
        return metadata.ResponseTopic(
            name=topic.name,
            topic_id=topic.id,
            is_internal=found.is_internal,
            partitions=found.partitions,
            topic_authorized_operations=operations,
        )
    return found


def _describe(call: Call, image: ClusterImage, topic: TopicImage, old: bool) -> metadata.ResponseTopic:
    partitions = []
    for index, partition in enumerate(topic.partitions):
        error, leader = 0, partition.leader
        if not image.alive(leader):
            error, leader = _LEADER_NOT_AVAILABLE, -1
        elif advertised(call, leader) is None:
            error, leader = (_LEADER_NOT_AVAILABLE if old else _LISTENER_NOT_FOUND), -1
        partitions.append(
            metadata.ResponsePartition(
                error_code=error,
                partition_index=index,
                leader_id=leader,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                offline_replicas=[replica for replica in partition.replicas if not image.alive(replica)],
            )
        )
    return metadata.ResponseTopic(
        name=topic.name,
        topic_id=topic.id,
        is_internal=is_internal(topic.name),
        partitions=partitions,
        topic_authorized_operations=NOT_ASKED,
    )
