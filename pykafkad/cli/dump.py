"""Make a broker's files readable: one line per batch, record, index entry, producer, checkpoint entry.

Nothing is trusted: every batch's CRC is checked, every index entry is compared with the log beside it, and what
can't be read is told with its file and position while the dump goes on with the next file. The exit code is 1 if
anything was wrong. Files are only read, so a running broker's may be looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from kafkawire.batches import HEADER_SIZE, BatchHeader, crc_ok, header_at
from kafkawire.errors import WireError
from kafkawire.records import Record, iterate
from pykafkad.storage import names
from pykafkad.storage.checkpoints import CorruptCheckpoint, decode_epochs, decode_offsets
from pykafkad.storage.disk import File, RealDisk
from pykafkad.storage.indexes import OFFSET_ENTRY, TIME_ENTRY
from pykafkad.storage.snapshots import CorruptSnapshot, decode

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
MARKERS = {0: "ABORT", 1: "COMMIT", 2: "LEADER_CHANGE", 3: "SNAPSHOT_HEADER", 4: "SNAPSHOT_FOOTER"}
AS_STORED = {"__consumer_offsets": "groups", "__transaction_state": "transactions", "__share_group_state": "share"}
PLAIN = (names.META_PROPERTIES, names.PARTITION_METADATA, names.CLEAN_SHUTDOWN)
OFFSET_FILES = (names.RECOVERY_POINTS, names.HIGH_WATERMARKS, names.LOG_STARTS, names.CLEANER_OFFSETS)

_CHUNK = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="FILE|DIR", nargs="+", help="log directories, partitions' folders or single files"
    )
    parser.add_argument(
        "--records",
        "--print-data-log",
        dest="records",
        action="store_true",
        help="print the records of each batch, those of internal topics decoded",
    )
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="leave out what ends before offset N")
    parser.add_argument(
        "--as",
        dest="stored",
        choices=("text", *AS_STORED.values()),
        help="how to read records; by default the folder's name tells",
    )


def run(args: argparse.Namespace) -> int:
    problems = dump(*args.paths, records=args.records, offset=args.offset, stored=args.stored)
    if problems:
        print(f"{problems} problem{'s' if problems > 1 else ''} found", file=sys.stderr)
    return 1 if problems else 0


def dump(
    *paths: str, records: bool = False, offset: int = 0, stored: str | None = None, out: TextIO | None = None
) -> int:
    """Print files, and directories with all that is in them; returns the number of things that were wrong."""
    dumper = _Dumper(records, offset, stored, out or sys.stdout)
    for path in paths:
        dumper.show(Path(path))
    return dumper.problems


class _Dumper:
    def __init__(self, records: bool, offset: int, stored: str | None, out: TextIO) -> None:
        self.records = records
        self.offset = offset
        self.stored = stored
        self.out = out
        self.problems = 0
        self.disk = RealDisk(64)

    def say(self, line: str) -> None:
        self.out.write(line + "\n")

    def wrong(self, path: Path, position: int | None, reason: str) -> None:
        self.problems += 1
        where = "" if position is None else f" at {position}"
        self.say(f"CORRUPT {path}{where}: {reason}")

    def show(self, path: Path) -> None:
        try:
            if path.is_dir():
                for entry in sorted(path.iterdir(), key=_natural):
                    if entry.is_dir() or self.reader(entry) is not None:
                        self.show(entry)
                return
            reader = self.reader(path)
            if reader is None:
                self.wrong(path, None, "no file of a Kafka log directory, by its name")
                return
            self.say(f"== {path}")
            reader(path)
        except OSError as error:
            self.wrong(path, None, error.strerror or str(error))

    def reader(self, path: Path) -> Callable[[Path], None] | None:
        name = path.name.removesuffix(names.DELETED).removesuffix(names.SWAP).removesuffix(names.CLEANED)
        if name in PLAIN:
            return self.plain
        if name in OFFSET_FILES:
            return self.offsets
        if name == names.LEADER_EPOCHS:
            return self.epochs
        readers = {
            names.LOG: self.log,
            names.INDEX: self.index,
            names.TIME_INDEX: self.time_index,
            names.TXN_INDEX: self.txn_index,
            names.SNAPSHOT: self.snapshot,
        }
        suffix = name[name.rfind(".") :] if "." in name else ""
        return readers.get(suffix) if names.offset_of(name, suffix) is not None else None

    # -- logs ------------------------------------------------------------------------------------------------------

    def log(self, path: Path) -> None:
        file = self.disk.open(str(path))
        expected = names.offset_of(path.name.partition(".")[0] + names.LOG, names.LOG) or 0
        for header, batch in self.batches(path, file):
            if header.base_offset < expected:
                self.wrong(path, header.position, f"offset {header.base_offset} where {expected} or more was due")
            expected = max(expected, header.next_offset)
            good = crc_ok(batch, header._replace(position=0))
            if not good:
                self.wrong(path, header.position, f"batch {header.base_offset} fails its CRC")
            if header.last_offset >= self.offset:
                self.say(describe(header, good))
                if self.records and good:
                    self.print_records(path, header, batch)

    def batches(self, path: Path, file: File) -> Iterator[tuple[BatchHeader, bytes]]:
        """Every batch up to the first thing that is none."""
        position = 0
        chunk, start = b"", 0
        while position < file.size:
            at = position - start
            if at + HEADER_SIZE > len(chunk):
                chunk, start, at = file.pread(_CHUNK, position), position, 0
            try:
                header = header_at(chunk, at)
            except WireError as error:
                return self.torn(path, file, position, str(error))
            if header.magic != 2:
                return self.torn(path, file, position, f"magic {header.magic}")
            if position + header.length > file.size:
                return self.torn(path, file, position, f"a batch of {header.length} bytes is cut short")
            if at + header.length > len(chunk):
                chunk, start, at = file.pread(max(_CHUNK, header.length), position), position, 0
            yield header._replace(position=position), chunk[at : at + header.length]
            position += header.length
        return None

    def torn(self, path: Path, file: File, position: int, reason: str) -> None:
        self.wrong(path, position, f"{reason}; {file.size - position} bytes are left")

    def print_records(self, path: Path, header: BatchHeader, batch: bytes) -> None:
        try:
            for record in iterate(batch):
                self.say(f"    {record.offset}  {when(record.timestamp)}  {self.record(path, header, record)}")
        except WireError as error:
            self.wrong(path, header.position, f"records of batch {header.base_offset}: {error}")

    def record(self, path: Path, header: BatchHeader, record: Record) -> str:
        if header.is_control:
            return control(record)
        kind = self.stored or AS_STORED.get((names.partition_of(path.absolute().parent.name) or ("", 0))[0], "text")
        said = decoded(kind, record) if kind != "text" else None
        if said is None:
            said = f"{text(record.key)} = {text(record.value)}"
        if record.headers:
            said += "  headers " + ", ".join(f"{key}={text(value)}" for key, value in record.headers)
        return said

    # -- indexes ---------------------------------------------------------------------------------------------------

    def base(self, path: Path) -> int:
        return int(path.name[:20])

    def found(self, path: Path) -> dict[int, BatchHeader] | None:
        """The batches of the log beside an index, by position; None if there is no such log."""
        log = path.with_name(names.file_name(self.base(path), names.LOG))
        if not log.exists():
            return None
        quiet = _Dumper(False, 0, None, self.out)
        quiet.say = lambda line: None  # type: ignore[method-assign]
        return {header.position: header for header, _ in quiet.batches(log, self.disk.open(str(log)))}

    def index(self, path: Path) -> None:
        data = path.read_bytes()
        base, batches, last = self.base(path), self.found(path), (-1, -1)
        for position, (relative, target) in _entries(OFFSET_ENTRY.iter_unpack, data, OFFSET_ENTRY.size):
            offset = base + relative
            if not relative and not target and not any(data[position:]):
                self.say(f"  {(len(data) - position) // OFFSET_ENTRY.size} entries not used yet")
                break
            self.say(f"  offset {offset}  position {target}")
            if (offset, target) <= last or relative < 0:
                self.wrong(path, position, f"entry {offset} is not above the one before it")
            elif batches is not None and (target not in batches or batches[target].last_offset != offset):
                self.wrong(path, position, f"no batch ends with offset {offset} at position {target} of the log")
            last = offset, target
        self.leftover(path, data, OFFSET_ENTRY.size)

    def time_index(self, path: Path) -> None:
        data = path.read_bytes()
        base, batches, last = self.base(path), self.found(path), (-1, -1)
        ends = None if batches is None else {batch.last_offset: batch for batch in batches.values()}
        for position, (timestamp, relative) in _entries(TIME_ENTRY.iter_unpack, data, TIME_ENTRY.size):
            offset = base + relative
            if not timestamp and not relative and not any(data[position:]):
                self.say(f"  {(len(data) - position) // TIME_ENTRY.size} entries not used yet")
                break
            self.say(f"  {when(timestamp)}  offset {offset}")
            if timestamp <= last[0] or offset < last[1]:
                self.wrong(path, position, f"entry {timestamp} is not above the one before it")
            elif ends is not None and (offset not in ends or ends[offset].max_timestamp != timestamp):
                self.wrong(path, position, f"no batch ends with offset {offset} and timestamp {timestamp}")
            last = timestamp, offset
        self.leftover(path, data, TIME_ENTRY.size)

    def txn_index(self, path: Path) -> None:
        data = path.read_bytes()
        for at in range(0, len(data) - len(data) % 34, 34):
            fields = [int.from_bytes(data[at + 2 + 8 * n : at + 10 + 8 * n], "big", signed=True) for n in range(4)]
            self.say("  producer {} aborted offsets {}..{}  last stable offset {}".format(*fields))
        self.leftover(path, data, 34)

    def leftover(self, path: Path, data: bytes, size: int) -> None:
        if len(data) % size:
            self.wrong(path, len(data) - len(data) % size, f"{len(data) % size} bytes are no whole entry")

    # -- the rest --------------------------------------------------------------------------------------------------

    def snapshot(self, path: Path) -> None:
        try:
            entries = decode(path.read_bytes())
        except CorruptSnapshot as error:
            self.wrong(path, 0, str(error))
            return
        for e in entries:
            opened = f"  transaction open since {e.current_txn_first_offset}" if e.current_txn_first_offset >= 0 else ""
            last = f"last sequence {e.last_sequence} at offset {e.last_offset} (batch of {e.offset_delta + 1})"
            said = f"  producer {e.producer_id} epoch {e.epoch}  {last}  {when(e.timestamp)}"
            self.say(f"{said}  coordinator epoch {e.coordinator_epoch}{opened}")

    def epochs(self, path: Path) -> None:
        try:
            for epoch, start in decode_epochs(path.read_bytes()):
                self.say(f"  epoch {epoch} from offset {start}")
        except CorruptCheckpoint as error:
            self.wrong(path, None, str(error))

    def offsets(self, path: Path) -> None:
        try:
            for partition, offset in decode_offsets(path.read_bytes()).items():
                self.say(f"  {partition} {offset}")
        except CorruptCheckpoint as error:
            self.wrong(path, None, str(error))

    def plain(self, path: Path) -> None:
        for line in path.read_text("utf-8", "replace").splitlines():
            self.say(f"  {line}")


def describe(header: BatchHeader, good: bool) -> str:
    """A batch in one line."""
    said = [
        f"{header.base_offset}..{header.last_offset}",
        f"position {header.position}",
        f"{header.length} bytes",
        f"{header.count} records",
        when(header.max_timestamp) + (" (append time)" if header.log_append_time else ""),
        CODECS[header.codec] if header.codec < len(CODECS) else f"codec {header.codec}",
        f"epoch {header.leader_epoch}",
    ]
    if header.producer_id >= 0:
        said.append(f"producer {header.producer_id}/{header.producer_epoch}")
        if header.base_sequence >= 0:
            said.append(f"sequence {header.base_sequence}..{header.last_sequence}")
    if header.is_transactional:
        said.append("transactional")
    if header.is_control:
        said.append("control")
    said.append(f"crc {header.crc}" if good else f"crc {header.crc} WRONG")
    return "  ".join(said)


def control(record: Record) -> str:
    if record.key is None or len(record.key) < 4:
        return "control record without a type"
    kind = int.from_bytes(record.key[2:4], "big", signed=True)
    said = MARKERS.get(kind, f"control type {kind}")
    if kind in (0, 1) and record.value is not None and len(record.value) >= 6:
        said += f"  coordinator epoch {int.from_bytes(record.value[2:6], 'big', signed=True)}"
    return said


def decoded(kind: str, record: Record) -> str | None:
    """A stored record of an internal topic; None when it is of no known type."""
    if kind == "groups":
        from kafkawire.stored.group_log import read
    elif kind == "transactions":
        from kafkawire.stored.txn_log import read
    else:
        from kafkawire.stored.share_log import read
    if record.key is None:
        return None
    try:
        key, value = read(record.key, record.value)
    except WireError:
        return None
    return None if key is None else f"{show(key)} = {'(deleted)' if value is None else show(value)}"


def show(value: Any) -> str:
    """A message with its fields by name; opaque bytes as text where they are some."""
    fields = getattr(type(value), "__slots__", None)
    if fields:
        return f"{type(value).__name__}({', '.join(f'{name}={show(getattr(value, name))}' for name in fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, bytes | bytearray | memoryview):
        return text(bytes(value))
    return repr(value)


def text(value: bytes | None) -> str:
    if value is None:
        return "null"
    try:
        said = value.decode()
        if said.isprintable():
            return said if said else '""'
    except UnicodeDecodeError:
        pass
    return "0x" + value.hex()


def when(timestamp: int) -> str:
    if timestamp < 0:
        return "no time"
    try:
        moment = datetime.fromtimestamp(timestamp // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"time {timestamp}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{timestamp % 1000:03d}Z"


def _entries(
    unpack: Callable[[bytes], Iterator[tuple[Any, ...]]], data: bytes, size: int
) -> Iterator[tuple[int, tuple[int, int]]]:
    for number, (first, second) in enumerate(unpack(data[: len(data) - len(data) % size])):
        yield number * size, (first, second)


def _natural(path: Path) -> tuple[str, int, str]:
    """Partition 2 before partition 10."""
    topic, partition = names.partition_of(path.name) or (path.name, -1)
    return topic, partition, path.name
