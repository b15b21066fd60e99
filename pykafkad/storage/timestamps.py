"""Finding records by time: the two questions of ListOffsets that need a look at records, not only at headers."""

from __future__ import annotations

from collections.abc import Sequence

from kafkawire.records import iterate
from pykafkad.storage.segment import Segment

TimestampOffset = tuple[int, int, int]
"""(timestamp, offset, leader epoch)"""


def first_at_or_after(segments: Sequence[Segment], timestamp: int, start: int, until: int) -> TimestampOffset | None:
    """The first record in ``start`` … ``until`` (exclusive) whose timestamp is at least the one given.

    It is the first by offset; a record behind it may well be older.
    """
    for segment in segments:
        if segment.base_offset >= until:
            return None
        if not segment.size or segment.largest_timestamp < timestamp:
            continue
        position = segment.offsets.floor(max(segment.times.floor(timestamp), start))
        for header, chunk, at in segment.batches(position):
            if header.max_timestamp < timestamp or header.last_offset < start:
                continue
            if header.base_offset >= until:
                return None
            for record in iterate(memoryview(chunk)[at : at + header.length]):
                if record.timestamp >= timestamp and record.offset >= start:
                    return None if record.offset >= until else (record.timestamp, record.offset, header.leader_epoch)
    return None


def latest(segments: Sequence[Segment]) -> TimestampOffset | None:
    """The first record that has the greatest timestamp of all."""
    segment = max(segments, key=lambda one: one.largest_timestamp)
    largest = segment.largest_timestamp
    if largest < 0:
        return None
    position = segment.offsets.floor(segment.offset_of_largest_timestamp)
    for header, chunk, at in segment.batches(position):
        if header.max_timestamp == largest:
            for record in iterate(memoryview(chunk)[at : at + header.length]):
                if record.timestamp == largest:
                    return largest, record.offset, header.leader_epoch
    return None
