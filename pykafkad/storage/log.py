"""PartitionLog: the batches of one partition, in segments. Appends, reads, rolls, cuts and forgets; hot in the
first two.

The owner calls it from one thread, the event loop. Only ``flush`` runs in a worker thread beside it: it looks at an
immutable picture of the segment list and moves ``recovery_point`` if no truncation came between.

A write that fails leaves the log as it was: what got to the file is cut off again, and is never served in any case,
because a segment's size counts only whole appends. A full disk therefore heals by itself.
"""

from __future__ import annotations

import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from kafkawire.batches import BatchHeader
from kafkawire.errors import WireError
from pykafkad.errors import StorageFailed
from pykafkad.model import Aborted
from pykafkad.state.epochs import Epochs
from pykafkad.storage import names, spans
from pykafkad.storage.checkpoints import encode_epochs, encode_partition_metadata
from pykafkad.storage.disk import Buffer, File, FileSlice
from pykafkad.storage.fresh_names import FreshNames
from pykafkad.storage.health import BROKEN
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.leaving import Leaving
from pykafkad.storage.recovery import Loaded, ProducerState, load_producers
from pykafkad.storage.retention import expired
from pykafkad.storage.segment import RELATIVE_MAX, CorruptSegment, Place, Segment, border
from pykafkad.storage.timestamps import Peaks, TimestampOffset, first_at_or_after, latest
from pykafkad.storage.transactions import overlapping

if TYPE_CHECKING:
    from pykafkad.config import TopicConfig
    from pykafkad.storage.settling import Settling
    from pykafkad.storage.swap import Swap
    from pykafkad.storage.verify import Damage

_FOREVER = 1 << 62
_NO_APPEND_YET = -2  # in place of the epoch of the last append: sends the first one through the slow path
MARKING = threading.Lock()  # held for two assignments only, so one for all logs


