"""What the two APIs that alter configs share: who may, which resources come once, what goes where.

Loggers belong to one process: they are changed here and now, everything else through the cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kafkawire.errors import ErrorCode
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.operations import may_on_cluster
from pykafkad.cluster.image import BROKER_LOGGER, GROUP, TOPIC
from pykafkad.errors import Refused
from pykafkad.runtime import loggers
from pykafkad.runtime.admin import ResourceChange

if TYPE_CHECKING:
    from pykafkad.api.call import Call

Outcome = tuple[ResourceChange, int, str | None]


async def altered(call: Call, changes: Sequence[ResourceChange], validate_only: bool) -> list[Outcome]:
    """Error code and message for each change, in the order of the request."""
    times = Counter((change.resource_type, change.name) for change in changes)
    answers: list[Refused | None] = [None] * len(changes)
    for_cluster: list[int] = []
    for position, change in enumerate(changes):
        if times[change.resource_type, change.name] > 1:
            answers[position] = Refused(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
        elif (refused := _refuse(call, change)) is not None:
            answers[position] = refused
        elif change.resource_type == BROKER_LOGGER and not change.replace:
            answers[position] = loggers.alter(change.name, call.node.node_id, change.alterations, validate_only)
        else:
            for_cluster.append(position)
    if for_cluster:
        wanted = [changes[position] for position in for_cluster]
        outcome = await call.node.admin.alter_configs(wanted, validate_only=validate_only)
        for position, answer in zip(for_cluster, outcome, strict=True):
            answers[position] = answer
    return [
        (change, 0, None) if answer is None else (change, answer.code, _said(answer))
        for change, answer in zip(changes, answers, strict=True)
    ]


def _said(refused: Refused) -> str | None:
    """Where Kafka stumbles it doesn't say over what."""
    if refused.code == ErrorCode.UNKNOWN_SERVER_ERROR:
        return None
    return refused.detail or refused.code.message


def _refuse(call: Call, change: ResourceChange) -> Refused | None:
    """Whether the peer may alter it."""
    if change.resource_type == TOPIC:
        if not call.authorise(Operation.ALTER_CONFIGS, ResourceType.TOPIC, change.name):
            return Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    elif change.resource_type == GROUP:
        if not call.authorise(Operation.ALTER_CONFIGS, ResourceType.GROUP, change.name):
            return Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    elif not may_on_cluster(call, Operation.ALTER_CONFIGS):
        return Refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    return None
