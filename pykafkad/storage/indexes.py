"""Offset and time indexes: sparse files beside a segment that turn an offset or a timestamp into a file position.

Kafka's formats, entry for entry. New entries collect in memory and are written when there are enough of them, or
when the segment closes: an index that ends early is still a true index, and after a crash those past the recovery
point are built anew. An index of a closed segment is not in memory at all until somebody looks something up, and
then only as long as the pool has room for it.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from struct import Struct

from pykafkad.storage.cold import take
from pykafkad.storage.disk import Buffer, Disk
from pykafkad.storage.pool import Pool

OFFSET_ENTRY = Struct(">ii")
TIME_ENTRY = Struct(">qi")
TXN_ENTRY = Struct(">hqqqq")  # version 0, producer id, first and last offset, last stable offset
SAVE_AFTER = 512
"""Entries kept in memory before they are written: half a write per megabyte, 8 KB at most."""

UNKNOWN = -2  # a last timestamp that the file has and nobody looked up yet
_PAGE = 340  # time entries looked at together: as many as a page of memory holds
_POSITION_BITS = 32
_POSITION_MASK = 0xFFFFFFFF


class CorruptIndex(Exception):
    """The file can't be what an index of this segment looks like: it is built anew."""


class OffsetIndex:
    """(last offset of a batch, position of that batch). In memory one int64 per entry, which sorts as the file does."""

    __slots__ = ("_cache", "_saved", "_tail", "base", "disk", "found_offset", "path", "pool", "used")

    def __init__(self, disk: Disk, path: str, base: int, pool: Pool, saved: int = 0) -> None:
        self.found_offset = -1
        """Where the batch ends that ``floor`` has pointed at; who goes there looks whether it does."""
        self.disk = disk
        self.path = path
        self.base = base
        self.pool = pool
        self.used = False
        self._saved = saved
        self._tail = array("q")
        self._cache: array[int] | None = None

    def __len__(self) -> int:
        return self._saved + len(self._tail)

    def add(self, offset: int, position: int) -> None:
        self._tail.append((offset - self.base) << _POSITION_BITS | position)
        if len(self._tail) >= SAVE_AFTER:
            self.save()

    def floor(self, offset: int, wait: bool = True) -> int:
        """The position to scan from for ``offset``: that of the last indexed batch ending at or before it, else 0."""
        wanted = (offset - self.base) << _POSITION_BITS | _POSITION_MASK
        entries = self._tail
        if not entries or entries[0] > wanted:
            if not self._saved:
                return 0
            entries = self._load(wait)
        index = bisect_right(entries, wanted)
        if not index:
            return 0
        entry = entries[index - 1]
        self.found_offset = self.base + (entry >> _POSITION_BITS)
        return entry & _POSITION_MASK

    def ceiling(self, position: int, wait: bool = True) -> int | None:
        """The offset of the first indexed batch that begins at ``position`` or behind. The first entry of all counts
        only if it lies behind: Kafka's search passes over one that fits exactly there.
        """
        entries = self._tail
        if self._saved and not (entries and entries[0] & _POSITION_MASK < position):
            entries = self._load(wait) + entries
        index = bisect_left(entries, position, key=_position)
        index += index == 0 and len(entries) > 0 and _position(entries[0]) == position
        return self.base + (entries[index] >> _POSITION_BITS) if index < len(entries) else None

    def last(self) -> tuple[int, int] | None:
        if self._tail:
            entry = self._tail[-1]
        elif self._saved:
            file = self.disk.open(self.path)
            data = file.pread(OFFSET_ENTRY.size, (self._saved - 1) * OFFSET_ENTRY.size)
            if len(data) < OFFSET_ENTRY.size:
                raise CorruptIndex(self.path)
            relative, position = OFFSET_ENTRY.unpack(data)
            return self.base + relative, position
        else:
            return None
        return self.base + (entry >> _POSITION_BITS), entry & _POSITION_MASK

    def entries(self) -> list[tuple[int, int]]:
        both = (self._load() if self._saved else array("q")) + self._tail
        return [(self.base + (e >> _POSITION_BITS), e & _POSITION_MASK) for e in both]

    def truncate(self, offset: int) -> None:
        """Forget all entries for ``offset`` and later."""
        wanted = (offset - self.base) << _POSITION_BITS
        keep = bisect_left(self._tail, wanted)
        del self._tail[keep:]
        if keep == 0 and self._saved:
            saved = bisect_left(self._load(), wanted)
            if saved < self._saved:
                self._resize(saved)

    def reset(self) -> None:
        del self._tail[:]
        self._resize(0)

    def save(self) -> None:
        """Write what is only in memory. Not durable before ``disk.fsync``."""
        tail = self._tail
        if not tail:
            return
        data = tail[:]
        if sys.byteorder == "little":
            data.byteswap()
        file = self.disk.open(self.path, create=True)
        file.size = self._saved * OFFSET_ENTRY.size
        file.append(data.tobytes())
        self._saved += len(tail)
        cache = self._cache  # another thread may have it let go
        if cache is not None:
            cache.extend(tail)
            self.pool.admit(self, len(cache) * OFFSET_ENTRY.size)
        self._tail = array("q")

    def let_go(self) -> None:
        self._cache = None

    def settle(self, disk: Disk, path: str, pool: Pool) -> None:
        """The file has been copied there."""
        self.disk, self.path, self.pool = disk, path, pool
        self._cache = None

    def _load(self, wait: bool = True) -> array[int]:
        self.used = True
        cache = self._cache
        if cache is None:
            file = self.disk.open(self.path)
            data = take(file, self._saved * OFFSET_ENTRY.size, 0, wait)
            cache = array("q")
            cache.frombytes(memoryview(data)[: len(data) - len(data) % OFFSET_ENTRY.size])
            if sys.byteorder == "little":
                cache.byteswap()
            self._cache = cache
            self.pool.admit(self, max(1, len(data)))
        return cache

    def _resize(self, saved: int) -> None:
        self._saved = saved
        self._cache = None
        self.pool.dismiss(self)
        if self.disk.exists(self.path):
            self.disk.open(self.path).truncate(saved * OFFSET_ENTRY.size)


