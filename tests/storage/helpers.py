"""Batches and logs for the storage tests, made the way a partition makes them: built, stamped, appended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkawire.batches import BatchHeader, headers, stamp
from kafkawire.records import build
from pykafkad.config import TopicConfig
from pykafkad.storage import settling
from pykafkad.storage.directory import LogDir
from pykafkad.storage.disk import Disk
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.recovery import NoProducers

TOPIC_ID = bytes(range(16))


def batch(count: int = 1, *, size: int = 10, timestamp: int = 1_000, **options: Any) -> bytes:
    records = [(b"k%d" % number, b"v" * size) for number in range(count)]
    return build(records, timestamp=timestamp, **options)


def append(log: PartitionLog, *batches: bytes, epoch: int = 0, now: int = 1_000) -> list[BatchHeader]:
    """One append of all the batches; returns their stamped headers."""
    data = bytearray(b"".join(batches))
    offset = log.end_offset
    for header in headers(data):
        stamp(data, header.position, offset, epoch)
        offset = offset + header.last_offset_delta + 1
    stamped = headers(data)
    log.append([data], stamped, now)
    return stamped


def settle(log: PartitionLog) -> None:
    """Have indexes and a snapshot written, which a small log that is closed does without."""
    assert settling.prepare(log)
    settling.settle(log)


def open_dir(disk: Disk, path: str = "/data", **options: Any) -> LogDir:
    return LogDir.open(disk, path, node_id=options.pop("node_id", 1), cluster_id=options.pop("cluster_id", None))


def open_log(
    directory: LogDir,
    topic: str = "t",
    partition: int = 0,
    *,
    producers: Any = None,
    now: int = 1_000,
    lazy: bool = False,
    topic_id: bytes = TOPIC_ID,
    **config: Any,
) -> PartitionLog:
    return directory.open_log(
        topic,
        partition,
        topic_id,
        TopicConfig(**config),
        NoProducers() if producers is None else producers,
        now,
        lazy=lazy,
    )


def read_all(log: PartitionLog, start: int | None = None, *, max_bytes: int = 1 << 20) -> list[BatchHeader]:
    """Every batch from ``start`` on, fetched as a consumer would."""
    offset = log.start_offset if start is None else start
    found: list[BatchHeader] = []
    while True:
        piece = log.read(offset, max_bytes, log.end_offset, at_least_one=True)
        if piece is None:
            return found
        whole = whole_batches(piece.read())
        assert whole, "a read made no progress"
        found += [header for header in whole if header.last_offset >= offset]
        offset = whole[-1].next_offset


def whole_batches(data: bytes) -> Sequence[BatchHeader]:
    """Headers of the batches that are there in full; a fetch may end inside one."""
    end = 0
    while end + 12 <= len(data):
        length = 12 + int.from_bytes(data[end + 8 : end + 12], "big")
        if end + length > len(data):
            break
        end += length
    return headers(data[:end])
