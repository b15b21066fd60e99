"""The records of a stopped Kafka's ``__cluster_metadata-0``: the newest snapshot that is whole, and the log behind it.

A controller writes its log as a partition's, and now and then a snapshot ``<end offset>-<epoch>.checkpoint``: batches
too, between a header and a footer. What the snapshot sums up may be gone from the log. Files are only read.

The log's tail may be torn, as any log's after a crash; with one voter all before the tear is committed. A hole anywhere
else can't be repaired from here: ``CorruptMetadata``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kafkawire.batches import MAGIC, BatchHeader, crc_ok, header_at
from kafkawire.errors import WireError
from kafkawire.records import iterate
from kafkawire.stored import metadata_log
from pykafkad.storage import names
from pykafkad.storage.disk import Disk

_SNAPSHOT = re.compile(r"(\d{20})-(\d{10})\.checkpoint")
_SNAPSHOT_FOOTER = b"\0\0\0\4"  # key of the control record: version 0, type 4


class CorruptMetadata(Exception):
    """The controller's log doesn't say what the cluster was."""


def read_metadata(disk: Disk, directory: str) -> Iterator[Any]:
    """Every record of the folder, oldest first, as a message of ``kafkawire.stored.metadata_log``."""
    found = disk.list(directory)
    end = 0
    snapshots = sorted((match for name in found if (match := _SNAPSHOT.fullmatch(name))), key=lambda match: match[0])
    while snapshots:
        newest = snapshots.pop()
        path = f"{directory}/{newest[0]}"
        batches, rest = _batches(disk.read(path))
        if not rest and batches and _ends_snapshot(*batches[-1]):
            end = int(newest[1])
            yield from _records(path, batches, 0)
            break
    bases = sorted(base for name in found if (base := names.offset_of(name, names.LOG)) is not None)
    needed = [base for number, base in enumerate(bases) if number + 1 == len(bases) or bases[number + 1] > end]
    position = needed[0] if needed else end
    if position > end:
        raise CorruptMetadata(f"{directory}: offsets {end} to {position} are missing")
    for base in needed:
        path = f"{directory}/{names.file_name(base, names.LOG)}"
        batches, rest = _batches(disk.read(path))
        for header, _ in batches:
            if header.base_offset != position:
                raise CorruptMetadata(f"{path}: offset {header.base_offset} where {position} was due")
            position = header.next_offset
        if rest and base != needed[-1]:
            raise CorruptMetadata(f"{path}: {rest} bytes behind offset {position} are no record batches")
        yield from _records(path, batches, end)


def _batches(data: bytes) -> tuple[list[tuple[BatchHeader, memoryview]], int]:
    """The whole batches from the beginning on, and how many bytes are left that are none."""
    view, found, position = memoryview(data), [], 0
    while position < len(data):
        try:
            header = header_at(view, position)
        except WireError:
            break
        stop = position + header.length
        if stop > len(data) or header.magic != MAGIC or not crc_ok(view, header):
            break
        found.append((header, view[position:stop]))
        position = stop
    return found, len(data) - position


def _ends_snapshot(header: BatchHeader, batch: memoryview) -> bool:
    return header.is_control and any(record.key == _SNAPSHOT_FOOTER for record in iterate(batch))


def _records(path: str, batches: list[tuple[BatchHeader, memoryview]], begin: int) -> Iterator[Any]:
    """From offset ``begin`` on, without what the quorum notes about itself."""
    try:
        for header, batch in batches:
            if not header.is_control and header.last_offset >= begin:
                for record in iterate(batch):
                    if record.offset >= begin:
                        yield metadata_log.read(record.value or b"")
    except WireError as error:
        raise CorruptMetadata(f"{path}: {error}") from error
