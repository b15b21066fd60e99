"""Upkeep: what the logs of all partitions need from time to time.

Retention, syncing what is closed, checkpoints, the end of deleted files, a look at whether files and volumes are still
there. Each is an entry of the calendar, in slices small enough not to be noticed; what takes long, a thread does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pykafkad.errors import StorageFailed
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.runtime.log_dirs import storage_error
from pykafkad.runtime.tasks import in_thread
from pykafkad.storage import settling

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.runtime.housekeeping import Calendar
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.storage.directory import LogDir
    from pykafkad.storage.log import PartitionLog

RETAINED_PER_SLICE = 32
LOOKED_AT_PER_SLICE = 256
SETTLED_PER_SLICE = 16
CHECKPOINTED_PER_SLICE = 1_000
PURGE_MS = 10_000
LOOK_MS = 5_000


class Upkeep:
    def __init__(self, partitions: Partitions, clock: Clock) -> None:
        self._partitions = partitions
        self._clock = clock
        self._checkpointed: object = None
        self._ends: dict[tuple[str, int], int] = {}  # of logs that were written to, when they were last looked at

    def begin(self, calendar: Calendar) -> list[Callable[[], None]]:
        """Enter everything into the calendar; returns what takes it out again."""
        config, every = self._partitions.config, calendar.every
        first = config.log_initial_task_delay_ms
        return [
            every(config.log_retention_check_interval_ms, self.retain, first_ms=first),
            every(config.log_flush_offset_checkpoint_interval_ms, self.flush_closed, first_ms=first),
            every(config.log_flush_offset_checkpoint_interval_ms, self.settle, first_ms=first),
            every(config.replica_high_watermark_checkpoint_interval_ms, self.checkpoint),
            every(config.producer_id_expiration_check_interval_ms, self.expire_producers),
            every(PURGE_MS, self.purge),
            every(LOOK_MS, self.look_after),
        ]

    def look_after(self) -> Iterator[None]:
        """Files that were deleted under us, volumes that were unmounted: better told now than by the next start."""
        partitions = self._partitions
        for number, partition in enumerate(partitions.all()):
            if number % LOOKED_AT_PER_SLICE == LOOKED_AT_PER_SLICE - 1:
                yield
            path = next((segment.path for segment in partition.log.segments if segment.vanished), "")
            if path and not partition.log.cleaning:  # which replaces files
                events.error("a file was deleted while it was in use", partition=str(partition), file=path)
                partitions.lose(
                    (partition.topic, partition.index), storage_error(f"{path} was deleted while it was in use")
                )
        for log_dir in partitions.dirs.online:
            in_thread(log_dir.look)

    def retain(self) -> Iterator[None]:
        """Segments that are older, or more, than their topic's settings keep."""
        for number, partition in enumerate(self._partitions.all()):
            try:
                gone = partition.retain(self._clock.now_ms())
                if gone:
                    events.info("segments deleted", partition=str(partition), segments=gone)
            except StorageFailed as failure:
                events.error("retention failed", partition=str(partition), reason=failure.reason)
            if number % RETAINED_PER_SLICE == RETAINED_PER_SLICE - 1:
                yield

    def flush_closed(self) -> None:
        """Closed segments are always synced, so that recovery after a crash reads the newest one only."""
        partitions = self._partitions
        for partition in partitions.all():
            upto = partition.log.flush_due
            if upto is not None:
                partitions.flusher.request(partition, upto)

    def settle(self) -> Iterator[None]:
        """Logs that nobody has written to since the last round become as a clean stop would leave them: a crash finds
        nothing in them that it had to read again, and a stop nothing to sync.
        """
        partitions = self._partitions
        ready: dict[LogDir, list[PartitionLog]] = {}
        before, self._ends = self._ends, {}
        for number, partition in enumerate(partitions.all()):
            key, log = TopicPartition(partition.topic, partition.index), partition.log
            if log.dirty and key not in partitions.moves:
                if before.get(key) != log.end_offset:
                    self._ends[key] = log.end_offset
                else:
                    try:
                        if settling.prepare(log):
                            ready.setdefault(partitions.dirs.homes[key], []).append(log)
                    except StorageFailed as failure:
                        events.error("could not settle a log", partition=str(partition), reason=failure.reason)
            if number % SETTLED_PER_SLICE == SETTLED_PER_SLICE - 1:
                yield
        for home, logs in ready.items():
            if home in partitions.dirs.online:
                in_thread(home.settle, logs)

    def expire_producers(self) -> None:
        """Forget what idempotent producers wrote that have been silent for ``producer.id.expiration.ms``."""
        now, after = self._clock.now_ms(), self._partitions.config.producer_id_expiration_ms
        for partition in self._partitions.all():
            partition.producers.expire(now, after)

    def purge(self) -> None:
        """Files whose delay is over go; unlinking large files takes long, so a thread does it."""
        now = self._clock.now_ms()
        for partition in self._partitions.all():
            if partition.log.deleted_files:
                in_thread(partition.log.purge_deleted, now)
        for log_dir in self._partitions.dirs.online:
            in_thread(log_dir.purge, now)

    def checkpoint(self) -> Iterator[None]:
        """Recovery points, log starts and high watermarks go to their files, if anything has changed."""
        state = 0  # ten thousand tuples are not worth keeping
        for number, partition in enumerate(self._partitions.all()):
            log = partition.log
            state = hash((state, log.trusted_below, log.start_offset, partition.high_watermark))
            if number % CHECKPOINTED_PER_SLICE == CHECKPOINTED_PER_SLICE - 1:
                yield
        if state != self._checkpointed:
            self._checkpointed = state
            for log_dir, logs, marks in self._partitions.by_directory():
                in_thread(log_dir.checkpoint, logs, marks)

    def checkpoint_now(self) -> None:
        """Whether or not anything has changed."""
        self._checkpointed = None
        for _ in self.checkpoint():
            pass
