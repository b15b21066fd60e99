"""The address of a broker as a client should know it.

With ``advertised.listeners`` unset, a client that reached this broker under some address can reach it there again:
that address is the answer. Other brokers are known by the addresses they registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.api.call import Call


def advertised(call: Call, broker_id: int) -> tuple[str, int] | None:
    """Host and port of a broker on the listener that the request came in on; None if it has no such listener."""
    node = call.node
    listener = call.peer.listener
    if broker_id == node.node_id and not node.config.advertised_listeners:
        return call.peer.local_address
    broker = node.image.brokers.get(broker_id)
    return None if broker is None else broker.endpoints.get(listener)
