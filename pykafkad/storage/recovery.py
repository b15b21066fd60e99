"""What to trust when a log is opened.

After a clean shutdown: everything, save what is plainly missing. After a crash: segments that end at or before the
recovery point were synced and keep their word; of all others each batch is read again and its CRC checked, the
first that fails ends the log, and indexes are built anew. Leader epochs and producers are then brought to the same
end.

Between two segments offsets may be missing. Where nothing was ever taken out that is a loss: the power went while both
were unsynced, and the older one lost its last batches without a trace. What lies behind is dropped then, so that a log
is a beginning of what was written and a replica fetches the rest again. But compaction leaves the same: Apache Kafka's
takes whole batches from the end of a segment. So nothing is dropped where compaction may have been: by the topic's
policy, by the cleaner's checkpoint, in a directory that Kafka wrote, or by the look of the batches.

What the folder may hold besides: files that were being deleted or cleaned (``.deleted``, ``.cleaned``: removed), a
finished compaction that was not swapped in completely (``.swap``: completed), and snapshots of producers that
nobody needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafkawire.batches import CONTROL, CRC_FROM, DELETE_HORIZON, MAGIC, BatchHeader
from kafkawire.checksum import crc32c
from pykafkad.model import Aborted, ProducerEntry
from pykafkad.state.epochs import Epochs
from pykafkad.storage import names
from pykafkad.storage.checkpoints import CorruptCheckpoint, decode_epochs
from pykafkad.storage.disk import Buffer
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.segment import RELATIVE_MAX, CorruptSegment, Place, Segment
from pykafkad.storage.snapshots import CorruptSnapshot, decode
from pykafkad.storage.swap import finish_swaps

Progress = Callable[[int], object]
"""Told how many segments are still to be read again."""


def _nobody(left: int) -> None:
    pass


class ProducerState(Protocol):
    """What a log asks of ``state.sequences.Producers``: to be saved, restored and brought up to date."""

    def snapshot(self) -> Sequence[tuple[int, ...]]: ...

    def restore(self, entries: Any, /) -> None: ...

    def replay(self, header: BatchHeader, control: Buffer | None, /) -> Aborted | None: ...


class NoProducers:
    """Stands in where nobody asks about producers: tools."""

    def snapshot(self) -> list[ProducerEntry]:
        return []

    def restore(self, entries: Any, /) -> None:
        pass

    def replay(self, header: BatchHeader, control: Buffer | None, /) -> Aborted | None:
        return None


@dataclass(slots=True)
class Loaded:
    """A log as it was found."""

    segments: list[Segment]
    start_offset: int
    end_offset: int
    recovery_point: int
    epochs: Epochs
    epochs_changed: bool = False
    settled: bool = False
    """Whether everything in it is synced, with indexes and producers' snapshot."""
    names_unsynced: bool = False
    """Whether files may have been created that a power cut could still take away."""
    notes: list[str] = field(default_factory=list)
    """What was not as a clean shutdown leaves it, one line each, for the log."""


def load(
    place: Place,
    *,
    start_offset: int,
    recovery_point: int,
    clean: bool,
    contiguous: bool,
    interval: int,
    index_limit: int,
    producers: ProducerState,
    now: int,
    progress: Progress = _nobody,
) -> Loaded:
    """``contiguous``: as far as is known nothing was ever taken out of the middle, as compaction does."""
    loader = _Loader(place, contiguous, interval, index_limit, now)
    loader.progress = progress
    return loader.load(start_offset, recovery_point, clean, producers)


