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
from pykafkad.api.offline import offline_replicas
from pykafkad.api.operations import CLUSTER_NAME, authorised_operations, may_on_cluster
from pykafkad.cluster.image import INTERNAL_TOPICS, ClusterImage, TopicImage, is_internal
from pykafkad.errors import Refused
from pykafkad.model import ZERO_UUID

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_VIEWS_MOST = 1000  # clients may reach a broker under any number of addresses

_INVALID = int(ErrorCode.INVALID_REQUEST)
_UNKNOWN = int(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_UNKNOWN_ID = int(ErrorCode.UNKNOWN_TOPIC_ID)
_NOT_AUTHORISED = int(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_LEADER_NOT_AVAILABLE = int(ErrorCode.LEADER_NOT_AVAILABLE)
_LISTENER_NOT_FOUND = int(ErrorCode.LISTENER_NOT_FOUND)


class _View:
    """One image as clients of one listener, address and age see it; what was said of a topic once is said again."""

    __slots__ = ("brokers", "controller_id", "image", "old", "single", "topics")

    def __init__(self, call: Call, image: ClusterImage, old: bool) -> None:
        self.image = image
        self.old = old
        self.brokers = _brokers(call, image)
        self.controller_id = _controller(image)
        self.topics: dict[str, metadata.ResponseTopic] = {}
        self.single: dict[str, metadata.Response] = {}  # whole answers to the commonest question

    def topic(self, call: Call, request: metadata.Request, topic: TopicImage) -> metadata.ResponseTopic:
        found = self.topics.get(topic.name)
        if found is None:
            found = self.topics[topic.name] = _describe(call, self.image, topic, self.old)
        if not request.include_topic_authorized_operations:
            return found
        return metadata.ResponseTopic(
            name=topic.name,
            topic_id=topic.id,
            is_internal=found.is_internal,
            partitions=found.partitions,
            topic_authorized_operations=authorised_operations(call, ResourceType.TOPIC, topic.name),
        )


def _view(call: Call, image: ClusterImage) -> _View:
    key = (call.peer.listener, call.peer.local_address, call.version < 6, call.node.partitions.losses)
    views = image.memo.get(_View)
    if views is None:
        views = image.memo[_View] = {}
    found: _View | None = views.get(key)
    if found is None:
        found = _View(call, image, call.version < 6)
        if len(views) < _VIEWS_MOST:
            views[key] = found
    return found


@handles(metadata.Request)
def handle(call: Call, request: metadata.Request) -> metadata.Response | Coroutine[Any, Any, metadata.Response]:
    asked = request.topics
    view = _view(call, call.node.metadata.image)
    plain = not (request.include_topic_authorized_operations or request.include_cluster_authorized_operations)
    if plain and asked is not None and len(asked) == 1 and asked[0].topic_id == ZERO_UUID:
        name = asked[0].name
        known = view.single.get(name) if name is not None else None
        if known is not None and call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, name or ""):
            return known
    if asked is None or (call.version == 0 and not asked):
        return _response(call, request, view, _all_topics(call, request, view))
    if call.version < 12 and any(topic.name is None or topic.topic_id != ZERO_UUID for topic in asked):
        return _refused(asked, _INVALID)  # ids were there before they meant anything: versions 10 and 11
    if any(topic.topic_id != ZERO_UUID for topic in asked):
        ids = [topic.topic_id for topic in asked if topic.topic_id != ZERO_UUID]  # those named besides are not heard
        return _response(call, request, view, [_by_id(call, request, view, topic_id) for topic_id in ids])
    names = [topic.name for topic in asked if topic.name is not None]
    if len(names) < len(asked):  # Kafka stumbles over what has neither name nor id
        return _refused(asked, int(ErrorCode.UNKNOWN_SERVER_ERROR))
    missing: list[str] = []
    topics = []
    for name in dict.fromkeys(names):
        if not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, name):
            topics.append(metadata.ResponseTopic(error_code=_NOT_AUTHORISED, name=name))
        elif (found := view.image.topics.get(name)) is None:
            missing.append(name)
        else:
            topics.append(view.topic(call, request, found))
    if missing:
        if call.node.config.auto_create_topics_enable and request.allow_auto_topic_creation:
            return _with_created(call, request, topics, missing)
        topics.extend(_missing(call, request, name) for name in missing)
    response = _response(call, request, view, topics)
    if plain and len(topics) == 1 and not topics[0].error_code and topics[0].name is not None:
        view.single[topics[0].name] = response
    return response