def _position(entry: int) -> int:
    return entry & _POSITION_MASK


def _time_entry(data: Buffer, index: int) -> tuple[int, int]:
    timestamp, relative = TIME_ENTRY.unpack_from(data, index * TIME_ENTRY.size)
    return timestamp, relative


class TimeIndex:
    """(greatest timestamp so far, last offset of the batch that brought it). Read rarely, so kept as the file's
    bytes.
    """

    __slots__ = ("_last", "_saved", "_tail", "base", "disk", "last_timestamp", "path")

    def __init__(self, disk: Disk, path: str, base: int, saved: int = 0) -> None:
        self.disk = disk
        self.path = path
        self.base = base
        self._saved = saved
        self._tail = bytearray()
        self._last: tuple[int, int] | None = None  # of what is saved, once somebody asked
        self.last_timestamp = UNKNOWN if saved else -1

    def __len__(self) -> int:
        return self._saved + len(self._tail) // TIME_ENTRY.size

    def add(self, timestamp: int, offset: int) -> None:
        """Remember a new greatest timestamp; one that is no news is left out, as Kafka does."""
        if self.last_timestamp == UNKNOWN:
            last = self.last()
            self.last_timestamp = last[0] if last else -1
        if timestamp > self.last_timestamp:
            self._tail += TIME_ENTRY.pack(timestamp, offset - self.base)
            self.last_timestamp = timestamp
            if len(self._tail) >= SAVE_AFTER * TIME_ENTRY.size:
                self.save()

    def reaches(self, timestamp: int, wait: bool = True) -> int | None:
        """The last offset of the batch by whose end the greatest timestamp had reached the one asked, as far as entries
        tell; None: it had not at the last of them. The first such batch is that one, or one behind the entry before.
        """
        pages: dict[int, Buffer] = {}
        file = self.disk.open(self.path) if self._saved else None

        def entry(index: int) -> tuple[int, int]:
            if file is None or index >= self._saved:
                return _time_entry(self._tail, index - self._saved)
            page = index - index % _PAGE
            data = pages.get(page)
            if data is None:
                length = min(_PAGE, self._saved - page) * TIME_ENTRY.size
                data = pages[page] = take(file, length, page * TIME_ENTRY.size, wait)
                if len(data) < length:
                    raise CorruptIndex(self.path)
            return _time_entry(data, index - page)

        index = bisect_left(range(len(self)), timestamp, key=lambda i: entry(i)[0])
        return self.base + entry(index)[1] if index < len(self) else None

    def last(self) -> tuple[int, int] | None:
        """(greatest timestamp, last offset of its batch) of the last entry."""
        if self._tail:
            timestamp, relative = TIME_ENTRY.unpack_from(self._tail, len(self._tail) - TIME_ENTRY.size)
        elif self._saved:
            if self._last is None:
                data = self.disk.open(self.path).pread(TIME_ENTRY.size, (self._saved - 1) * TIME_ENTRY.size)
                if len(data) < TIME_ENTRY.size:
                    raise CorruptIndex(self.path)
                self._last = TIME_ENTRY.unpack(data)
            timestamp, relative = self._last
        else:
            return None
        return timestamp, self.base + relative

    def entries(self) -> list[tuple[int, int]]:
        return [(timestamp, self.base + relative) for timestamp, relative in TIME_ENTRY.iter_unpack(self._bytes())]

    def truncate(self, offset: int) -> None:
        data = self._bytes()
        count = len(data) // TIME_ENTRY.size
        keep = bisect_left(range(count), offset - self.base, key=lambda i: _time_entry(data, i)[1])
        if keep == count:
            return
        if keep >= self._saved:
            del self._tail[(keep - self._saved) * TIME_ENTRY.size :]
        else:
            self._tail.clear()
            self._resize(keep)
        last = self.last()
        self.last_timestamp = last[0] if last else -1

    def reset(self) -> None:
        self._tail.clear()
        self._resize(0)
        self.last_timestamp = -1

    def save(self) -> None:
        if self._tail:
            file = self.disk.open(self.path, create=True)
            file.size = self._saved * TIME_ENTRY.size
            file.append(bytes(self._tail))
            self._saved += len(self._tail) // TIME_ENTRY.size
            self._last = None
            self._tail.clear()

    def settle(self, disk: Disk, path: str) -> None:
        """The file has been copied there."""
        self.disk, self.path = disk, path

    def _bytes(self) -> bytes:
        if not self._saved:
            return bytes(self._tail)
        return self.disk.open(self.path).pread(self._saved * TIME_ENTRY.size, 0) + self._tail

    def _resize(self, saved: int) -> None:
        self._saved = saved
        self._last = None
        if self.disk.exists(self.path):
            self.disk.open(self.path).truncate(saved * TIME_ENTRY.size)
