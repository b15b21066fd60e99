"""The aborted-transaction index, ``.txnindex``: which transactions a reader of committed records must leave out.

Kafka's format: one 34-byte entry for each aborted transaction, in the segment that holds its marker, in the order of
the markers. A segment without aborted transactions has no such file. Entries are written when they come and kept at
hand only while the pool has room. The entry goes before its marker, so that no reader ever meets the one without the
other; a crash between leaves at most an entry for a marker that isn't there, and recovery writes the index of every
segment it re-reads anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pykafkad.model import Aborted
from pykafkad.storage import names
from pykafkad.storage.cold import take
from pykafkad.storage.disk import Buffer
from pykafkad.storage.indexes import TXN_ENTRY, CorruptIndex

if TYPE_CHECKING:
    from pykafkad.storage.log import PartitionLog
    from pykafkad.storage.segment import Segment

VERSION = 0


def encode(entries: Iterable[Aborted]) -> bytes:
    return b"".join(TXN_ENTRY.pack(VERSION, *entry) for entry in entries)


def decode(data: Buffer, path: str) -> list[Aborted]:
    """The entries of a file; CorruptIndex when it isn't one."""
    if len(data) % TXN_ENTRY.size:
        raise CorruptIndex(path)
    entries = []
    before = -1
    for version, *fields in TXN_ENTRY.iter_unpack(data):
        entry = Aborted(*fields)
        if version != VERSION or not before < entry.last_offset or not is_possible(entry):
            raise CorruptIndex(path)
        entries.append(entry)
        before = entry.last_offset
    return entries


def is_possible(entry: Aborted) -> bool:
    """Whether an entry can be true of any log."""
    first, last = entry.first_offset, entry.last_offset
    return entry.producer_id >= 0 and 0 <= first <= last and 0 <= entry.last_stable_offset <= last + 1


class TransactionIndex:
    """The index of one segment that has aborted transactions. ``size``: the bytes of the file that count."""

    __slots__ = ("_entries", "segment", "size", "used")

    def __init__(self, segment: Segment, size: int) -> None:
        """Of ``size`` only whole entries count: no marker follows a torn one."""
        self.segment = segment  # which may move, and its index with it
        self.size = size - size % TXN_ENTRY.size
        self.used = False
        self._entries: list[Aborted] | None = None

    @property
    def path(self) -> str:
        return self.segment.place.path(self.segment.base_offset, names.TXN_INDEX)

    def entries(self, wait: bool = True) -> list[Aborted]:
        """In the order of their markers. For looking at, not for changing."""
        self.used = True
        found = self._entries
        if found is None:
            found = decode(
                take(self.segment.place.disk.open(self.path), self.size, 0, wait) if self.size else b"", self.path
            )
            self._keep(found)
        return found

    def check(self) -> None:
        """CorruptIndex when the file can't belong to this segment."""
        entries = self.entries()
        if entries and entries[0].last_offset < self.segment.base_offset:
            raise CorruptIndex(self.path)

    def append(self, entry: Aborted) -> None:
        """Not durable before ``disk.fsync``. OSError leaves the index as it was, save for bytes behind ``size``."""
        entries = self.entries()
        file = self.segment.place.disk.open(self.path, create=True)
        file.size = self.size
        file.append(TXN_ENTRY.pack(VERSION, *entry))
        self.size = file.size
        entries.append(entry)
        self._keep(entries)

    def truncate(self, offset: int) -> None:
        """Forget the transactions whose markers lie at ``offset`` or behind."""
        entries = self.entries()
        keep = bisect_left(entries, offset, key=_last)
        self.size = keep * TXN_ENTRY.size
        self._keep(entries[:keep])
        self._cut()

    def reset(self) -> None:
        self.size = 0
        self._keep([])
        self._cut()

    def collect(self, start: int, end: int, wait: bool) -> tuple[list[Aborted], bool]:
        """Transactions that overlap the offsets from ``start`` to before ``end``, and whether no later segment can have
        more of them: once the last stable offset had reached ``end``, all that began before it were over.
        """
        found = []
        entries = self.entries(wait)
        for number in range(bisect_left(entries, start, key=_last), len(entries)):
            entry = entries[number]
            if entry.first_offset < end:
                found.append(entry)
            if entry.last_stable_offset >= end:
                return found, True
        return found, False

    def let_go(self) -> None:
        self._entries = None

    def close(self) -> None:
        self._entries = None
        self.segment.place.indexes.dismiss(self)

    def _keep(self, entries: list[Aborted]) -> None:
        self._entries = entries
        self.segment.place.indexes.admit(self, max(1, self.size))

    def _cut(self) -> None:
        if self.segment.place.disk.exists(self.path):
            self.segment.place.disk.open(self.path).truncate(self.size)


def _last(entry: Aborted) -> int:
    return entry.last_offset


def overlapping(indexes: Iterable[TransactionIndex | None], start: int, end: int, wait: bool) -> list[Aborted]:
    """Over the segments from the one that holds ``start`` on, oldest first."""
    found: list[Aborted] = []
    for index in indexes:
        if index is not None:
            more, complete = index.collect(start, end, wait)
            found += more
            if complete:
                break
    return found


def adopt(log: PartitionLog, segment: Segment) -> None:
    """A closed segment's index was damaged, and has been written anew."""
    if segment.transactions is not None:
        segment.transactions.close()
    segment.find_transactions()
    log._aborts = True
