"""Whether a log needs cleaning, how much, and how far: a look at its segments, at no record.

Clean is what lies before the cleaner's checkpoint; from there to the first uncleanable offset it is dirty. Uncleanable
are the active segment, what isn't decided yet (the last stable offset), and segments with records younger than
``min.compaction.lag.ms``.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pykafkad.storage.log import PartitionLog
    from pykafkad.storage.segment import Segment

_BASE = attrgetter("base_offset")
_NEVER = (1 << 63) - 1


class Dirt(NamedTuple):
    """What a cleaner would find in a log."""

    first_dirty: int
    first_uncleanable: int
    """The base of a segment, always."""
    clean_bytes: int
    cleanable_bytes: int
    overdue_ms: int
    """For how long the oldest dirty record has waited beyond max.compaction.lag.ms."""
    misplaced: bool
    """The checkpoint lies outside the log: everything counts as dirty."""

    @property
    def ratio(self) -> float:
        total = self.clean_bytes + self.cleanable_bytes
        return self.cleanable_bytes / total if total else 0.0


def dirt(log: PartitionLog, last_stable_offset: int, now: int) -> Dirt:
    """OSError, CorruptSegment or CorruptIndex when a segment can't be looked into for its timestamps."""
    config = log.topic_config
    segments = log.segments
    active = segments[-1].base_offset
    checkpoint = log.cleaned_offset
    first = log.start_offset if checkpoint is None else checkpoint
    misplaced = not log.start_offset <= first <= log.end_offset
    if misplaced:
        first = log.start_offset
    dirty = _holding(segments, first)[:-1]  # without the active segment
    until = min(last_stable_offset, active)
    if config.min_compaction_lag_ms > 0:
        young = now - config.min_compaction_lag_ms
        until = min([until, *(s.base_offset for s in dirty if s.largest_timestamp > young)])
    until = max(first, until)
    # A segment is cleaned as a whole, so the one that holds the bound is the first that isn't.
    uncleanable = min(_holding(segments, until)[0].base_offset, active)
    lowest = min(first, uncleanable)
    return Dirt(
        first_dirty=first,
        first_uncleanable=uncleanable,
        clean_bytes=sum(s.size for s in segments if s.base_offset < first),
        cleanable_bytes=sum(s.size for s in _holding(segments, lowest) if s.base_offset < uncleanable),
        overdue_ms=_overdue(dirty, config.max_compaction_lag_ms, now),
        misplaced=misplaced,
    )


def must_roll(log: PartitionLog, now: int) -> bool:
    """Whether the active segment alone keeps a record from being compacted in time. Kafka rolls at the next append;
    a record that somebody wants deleted shouldn't have to wait for that.
    """
    lag = log.topic_config.max_compaction_lag_ms
    if lag >= _NEVER or not log.segments[-1].size:
        return False
    first = log.segments[-1].earliest_timestamp()
    return first > 0 and now - first > lag


def _holding(segments: tuple[Segment, ...], offset: int) -> tuple[Segment, ...]:
    """The segment that holds the offset, and those behind it."""
    return segments[max(bisect_right(segments, offset, key=_BASE) - 1, 0) :]


def _overdue(dirty: tuple[Segment, ...], lag_ms: int, now: int) -> int:
    if lag_ms >= _NEVER:
        return 0
    oldest = min((first for s in dirty if (first := s.earliest_timestamp()) > 0), default=_NEVER)
    return max(0, now - lag_ms - oldest)
