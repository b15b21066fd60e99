"""Looks at everything in a log directory and believes nothing: what is damaged, in which file, at which byte.

Batches are checked by CRC, and what lies outside of it (offset, length, leader epoch) against its neighbours, the
segment's name and the epoch checkpoint. Indexes are checked against the batches, everything else against its own form
and the rest. Files are only read, so a broker may be using them: what it is still writing, or deletes meanwhile, is no
finding.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from kafkawire.batches import CRC_FROM, HEADER_SIZE, MAGIC, PREFIX_SIZE, BatchHeader, unpack
from kafkawire.checksum import crc32c
from pykafkad.model import ZERO_UUID, TopicPartition
from pykafkad.state.epochs import Epochs
from pykafkad.storage import names
from pykafkad.storage.aborts import AbortedCheck
from pykafkad.storage.checkpoints import (
    CorruptCheckpoint,
    decode_epochs,
    decode_offsets,
    decode_partition_metadata,
    decode_properties,
)
from pykafkad.storage.disk import Disk, File
from pykafkad.storage.indexes import OFFSET_ENTRY, TIME_ENTRY
from pykafkad.storage.snapshots import CorruptSnapshot, decode

PIECE = 1024 * 1024
"""Bytes that are read at once."""
_new = tuple.__new__
_KNOWN_PROPERTIES = {"version", "cluster.id", "node.id", "broker.id", "directory.id"}


class Finding(NamedTuple):
    """Something that is not as it was written. ``position``: the byte where it begins, None for the file as a whole."""

    path: str
    position: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.path}{'' if self.position is None else f' at {self.position}'}: {self.reason}"


class Damage(NamedTuple):
    """A stretch of a log that must not be served."""

    first_offset: int
    next_offset: int
    finding: Finding


class SegmentCheck:
    """One ``.log`` file, read piece by piece: ``step`` until ``done``. ``findings`` and ``damage`` grow on the way."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        base_offset: int,
        size: int,
        following: int | None = None,
        piece: int = PIECE,
        aborts: AbortedCheck | None = None,
    ) -> None:
        """``aborts``: to be shown all batches on the way."""
        self.path = path
        self.findings: list[Finding] = []
        self.damage: list[Damage] = []
        self.position = 0
        self.done = False
        self.end_offset = base_offset
        self._following = following
        """Where the next segment begins, if there is one."""
        self._size = size
        self._piece = piece
        self._disk = disk
        self._file: File | None = None
        self._aborts = aborts

    def step(self) -> list[tuple[BatchHeader, bool]]:
        """Read a piece; the headers in it, with whether their batch is sound and their ``position`` in the file."""
        if self._file is None:
            self._file = self._disk.open(self.path)
        piece = self._file.pread(min(self._piece, self._size - self.position), self.position)
        if len(piece) >= 12:
            first = 12 + int.from_bytes(piece[8:12], "big", signed=True)
            if len(piece) < first <= self._size - self.position:
                piece = self._file.pread(first, self.position)
        found: list[tuple[BatchHeader, bool]] = []
        view, at = memoryview(piece), 0
        while (position := self.position + at) < self._size:
            fields = unpack(piece, at) if at + HEADER_SIZE <= len(piece) else (0, -1)
            length = fields[1] + PREFIX_SIZE
            if HEADER_SIZE <= length <= len(piece) - at:
                header: BatchHeader = _new(BatchHeader, (position, fields[0], length, *fields[2:]))
                found.append((header, self._judge(header, view[at : at + length])))
                at += length
                continue
            if at and len(piece) - at < self._size - position:
                break  # half a batch, or nonsense: the next step will tell
            if len(piece) - at < HEADER_SIZE or length < HEADER_SIZE:
                self._stop(position, "no batch header")
            else:
                self._stop(position, f"a batch of {length} bytes where {self._size - position} are left")
            return found
        self.position += at
        if self.position >= self._size or not at:
            self.done = True
            if self._following is not None and self.end_offset > self._following:
                self._find(0, f"ends at offset {self.end_offset}, and the next segment begins at {self._following}")
        return found

    def _judge(self, header: BatchHeader, batch: memoryview) -> bool:
        reason = ""
        base, last = header.base_offset, header.base_offset + header.last_offset_delta
        if header.magic != MAGIC:
            reason = f"magic {header.magic}"
        elif crc32c(batch[CRC_FROM:]) != header.crc:
            reason = f"batch {base} fails its CRC"
        elif base < self.end_offset:
            reason = f"offset {base} where {self.end_offset} or more was due"
        elif self._following is not None and last >= self._following:
            reason = f"offset {last}, and the next segment begins at {self._following}"
        if reason:
            self._find(header.position, reason)
            # Its own offsets may be what is damaged: what is before it is known, what follows will be.
            self.damage.append(Damage(self.end_offset, max(last, self.end_offset) + 1, self.findings[-1]))
            if self._aborts is not None:
                self._aborts.skip()
            return False
        if self.damage and self.damage[-1].next_offset > base:
            self.damage[-1] = self.damage[-1]._replace(next_offset=base)
        self.end_offset = last + 1
        if self._aborts is not None:
            self._aborts.add(header, batch)
        return True

    def _stop(self, position: int, reason: str) -> None:
        self._find(position, f"{reason}; {self._size - position} bytes can't be read")
        self.damage.append(Damage(self.end_offset, self._following or (1 << 62), self.findings[-1]))
        self.done = True
        if self._aborts is not None:
            self._aborts.skip()

    def _find(self, position: int, reason: str) -> None:
        self.findings.append(Finding(self.path, position, reason))


