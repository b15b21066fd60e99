"""What a cleaner is told and what it tells: plain values, so that they pass a pipe as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One round over one log. Everything about the broker that the round needs is in here."""

    directory: str
    """The partition's folder."""
    segments: list[list[int]]
    """(base offset, bytes) of every closed segment before ``first_uncleanable``, oldest first."""
    indexed: list[int]
    """Bases of all segments that may have a ``.txnindex``, the active one among them."""
    first_dirty: int
    first_uncleanable: int
    now: int
    delete_retention_ms: int
    producers: list[list[int]]
    """(producer id, offset of its last record or −1, epoch) of the producers that the partition knows."""
    segment_bytes: int
    index_bytes: int
    index_interval: int
    map_bytes: int
    load_factor: float
    buffer_bytes: int
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A group of segments is written anew and synced, as ``.cleaned`` files under the first one's name: swap it in."""

    bases: list[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The round is over, everything below ``end`` is clean."""

    end: int
    seconds: float
    map_seconds: float
    map_bytes: int
    bytes_read: int
    bytes_written: int
    records_read: int
    records_kept: int
    invalid: int
    utilisation: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The round can't be finished."""

    corrupt: bool
    """The log itself can't be cleaned; otherwise the disk refused, or a file is no longer there."""
    reason: str


Message = Job | Cleaned | Finished | Failed
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Job, Cleaned, Finished, Failed)}


def encode(message: Message) -> bytes:
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> Message:
    kind, fields = json.loads(line)
    message: Message = _KINDS[kind](**fields)
    return message
