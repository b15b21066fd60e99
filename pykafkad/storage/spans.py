"""Stretches of a log between two offsets, over its segments: where they lie, how long they are, how far they reach."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from kafkawire.batches import HEADER_SIZE
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.segment import CorruptSegment, Segment

if TYPE_CHECKING:
    from pykafkad.storage.disk import FileSlice

BASE = attrgetter("base_offset")


def number_of(segments: Sequence[Segment], offset: int) -> int:
    """Which segment an offset belongs to; the first one for what lies before it."""
    return max(bisect_right(segments, offset, key=BASE) - 1, 0)


def locate(segments: Sequence[Segment], offset: int, until: int, end: int, wait: bool) -> tuple[Segment, int, int, int]:
    """The segment that has the batch of ``offset``, from where to where in it what lies before ``until`` reaches, and
    the first batch's length if it was seen. A segment may end before the next begins, so the search may have to go on.

    It also goes on where a segment has nothing left but the empty batch that compaction keeps at its end: of a fetch
    without a record kafkajs concludes that there is none up to the high watermark, and kafka-go waits for ever.
    """
    number = number_of(segments, offset)
    while True:
        segment = segments[number]
        following = segments[number + 1].base_offset if number + 1 < len(segments) else end
        start = segment.position_of(offset, wait) if offset > segment.base_offset else 0
        length = segment.found_length if start else 0
        if segment.size - start == HEADER_SIZE and until > following and segments[number + 1].size:
            number += 1
            continue
        if start < segment.size or number + 1 == len(segments):
            limit = segment.size if until >= following else segment.position_of(until, wait)
            return segment, start, limit, length
        if until <= following:
            return segment, 0, 0, 0
        number += 1


def distance(segments: Sequence[Segment], start: int, end: int) -> int:
    """How many bytes lie between two offsets that begin batches; -1 where the disk won't say."""
    total = 0
    try:
        for segment in segments[number_of(segments, start) :]:
            if segment.base_offset >= end:
                break
            total += segment.position_of(end) - (segment.position_of(start) if start > segment.base_offset else 0)
    except (OSError, CorruptSegment, CorruptIndex):
        return -1
    return total


def reach(segments: Sequence[Segment], offset: int, piece: FileSlice | None, end: int, wait: bool) -> int:
    """An offset behind all of a piece that was just read from ``offset`` on: that of the first indexed batch behind it,
    or where its segment ends. So does Kafka, which doesn't look into the piece either. None: a piece without any bytes.
    """
    if piece is None:
        segment, position, _, _ = locate(segments, offset, end, end, wait)
        number = segments.index(segment)
    else:
        number, position = number_of(segments, offset), piece.offset + piece.length
        while number + 1 < len(segments) and segments[number].open_file is not piece.file:
            number += 1
    found = segments[number].offsets.ceiling(position, wait)
    if found is not None:
        return found
    return segments[number + 1].base_offset if number + 1 < len(segments) else end
