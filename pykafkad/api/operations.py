"""Bit fields of what the peer may do to a resource, as Metadata and the describing APIs show them when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykafkad.api.call import CLUSTER_OPERATIONS, GROUP_OPERATIONS, TOPIC_OPERATIONS, Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.api.call import Call

CLUSTER_NAME = "kafka-cluster"

_ALL = {
    ResourceType.TOPIC: TOPIC_OPERATIONS,
    ResourceType.GROUP: GROUP_OPERATIONS,
    ResourceType.CLUSTER: CLUSTER_OPERATIONS,
}


def authorised_operations(call: Call, resource_type: ResourceType, name: str) -> int:
    every = _ALL[resource_type]
    return sum(
        1 << operation
        for operation in Operation
        if every >> operation & 1 and call.authorise(operation, resource_type, name)
    )


def too_late(timeout_ms: int) -> bool:
    """Kafka's controller doesn't begin with what has no time left; clients that name no time get REQUEST_TIMED_OUT."""
    return timeout_ms <= 0


def may_on_cluster(call: Call, operation: Operation) -> bool:
    return call.authorise(operation, ResourceType.CLUSTER, CLUSTER_NAME)
