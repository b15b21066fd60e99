"""One round over one log: learn the last offset of each dirty key, then write the log anew, group by group.

It reads segments that nobody writes to any more and writes files that nobody reads yet, so it needs no lock and runs
beside the broker, in ``worker`` or wherever else. Swapping the new files in is the log's own business
(``PartitionLog.replace_segments``). A round that stops half way leaves the log whole: groups that were swapped in are
clean, the others as they were, and since the checkpoint hasn't moved the next round finds the same keys again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kafkawire.batches import CONTROL, CRC_FROM, MAGIC, BatchHeader
from kafkawire.checksum import crc32c
from kafkawire.errors import WireError
from kafkawire.records import outlines, unpacked
from pykafkad.model import Aborted
from pykafkad.storage import names
from pykafkad.storage.cleaning.filtering import Filter, LastRecord
from pykafkad.storage.cleaning.grouping import Sizes, groups
from pykafkad.storage.cleaning.job import Cleaned, Finished, Job
from pykafkad.storage.cleaning.offset_map import OffsetMap
from pykafkad.storage.cleaning.transactions import Contradiction, Transactions
from pykafkad.storage.disk import Buffer, Disk
from pykafkad.storage.indexes import OFFSET_ENTRY, TIME_ENTRY, TXN_ENTRY
from pykafkad.storage.pool import Pool
from pykafkad.storage.segment import CorruptSegment, Place, Segment
from pykafkad.storage.transactions import decode, encode

_OPEN_FILES = 4
_INDEX_BYTES = 4 * 1024 * 1024
_SYNC_EVERY = 16 * 1024 * 1024
"""Written so much, a cleaner syncs: a gigabyte of dirty pages at once would make everybody else's syncs wait."""

_new = tuple.__new__

Spend = Callable[[int], None]
"""Called with the number of bytes that were read or written: may wait, and may raise to give the round up."""


class _CleanedPlace(Place):
    """Where the new segments are written: beside the old ones, under names that recovery removes."""

    __slots__ = ()

    def path(self, offset: int, suffix: str) -> str:
        return Place.path(self, offset, suffix) + names.CLEANED


def clean(disk: Disk, directory: str, job: Job, spend: Spend, now: Callable[[], float]) -> Iterator[Cleaned | Finished]:
    """Work through the job in ``directory``; each ``Cleaned`` is ready to be swapped in when it is told.

    CorruptSegment, CorruptIndex or ValueError when this log can't be cleaned; OSError when the disk refuses.
    """
    return _Round(disk, directory, job, spend, now).work()


