"""Producer-state snapshots, ``<offset>.snapshot``: what idempotence must know about the log before that offset.

int16 version 1, uint32 CRC-32C of all that follows it, int32 count, then fixed entries: Kafka's ProducerSnapshot
schema.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kafkawire.checksum import crc32c
from pykafkad.model import ProducerEntry

VERSION = 1

_HEAD = struct.Struct(">hI")
_COUNT = struct.Struct(">i")
_ENTRY = struct.Struct(">qhiqiqiq")


class CorruptSnapshot(ValueError):
    """A snapshot that can't be believed: the caller falls back to an older one, or to the log itself."""


def encode(entries: Sequence[tuple[int, ...]]) -> bytes:
    body = _COUNT.pack(len(entries)) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    return _HEAD.pack(VERSION, crc32c(body)) + body


def decode(data: bytes) -> list[ProducerEntry]:
    if len(data) < _HEAD.size + _COUNT.size:
        raise CorruptSnapshot(f"{len(data)} bytes are too few for a producer snapshot")
    version, crc = _HEAD.unpack_from(data)
    if version != VERSION:
        raise CorruptSnapshot(f"producer snapshot version {version} is unknown")
    body = memoryview(data)[_HEAD.size :]
    if crc32c(body) != crc:
        raise CorruptSnapshot("producer snapshot fails its CRC")
    (count,) = _COUNT.unpack_from(body)
    rows = body[_COUNT.size :]
    if count < 0 or count * _ENTRY.size != len(rows):
        raise CorruptSnapshot(f"producer snapshot announces {count} entries in {len(rows)} bytes")
    return [ProducerEntry(*row) for row in _ENTRY.iter_unpack(rows)]
