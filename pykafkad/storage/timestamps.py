"""Finding records by time, at a cost that doesn't grow with the log: as many reads in ten segments as in thousands.

Kafka looks for the first segment whose greatest timestamp is late enough, and in it for the first such record.
Producers set timestamps, so they needn't rise from segment to segment, and bisection over segments would miss some. The
greatest timestamp *up to the end of* each segment does rise: ``Peaks`` keeps that row, eight bytes for a closed
segment, once somebody has asked. What each segment's own greatest timestamp is stands in the last entry of its time
index; after a start it is read once, in a worker thread, and known from then on.

With ``wait=False`` whatever would have to come from the disk raises ``Cold``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from kafkawire.records import iterate
from pykafkad.storage import names
from pykafkad.storage.cold import Cold
from pykafkad.storage.indexes import TIME_ENTRY, CorruptIndex, TimeIndex
from pykafkad.storage.segment import NEAR, Segment

TimestampOffset = tuple[int, int, int]
"""(timestamp, offset, leader epoch)"""


class Unread(Cold):
    """Segments whose greatest timestamps nobody has looked up yet."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        Exception.__init__(self, f"{len(segments)} segments' greatest timestamps are not known yet")
        self._segments = segments
        self._found: list[tuple[Segment, tuple[int, int] | None]] = []

    def warm(self) -> None:
        for segment in self._segments:
            disk, path = segment.place.disk, segment.place.path(segment.base_offset, names.TIME_INDEX)
            try:
                last = TimeIndex(disk, path, segment.base_offset, disk.size(path) // TIME_ENTRY.size).last()
            except (FileNotFoundError, CorruptIndex):
                continue  # retention took it meanwhile; else whoever asks again sees for himself
            self._found.append((segment, last))

    def adopt(self) -> None:
        for segment, last in self._found:
            segment.learn_largest(last)


class Peaks:
    """For each closed segment the greatest timestamp in it and in all before it, as far as anybody asked."""

    __slots__ = ("_row", "_segments")

    def __init__(self) -> None:
        self._row = array("q")
        self._segments: list[Segment] = []

    def _fit(self, closed: Sequence[Segment], timestamp: int | None) -> None:
        """Bring the row up to date, as far as it takes to reach ``timestamp``."""
        known = len(self._segments)
        if list(closed[:known]) != self._segments:
            del self._row[:], self._segments[:]
            known = 0
        for segment in closed[known:]:
            highest = self._row[-1] if self._row else -1
            if timestamp is not None and highest >= timestamp:
                break
            self._row.append(max(highest, segment.largest_timestamp))
            self._segments.append(segment)

    def first(self, closed: Sequence[Segment], timestamp: int, wait: bool) -> int:
        """The number of the first closed segment that reaches ``timestamp``; how many there are if none does."""
        self._ask(closed, wait)
        self._fit(closed, timestamp)
        return bisect_left(self._row, timestamp) if self._row and self._row[-1] >= timestamp else len(closed)

    def highest(self, closed: Sequence[Segment], wait: bool) -> tuple[int, int]:
        """(greatest timestamp of them all, number of the first segment that has it); (-1, 0) if none has any."""
        self._ask(closed, wait)
        self._fit(closed, None)
        return (self._row[-1], bisect_left(self._row, self._row[-1])) if self._row else (-1, 0)

    def _ask(self, closed: Sequence[Segment], wait: bool) -> None:
        if not wait and len(self._row) < len(closed):
            unread = [segment for segment in closed if not segment.knows_largest_timestamp]
            if unread:
                raise Unread(unread)


def first_at_or_after(
    peaks: Peaks, segments: Sequence[Segment], timestamp: int, start: int, until: int, wait: bool = True
) -> TimestampOffset | None:
    """The first record in ``start`` … ``until`` (exclusive) whose timestamp is at least the one given.

    It is the first by offset; a record behind it may well be older.
    """
    for segment in segments[peaks.first(segments[:-1], timestamp, wait) :]:
        if segment.base_offset >= until:
            return None
        if not segment.size or segment.largest_timestamp < timestamp:
            continue
        position = segment.position_by_time(timestamp, start, wait)
        for header, chunk, at in segment.batches(position, step=NEAR, wait=wait):
            if header.max_timestamp < timestamp or header.last_offset < start:
                continue
            if header.base_offset >= until:
                return None
            for record in iterate(memoryview(chunk)[at : at + header.length]):
                if record.timestamp >= timestamp and record.offset >= start:
                    return None if record.offset >= until else (record.timestamp, record.offset, header.leader_epoch)
    return None


def latest(peaks: Peaks, segments: Sequence[Segment], wait: bool = True) -> TimestampOffset | None:
    """The first record that has the greatest timestamp of all."""
    largest, number = peaks.highest(segments[:-1], wait)
    segment = segments[number]
    if segments[-1].largest_timestamp > largest:
        segment = segments[-1]
        largest = segment.largest_timestamp
    if largest < 0:
        return None
    position = segment.position_by_time(largest, segment.base_offset, wait)
    for header, chunk, at in segment.batches(position, step=NEAR, wait=wait):
        if header.max_timestamp == largest:
            for record in iterate(memoryview(chunk)[at : at + header.length]):
                if record.timestamp == largest:
                    return largest, record.offset, header.leader_epoch
    return None