def _refused(asked: Iterable[metadata.RequestTopic], code: int) -> metadata.Response:
    """The request as a whole: nothing is said of brokers."""
    topics = [metadata.ResponseTopic(error_code=code, name=one.name or "", topic_id=one.topic_id) for one in asked]
    return metadata.Response(topics=topics, error_code=code)


def _missing(call: Call, request: metadata.Request, name: str) -> metadata.ResponseTopic:
    from pykafkad.runtime.topic_rules import refuse_name

    refused = refuse_name(name)
    return _not_there(call, request, name, _UNKNOWN if refused is None else int(refused.code))


def _not_there(call: Call, request: metadata.Request, name: str, code: int) -> metadata.ResponseTopic:
    topic = metadata.ResponseTopic(error_code=code, name=name, is_internal=is_internal(name))
    if request.include_topic_authorized_operations and code != _NOT_AUTHORISED:
        topic.topic_authorized_operations = authorised_operations(call, ResourceType.TOPIC, name)
    return topic


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
    view = _view(call, call.node.metadata.image)
    for name in missing:
        made = outcome[name]
        found = view.image.topics.get(name)
        if found is not None:  # made now, or by somebody who was faster
            topics.append(view.topic(call, request, found))
            continue
        code = int(made.code) if isinstance(made, Refused) else _UNKNOWN
        topics.append(_not_there(call, request, name, code))
    return _response(call, request, view, topics)


def _response(
    call: Call, request: metadata.Request, view: _View, topics: list[metadata.ResponseTopic]
) -> metadata.Response:
    response = metadata.Response(
        brokers=view.brokers,
        cluster_id=call.node.cluster_id,
        controller_id=view.controller_id,
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
    found = []
    for broker in image.brokers.values():
        address = None if broker.fenced else advertised(call, broker.id)
        if address is not None:
            host, port = address
            found.append(metadata.ResponseBroker(node_id=broker.id, host=host, port=port, rack=broker.rack))
    return found


def _all_topics(call: Call, request: metadata.Request, view: _View) -> list[metadata.ResponseTopic]:
    """Every topic that the peer may know of."""
    return [
        view.topic(call, request, topic)
        for topic in view.image.topics.values()
        if call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
    ]


def _by_id(call: Call, request: metadata.Request, view: _View, topic_id: bytes) -> metadata.ResponseTopic:
    topic = view.image.topic_by_id(topic_id)
    if topic is None:
        return metadata.ResponseTopic(error_code=_UNKNOWN_ID, name=None, topic_id=topic_id)
    if not call.authorise(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
        return metadata.ResponseTopic(error_code=_NOT_AUTHORISED, name=None, topic_id=topic_id)
    return view.topic(call, request, topic)


def _describe(call: Call, image: ClusterImage, topic: TopicImage, old: bool) -> metadata.ResponseTopic:
    partitions = []
    for index, partition in enumerate(topic.partitions):
        error, leader = 0, partition.leader
        offline = offline_replicas(call, image, topic.name, index, partition)
        if leader in offline or not image.alive(leader):
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
                offline_replicas=offline,
            )
        )
    return metadata.ResponseTopic(
        name=topic.name,
        topic_id=topic.id,
        is_internal=is_internal(topic.name),
        partitions=partitions,
        topic_authorized_operations=NOT_ASKED,
    )
