"""Where else to go: the leader that Produce and Fetch name to a client that asked the wrong broker.

Newer versions of both carry the leader and its address in the refusal itself, which spares the client a Metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.api.call import Call
    from pykafkad.cluster.image import ClusterImage


def leader_of(image: ClusterImage, topic: str, index: int) -> tuple[int, int]:
    """(leader id, leader epoch) as this broker knows it; (−1, −1) if it doesn't."""
    found = image.topic(topic)
    if found is None or not 0 <= index < len(found.partitions):
        return -1, -1
    partition = found.partitions[index]
    return partition.leader, partition.leader_epoch


def addresses(call: Call, brokers: Iterable[int]) -> list[tuple[int, str, int, str | None]]:
    """(id, host, port, rack) of brokers, as clients of the caller's listener reach them."""
    image = call.node.image
    found = []
    for broker_id in sorted(set(brokers)):
        broker = image.brokers.get(broker_id)
        endpoint = broker.endpoints.get(call.peer.listener) if broker is not None else None
        if broker is None:
            continue
        if endpoint is None and broker_id != call.node.node_id:
            continue
        if endpoint is None or not endpoint[0]:
            endpoint = call.peer.local_address  # advertised.listeners is unset: what the client reached
        found.append((broker_id, endpoint[0], endpoint[1], broker.rack))
    return found
