"""Writing the end of a transaction into a partition that this broker leads: for WriteTxnMarkers, and for a transaction
coordinator in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import OFFSETS_TOPIC

if TYPE_CHECKING:
    from pykafkad.runtime.node import Node


class Marker(NamedTuple):
    producer_id: int
    producer_epoch: int
    commit: bool
    coordinator_epoch: int
    epoch_bumps: bool  # transaction version 2


def write_marker(
    node: Node, topic: str, index: int, marker: Marker, now: int, done: Callable[[ErrorCode], None]
) -> None:
    """Call ``done`` exactly once, perhaps at once: with NONE when the marker is committed and, in the offsets topic,
    groups have taken or dropped what was pending; else with the refusal.
    """
    partition = node.partitions.get(topic, index)
    if isinstance(partition, Refused):
        done(partition.code)
        return
    if topic == OFFSETS_TOPIC:
        node.groups.end_transaction(index, marker, now, done)
        return
    appended = partition.append_marker(*marker[:4], now, marker.epoch_bumps)
    if isinstance(appended, Refused):
        done(appended.code)
    elif partition.high_watermark > appended.last_offset:
        done(ErrorCode.NONE)
    else:
        partition.committed(appended.last_offset + 1, lambda: done(ErrorCode.NONE), lambda refused: done(refused.code))
