"""The address of a broker as a client should know it.

A broker without ``advertised.listeners`` registers an empty host: a client that reached this broker under some address
can reach it there again, so that address is the answer; and other brokers of this kind are on the same machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.api.call import Call


def advertised(call: Call, broker_id: int) -> tuple[str, int] | None:
    """Host and port of a broker on the listener that the request came in on; None if it has no such listener."""
    broker = call.node.image.brokers.get(broker_id)
    endpoint = None if broker is None else broker.endpoints.get(call.peer.listener)
    if endpoint is None or endpoint[0]:
        return endpoint
    here = call.peer.local_address
    return here if broker_id == call.node.node_id else (here[0], endpoint[1])
