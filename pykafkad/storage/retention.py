"""Which segments may go: a pure choice, oldest first, stopping at the first that has to stay.

Time counts by what records say, not by the file's age, so a record stamped in the future keeps its segment; only a
segment without any timestamp is judged by its file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Candidate(Protocol):
    @property
    def base_offset(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def largest_timestamp(self) -> int: ...


def expired(
    segments: Sequence[Candidate],
    *,
    end_offset: int,
    start_offset: int,
    high_watermark: int,
    retention_ms: int,
    retention_bytes: int,
    deletes: bool,
    now: int,
    modified_ms: Callable[[Candidate], int],
) -> int:
    """How many of the oldest segments may be deleted. -1 in a limit means none; ``deletes`` is cleanup.policy's
    'delete'.
    """
    spare = sum(segment.size for segment in segments) - retention_bytes if retention_bytes >= 0 else -1
    count = 0
    for number, segment in enumerate(segments):
        following = segments[number + 1].base_offset if number + 1 < len(segments) else end_offset
        active = number + 1 == len(segments)
        if following > high_watermark or (active and not segment.size):
            break
        below_start = not active and following <= start_offset
        too_big = deletes and retention_bytes >= 0 and spare >= segment.size
        if not (below_start or too_big or (deletes and _too_old(segment, retention_ms, now, modified_ms))):
            break
        spare -= segment.size
        count += 1
    return count


def _too_old(segment: Candidate, retention_ms: int, now: int, modified_ms: Callable[[Candidate], int]) -> bool:
    if retention_ms < 0:
        return False
    timestamp = segment.largest_timestamp
    if timestamp < 0:
        timestamp = modified_ms(segment)
    return now - timestamp > retention_ms
