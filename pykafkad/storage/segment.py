"""One segment: a ``.log`` file of record batches with its two indexes. Hot: ``append`` and ``position_of``.

A segment knows nothing of rolling, retention or recovery; it appends, finds the position of an offset, walks batch
headers and can be cut. Its file is open only while the pool lets it; slices that were handed out keep their file
open themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct

from kafkawire.batches import HEADER_SIZE, BatchHeader, header_at
from kafkawire.errors import WireError
from pykafkad.model import Aborted
from pykafkad.storage import names
from pykafkad.storage.cold import take
from pykafkad.storage.disk import Buffer, Disk, File
from pykafkad.storage.health import Health
from pykafkad.storage.indexes import OFFSET_ENTRY, SAVE_AFTER, TIME_ENTRY, CorruptIndex, OffsetIndex, TimeIndex
from pykafkad.storage.pool import Pool
from pykafkad.storage.snapshots import encode
from pykafkad.storage.transactions import TransactionIndex

UNREAD = -2
"""A timestamp that the file knows and we have not looked up yet; -1 is none."""
RELATIVE_MAX = 0x7FFF_FFFF
SMALL = 32 * 1024
"""Bytes that are read as fast as indexes and a snapshot beside them would be: so little can do without these."""

_new = tuple.__new__

_PEEK = Struct(">qi11xi")  # base offset, length of what follows it, last offset delta
_LENGTH = Struct(">8xi")
_HEADER = Struct(">qiibIhiqqqhii")
_PREFIX = 12
NEAR = 4608  # what is read to find a batch: an index interval and some
_FAR = 1024 * 1024  # what is read at once when a whole segment is walked


_LOOK_BACK = 64  # entries of an index that are tried before it is given up


def border(end: int, batches: Sequence[BatchHeader]) -> int:
    """Where a new segment for these batches begins: where the log ends, be it that a gap comes first, as in what a
    follower copies of a compacted log. So offsets that are missing between two segments tell recovery of a loss.
    """
    return end if batches[-1].last_offset - end <= RELATIVE_MAX else max(batches[0].base_offset, end)


def _is_meant(chunk: Buffer, ends: int, offset: int) -> bool:
    """Whether ``chunk`` begins with a batch that ends where the index says, and that is not past what was asked for."""
    if len(chunk) < _PEEK.size:
        return False
    base, _, delta = _PEEK.unpack_from(chunk)
    return bool(base + delta == ends <= offset)


class CorruptSegment(Exception):
    """The bytes at ``position`` are no record batch."""

    def __init__(self, path: str, position: int, reason: str) -> None:
        super().__init__(f"{path} at {position}: {reason}")
        self.path = path
        self.position = position
        self.reason = reason


class Place:
    """Where a log lives, shared by its segments: a deleted topic's folder is renamed under them."""

    __slots__ = ("directory", "disk", "files", "health", "indexes", "log_dir")

    def __init__(
        self, disk: Disk, log_dir: str, directory: str, files: Pool, indexes: Pool, health: Health | None = None
    ) -> None:
        self.disk = disk
        self.log_dir = log_dir
        self.directory = directory
        self.files = files
        self.indexes = indexes
        self.health = health or Health(log_dir)

    def become(self, other: Place) -> None:
        """The log has moved; its segments, which share this object, find themselves there."""
        self.disk, self.log_dir, self.directory = other.disk, other.log_dir, other.directory
        self.files, self.indexes, self.health = other.files, other.indexes, other.health

    def path(self, offset: int, suffix: str) -> str:
        return f"{self.directory}/{names.file_name(offset, suffix)}"


