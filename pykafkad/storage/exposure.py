"""What a power cut could take from a log at this moment: what was written and isn't known to be on the disk."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.storage.log import PartitionLog


def exposed(log: PartitionLog) -> tuple[int, int]:
    """(records, bytes), at most: the kernel may have written some by itself."""
    point, segments = log.recovery_point, log.segments
    if point >= log.end_offset:
        return 0, 0
    first = max(bisect_right(segments, point, key=attrgetter("base_offset")) - 1, 0)
    begun = segments[first].synced if segments[first].base_offset < point else 0
    return log.end_offset - point, sum(segment.size for segment in segments[first:]) - begun