class _Round:
    def __init__(self, disk: Disk, directory: str, job: Job, spend: Spend, now: Callable[[], float]) -> None:
        self.disk = disk
        self.job = job
        self.spend = spend
        self.now = now
        files, indexes = Pool(_OPEN_FILES), Pool(_INDEX_BYTES)
        self.place = Place(disk, directory, directory, files, indexes)
        self.cleaned_place = _CleanedPlace(disk, directory, directory, files, indexes)
        self.segments = [
            Segment(self.place, base, size=size, new=False, now=job.now, index_limit=job.index_bytes)
            for base, size in job.segments
        ]
        borders = [*(base for base, _ in job.segments), job.first_uncleanable]
        self.following = dict(zip(self.segments, borders[1:], strict=True))
        self.map_bytes = self.bytes_read = self.bytes_written = 0

    def work(self) -> Iterator[Cleaned | Finished]:
        job = self.job
        begun = self.now()
        self.remove_leftovers()
        aborted = self.read_aborted()
        offsets = OffsetMap(job.map_bytes, job.load_factor, job.first_uncleanable - job.first_dirty)
        self.fill(offsets, Transactions(entry for entry in aborted if entry.last_offset >= job.first_dirty))
        mapped = self.now()
        rules = Filter(
            offsets,
            transactions := Transactions(aborted),
            {producer_id: LastRecord(offset, epoch) for producer_id, offset, epoch in job.producers},
            now=job.now,
            delete_retention_ms=job.delete_retention_ms,
        )
        end = offsets.latest + 1
        by_base = {segment.base_offset: segment for segment in self.segments}
        sizes = [self.sizes(segment) for segment in self.segments if segment.base_offset < end]
        for group in groups(sizes, job.segment_bytes, job.index_bytes):
            yield self.rewrite([by_base[one.base_offset] for one in group], rules, transactions)
        done = self.now()
        yield Finished(
            end=max(end, job.first_dirty),
            seconds=done - begun,
            map_seconds=mapped - begun,
            map_bytes=self.map_bytes,
            bytes_read=self.bytes_read,
            bytes_written=self.bytes_written,
            records_read=rules.records_read,
            records_kept=rules.records_kept,
            invalid=rules.invalid,
            utilisation=offsets.utilisation,
        )

    def remove_leftovers(self) -> None:
        """Of a round that was given up, or whose process died. ``.cleaned`` files go last and durably so: they tell the
        next start that ``.swap`` files aren't meant. A ``.swap`` without an old segment beside it is no leftover.
        """
        disk, directory = self.disk, self.place.directory
        there = set(disk.list(directory))
        swaps = [name for name in there if name.endswith(names.SWAP)]
        off = [name for name in swaps if f"{name.partition('.')[0]}{names.LOG}" in there]
        for name in off:
            disk.remove(f"{directory}/{name}")
        if off:
            disk.sync_directory(directory)
        for name in there:
            if name.endswith(names.CLEANED):
                disk.remove(f"{directory}/{name}")

    def read_aborted(self) -> list[Aborted]:
        """Every aborted transaction that reaches into the range; the marker of one may lie behind it."""
        found = []
        for base in self.job.indexed:
            path = self.place.path(base, names.TXN_INDEX)
            if self.disk.exists(path):
                data = self.disk.read(path)  # the active segment's may have an entry that is being written
                found += decode(data[: len(data) - len(data) % TXN_ENTRY.size], path)
        return [entry for entry in found if entry.first_offset < self.job.first_uncleanable]

    # -- learning ----------------------------------------------------------------------------------------------------

    def fill(self, offsets: OffsetMap, transactions: Transactions) -> None:
        """Put in the keys of the dirty part, as far as there is room; ``offsets.latest`` tells how far that was."""
        start = self.job.first_dirty
        offsets.latest = start - 1
        for segment in self.segments:
            if self.following[segment] <= start:
                continue
            position = segment.offsets.floor(start) if start > segment.base_offset else 0
            for header, chunk, where in self.batches(segment, position):
                self.map_bytes += header.length
                try:
                    if not self.learn(header, chunk, offsets, transactions):
                        return
                except (WireError, Contradiction) as error:
                    raise CorruptSegment(segment.path, where, str(error)) from error
            offsets.latest = self.following[segment] - 1

    def learn(self, header: BatchHeader, chunk: Buffer, offsets: OffsetMap, transactions: Transactions) -> bool:
        """One batch; False when the map was full before its end."""
        first_dirty = self.job.first_dirty
        base, put = header.base_offset, offsets.put
        last = base + header.last_offset_delta
        if header.attributes & CONTROL:
            marker = next(outlines(unpacked(chunk, header), header.count), None)
            transactions.marker(header, marker[4] if marker is not None else None)
        elif not transactions.data(header) and last >= first_dirty:
            for _, _, _, delta, key, _ in outlines(unpacked(chunk, header), header.count):
                offset = base + delta
                if key is not None and offset >= first_dirty and not put(key, offset):
                    return False
        if last > offsets.latest:
            offsets.latest = last
        return True

    def batches(self, segment: Segment, position: int = 0) -> Iterator[tuple[BatchHeader, Buffer, int]]:
        """(header with its position in the chunk, chunk, position in the file); damage is told, not copied."""
        expected, until = segment.base_offset, self.following[segment]
        whole: Buffer = b""
        view = memoryview(whole)
        for header, chunk, at in segment.batches(position):
            if chunk is not whole:
                whole, view = chunk, memoryview(chunk)
                self.spend(len(chunk))
            where, base, length, _, magic, crc, _, delta = header[:8]
            if magic != MAGIC or crc32c(view[at + CRC_FROM : at + length]) != crc:
                raise CorruptSegment(segment.path, where, f"magic {magic}, or a wrong CRC")
            if base < expected or delta < 0 or base + delta >= until:
                raise CorruptSegment(segment.path, where, f"offset {base} is out of place")
            expected = base + delta + 1
            yield _new(BatchHeader, (at, *header[1:])), chunk, where

    # -- writing -----------------------------------------------------------------------------------------------------

    def sizes(self, segment: Segment) -> Sizes:
        return Sizes(
            segment.base_offset,
            self.following[segment],
            segment.size,
            len(segment.offsets) * OFFSET_ENTRY.size,
            len(segment.times) * TIME_ENTRY.size,
        )

    def rewrite(self, group: list[Segment], rules: Filter, transactions: Transactions) -> Cleaned:
        job = self.job
        new = Segment(
            self.cleaned_place, group[0].base_offset, size=0, new=True, now=job.now, index_limit=job.index_bytes
        )
        new.file.truncate(0)
        following = self.following[group[-1]]
        data: list[Buffer] = []
        headers: list[BatchHeader] = []
        gathered = unsynced = 0

        def write() -> None:
            nonlocal gathered, unsynced
            if not data:
                return
            new.append(data, headers, job.index_interval)
            self.bytes_written += gathered
            unsynced += gathered
            if unsynced >= _SYNC_EVERY:
                new.file.fsync()
                unsynced = 0
            self.spend(gathered)
            data.clear()
            headers.clear()
            gathered = 0

        for segment in group:
            for header, chunk, where in self.batches(segment):
                self.bytes_read += header.length
                try:
                    kept = rules.retain(chunk, header, following)
                except WireError as error:
                    raise CorruptSegment(segment.path, where, str(error)) from error
                if kept is not None:
                    data.append(kept[0])
                    headers.append(kept[1])
                    gathered += kept[1].length
                    if gathered >= job.buffer_bytes:
                        write()
            segment.close()
        write()
        new.seal()
        self.finish(new, transactions.take_kept(), modified_ms=self.disk.modified_ms(group[-1].path))
        return Cleaned([segment.base_offset for segment in group], new.size)

    def finish(self, new: Segment, aborted: list[Aborted], *, modified_ms: int) -> None:
        """Everything about the new segment durable, its names too, so that ``.swap`` always stands for a whole one."""
        disk, place = self.disk, self.cleaned_place
        suffixes = [names.INDEX, names.TIME_INDEX]
        if aborted:
            suffixes.append(names.TXN_INDEX)
            index = disk.open(place.path(new.base_offset, names.TXN_INDEX), create=True)
            index.append(encode(aborted))
        new.file.fsync()
        for suffix in suffixes:
            disk.fsync(place.path(new.base_offset, suffix))
        disk.set_modified_ms(new.path, modified_ms)
        disk.sync_directory(place.directory)
        new.close()
