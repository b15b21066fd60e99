"""What the group APIs share: joining the answers of several shards, and saying where a caller is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pykafkad.api.call import Operation, ResourceType

if TYPE_CHECKING:
    from pykafkad.api.call import Call

T = TypeVar("T")
R = TypeVar("R")

GROUP_OPERATIONS = (
    Operation.READ,
    Operation.DELETE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
)


def together(parts: Sequence[T | asyncio.Future[T]], build: Callable[[list[T]], R]) -> R | Awaitable[R]:
    """One response out of several answers, at once if all are there."""
    if not any(asyncio.isfuture(part) for part in parts):
        return build(list(parts))  # type: ignore[arg-type]

    async def wait() -> R:
        return build([await part if asyncio.isfuture(part) else part for part in parts])

    return wait()


def may(call: Call, operation: Operation, group_id: str) -> bool:
    return call.authorise(operation, ResourceType.GROUP, group_id)


def may_topic(call: Call, operation: Operation, topic: str) -> bool:
    return call.authorise(operation, ResourceType.TOPIC, topic)


def authorised_operations(call: Call, group_id: str) -> int:
    return sum(1 << operation for operation in GROUP_OPERATIONS if may(call, operation, group_id))


def client_host(call: Call) -> str:
    """Kafka shows a member's host as Java prints an address: with a slash in front."""
    return "/" + call.peer.address[0]


def client_id(call: Call) -> str:
    return call.client_id or ""


Answer = Any  # a response, a future of one, or an awaitable of one
