"""Which segments are cleaned into one: neighbours whose files together fit a segment's limits, so that a log that
loses most of its records doesn't end in a thousand tiny segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pykafkad.storage.segment import RELATIVE_MAX


class Sizes(NamedTuple):
    """A segment as the limits see it; ``following`` is where the next one begins."""

    base_offset: int
    following: int
    log: int
    offset_index: int
    time_index: int


def groups(segments: Sequence[Sizes], segment_bytes: int, index_bytes: int) -> list[list[Sizes]]:
    """In order, each group to become one segment. A segment beyond the limits is a group by itself."""
    found: list[list[Sizes]] = []
    log = offset_index = time_index = 0
    for segment in segments:
        log += segment.log
        offset_index += segment.offset_index
        time_index += segment.time_index
        fits = (
            found
            and log <= segment_bytes
            and offset_index <= index_bytes
            and time_index <= index_bytes
            and (not segment.log or segment.following - 1 - found[-1][0].base_offset <= RELATIVE_MAX)
        )
        if fits:
            found[-1].append(segment)
        else:
            found.append([segment])
            log, offset_index, time_index = segment[2:]
    return found