class PartitionLog:
    __slots__ = (
        "_aborts",
        "_active",
        "_config",
        "_epoch",
        "_fresh_names",
        "_index_interval",
        "_jitter_ms",
        "_leaving",
        "_peaks",
        "_recovered",
        "_segment_bytes",
        "_segment_ms",
        "_segments",
        "_settled",
        "_settling",
        "_truncations",
        "_unmade",
        "cleaned_offset",
        "cleaning",
        "closed",
        "damage",
        "end_offset",
        "epochs",
        "on_roll",
        "partition",
        "place",
        "producers",
        "recovery_point",
        "start_offset",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        place: Place,
        topic: str,
        partition: int,
        topic_id: bytes,
        topic_config: TopicConfig,
        producers: ProducerState,
        loaded: Loaded,
        *,
        unmade: bool,
    ) -> None:
        self.place = place
        self.topic = topic
        self.partition = partition
        self.topic_id = topic_id
        self.producers = producers
        self.epochs: Epochs = loaded.epochs
        self.start_offset = loaded.start_offset
        self.end_offset = loaded.end_offset
        self.recovery_point = loaded.recovery_point
        self.on_roll: Callable[[int], object] | None = None
        """Told where a segment was closed: everything before that offset may be synced now."""
        self._epoch = _NO_APPEND_YET
        self._segments = loaded.segments
        self._active = loaded.segments[-1]
        self._leaving = Leaving()
        self._truncations, self.closed = 0, False
        self.cleaned_offset: int | None = None
        """Compaction has been here: dirty is what lies at or behind it."""
        self.cleaning = False
        """A cleaner reads closed segments, so nobody may take any away."""
        self.damage: tuple[Damage, ...] = ()
        """Stretches that are known to be damaged, by offset: whoever reads should not get them."""
        self._aborts = any(segment.transactions for segment in loaded.segments)  # some transaction was aborted here
        self._unmade = unmade
        self._settled = loaded.end_offset if loaded.settled else -1
        """Everything below is synced, with its indexes and its producers' snapshot; -1: no such offset is known."""
        self._settling: Settling | None = None
        self._fresh_names = FreshNames(loaded.names_unsynced)
        self._recovered = loaded.names_unsynced  # and so its indexes were built anew and never synced
        self._jitter_ms = 0
        self._peaks: Peaks | None = None  # made when somebody first asks for a time
        if self.recovery_point >= self.end_offset:
            self._active.synced = self._active.size
        self.topic_config = topic_config

    @property
    def topic_config(self) -> TopicConfig:
        return self._config

    @topic_config.setter
    def topic_config(self, config: TopicConfig) -> None:
        self._config = config
        self._segment_bytes: int = config.internal_segment_bytes or config.segment_bytes
        self._segment_ms = config.segment_ms
        if "compact" in config.cleanup_policy:
            self._segment_ms = min(config.segment_ms, config.max_compaction_lag_ms)
        jitter = min(config.segment_jitter_ms, self._segment_ms)
        # Spread over partitions, but the same after a restart and in a simulation.
        self._jitter_ms = zlib.crc32(f"{self.topic}-{self.partition}".encode()) % jitter if jitter > 0 else 0
        self._index_interval = config.index_interval_bytes
        self._active.limit_indexes(config.segment_index_bytes)

    def __repr__(self) -> str:
        return f"PartitionLog({self.topic}-{self.partition}, {self.start_offset}..{self.end_offset})"

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def directory(self) -> str:
        return self.place.directory

    @property
    def log_dir(self) -> str:
        return self.place.log_dir

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self._segments)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Oldest first, the last one is active. For looking at, not for changing."""
        return tuple(self._segments)

    @property
    def flush_due(self) -> int | None:
        """An offset up to which closed segments wait to be synced; None when all are. A closed segment is always
        flushed, whatever flush.messages says, so that recovery after a crash reads the active one only.
        """
        base = self._active.base_offset
        return base if self.recovery_point < base else None

    @property
    def trusted_below(self) -> int:
        """The recovery point to write down. Strictly inside a segment that was only synced while active: its indexes
        were not, or aren't there, so if it ends or is closed at exactly that offset, a crash must still have it read
        again.
        """
        point = self.recovery_point
        if point == self._settled and not self._active.bare:
            return point
        for segment in reversed(self.segments):
            if segment.base_offset < point:
                return point if segment.durable and not segment.bare else point - 1
        return point

    # -- append ----------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many bytes more the active segment takes before size has it rolled."""
        return self._segment_bytes - self._active.size

    def newest_beside(self, timestamp: int) -> int:
        """The newest timestamp that may be written together with one of ``timestamp`` before time has it rolled."""
        return self._active.newest_beside(timestamp, self._segment_ms - self._jitter_ms)

    def append(self, data: Sequence[Buffer], batches: Sequence[BatchHeader], now: int) -> None:
        """Write stamped batches at the end, ``data`` being their bytes. One write; StorageFailed means that nothing of
        them is in the log.
        """
        segment = self._active
        last = batches[-1]
        try:
            if self._due(segment, len(data[0]) if len(data) == 1 else sum(map(len, data)), batches, now):
                segment = self._roll(border(self.end_offset, batches), now)
            elif self._unmade:
                self._make()
            if last.leader_epoch != self._epoch:
                self._assign_epochs(batches)
            segment.append(data, batches, self._index_interval)
        except OSError as error:
            self._cut_back(segment)
            raise self._failed("append", error) from error
        self.end_offset = last.base_offset + last.last_offset_delta + 1

    def append_marker(self, marker: Buffer, header: BatchHeader, aborted: Aborted | None, now: int) -> None:
        """A transaction's end; ``aborted``, what read_committed must leave out because of it, is indexed before."""
        try:
            if aborted is not None:
                if self._due(self._active, len(marker), (header,), now):
                    self._roll(border(self.end_offset, (header,)), now)
                self._active.abort(aborted)
                self._aborts = True
                self._fresh_names.add()
            self.append((marker,), (header,), now)
        except (OSError, StorageFailed, CorruptIndex) as error:
            self._active.forget_transactions(self.end_offset)
            raise error if isinstance(error, StorageFailed) else self._failed("append", error) from error

    def _due(self, segment: Segment, size: int, batches: Sequence[BatchHeader], now: int) -> bool:
        """Whether to roll before this append."""
        if not segment.size:
            return batches[-1].last_offset - segment.base_offset > RELATIVE_MAX
        if segment.size + size > self._segment_bytes or segment.indexes_full:
            return True
        first = segment.first_timestamp
        if first < 0:
            first = segment.earliest_timestamp()
        if len(batches) == 1:
            newest = batches[0].max_timestamp
        else:
            newest = max(batch.max_timestamp for batch in batches)
        waited = newest - first if first >= 0 else now - segment.created_ms
        return (
            waited > self._segment_ms - self._jitter_ms
            or batches[-1].base_offset + batches[-1].last_offset_delta - segment.base_offset > RELATIVE_MAX
        )

    def _assign_epochs(self, batches: Sequence[BatchHeader]) -> None:
        """Before the write: an epoch that nothing was written under is cut off again, the other way round it is
        lost. The first write makes the file, too, and no sync that has begun may be taken to cover its name.
        """
        _ = self._active.file
        self._fresh_names.add()
        changed = False
        for batch in batches:
            changed |= self.epochs.assign(batch.leader_epoch, batch.base_offset)
        if changed:
            self._write_epochs()
        self._epoch = batches[-1].leader_epoch

    def _cut_back(self, segment: Segment) -> None:
        """After a failed write: nothing half-written stays, as far as the disk still lets us."""
        with suppress(OSError):
            if self.epochs.truncate_from_end(self.end_offset):
                self._write_epochs()
        self._epoch = self.epochs.latest
        with suppress(OSError):  # else never served, overwritten by the next append, cut by recovery
            if segment.open_file is not None:
                segment.cut(segment.size)

    def begin(self) -> None:
        """Make the folder of a new log now, and not with its first record."""
        try:
            self._make()
        except OSError as error:
            raise self._failed("create", error) from error

    def _make(self) -> None:
        """The folder of a lazily created log, at its first append."""
        self.place.disk.make_directory(self.place.directory)
        metadata = self.place.disk.open(f"{self.place.directory}/{names.PARTITION_METADATA}", create=True)
        metadata.append(encode_partition_metadata(self.topic_id))  # opening the log mends it if a crash leaves it torn
        self._unmade = False
        self._fresh_names.add_folder()
        if self._config.preallocate:
            self._active.preallocate(self._segment_bytes)

    # -- read ------------------------------------------------------------------------------------------------------

    def read(
        self, offset: int, max_bytes: int, until: int, *, at_least_one: bool, wait: bool = True
    ) -> FileSlice | None:
        """A stretch of one segment from the batch that holds ``offset``, ending before the batch that holds ``until``.

        It may end inside a batch, at ``max_bytes``; but the first batch is whole or, without ``at_least_one``, there is
        nothing. None without touching the disk when there is nothing to read. With ``wait=False`` it raises ``Cold``
        where finding it would wait for the disk; whether the stretch itself is in memory is not looked at.
        """
        end = self.end_offset
        if offset >= until or offset >= end:
            return None
        segment = self._active
        try:
            if offset >= segment.base_offset:
                start = segment.position_of(offset, wait)
                length_known = segment.found_length
                if until >= end:
                    limit = segment.size
                    if limit - start <= max_bytes:  # the reader will come back for what follows
                        segment.mark_offset = end
                        segment.mark_position = limit
                else:
                    limit = segment.position_of(until, wait)
            else:
                segment, start, limit, length_known = spans.locate(self._segments, offset, until, end, wait)
            length = limit - start
            if length > max_bytes:
                first = length_known or segment.batch_length(start, wait)
                if first <= max_bytes:
                    length = max_bytes
                elif at_least_one:
                    length = first
                else:
                    return None
            if length <= 0:
                return None
            return FileSlice(segment.file, start, length)
        except (OSError, CorruptSegment, CorruptIndex) as error:
            raise self._unreadable(error) from error

    def aborted(self, start: int, end: int | FileSlice | None, *, wait: bool = True) -> list[Aborted]:
        """Aborted transactions with an offset from ``start`` to before ``end``, or in a piece just read from there."""
        if not self._aborts:
            return []
        segments = self._segments[spans.number_of(self._segments, start) :]
        try:
            until = end if isinstance(end, int) else spans.reach(segments, start, end, self.end_offset, wait)
            return overlapping((segment.transactions for segment in segments), start, until, wait)
        except (OSError, CorruptIndex) as error:
            raise self._unreadable(error) from error

    def offset_for_timestamp(self, timestamp: int, until: int, *, wait: bool = True) -> TimestampOffset | None:
        """The first record from ``start_offset`` to before ``until`` whose timestamp is at least the one given."""
        try:
            return first_at_or_after(self._row(), self._segments, timestamp, self.start_offset, until, wait)
        except (OSError, CorruptSegment, CorruptIndex, WireError) as error:
            raise self._unreadable(error) from error

    def max_timestamp(self, *, wait: bool = True) -> TimestampOffset | None:
        """The first record that has the greatest timestamp of the log."""
        try:
            return latest(self._row(), self._segments, wait)
        except (OSError, CorruptSegment, CorruptIndex, WireError) as error:
            raise self._unreadable(error) from error

    def _row(self) -> Peaks:
        self._peaks = self._peaks or Peaks()
        return self._peaks

    # -- roll, cut, forget -----------------------------------------------------------------------------------------

    def roll(self, now: int) -> None:
        """Begin a new segment at the end of the log, unless the active one is empty."""
        if self._active.size and not self.closed:
            try:
                self._roll(self.end_offset, now)
            except OSError as error:
                raise self._failed("roll", error) from error

    def _roll(self, base: int, now: int) -> Segment:
        old = self._active
        place = self.place
        if self._unmade:
            self._make()
        if old.size:
            old.save_beside(base, self.producers.snapshot())
        segment = Segment(place, base, size=0, new=True, now=now, index_limit=self._config.segment_index_bytes)
        segment.file.truncate(0)  # its name tells where the log ends, so it is there at once
        if self._config.preallocate:
            segment.preallocate(self._segment_bytes)
        if not old.size:  # nothing in it yet, but its offsets would not reach: it goes
            self._rename_deleted([old], now)
            self._segments = self._segments[:-1]
        self._segments = [*self._segments, segment]
        self._active = segment
        self._fresh_names.add()
        if old.size and self.on_roll is not None:
            self.on_roll(base)
        return segment

    def truncate_to(self, offset: int) -> None:
        """Drop the batch that holds ``offset`` and all behind it: ``end_offset`` is then at most ``offset``.

        Where ``offset`` lies inside a batch the log ends at that batch's first offset, so that the leader's whole batch
        can follow.
        """
        if offset >= self.end_offset:
            return
        if offset <= self._segments[0].base_offset:
            self.restart_at(offset, self._active.created_ms)
            return
        self.damage = ()  # what is cut off will be other records; the rest will be found again
        with MARKING:
            self._truncations += 1
            self.recovery_point = min(self.recovery_point, offset)
            self._settled = -1
        try:
            keep = bisect_right(self._segments, offset - 1, key=spans.BASE)
            self._rename_deleted(self._segments[: keep - 1 : -1], 0)  # newest first: what a crash leaves has no hole
            self._segments = self._segments[:keep]
            self._active = segment = self._segments[-1]
            segment.durable = False
            self._peaks = None  # a segment that was closed may go on
            self.end_offset = segment.truncate_to(offset)
            self._fresh_names.add()  # until the cut is synced, too, a crash may bring back what was cut off
            self._epoch = self._forget_epochs()
            self._reload_producers()
            self._sync_cut()
        except (OSError, CorruptSegment, CorruptIndex) as error:
            raise self._failed("truncate", error) from error
        self.recovery_point = min(self.recovery_point, self.end_offset)
        self.start_offset = min(self.start_offset, self.end_offset)
        if self.cleaned_offset is not None:
            self.cleaned_offset = min(self.cleaned_offset, self.end_offset)

    def restart_at(self, offset: int, now: int) -> None:
        """Drop everything; the log is empty and its next offset is ``offset``."""
        self.damage = ()  # what is cut off will be other records; the rest will be found again
        with MARKING:
            self._truncations += 1
            self.recovery_point = min(self.recovery_point, offset)
            self._settled = -1
        try:
            if self._unmade:
                self._make()
            self._rename_deleted(self._segments[::-1], 0)
            self.epochs.clear()
            self._write_epochs()
            self._epoch = -1
            for name in self.place.disk.list(self.place.directory):
                if name.endswith(names.SNAPSHOT):
                    self.place.disk.remove(f"{self.place.directory}/{name}")
            self.producers.restore([])
            self._sync_directory()
            segment = Segment(
                self.place, offset, size=0, new=True, now=now, index_limit=self._config.segment_index_bytes
            )
            self._segments, self._active = [segment], segment
            segment.file.truncate(0)
            self._fresh_names.add()
            self.start_offset = self.end_offset = self.recovery_point = offset
            self._sync_cut()
        except OSError as error:
            raise self._failed("restart", error) from error

    def advance_start(self, offset: int) -> None:
        """Records before ``offset`` are gone for everybody; whole segments of them go at the next ``retain``."""
        if self.start_offset < offset <= self.end_offset:
            self.start_offset = offset
            if self.epochs.truncate_from_start(offset):
                self.save_epochs()

    def retain(self, now: int, high_watermark: int) -> int:
        """Let go of what retention.ms, retention.bytes and the start offset allow; returns the number of segments."""
        config = self._config
        segments = self._segments
        if self.closed or (len(segments) == 1 and not segments[0].size):  # closed: its names may be another log's
            return 0
        try:
            count = expired(
                segments,
                end_offset=self.end_offset,
                start_offset=self.start_offset,
                high_watermark=high_watermark,
                retention_ms=config.retention_ms,
                retention_bytes=config.retention_bytes,
                deletes="delete" in config.cleanup_policy,
                now=now,
                modified_ms=lambda one: self.place.disk.modified_ms(self.place.path(one.base_offset, names.LOG)),
            )
            if not count:
                return 0
            if count == len(segments):
                self._roll(self.end_offset, now)
            doomed, self._segments = self._segments[:count], self._segments[count:]
            self._rename_deleted(doomed, now, with_snapshots=True)
        except (OSError, CorruptSegment, CorruptIndex) as error:
            raise self._failed("retention", error) from error
        self.start_offset = max(self.start_offset, self._segments[0].base_offset)
        if self.epochs.truncate_from_start(self.start_offset):
            self.save_epochs()
        return count

    def replace_segments(self, swap: Swap, now: int) -> bool:
        """Have what a cleaner made of closed segments in their place. False when they are no longer what it read. Open
        slices of the old ones stay readable.
        """
        try:
            after = None if self.closed else swap.take(self._segments)
        except OSError as error:
            raise self._failed("swap", error) from error
        if after is None:
            return False
        self._segments, removed = after
        self._leaving.add(removed, now + self._config.file_delete_delay_ms)
        self._fresh_names.add()
        return True

    def purge_deleted(self, now: int) -> int:
        """Remove what was renamed file.delete.delay.ms ago; returns the number of files. May run in a thread."""
        try:
            return self._leaving.purge(self.place, now)
        except OSError as error:
            raise self._failed("purge", error) from error

    @property
    def deleted_files(self) -> int:
        """Files that wait for ``purge_deleted``."""
        return len(self._leaving)

    def _rename_deleted(self, segments: Sequence[Segment], now: int, *, with_snapshots: bool = False) -> None:
        when = now + self._config.file_delete_delay_ms
        self._leaving.rename(self.place, segments, when, with_snapshots=with_snapshots)

    # -- durability ------------------------------------------------------------------------------------------------

    def flush(self, upto: int | None = None) -> None:
        """Make everything before ``upto`` (all by default) durable. May run in a worker thread beside appends."""
        truncations = self._truncations
        end = self.end_offset
        upto = end if upto is None else min(upto, end)
        fresh = self._fresh_names
        dirty = bool(fresh)
        if upto <= self.recovery_point and not dirty:
            return
        self.place.health.check()
        segments = tuple(self._segments)
        try:
            for number, segment in enumerate(segments):
                if segment.durable or (segment.base_offset >= upto and not dirty):
                    continue
                closed = number + 1 < len(segments)
                if closed or self.closed:
                    self._sync(segment, segments[number + 1].base_offset if closed else end)
                elif dirty or end > self.recovery_point:
                    self._sync(segment, None)
            if dirty and not self._unmade:
                changes = fresh.changes
                self._sync_directory()
                fresh.synced(changes)
        except OSError as error:
            if truncations != self._truncations and error.errno not in BROKEN:
                return  # the segment went away beneath us, and the truncation has set the recovery point
            raise self.place.health.judge_sync(self._reason("flush", error), error) from error
        self.place.health.check()  # another log's sync may have failed meanwhile
        with MARKING:
            if truncations == self._truncations and upto > self.recovery_point:
                self.recovery_point = upto

    def _sync(self, segment: Segment, following: int | None) -> None:
        """``following``: the segment is closed, so its indexes and the snapshot that belongs to the next one count
        too.
        """
        disk = self.place.disk
        file: File | None = segment.open_file
        size = segment.size
        try:
            if file is not None:
                file.fsync()
            else:
                disk.fsync(segment.path)
            segment.synced = size
            if following is not None:
                segment.sync_beside(following)
                segment.durable = True
        except FileNotFoundError:
            if segment in self._segments and segment.size:  # else retention took it, or it was never written
                raise

    def _sync_cut(self) -> None:
        """What was cut off is gone for good before anything comes in its place, or a power cut might mix the two."""
        self._active.file.fsync()
        self._sync_directory()

    def _sync_directory(self) -> None:
        disk = self.place.disk
        for name in (names.PARTITION_METADATA, names.LEADER_EPOCHS):
            path = f"{self.place.directory}/{name}"
            if disk.exists(path):
                disk.fsync(path)
        disk.sync_directory(self.place.directory)
        if self._fresh_names.folder:
            disk.sync_directory(self.place.log_dir)

    @property
    def dirty(self) -> bool:
        """Whether closing it has anything to write or sync."""
        used = self._recovered or self._epoch != _NO_APPEND_YET  # recovery built its indexes anew
        if self._settled != self.end_offset and (self.recovery_point < self.end_offset or used):
            return True
        return bool(self._fresh_names) or self._active.allocated

    @property
    def truncations(self) -> int:
        """Counts how often the end was cut: whoever copies the log has to begin again then."""
        return self._truncations

    @property
    def folder_durable(self) -> bool:
        """Whether a power cut can no longer take the folder's name away."""
        return not self._fresh_names.folder

    @property
    def settles(self) -> bool:
        """Whether somebody is syncing it where it is, to vouch for all of it."""
        return self._settling is not None

    def move_to(self, place: Place) -> None:
        """Go on in another folder with the same files, as durable as here but for their names. No sync may run."""
        for segment in self._segments:
            segment.let_all_go(keep_unsaved=segment is self._active)
        self.place.become(place)
        self._active.settle()
        self._leaving.forget()
        self._settled, self._settling = -1, None
        self._fresh_names.add_folder()

    def close(self, *, sync: bool = True) -> None:
        """A clean end: everything written and synced, producers saved. The log may not be used afterwards.

        Without ``sync`` somebody else syncs, once for many logs, and then calls ``settling.synced``.
        """
        if self.closed:
            return
        self.closed = True
        try:
            if self._unmade:
                return
            if self.dirty:
                try:
                    if not self._active.stays_bare:
                        self._active.save_beside(self.end_offset, self.producers.snapshot())
                        self._fresh_names.add()
                finally:  # a full disk has no room for them, and what was written before counts all the same
                    if sync:
                        self.flush()
            self.purge_deleted(_FOREVER)
        except OSError as error:
            raise self._failed("close", error) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of all files as they are: the log is being deleted, or its disk has failed."""
        self.closed = True
        self._truncations += 1  # a flush that is under way meets renamed files: no failure
        for segment in self._segments:
            segment.close()

    # -- epochs and producers --------------------------------------------------------------------------------------

    def _forget_epochs(self) -> int:
        if self.epochs.truncate_from_end(self.end_offset):
            self._write_epochs()
        return self.epochs.latest

    def save_epochs(self) -> None:
        try:
            self._write_epochs()
        except OSError as error:
            raise self._failed("epochs", error) from error

    def _write_epochs(self) -> None:
        """Not synced here: ``flush`` does that before it moves the recovery point; recovery can rebuild it besides."""
        if self._unmade:
            return
        path = f"{self.place.directory}/{names.LEADER_EPOCHS}"
        self.place.disk.replace(path, encode_epochs(self.epochs.entries), sync=False)
        self._fresh_names.add()

    def _reload_producers(self) -> None:
        load_producers(self.place, self._segments, self.start_offset, self.end_offset, self.producers, [])

    def _failed(self, what: str, error: Exception) -> StorageFailed:
        """A write failed; the directory hears of it."""
        return self.place.health.judge_write(self._reason(what, error), error)

    def _unreadable(self, error: Exception) -> StorageFailed:
        return StorageFailed(self.place.log_dir, self._reason("read", error))

    def _reason(self, what: str, error: Exception) -> str:
        return f"{what} {self.topic}-{self.partition}: {error}"
