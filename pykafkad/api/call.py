"""Call: who asks, from where, in which version, when. A handler's only door to the broker."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kafkawire.errors import WireError

if TYPE_CHECKING:
    from pykafkad.runtime.node import Node


class CloseConnection(WireError):
    """Raised by a handler when the only answer there is, is to hang up: a refused Produce with acks=0."""


class Operation(IntEnum):
    """ACL operations (facts of KIP-11); a set of them is a bit field of ``1 << operation``."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12


class ResourceType(IntEnum):
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


# All operations of a resource type, as the bit fields in Metadata, DescribeCluster and DescribeGroups show them.
TOPIC_OPERATIONS = 3576
GROUP_OPERATIONS = 3400
CLUSTER_OPERATIONS = 8096
NOT_ASKED = -2147483648


class Peer:
    """One connection as handlers see it."""

    __slots__ = ("address", "listener", "local_address", "principal")

    def __init__(self, address: tuple[str, int], local_address: tuple[str, int], listener: str, principal: str) -> None:
        self.address = address
        self.local_address = local_address
        self.listener = listener
        self.principal = principal


class Call:
    """One request in progress."""

    __slots__ = ("api_key", "client_id", "next_let", "node", "now", "peer", "version")

    def __init__(self, node: Node, peer: Peer, api_key: int, version: int, client_id: str, now: int) -> None:
        self.node = node
        self.peer = peer
        self.api_key = api_key
        self.version = version
        self.client_id = client_id
        self.now = now
        self.next_let = False

    def let_next(self) -> None:
        """All that order depends on is done: the connection's next request may start while this one waits."""
        self.next_let = True

    def authorise(self, operation: Operation, resource_type: ResourceType, name: str) -> bool:
        """Whether the peer may; without an authorizer everybody may everything, as in Kafka."""
        return True
