"""Moving a log into another log directory while it is written: a mirror of its folder, and the moment of the swap.

The mirror is a folder ``<topic>-<partition>.<unique>-future`` with the same files, byte for byte: closed segments
whole, with their indexes and snapshots, the active one as far as it has come. Whoever drives it calls ``copy`` in a
worker thread until nothing is missing, and then ``swap`` on the event loop, which brings over what has come in between
and has the same ``PartitionLog`` go on in its new place.

What a crash leaves is never in doubt, because one name ends before the other begins:

    t-0                  t-0.u-future     not yet swapped: the old one counts, the mirror is made anew or completed
    t-0.u-delete         t-0.u-future     swapped: the mirror counts; ``LogDirs`` gives it its name at the next start
    t-0.u-delete         t-0              swapped

The old folder's new name is made durable before the mirror's, and everything that was durable in the old folder is so
in the mirror before that. Every batch's CRC is checked on its way: damage stops the move, and the log stays.

A closed segment counts as copied, in this life and the next, when it has its name in the mirror. It gets that when it
is durable there and in the source: of what a power cut takes from the one nothing may be left in the other, where bytes
of the same length might come instead. And it counts no longer when the source's has another end, as after a truncation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from kafkawire.batches import CRC_FROM, HEADER_SIZE, BatchHeader, header_at
from kafkawire.checksum import crc32c
from kafkawire.errors import WireError
from pykafkad.errors import StorageFailed
from pykafkad.storage import names
from pykafkad.storage.checkpoints import encode_epochs, encode_partition_metadata
from pykafkad.storage.directory import LogDir
from pykafkad.storage.disk import Disk, File
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.pool import Pool
from pykafkad.storage.segment import CorruptSegment, Place, Segment

STEP_BYTES = 1024 * 1024
"""What is copied at once, and what may be missing at the swap."""
_COMPANIONS = (names.INDEX, names.TIME_INDEX, names.TXN_INDEX)


class Mirror:
    """One log on its way. ``copy`` belongs to worker threads, one at a time; everything else to the event loop."""

    def __init__(self, log: PartitionLog, source: LogDir, target: LogDir, unique: str) -> None:
        self.log = log
        self.source = source
        self.target = target
        self.size = 0
        """Bytes of records that have been copied."""
        self.end_offset = log.start_offset
        """Everything below it has been copied."""
        self._unique = unique
        self._path = f"{target.path}/{names.future_directory_name(log.topic, log.partition, unique)}"
        self._disk: Disk = target.disk
        self._whole: dict[int, Segment] = {}  # closed segments that are here, by base offset
        self._active: Segment | None = None  # the one that is being copied
        self._reading: File | None = None
        self._writing: File | None = None
        self._truncations = log.truncations
        self._made = False

    # -- copying, in a thread ------------------------------------------------------------------------------------------

    @property
    def missing(self) -> int:
        """Bytes that are in the log and not in the mirror."""
        return max(0, self.log.size - self.size)

    def copy(self) -> int:
        """Bring over the next piece; returns its size, 0 when nothing was missing. StorageFailed when it can't be."""
        try:
            self.source.health.check()
            self.target.health.check()
            if not self._made:
                self._make()
            return self._copy()
        except CorruptSegment as damage:
            raise StorageFailed(self.source.path, f"moving {self.log.topic}-{self.log.partition}: {damage}") from damage
        except OSError as error:
            reason = f"moving {self.log.topic}-{self.log.partition}: {error}"
            failed = self.target.health if str(error.filename or "").startswith(self.target.path) else None
            if failed is not None:
                raise failed.judge_write(reason, error) from error
            raise StorageFailed(self.target.path, reason) from error

    def _make(self) -> None:
        """Begin, or begin again: what an earlier life has brought over completely is kept. That may not be the newest
        file, which has its name before it is whole.
        """
        disk, path = self._disk, self._path
        disk.make_directory(path)
        present = set(disk.list(path))
        segments = {segment.base_offset: segment for segment in self.log.segments[:-1]}
        bases = sorted(base for name in present if (base := names.offset_of(name, names.LOG)) is not None)
        for base in bases[:-1] if self.target.topic_id(path) == self.log.topic_id else ():
            segment = segments.get(base)
            if segment is not None and self._is_mirrored(segment):
                self._whole[base] = segment
        self._forget_others(present, set(self._whole))
        disk.replace(f"{path}/{names.PARTITION_METADATA}", encode_partition_metadata(self.log.topic_id))
        disk.sync_directory(self.target.path)
        self._count()
        self._made = True

    def _is_mirrored(self, segment: Segment) -> bool:
        """Whether what an earlier life called complete is still what the source has: as long, and with the same last
        batch. After a truncation that batch has another epoch or CRC.
        """
        if self._disk.size(self._final(segment)) != segment.size:
            return False
        try:
            return self._last_batch(self.source, self.log.directory, segment) == self._last_batch(
                self.target, self._path, segment
            )
        except (CorruptSegment, CorruptIndex):
            return False

    @staticmethod
    def _last_batch(log_dir: LogDir, directory: str, segment: Segment) -> BatchHeader | None:
        """Found by a segment of our own: this is not the thread that the log's belong to."""
        place = Place(log_dir.disk, log_dir.path, directory, Pool(1), Pool(1))
        its = Segment(place, segment.base_offset, size=segment.size, new=False, now=0, index_limit=0)
        indexed = its.offsets.last()
        last = None
        for header in its.walk(indexed[1] if indexed is not None else 0):
            last = header
        its.close()
        return last

    def _copy(self) -> int:
        segments = self.log.segments
        if self._truncations != self.log.truncations:  # the end was rewritten: what is here of it may be other records
            self._truncations = self.log.truncations
            self._whole.clear()
            self._leave_active()
            self._forget_others(self._disk.list(self._path), set())
        self._drop_gone(segments)
        for segment, following in pairwise(segments):
            if self._whole.get(segment.base_offset) is not segment:
                copied = self._step(segment)
                if not copied:
                    self._complete(segment, following.base_offset)
                self._count()
                return copied or 1
        copied = self._step(segments[-1])
        self._count()
        return copied

    def _step(self, segment: Segment) -> int:
        """Copy whole batches of a segment, about as many as a step has room for."""
        if self._active is not segment:
            self._leave_active()
            self._disk.remove(self._final(segment))
            self._writing = self._disk.open(self._named(segment), create=True)
            self._writing.truncate(0)
            self._disk.sync_directory(self._path)
            self._active = segment
            self.end_offset = segment.base_offset
        assert self._writing is not None
        position, size = self._writing.size, segment.size
        if position >= size:
            return 0
        if self._reading is None:  # only now: a segment without records may have no file yet
            self._reading = self.source.disk.open(segment.path)
        piece = self._reading.pread(min(STEP_BYTES, size - position), position)
        if len(piece) >= 12 and (first := 12 + int.from_bytes(piece[8:12], "big")) > len(piece):
            piece = self._reading.pread(min(max(first, HEADER_SIZE), size - position), position)
        good, end = self._judge(segment, piece, position)
        if good:
            self._writing.append(memoryview(piece)[:good])
            self.end_offset = end
        return good

    def _judge(self, segment: Segment, piece: bytes, position: int) -> tuple[int, int]:
        """(length, end offset) of the whole batches at the beginning of a piece."""
        view, at, end = memoryview(piece), 0, self.end_offset
        try:
            while at + HEADER_SIZE <= len(piece):
                header = header_at(view, at)
                if at + header.length > len(piece):
                    break
                if crc32c(view[at + CRC_FROM : at + header.length]) != header.crc:
                    raise CorruptSegment(segment.path, position + at, f"batch {header.base_offset} fails its CRC")
                at, end = at + header.length, header.next_offset
        except WireError as error:
            raise CorruptSegment(segment.path, position + at, str(error)) from error
        if piece and not at:
            raise CorruptSegment(segment.path, position, "half a batch")
        return at, end

    def _complete(self, segment: Segment, following: int) -> None:
        """A closed segment is here: its companions too, all of it durable, and only then its name."""
        source = self.log.place
        if not self._is_durable(segment):
            return
        files = [names.file_name(segment.base_offset, suffix) for suffix in _COMPANIONS]
        self._copy_small([*files, names.file_name(following, names.SNAPSHOT)], source.directory, sync=True)
        assert self._writing is not None
        self._writing.fsync()
        self._leave_active()
        if self._disk.exists(self._final(segment) + ".tmp"):
            self._disk.rename(self._final(segment) + ".tmp", self._final(segment))
        self._disk.sync_directory(self._path)
        self._whole[segment.base_offset] = segment

    def _is_durable(self, segment: Segment) -> bool:
        """Whether no power cut takes anything of it from the source; it is synced if it wasn't. False when it is gone,
        or its end was cut.
        """
        if not segment.durable:
            place = self.log.place
            try:
                place.disk.fsync(segment.path)
                place.disk.sync_directory(place.directory)
                if not self.log.folder_durable:
                    place.disk.sync_directory(place.log_dir)
            except OSError as error:
                if segment in self.log.segments and self._truncations == self.log.truncations:
                    raise place.health.judge_sync(f"sync {segment.path}: {error}", error) from error
        return segment in self.log.segments and self._truncations == self.log.truncations

    def _copy_small(self, files: Iterable[str], directory: str, *, sync: bool) -> None:
        for name in files:
            path = f"{directory}/{name}"
            if self.source.disk.exists(path):
                self._disk.replace(f"{self._path}/{name}", self.source.disk.read(path), sync=sync)

    def _drop_gone(self, segments: Sequence[Segment]) -> None:
        """Retention has let go of segments, or compaction has replaced them."""
        here = {segment.base_offset: segment for segment in segments}
        gone = {base for base, segment in self._whole.items() if here.get(base) is not segment}
        for base in gone:
            del self._whole[base]
        left = self._active is not None and here.get(self._active.base_offset) is not self._active
        if left:
            self._leave_active()
        if gone or left:
            self._forget_others(self._disk.list(self._path), set(self._whole))

    def _forget_others(self, present: Iterable[str], bases: set[int]) -> None:
        """Only what belongs to these segments stays."""
        kept = {names.file_name(base, suffix) for base in bases for suffix in (names.LOG, *_COMPANIONS)}
        ends = {segment.base_offset for segment in self.log.segments}
        kept |= {names.file_name(end, names.SNAPSHOT) for end in ends}
        for name in present:
            if name not in kept and name != names.PARTITION_METADATA and not name.endswith(".tmp"):
                self._disk.remove(f"{self._path}/{name}")

    def _leave_active(self) -> None:
        self._active = self._reading = self._writing = None

    def _count(self) -> None:
        written = self._writing.size if self._writing is not None else 0
        self.size = sum(segment.size for segment in self._whole.values()) + written

    def _named(self, segment: Segment) -> str:
        """Where it is written: the newest under its own name, which a swap can't wait for, all others under one that
        says that they aren't whole.
        """
        newest = segment is self.log.segments[-1]
        return self._final(segment) if newest else self._final(segment) + ".tmp"

    def _final(self, segment: Segment) -> str:
        return f"{self._path}/{names.file_name(segment.base_offset, names.LOG)}"

    # -- the end, on the loop ------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether all that is missing is a little of the newest segment, and nobody has plans with the others, or is
        syncing them where they are.
        """
        if self.log.cleaning or self.log.settles:
            return False
        segments = self.log.segments
        closed = all(self._whole.get(segment.base_offset) is segment for segment in segments[:-1])
        return self._made and closed and self.missing <= STEP_BYTES and self._truncations == self.log.truncations

    def swap(self) -> str | None:
        """Bring the rest over and go on in the new place; returns the old folder, which may go when the log has been
        flushed. None if there is too much to bring; StorageFailed: nothing has changed, the log goes on where it was.
        """
        if not self.ready:
            return None
        log, disk = self.log, self._disk
        active = log.segments[-1]
        try:
            self._drop_gone(log.segments)
            while self._step(active):
                pass
            assert self._writing is not None
            durable = log.recovery_point > active.base_offset
            # As far as they are on disk, which may be full; what the log has in memory it writes over there.
            files = [names.file_name(active.base_offset, suffix) for suffix in (*_COMPANIONS, names.SNAPSHOT)]
            self._copy_small(files, log.directory, sync=durable)
            disk.replace(f"{self._path}/{names.LEADER_EPOCHS}", encode_epochs(log.epochs.entries), sync=durable)
            if durable:
                self._writing.fsync()
                disk.sync_directory(self._path)
            self._leave_active()
        except CorruptSegment as damage:
            raise StorageFailed(self.source.path, f"moving {log.topic}-{log.partition}: {damage}") from damage
        except OSError as error:
            raise self.target.health.judge_write(f"moving {log.topic}-{log.partition}: {error}", error) from error
        return self.source.hand_over(log, self.target, self._path, self._unique)

    def discard(self) -> None:
        """The move was called off: nothing of it stays."""
        self._leave_active()
        self._disk.remove_tree(self._path)