class _Batches:
    """What the indexes are checked against: a few numbers per batch, in arrays, because a segment has many."""

    def __init__(self) -> None:
        self.positions, self.bases, self.lasts = array("q"), array("q"), array("q")
        self.timestamps, self.epochs = array("q"), array("i")

    def add(self, header: BatchHeader) -> None:
        self.positions.append(header.position)
        self.bases.append(header.base_offset)
        self.lasts.append(header.last_offset)
        self.timestamps.append(header.max_timestamp)
        self.epochs.append(header.leader_epoch)


class Verifier:
    """``progress`` is told of bytes that were read; ``wait`` passes some time, for a broker that is writing."""

    def __init__(
        self,
        disk: Disk,
        *,
        progress: Callable[[int], None] = lambda size: None,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._disk = disk
        self._progress = progress
        self._wait = wait

    # -- a log directory ---------------------------------------------------------------------------------------------

    def directory(self, path: str) -> Iterator[Finding]:
        """Everything in a log directory, or in one partition's folder."""
        path = path.rstrip("/") or "/"
        present = sorted(self._disk.list(path))
        if names.partition_of(path.rpartition("/")[2]) is not None and names.META_PROPERTIES not in present:
            yield from self.partition(path)
            return
        yield from self._shared(path, present)
        ends: dict[TopicPartition, int] = {}
        for name in present:
            who = names.partition_of(name)
            folder = f"{path}/{name}"
            if who is not None and self._disk.is_directory(folder):
                yield from self._unless_gone(folder, self.partition(folder, ends))
        for name in (names.RECOVERY_POINTS, names.HIGH_WATERMARKS, names.LOG_STARTS, names.CLEANER_OFFSETS):
            if name in present:
                yield from self._offsets(f"{path}/{name}", ends)

    def _unless_gone(self, folder: str, findings: Iterator[Finding]) -> Iterator[Finding]:
        """A topic may be deleted, and segments too, while somebody looks."""
        try:
            yield from findings
        except FileNotFoundError as error:
            if self._disk.exists(folder) and self._disk.exists(str(error.filename)):
                raise
        except OSError as error:
            yield Finding(str(error.filename or folder), None, error.strerror or str(error))

    def _shared(self, path: str, present: list[str]) -> Iterator[Finding]:
        if names.META_PROPERTIES not in present:
            yield Finding(f"{path}/{names.META_PROPERTIES}", None, "is missing: this is no log directory")
        else:
            file = f"{path}/{names.META_PROPERTIES}"
            known = decode_properties(self._disk.read(file))
            for key in sorted(known.keys() - _KNOWN_PROPERTIES):
                yield Finding(file, None, f"unknown key {key!r}")
            for key in ("version", "cluster.id"):
                if not known.get(key):
                    yield Finding(file, None, f"{key} is missing")
            number = known.get("node.id") or known.get("broker.id") or ""
            if not number.isdigit():
                yield Finding(file, None, f"node.id is {number!r}")
        if names.CLEAN_SHUTDOWN in present:
            file = f"{path}/{names.CLEAN_SHUTDOWN}"
            try:
                marker = json.loads(self._disk.read(file) or b'{"version": 0}')
                if not isinstance(marker, dict) or marker.get("version") != 0:
                    yield Finding(file, None, "is not what a clean shutdown leaves")
            except FileNotFoundError:
                pass  # a broker has just started
            except ValueError as error:
                yield Finding(file, None, str(error))

    def _offsets(self, path: str, ends: dict[TopicPartition, int]) -> Iterator[Finding]:
        try:
            for key, offset in decode_offsets(self._disk.read(path)).items():
                if key in ends and not 0 <= offset <= ends[key]:
                    yield Finding(path, None, f"{key} at {offset}, and its log ends at {ends[key]}")
                if not key.partition >= 0 or not key.topic:
                    yield Finding(path, None, f"{key} is no partition")
        except CorruptCheckpoint as error:
            yield Finding(path, None, str(error))

    # -- a partition -------------------------------------------------------------------------------------------------

    def partition(self, folder: str, ends: dict[TopicPartition, int] | None = None) -> Iterator[Finding]:
        """One partition's folder; ``ends`` is told where its log ends."""
        present = set(self._disk.list(folder))
        if names.PARTITION_METADATA in present:
            yield from self._metadata(f"{folder}/{names.PARTITION_METADATA}")
        epochs: Epochs | None = None
        if names.LEADER_EPOCHS in present:
            file = f"{folder}/{names.LEADER_EPOCHS}"
            try:
                entries = decode_epochs(self._disk.read(file))
                epochs = Epochs(entries)
                if epochs.entries != entries:
                    yield Finding(file, None, f"{entries} do not rise")
                    epochs = None
            except CorruptCheckpoint as error:
                yield Finding(file, None, str(error))
        bases = sorted(base for name in present if (base := names.offset_of(name, names.LOG)) is not None)
        end = bases[0] if bases else 0
        sound = True
        aborts = AbortedCheck(self._disk, folder, end)
        for base, following in zip_longest(bases, bases[1:]):
            batches = _Batches()
            path = f"{folder}/{names.file_name(base, names.LOG)}"
            check = self._segment(path, base, following, batches, aborts)
            yield from check.findings
            sound &= not check.findings
            end = check.end_offset
            yield from self._indexes(folder, base, batches, sound=not check.findings, newest=following is None)
            yield from self._aborted(f"{folder}/{names.file_name(base, names.TXN_INDEX)}", aborts, following is None)
            if epochs is not None:
                yield from self._epochs(folder, path, epochs, batches)
        for name in sorted(present):
            offset = names.offset_of(name, names.SNAPSHOT)
            if offset is not None:
                yield from self._snapshot(f"{folder}/{name}")
        who = names.partition_of(folder.rpartition("/")[2])
        if ends is not None and who is not None and sound:
            ends[TopicPartition(*who)] = end

    def _segment(
        self, path: str, base: int, following: int | None, batches: _Batches, aborts: AbortedCheck
    ) -> SegmentCheck:
        check = self._read(path, base, following, batches, aborts)
        if check.findings and following is None:  # it may be in the middle of a write
            self._wait()
            if self._disk.exists(path):
                again = _Batches()
                check = self._read(path, base, following, again, None)
                batches.__dict__.update(again.__dict__)
        return check

    def _read(
        self, path: str, base: int, following: int | None, batches: _Batches, aborts: AbortedCheck | None
    ) -> SegmentCheck:
        check = SegmentCheck(self._disk, path, base, self._disk.size(path), following, aborts=aborts)
        while not check.done:
            before = check.position
            for header, sound in check.step():
                if sound:
                    batches.add(header)
            self._progress(check.position - before)
        return check

    def _metadata(self, file: str) -> Iterator[Finding]:
        try:
            data = self._disk.read(file)
            if decode_partition_metadata(data) == ZERO_UUID and data:
                yield Finding(file, None, "no topic_id in it")
            elif data and not data.startswith(b"version: 0\n"):
                yield Finding(file, 0, "version 0 was due")
        except CorruptCheckpoint as error:
            yield Finding(file, None, str(error))

    def _epochs(self, folder: str, path: str, epochs: Epochs, batches: _Batches) -> Iterator[Finding]:
        """The epoch lies outside the CRC, so batches and checkpoint vouch for each other."""
        starts = [start for _, start in epochs.entries]
        for number, base in enumerate(batches.bases):
            entry = bisect_right(starts, base) - 1
            due = epochs.entries[entry][0] if entry >= 0 else None
            if due is not None and batches.epochs[number] != due:
                reason = f"batch {base} has leader epoch {batches.epochs[number]}, {names.LEADER_EPOCHS} says {due}"
                yield Finding(path, batches.positions[number], reason)
                return

    def _snapshot(self, file: str) -> Iterator[Finding]:
        try:
            decode(self._disk.read(file))
        except CorruptSnapshot as error:
            yield Finding(file, 0, str(error))
        except FileNotFoundError:
            pass  # they come and go

    # -- indexes -----------------------------------------------------------------------------------------------------

    def _indexes(self, folder: str, base: int, batches: _Batches, *, sound: bool, newest: bool) -> Iterator[Finding]:
        """``sound``: the log beside them is, so that everything must agree with it."""
        for suffix, look in ((names.INDEX, self._offset_index), (names.TIME_INDEX, self._time_index)):
            file = f"{folder}/{names.file_name(base, suffix)}"
            try:
                data = self._disk.read(file)
            except FileNotFoundError:
                if len(batches.bases) and not newest:
                    yield Finding(file, None, "is missing")
                continue
            yield from look(file, data, base, batches, sound)

    def _offset_index(self, file: str, data: bytes, base: int, batches: _Batches, sound: bool) -> Iterator[Finding]:
        yield from _odd_bytes(file, data, OFFSET_ENTRY.size)
        last = (-1, -1)
        for at, (relative, position) in _entries(OFFSET_ENTRY.unpack_from, data, OFFSET_ENTRY.size):
            offset = base + relative
            if relative < 0 or offset <= last[0] or position <= last[1]:
                yield Finding(file, at, f"entry ({offset}, {position}) is not above the one before it")
                return
            if sound:
                number = bisect_left(batches.positions, position)
                if number == len(batches.positions) or batches.positions[number] != position:
                    if number < len(batches.positions) or not _beyond(batches, offset):
                        yield Finding(file, at, f"no batch begins at position {position} of the log")
                        return
                elif batches.lasts[number] != offset:
                    yield Finding(file, at, f"no batch at position {position} of the log ends with offset {offset}")
                    return
            last = offset, position

    def _time_index(self, file: str, data: bytes, base: int, batches: _Batches, sound: bool) -> Iterator[Finding]:
        yield from _odd_bytes(file, data, TIME_ENTRY.size)
        last = (-1, -1)
        for at, (timestamp, relative) in _entries(TIME_ENTRY.unpack_from, data, TIME_ENTRY.size):
            offset = base + relative
            if timestamp <= last[0] or offset < max(last[1], base):
                yield Finding(file, at, f"entry ({timestamp}, {offset}) is not above the one before it")
                return
            if sound and not _beyond(batches, offset):
                number = bisect_left(batches.lasts, offset)
                if batches.timestamps[number] != timestamp or batches.bases[number] > offset:
                    yield Finding(file, at, f"no batch with offset {offset} has the timestamp {timestamp}")
                    return
            last = timestamp, offset

    def _aborted(self, file: str, aborts: AbortedCheck, newest: bool) -> Iterator[Finding]:
        try:
            data = self._disk.read(file)
        except FileNotFoundError:
            data = None
        for position, reason in aborts.differences(data, newest):
            yield Finding(file, position, reason)


def _beyond(batches: _Batches, offset: int) -> bool:
    """Whether the log has grown past what was read of it."""
    return not batches.lasts or offset > batches.lasts[-1]


def _odd_bytes(file: str, data: bytes, size: int) -> Iterator[Finding]:
    if len(data) % size:
        yield Finding(file, len(data) - len(data) % size, f"{len(data) % size} bytes are no whole entry")


def _entries(
    unpack: Callable[[bytes, int], tuple[int, ...]], data: bytes, size: int
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(position, entry) up to the zeros that Kafka fills an index file with in advance."""
    used = len(data.rstrip(b"\0"))
    for at in range(0, min(len(data) - len(data) % size, used + size - 1), size):
        if at >= used:
            return
        yield at, unpack(data, at)
