"""FindCoordinator: which broker holds a group or a transactional id. Brings their topics into being when first asked.

Kafka answers COORDINATOR_NOT_AVAILABLE while it makes the topic, and the client waits before it asks again. Here the
answer waits until the topic is there, which takes milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kafkawire.api.find_coordinator import Coordinator, Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.endpoints import advertised
from pykafkad.api.grouping import Answer, may
from pykafkad.api.transacting import may_see
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, partition_for
from pykafkad.runtime.transactions import TRANSACTIONS_TOPIC

if TYPE_CHECKING:
    from pykafkad.api.call import Call

GROUP, TRANSACTION, SHARE = 0, 1, 2
BATCHES = 4
SHARE_GROUPS = 6
NOWHERE = -1
_TOPICS = {GROUP: OFFSETS_TOPIC, TRANSACTION: TRANSACTIONS_TOPIC}
_NOT_ALLOWED = {
    GROUP: ErrorCode.GROUP_AUTHORIZATION_FAILED,
    TRANSACTION: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
_TOPIC_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    keys = request.coordinator_keys if call.version >= BATCHES else [request.key]
    kind = request.key_type
    if kind not in (GROUP, TRANSACTION, SHARE) or (kind == SHARE and call.version < SHARE_GROUPS):
        return _respond(call, [_refused(key, ErrorCode.INVALID_REQUEST) for key in keys])
    topic = _TOPICS.get(kind)
    if topic and call.node.metadata.image.topic(topic) is None and any(_may_find(call, kind, key) for key in keys):
        return _make_topic(call, kind, keys)
    return _respond(call, [_find(call, kind, key) for key in keys])


async def _make_topic(call: Call, kind: int, keys: Sequence[str]) -> Response:
    await call.node.admin.ensure_internal_topic(_TOPICS[kind])
    return _respond(call, [_find(call, kind, key) for key in keys])


def _may_find(call: Call, kind: int, key: str) -> bool:
    return may(call, Operation.DESCRIBE, key) if kind == GROUP else may_see(call, key)


def _find(call: Call, kind: int, key: str) -> Coordinator:
    if kind in _TOPICS:
        if not _may_find(call, kind, key):
            return _refused(key, _NOT_ALLOWED[kind])
        return _coordinator(call, kind, key)
    if not call.authorise(Operation.CLUSTER_ACTION, ResourceType.CLUSTER, "kafka-cluster"):
        return _refused(key, ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if not _names_a_share(key):
        return _refused(key, ErrorCode.INVALID_REQUEST)
    return _refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)  # share groups aren't built yet


def _names_a_share(key: str) -> bool:
    """Group, topic id, partition."""
    parts = key.split(":")
    return (
        len(parts) == 3
        and bool(parts[0].strip())
        and _TOPIC_ID.fullmatch(parts[1]) is not None
        and _NUMBER.fullmatch(parts[2]) is not None
    )


def _coordinator(call: Call, kind: int, key: str) -> Coordinator:
    node = call.node
    topic = node.metadata.image.topic(_TOPICS[kind])
    if topic is None:
        return _refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    index = partition_for(key, len(topic.partitions))
    if (topic.name, index) in node.partitions.unavailable:
        return _refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    leader = topic.partitions[index].leader
    address = advertised(call, leader) if node.metadata.image.alive(leader) else None
    if address is None or isinstance(address, Refused):
        return _refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if leader == node.node_id:
        # The next request is a JoinGroup or an InitProducerId: begin to load now.
        (node.groups if kind == GROUP else node.transactions).shard(key)
    return Coordinator(key=key, node_id=leader, host=address[0], port=address[1])


def _refused(key: str, code: ErrorCode) -> Coordinator:
    return Coordinator(key=key, node_id=NOWHERE, host="", port=NOWHERE, error_code=code)


def _respond(call: Call, coordinators: list[Coordinator]) -> Response:
    if call.version >= BATCHES:
        return Response(coordinators=coordinators)
    only = coordinators[0]
    return Response(
        error_code=only.error_code,
        # Kafka says "NONE" here, and nothing at all in the batched form.
        error_message=ErrorCode(only.error_code).message if only.error_code else "NONE",
        node_id=only.node_id,
        host=only.host,
        port=only.port,
    )