class _Loader:
    def __init__(self, place: Place, contiguous: bool, interval: int, index_limit: int, now: int) -> None:
        self.place = place
        self.contiguous = contiguous
        self.disk = place.disk
        self.interval = interval
        self.index_limit = index_limit
        self.now = now
        self.notes: list[str] = []
        self.mended: list[Segment] = []
        """Segments that were changed although a checkpoint may vouch for them, or whose end was cut off."""
        self.removed = False
        self.progress: Progress = _nobody
        self.unindexed: list[Segment] = []
        """Segments that were read again and have markers in them: what these aborted is still to be indexed."""

    def load(self, start_offset: int, recovery_point: int, clean: bool, producers: ProducerState) -> Loaded:
        found = self.tidy(self.disk.files(self.place.directory))
        segments = [self.segment(base, names_of) for base, names_of in self.logs(found)]
        for segment in segments:
            if names.file_name(segment.base_offset, names.TXN_INDEX) in found:
                segment.find_transactions()
        if segments:
            segments[-1].bare = not any(name in found for name in self.indexes(segments[-1]))
        epochs, trusted = self.read_epochs(found, segments)
        before = epochs.entries
        first_untrusted = 0
        if clean:
            first_untrusted = len(segments)
        else:
            while first_untrusted + 1 < len(segments) and segments[first_untrusted + 1].base_offset <= recovery_point:
                first_untrusted += 1
        settled = clean
        if not clean and first_untrusted == len(segments) - 1 and self.settled(segments[-1], recovery_point, found):
            settled = True
            first_untrusted += 1
        end = self.check(segments, first_untrusted, found, epochs, thorough=not clean)
        start = max(start_offset, segments[0].base_offset if segments else 0)
        if start > end or not segments:
            if end > 0 or start > 0:
                self.notes.append(f"starts anew at {start}: nothing at or behind it was found")
            self.remove(segments)
            segments = [self.segment(start, None)]
            epochs.clear()
            end = start
        self.complete(epochs if trusted else Epochs(), epochs, segments, start, end)
        epochs.truncate_from_end(end)
        epochs.truncate_from_start(start)
        load_producers(self.place, segments, start, end, producers, self.notes, found, self.unindexed)
        self.sync(segments)
        return Loaded(
            segments,
            start,
            end,
            end if clean else min(recovery_point, end),
            epochs,
            epochs.entries != before or not trusted,
            settled and not self.notes,
            not settled,
            self.notes,
        )

    # -- files -----------------------------------------------------------------------------------------------------

    def tidy(self, left: dict[str, int]) -> dict[str, int]:
        """Finish or undo what a crash interrupted; returns names and sizes of what is left."""
        for name in [name for name in left if name.endswith((names.DELETED, ".tmp"))]:
            self.disk.remove(f"{self.place.directory}/{name}")
            self.removed = True
            del left[name]
        if any(name.endswith((names.CLEANED, names.SWAP)) for name in left):
            self.notes += finish_swaps(self.place, set(left))
            left = self.disk.files(self.place.directory)
        for name in list(left):
            if name.endswith((names.INDEX, names.TIME_INDEX, names.TXN_INDEX)):
                stem = name[: name.rindex(".")]
                if stem.isdigit() and stem + names.LOG not in left:
                    self.disk.remove(f"{self.place.directory}/{name}")
                    del left[name]
        return left

    def logs(self, found: Mapping[str, int]) -> list[tuple[int, int]]:
        logs = []
        for name, size in found.items():
            base = names.offset_of(name, names.LOG)
            if base is not None:
                logs.append((base, size))
        return sorted(logs)

    def segment(self, base: int, size: int | None) -> Segment:
        return Segment(self.place, base, size=size or 0, new=size is None, now=self.now, index_limit=self.index_limit)

    def indexes(self, segment: Segment) -> list[str]:
        return [names.file_name(segment.base_offset, suffix) for suffix in (names.INDEX, names.TIME_INDEX)]

    def remove(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            segment.close()
            for suffix in names.SEGMENT_SUFFIXES:
                self.disk.remove(self.place.path(segment.base_offset, suffix))

    # -- segments --------------------------------------------------------------------------------------------------

    def check(
        self, segments: list[Segment], first_untrusted: int, found: Mapping[str, int], epochs: Epochs, *, thorough: bool
    ) -> int:
        """Recover what must be; cuts ``segments`` behind the first that was torn. Returns the end of the log."""
        end = 0
        for number, segment in enumerate(segments):
            last = number == len(segments) - 1
            if number >= first_untrusted:
                self.progress(len(segments) - number)
            if number == first_untrusted:
                epochs.truncate_from_end(segment.base_offset)
            elif number > first_untrusted and self.contiguous and segment.base_offset > end:
                self.contiguous = not any(map(self.looks_compacted, segments[number:]))
                if self.contiguous:
                    self.notes.append(f"offsets {end} to {segment.base_offset} are missing")
                    self.drop(segments, number)
                    break
            if number < first_untrusted and not self.doubtful(segment, found, last=last, thorough=thorough):
                if not last:
                    segment.durable = True
                    continue
                try:
                    return segment.find_end()
                except (CorruptSegment, CorruptIndex) as error:
                    self.notes.append(f"recovering: {error}")
            end, torn = self.recover(segment, epochs)
            if torn or number < first_untrusted:
                self.mended.append(segment)
            if torn:
                self.drop(segments, number + 1)
                break
        return end

    def settled(self, segment: Segment, recovery_point: int, found: Mapping[str, int]) -> bool:
        """Whether a crash found the active segment as the recovery point left it: synced up to there with its indexes,
        and nothing written since. Then it keeps its word as a closed one does. Transactions are taken for too dear.
        """
        base = segment.base_offset
        if recovery_point <= base or names.file_name(base, names.TXN_INDEX) in found:
            return False
        if any(name not in found for name in self.indexes(segment)):
            return False
        try:
            segment.check_indexes(found)
            last, newest = segment.offsets.last(), segment.times.last()
            known = max(last[0] if last else base, newest[1] if newest else base)
            return known < recovery_point and segment.find_end() == recovery_point
        except (CorruptSegment, CorruptIndex):
            return False

    def sync(self, segments: Sequence[Segment]) -> None:
        """What was cut off or dropped is gone for good before anything is written in its place; and what was mended
        stays so, because the next start may believe it unread.
        """
        if not self.notes and not self.removed:
            return
        disk = self.place.disk
        for segment in self.mended:
            if segment in segments:
                for suffix in names.SEGMENT_SUFFIXES:
                    path = self.place.path(segment.base_offset, suffix)
                    if disk.exists(path):
                        disk.fsync(path)
        disk.sync_directory(self.place.directory)

    def drop(self, segments: list[Segment], number: int) -> None:
        """What lies behind the end of the log, from segment ``number`` on."""
        if number < len(segments):
            self.notes.append(f"dropped {len(segments) - number} segments behind offset {segments[number].base_offset}")
        self.remove(segments[number:])
        self.unindexed = [segment for segment in self.unindexed if segment in segments[:number]]
        del segments[number:]

    def doubtful(self, segment: Segment, found: Mapping[str, int], *, last: bool, thorough: bool) -> bool:
        """Whether a segment that should be whole must be read again because its indexes are not what they should be."""
        if not segment.size or (segment.stays_bare and not thorough):
            return False
        for suffix in (names.INDEX, names.TIME_INDEX):
            if names.file_name(segment.base_offset, suffix) not in found:
                self.notes.append(f"segment {segment.base_offset} has no {suffix} file: building it")
                return True
        if thorough or last:
            try:
                segment.check_indexes(found)
            except CorruptIndex as error:
                self.notes.append(f"rebuilding index {error}")
                return True
        return False

    def recover(self, segment: Segment, epochs: Epochs) -> tuple[int, bool]:
        """Read every batch, believe the CRC and nothing else. Returns (end offset, whether something was cut off)."""
        segment.forget_indexes()
        end = segment.base_offset
        position = 0
        markers = False
        reason = ""
        whole: Buffer = b""
        view = memoryview(whole)
        try:
            for header, chunk, at in segment.batches():
                if chunk is not whole:
                    whole, view = chunk, memoryview(chunk)
                if header.magic != MAGIC or crc32c(view[at + CRC_FROM : at + header.length]) != header.crc:
                    reason = f"magic {header.magic}" if header.magic != MAGIC else "wrong CRC"
                elif header.base_offset < end or header.last_offset - segment.base_offset > RELATIVE_MAX:
                    reason = f"offset {header.base_offset} where {end} or more was due"
                if reason:
                    break
                if self.contiguous and (header.base_offset > end or is_thinned(header)):
                    self.contiguous = False
                if position == 0:
                    segment.first_timestamp = header.max_timestamp
                segment.index(header, position, self.interval)
                if header.leader_epoch > epochs.latest:
                    epochs.assign(header.leader_epoch, header.base_offset)
                markers |= header.is_control
                end = header.next_offset
                position += header.length
        except CorruptSegment as error:
            reason = error.reason
        if reason:
            self.notes.append(f"cut {segment.size - position} bytes at {segment.path}:{position}: {reason}")
            segment.cut(position)
        if markers:
            self.unindexed.append(segment)
        if position == 0:
            segment.first_timestamp = -1
        if not segment.stays_bare:
            segment.seal()
        return end, bool(reason)

    def looks_compacted(self, segment: Segment) -> bool:
        """Whether a segment that wasn't recovered yet has a batch that tells of compaction."""
        end = segment.base_offset
        try:
            for header, chunk, at in segment.batches():
                if header.magic != MAGIC:
                    break
                if header.base_offset > end or is_thinned(header):
                    return crc32c(memoryview(chunk)[at + CRC_FROM : at + header.length]) == header.crc
                end = header.next_offset
        except CorruptSegment:
            pass
        return False

    # -- epochs ----------------------------------------------------------------------------------------------------

    def read_epochs(self, found: Mapping[str, int], segments: list[Segment]) -> tuple[Epochs, bool]:
        """The checkpoint, and whether it can be trusted; an unreadable one is built anew from the batches."""
        written = any(segment.size for segment in segments)
        if names.LEADER_EPOCHS not in found:
            return Epochs(), not written
        try:
            entries = decode_epochs(self.disk.read(f"{self.place.directory}/{names.LEADER_EPOCHS}"))
            epochs = Epochs(entries)
            if epochs.entries != entries:
                raise CorruptCheckpoint(f"{entries} do not rise")
        except CorruptCheckpoint as error:
            self.notes.append(f"{names.LEADER_EPOCHS}: {error}; reading epochs from the log")
            return Epochs(), False
        return epochs, bool(epochs.entries) or not written

    def complete(self, known: Epochs, epochs: Epochs, segments: Sequence[Segment], start: int, end: int) -> None:
        """Read the epochs from the log where the checkpoint doesn't know them: all of them, or, when a crash undid a
        move of the log's start, those before the first that it knows.
        """
        entries = known.entries
        first = entries[0][1] if entries else end
        if first <= start:
            return
        epochs.clear()
        for segment in segments:
            if segment.base_offset < first and segment.size:
                for header in segment.walk():
                    if header.base_offset >= first:
                        break
                    epochs.assign(header.leader_epoch, header.base_offset)
        for entry in entries:
            epochs.assign(*entry)


def is_thinned(header: BatchHeader) -> bool:
    """Whether records were taken out of a batch, or are to be: a producer's has one for each of its offsets."""
    return header.count != header.last_offset_delta + 1 or bool(header.attributes & DELETE_HORIZON)


def load_producers(
    place: Place,
    segments: Sequence[Segment],
    start: int,
    end: int,
    producers: ProducerState,
    notes: list[str],
    found: Iterable[str] | None = None,
    unindexed: Sequence[Segment] = (),
) -> None:
    """The newest snapshot that can be believed and the batches since. Snapshots behind the end are lies now:
    removed.

    ``unindexed`` segments get the transactions that were aborted in them: so the snapshot must be from before these.
    """
    disk = place.disk
    offsets = []
    for name in place.disk.list(place.directory) if found is None else found:
        offset = names.offset_of(name, names.SNAPSHOT)
        if offset is not None:
            offsets.append(offset)
    offsets.sort()
    while offsets and offsets[-1] > end:
        disk.remove(place.path(offsets.pop(), names.SNAPSHOT))
    since = first = segments[0].base_offset  # not the log's start: what lies before it may still be there to be told
    skipped = []
    while offsets and unindexed and offsets[-1] > unindexed[0].base_offset:
        skipped.append(offsets.pop())
    while offsets:
        newest = offsets.pop()
        path = place.path(newest, names.SNAPSHOT)
        try:
            producers.restore([ProducerEntry(*entry) for entry in decode(disk.read(path))])
        except (CorruptSnapshot, FileNotFoundError) as error:
            notes.append(f"{path}: {error}; falling back")
            disk.remove(path)
            continue
        since = max(newest, first)
        break
    else:
        producers.restore([])
    bases = {segment.base_offset for segment in segments}
    for offset in offsets + skipped:  # the others serve only to truncate at the beginning of a segment
        if offset not in bases:
            disk.remove(place.path(offset, names.SNAPSHOT))
    if since >= end:
        return
    for number, segment in enumerate(segments):
        following = segments[number + 1].base_offset if number + 1 < len(segments) else end
        if following <= since:
            continue
        position = segment.position_of(since) if since > segment.base_offset else 0
        for header, chunk, at in segment.batches(position):
            if header.producer_id >= 0:
                control = chunk[at : at + header.length] if header.attributes & CONTROL else None
                aborted = producers.replay(header, control)
                if aborted is not None and segment in unindexed:
                    segment.abort(aborted)