class Segment:
    __slots__ = (
        "_file",
        "_largest_timestamp",
        "_offset_of_largest",
        "_offsets",
        "_times",
        "allocated",
        "bare",
        "base_offset",
        "created_ms",
        "durable",
        "first_timestamp",
        "found_length",
        "index_limit",
        "indexes_full",
        "last_base",
        "last_position",
        "mark_offset",
        "mark_position",
        "new",
        "place",
        "since_index",
        "size",
        "synced",
        "transactions",
        "used",
    )

    def __init__(self, place: Place, base_offset: int, *, size: int, new: bool, now: int, index_limit: int) -> None:
        self.place = place
        self.base_offset = base_offset
        self.size = size
        self.new = new
        """No index files of an earlier life can be there."""
        self.bare = new
        """It has no index files; recovery tells those of an earlier life."""
        self.created_ms = now
        self.durable = False
        """Closed, and everything about it is synced."""
        self.synced = 0
        """Bytes from the start that were synced since it was opened, at least."""
        self.allocated = False
        """Room was reserved: the file is longer than what was written."""
        self.first_timestamp = -1 if new else UNREAD
        self._largest_timestamp = -1 if new else UNREAD
        self._offset_of_largest = base_offset
        self.since_index = size
        self.index_limit = index_limit
        self.indexes_full = index_limit < 2 * TIME_ENTRY.size  # no room for any entry but the one that closing adds
        # Two positions that the next read will probably ask for: the last append, and where the last read stopped.
        self.last_base = self.mark_offset = -1
        self.last_position = self.mark_position = 0
        self.found_length = 0
        """Of the batch that ``position_of`` found last; 0 when it did not have to look."""
        self.used = False
        self._file: File | None = None
        self._offsets: OffsetIndex | None = None
        self._times: TimeIndex | None = None
        self.transactions: TransactionIndex | None = None
        """None: no transaction was aborted by a marker in here."""

    def __repr__(self) -> str:
        return f"Segment({self.base_offset}, {self.size} bytes)"

    # -- the file --------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        return self.place.path(self.base_offset, names.LOG)

    @property
    def file(self) -> File:
        file = self._file
        if file is None:
            file = self._file = self.place.disk.open(self.path, create=self.new)
            file.size = self.size  # a half-written tail behind it does not count
            self.place.files.admit(self)
        self.used = True
        return file

    @property
    def open_file(self) -> File | None:
        """The open file if there is one; other threads take this and never open one for us."""
        return self._file

    @property
    def vanished(self) -> bool:
        """Whether somebody has deleted the open file: what is appended to it would be lost."""
        return self._file is not None and self.size > 0 and not self._file.linked()

    def let_go(self) -> None:
        self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file = None
            self.place.files.dismiss(self)
        if self._offsets is not None:
            self.place.indexes.dismiss(self._offsets)
        self._offsets = self._times = None
        if self.transactions is not None:
            self.transactions.close()

    # -- indexes ---------------------------------------------------------------------------------------------------

    @property
    def offsets(self) -> OffsetIndex:
        index = self._offsets
        if index is None:
            path, saved = self._saved(names.INDEX, OFFSET_ENTRY.size)
            index = self._offsets = OffsetIndex(self.place.disk, path, self.base_offset, self.place.indexes, saved)
        return index

    @property
    def times(self) -> TimeIndex:
        index = self._times
        if index is None:
            path, saved = self._saved(names.TIME_INDEX, TIME_ENTRY.size)
            index = self._times = TimeIndex(self.place.disk, path, self.base_offset, saved)
        return index

    def find_transactions(self) -> None:
        """There is a ``.txnindex`` file."""
        size = self.place.disk.size(self.place.path(self.base_offset, names.TXN_INDEX))
        self.transactions = TransactionIndex(self, size)

    def _saved(self, suffix: str, entry: int) -> tuple[str, int]:
        path = self.place.path(self.base_offset, suffix)
        if self.new or not self.place.disk.exists(path):
            return path, 0
        return path, self.place.disk.size(path) // entry

    def _add_index_entries(self, batch: BatchHeader, position: int) -> None:
        offsets, times = self.offsets, self.times
        offsets.add(batch.base_offset + batch.last_offset_delta, position)
        times.add(self._largest_timestamp, self._offset_of_largest)
        self.indexes_full = self._full(offsets, times)

    def _full(self, offsets: OffsetIndex, times: TimeIndex) -> bool:
        """The time index keeps a place for the entry that closing the segment adds."""
        limit = self.index_limit
        return len(offsets) >= limit // OFFSET_ENTRY.size or len(times) >= limit // TIME_ENTRY.size - 1

    def limit_indexes(self, limit: int) -> None:
        """segment.index.bytes changed."""
        if limit != self.index_limit:
            self.index_limit = limit
            self.indexes_full = self._full(self.offsets, self.times)

    def check_indexes(self, found: Mapping[str, int]) -> None:
        """CorruptIndex when the files can't belong to this segment. Looks at sizes and the last entries only.

        ``found``: names and sizes of what is in the folder.
        """
        for suffix, entry in ((names.INDEX, OFFSET_ENTRY.size), (names.TIME_INDEX, TIME_ENTRY.size)):
            name = names.file_name(self.base_offset, suffix)
            path = f"{self.place.directory}/{name}"
            if found[name] % entry:
                raise CorruptIndex(path)
            if suffix == names.INDEX:
                if self._offsets is None:
                    pool = self.place.indexes
                    self._offsets = OffsetIndex(self.place.disk, path, self.base_offset, pool, found[name] // entry)
            elif self._times is None:
                self._times = TimeIndex(self.place.disk, path, self.base_offset, found[name] // entry)
        last = self.offsets.last()
        if last is not None and (last[0] < self.base_offset or not 0 < last[1] < self.size):
            raise CorruptIndex(self.offsets.path)
        newest = self.times.last()
        unwritten = newest == (0, self.base_offset) and len(self.times) > 1  # zeros, as preallocated or never synced
        if newest is not None and (newest[1] < self.base_offset or newest[0] < 0 or unwritten):
            raise CorruptIndex(self.times.path)
        if self.transactions is not None:
            self.transactions.check()

    # -- writing ---------------------------------------------------------------------------------------------------

    def append(self, data: Sequence[Buffer], batches: Sequence[BatchHeader], interval: int) -> None:
        """One write for all batches; OSError leaves the segment as it was, save for bytes behind ``size``."""
        file = self._file
        if file is None:
            file = self.file
        position = self.size
        file.append(*data)
        self.size = file.size
        self.last_base = batches[0].base_offset
        self.last_position = position
        if position == 0:
            self.first_timestamp = batches[0].max_timestamp
        since = self.since_index
        for batch in batches:
            if batch.max_timestamp > self._largest_timestamp:
                if self._largest_timestamp == UNREAD:
                    self._read_largest()
                if batch.max_timestamp > self._largest_timestamp:
                    self._largest_timestamp = batch.max_timestamp
                    self._offset_of_largest = batch.base_offset + batch.last_offset_delta
            length = batch.length
            if since > interval:
                self._add_index_entries(batch, position)
                since = 0
            position += length
            since += length
        self.since_index = since

    def preallocate(self, size: int) -> None:
        """Have the disk reserve room for all that will come: the file is that long, with zeros, until ``seal``."""
        self.allocated = True
        try:
            self.file.allocate(size)
        except OSError:
            self._trim()
            raise

    def _trim(self) -> None:
        """Give back what was reserved and not needed."""
        if self.allocated:
            self.file.truncate(self.size)
            self.allocated = False

    def abort(self, transaction: Aborted) -> None:
        """Note what the marker aborts that is about to be appended, or was read in recovery."""
        if self.transactions is None:
            self.transactions = TransactionIndex(self, 0)
        self.transactions.append(transaction)

    def seal(self) -> None:
        """No more appends for now: the last time entry, and both index files written, even empty, as Kafka leaves
        them.
        """
        self._trim()
        if self._largest_timestamp != UNREAD and self.size:
            self.times.add(self._largest_timestamp, self._offset_of_largest)
        disk = self.place.disk
        for index in (self.offsets, self.times):
            index.save()
            if not len(index):
                disk.open(index.path, create=True)
        self.bare = False
        if self.size:  # an empty one may not have a file yet
            self.new = False

    @property
    def stays_bare(self) -> bool:
        """Whether a stop may leave it without index files, and the log without a snapshot of the producers at its end:
        ten thousand logs with a record each would have thirty thousand files made for them.
        """
        if not self.bare or self.size > SMALL or self.allocated or self.transactions is not None:
            return False
        return self._offsets is None or len(self._offsets) < SAVE_AFTER  # or the index has begun a file

    def save_beside(self, following: int, producers: Sequence[tuple[int, ...]]) -> None:
        """No more appends for now: write its indexes, and the snapshot of the producers at its end."""
        self.seal()
        self.place.disk.replace(self.place.path(following, names.SNAPSHOT), encode(producers), sync=False)

    def let_all_go(self, *, keep_unsaved: bool) -> None:
        """Close, because the files go on under other names; ``keep_unsaved``: index entries that are only in memory
        come along, to be saved there.
        """
        offsets, times = self._offsets, self._times
        self.close()
        if keep_unsaved:
            self._offsets, self._times = offsets, times

    def settle(self) -> None:
        """The place has changed: what was kept in memory belongs there from now on."""
        if self._offsets is not None:
            self._offsets.settle(self.place.disk, self.place.path(self.base_offset, names.INDEX), self.place.indexes)
        if self._times is not None:
            self._times.settle(self.place.disk, self.place.path(self.base_offset, names.TIME_INDEX))
        self.new = False

    def sync_beside(self, following: int) -> None:
        """Its indexes, and the snapshot of the producers at its end, where the segment ``following`` begins."""
        disk, path = self.place.disk, self.place.path
        paths = [path(self.base_offset, suffix) for suffix in (names.INDEX, names.TIME_INDEX, names.TXN_INDEX)]
        for name in (*paths, path(following, names.SNAPSHOT)):
            if disk.exists(name):
                disk.fsync(name)

    def cut(self, size: int) -> None:
        """Bytes from ``size`` on are gone, on disk too."""
        self._own()
        self.file.truncate(size)
        self.size = size
        self.synced = min(self.synced, size)
        self.allocated = False
        self.last_base = self.mark_offset = -1

    def truncate_to(self, offset: int) -> int:
        """Drop the batch that holds ``offset`` and all behind it; returns the offset at which the segment now ends."""
        self._own()  # even if nothing is cut: it will be appended to
        position = self.position_of(offset)
        end = offset
        if position < self.size:
            end = min(offset, self.header(position).base_offset)
            self.cut(position)
        self.offsets.truncate(end)
        self.times.truncate(end)
        self.truncate_transactions(end)
        last = self.offsets.last()
        self.since_index = self.size - last[1] if last else self.size
        self.indexes_full = self._full(self.offsets, self.times)
        self._remember_largest(last[1] if last else 0)
        if position == 0:
            self.first_timestamp = -1
        return end

    def _own(self) -> None:
        """A closed segment's file may be shared with the log that it was imported from; not any more."""
        if not self.new and self.place.disk.unshare(self.path):
            self._file = None
            self.place.files.dismiss(self)

    def forget_transactions(self, offset: int) -> None:
        """The same where a write has just failed, as far as the disk still lets us."""
        try:
            self.truncate_transactions(offset)
        except (OSError, CorruptIndex):
            pass  # behind what counts: overwritten by the next entry, or cut by recovery

    def truncate_transactions(self, offset: int) -> None:
        if self.transactions is not None:
            self.transactions.truncate(offset)

    def _remember_largest(self, position: int) -> None:
        """The time index knows the greatest timestamp up to its last entry; the headers behind that tell the rest."""
        self._largest_timestamp, self._offset_of_largest = self.times.last() or (-1, self.base_offset)
        for header in self.walk(position):
            self.note(header)

    # -- what recovery needs ---------------------------------------------------------------------------------------

    def forget_indexes(self) -> None:
        """Begin to build them anew: follow with ``note`` and ``index`` for each batch, and ``abort`` for what markers
        abort, in order.
        """
        self.offsets.reset()
        self.times.reset()
        if self.transactions is not None:
            self.transactions.reset()
        self._largest_timestamp, self._offset_of_largest = -1, self.base_offset
        self.since_index = 0
        self.indexes_full = self._full(self.offsets, self.times)

    def index(self, header: BatchHeader, position: int, interval: int) -> None:
        self.note(header)
        if self.since_index > interval:
            self._add_index_entries(header, position)
            self.since_index = 0
        self.since_index += header.length

    def note(self, header: BatchHeader) -> None:
        if header.max_timestamp > self._largest_timestamp:
            self._largest_timestamp = header.max_timestamp
            self._offset_of_largest = header.last_offset

    def find_end(self) -> int:
        """The offset behind the last batch, read from the last index entry on; CorruptSegment if the tail is torn."""
        if not self.size:
            self._largest_timestamp = self.first_timestamp = -1
            return self.base_offset
        last = self.offsets.last()
        position = last[1] if last else 0
        self.since_index = self.size - position
        self._largest_timestamp, self._offset_of_largest = self.times.last() or (-1, self.base_offset)
        end = self.base_offset
        for header in self.walk(position):
            if last is not None and header.position == position and header.last_offset != last[0]:
                raise CorruptIndex(self.offsets.path)
            self.note(header)
            end = header.next_offset
        return end

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def knows_largest_timestamp(self) -> bool:
        """Whether asking for it takes no look at a file."""
        return self._largest_timestamp != UNREAD

    def learn_largest(self, found: tuple[int, int] | None) -> None:
        """What the last entry of the time index says, if somebody else has read it."""
        if self._largest_timestamp == UNREAD:
            self._largest_timestamp, self._offset_of_largest = found or (-1, self.base_offset)

    @property
    def largest_timestamp(self) -> int:
        """The greatest timestamp in here, -1 if there is none."""
        if self._largest_timestamp == UNREAD:
            self._read_largest()
        return self._largest_timestamp

    @property
    def offset_of_largest_timestamp(self) -> int:
        """The last offset of the batch that has it."""
        if self._largest_timestamp == UNREAD:
            self._read_largest()
        return self._offset_of_largest

    def _read_largest(self) -> None:
        self.learn_largest(self.times.last())

    def newest_beside(self, timestamp: int, roll_ms: int) -> int:
        """The newest timestamp that may be written behind one of ``timestamp`` before time has a segment rolled."""
        first = self.earliest_timestamp() if self.size else -1
        return roll_ms + (first if first >= 0 and timestamp - first <= roll_ms else timestamp)

    def earliest_timestamp(self) -> int:
        """The first batch's greatest timestamp, from which rolling by time counts; -1 for an empty segment."""
        if self.first_timestamp == UNREAD:
            self.first_timestamp = self.header(0).max_timestamp if self.size else -1
        return self.first_timestamp

    def position_of(self, offset: int, wait: bool = True) -> int:
        """Where the first batch begins whose last offset is at or behind ``offset``; ``size`` when there is none."""
        self.found_length = 0
        if offset == self.last_base:
            return self.last_position
        if offset == self.mark_offset:
            return self.mark_position
        index = self._offsets or self.offsets
        position = index.floor(offset, wait)
        size = self.size
        file = self.file
        chunk = take(file, min(NEAR, size - position), position, wait) if position < size else b""
        if position and not _is_meant(chunk, index.found_offset, offset):
            position = self._look_back(offset, wait)
            chunk = take(file, min(NEAR, size - position), position, wait)
        at = 0
        while position + at < size:
            if at + _PEEK.size > len(chunk):
                position += at
                at = 0
                chunk = take(file, min(NEAR, size - position), position, wait)
                if len(chunk) < _PEEK.size:
                    raise CorruptSegment(self.path, position, "half a batch")
            base, length, delta = _PEEK.unpack_from(chunk, at)
            if base + delta >= offset:
                self.found_length = _PREFIX + length
                return position + at
            if length < HEADER_SIZE - _PREFIX:
                raise CorruptSegment(self.path, position + at, f"a batch of {length} bytes")
            at += _PREFIX + length
        return size

    def position_by_time(self, timestamp: int, start: int, wait: bool = True) -> int:
        """Where to look from for the first record at or behind ``start`` whose timestamp is at least the one given: at
        most an index interval before the first such batch, however long timestamps stood still before it.
        """
        reached = self.times.reaches(timestamp, wait)
        before = self.base_offset + RELATIVE_MAX if reached is None else reached - 1
        offset = max(before, start)
        position = self.offsets.floor(offset, wait)
        if position:
            chunk = take(self.file, _PEEK.size, position, wait) if position + _PEEK.size <= self.size else b""
            if not _is_meant(chunk, self.offsets.found_offset, offset):
                position = self._look_back(offset, wait)
        return position

    def _look_back(self, offset: int, wait: bool) -> int:
        """Where to begin a search when the index's answer leads nowhere, as a flipped bit makes it: at one of the
        entries before it that is true, or at the beginning. A damaged index costs time and changes no answer.
        """
        entries = [entry for entry in self.offsets.entries() if entry[0] <= offset and entry[1] < self.size]
        for ends, position in entries[: -1 - _LOOK_BACK : -1]:
            chunk = take(self.file, min(_PEEK.size, self.size - position), position, wait)
            if _is_meant(chunk, ends, offset):
                return position
        return 0

    def batch_length(self, position: int, wait: bool = True) -> int:
        data = take(self.file, _PREFIX, position, wait)
        if len(data) < _PREFIX:
            raise CorruptSegment(self.path, position, "half a batch")
        return _PREFIX + int(_LENGTH.unpack(data)[0])

    def header(self, position: int) -> BatchHeader:
        """The header at ``position``; its own ``position`` is relative to what was read, so ignore it."""
        try:
            return header_at(self.file.pread(self.batch_length(position), position), 0)
        except WireError as error:
            raise CorruptSegment(self.path, position, str(error)) from error

    def walk(self, position: int = 0) -> Iterator[BatchHeader]:
        """Headers from ``position`` to the end, their ``position`` being that in the file."""
        for header, _, _ in self.batches(position):
            yield header

    def batches(
        self, position: int = 0, *, step: int = _FAR, wait: bool = True
    ) -> Iterator[tuple[BatchHeader, Buffer, int]]:
        """(header, buffer, position of the batch in the buffer). CorruptSegment at the first thing that is no whole
        batch. ``step``: bytes that are read at once.
        """
        file = self.file
        size = self.size
        chunk: Buffer = b""
        at = have = 0  # in the chunk, which begins at `position`
        unpack = _HEADER.unpack_from
        while position + at < size:
            if at + HEADER_SIZE <= have:
                base, length, *rest = unpack(chunk, at)
                length += _PREFIX
                if at + length <= have:
                    if length < HEADER_SIZE:
                        raise CorruptSegment(self.path, position + at, f"a batch of {length} bytes")
                    yield _new(BatchHeader, (position + at, base, length, *rest)), chunk, at
                    at += length
                    continue
            position += at
            at = 0
            chunk = take(file, min(step, size - position), position, wait)
            length = _PREFIX + _LENGTH.unpack_from(chunk)[0] if len(chunk) >= _PREFIX else 0
            if length < HEADER_SIZE or position + length > size:
                raise CorruptSegment(self.path, position, "half a batch" if length else "half a header")
            if length > len(chunk):
                chunk = take(file, length, position, wait)
            have = len(chunk)
            if length > have:
                raise CorruptSegment(self.path, position, "the file is shorter than it should be")
