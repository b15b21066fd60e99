"""The cleaner: chooses the filthiest compacted log, has it cleaned somewhere else, and swaps in what comes back.

On the loop it only looks at sizes and renames files. Everything that reads a record is a round (``runtime/rounds.py``),
which works on closed segments that nobody changes; while it does, retention leaves the log's segments alone. A round
that isn't wanted any more (the topic is gone, is no longer compacted, was truncated) is simply not listened to further.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, assert_never

from pykafkad.errors import StorageFailed
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.runtime.rounds import Rounds, WorkerDied
from pykafkad.runtime.tasks import Tasks
from pykafkad.storage.cleaning.choice import Dirt, dirt, must_roll
from pykafkad.storage.cleaning.job import Cleaned, Failed, Finished, Job
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.segment import CorruptSegment
from pykafkad.storage.swap import Swap, make_durable

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.config import Config
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.storage.log import PartitionLog

LOOKED_AT_PER_SLICE = 64
DEATHS_MAX = 3  # so often may a round over one log cost its process before the log counts as uncleanable
MAP_BYTES_MAX = 0x7FFFFFFF  # Kafka's bound for one cleaner
MIB = 1 << 20


class Cleaner:
    def __init__(
        self, *, config: Config, clock: Clock, metrics: Metrics, partitions: Partitions, rounds: Callable[[], Rounds]
    ) -> None:
        self._config = config
        self._clock = clock
        self._partitions = partitions
        self._rounds = rounds
        self._tasks = Tasks()
        self._working: list[asyncio.Task[None]] = []
        self._uncleanable: dict[PartitionLog, str] = {}
        self._deaths: dict[PartitionLog, int] = {}
        self._unended: dict[PartitionLog, Callable[[], None]] = {}
        """What a swap has still to do, because the disk refused. Until then nobody may take the log's segments away."""
        self._dead = 0
        self._last: Finished | None = None
        self._dirtiest = 0.0
        self._overdue_ms = 0
        self._looked_at = clock.now_ms()
        self._declare(metrics)

    def start(self) -> None:
        """As many cleaners as ``log.cleaner.threads`` says."""
        if self._config.log_cleaner_enable:
            for number in range(self._config.log_cleaner_threads):
                self._working.append(self._tasks.start(f"cleaner-{number}", self._work(self._rounds())))

    async def stop(self) -> None:
        await self._tasks.stop()

    def configure(self, config: Config) -> None:
        """The broker's settings changed. As in Kafka, cleaners that they concern begin anew."""
        old, self._config = self._config, config
        if _settings(old) != _settings(config):
            for task in self._working:
                task.cancel()
            self._working.clear()
            self.start()

    # -- the work ----------------------------------------------------------------------------------------------------

    async def _work(self, rounds: Rounds) -> None:
        try:
            while True:
                chosen = await self._choose()
                if chosen is None or not await self._clean(rounds, *chosen):
                    await asyncio.sleep(self._config.log_cleaner_backoff_ms / 1000)
        finally:
            await rounds.close()

    async def _choose(self) -> tuple[Partition, Dirt] | None:
        """The filthiest log of those that are dirty enough, or have waited long enough."""
        for log, step in list(self._unended.items()):
            self._try_again(log, step)
        now = self._looked_at = self._clock.now_ms()
        best: tuple[Partition, Dirt] | None = None
        dirtiest, overdue = 0.0, 0
        everybody = self._partitions.all()
        for number, partition in enumerate(everybody):
            if number % LOOKED_AT_PER_SLICE == LOOKED_AT_PER_SLICE - 1:
                await asyncio.sleep(0)
            if (found := self._look(partition, now)) is None:
                continue
            dirtiest, overdue = max(dirtiest, found.ratio), max(overdue, found.overdue_ms)
            due = found.overdue_ms > 0 and found.cleanable_bytes > 0
            due = due or found.ratio > partition.topic_config.min_cleanable_dirty_ratio
            if due and (best is None or found.ratio > best[1].ratio):
                best = partition, found
        self._dirtiest, self._overdue_ms = dirtiest, overdue
        logs = {partition.log for partition in everybody}
        self._uncleanable = {one: reason for one, reason in self._uncleanable.items() if one in logs}
        return best if best is not None and self._wanted(best[0]) else None

    def _look(self, partition: Partition, now: int) -> Dirt | None:
        log = partition.log
        if not self._wanted(partition) or log in self._uncleanable:
            return None
        try:
            if must_roll(log, now):
                log.roll(now)
            if len(log.segments) == 1:
                return None
            found = dirt(log, partition.last_stable_offset, now)
        except (CorruptSegment, CorruptIndex) as error:
            self._give_up(log, str(error))
            return None
        except (OSError, StorageFailed) as error:
            events.error("cleaner could not look at a log", partition=_name(log), reason=str(error))
            return None
        if found.misplaced:
            if "delete" not in partition.topic_config.cleanup_policy:
                events.warning("cleaning from the start", partition=_name(log), checkpoint=log.cleaned_offset)
            log.cleaned_offset = found.first_dirty
        return found

    def _wanted(self, partition: Partition) -> bool:
        log = partition.log
        return (
            "compact" in partition.topic_config.cleanup_policy
            and not log.cleaning
            and not log.place.health.failure
            and TopicPartition(log.topic, log.partition) not in self._partitions.moves
        )

    async def _clean(self, rounds: Rounds, partition: Partition, found: Dirt) -> bool:
        """One round; whether it came to its end."""
        log = partition.log
        log.cleaning = True
        try:
            finished = await self._round(rounds, log, found)
        except WorkerDied as died:
            self._dead = 1
            self._deaths[log] = deaths = self._deaths.get(log, 0) + 1
            events.error("cleaner died", partition=_name(log), reason=str(died))
            if deaths >= DEATHS_MAX:
                self._give_up(log, str(died))
            return False
        except (
            StorageFailed,
            OSError,
            ValueError,
        ) as failure:  # ValueError: a worker that died in the middle of a word
            events.error("cleaning failed", partition=_name(log), reason=str(failure))
            return False
        finally:
            log.cleaning = log in self._unended
        if finished is None:
            return False
        self._dead = 0
        self._deaths.pop(log, None)
        self._last = finished
        _tell(log, found, finished)
        try:
            partition.retain(self._clock.now_ms())  # which may have waited for the round
        except StorageFailed as failure:
            events.error("retention failed", partition=_name(log), reason=failure.reason)
        return True

    async def _round(self, rounds: Rounds, log: PartitionLog, found: Dirt) -> Finished | None:
        planned = _plan(log)
        told = rounds.run(self._job(log, found))
        try:
            async for message in told:
                if _plan(log) != planned:
                    return None
                match message:
                    case Cleaned(bases, size):
                        if not await self._swap(log, Swap(log.place, bases, size), planned):
                            return None
                    case Finished():
                        return message if await self._settle(log, message.end) else None
                    case Failed(corrupt, reason):
                        if corrupt:
                            self._give_up(log, reason)
                        else:
                            events.warning("cleaning stopped", partition=_name(log), reason=reason)
                        return None
                    case _:
                        assert_never(message)
        finally:
            await told.aclose()
        return None

    async def _swap(self, log: PartitionLog, swap: Swap, planned: object) -> bool:
        """Put a new segment in; False if the log isn't any more what it was when the round was planned."""
        loop = asyncio.get_running_loop()
        announcing = loop.run_in_executor(None, swap.announce)
        try:
            await asyncio.shield(announcing)
        except asyncio.CancelledError:
            await asyncio.wait([announcing])  # what it announced would be taken for finished at the next start
            self._end(log, swap.discard)
            raise
        except OSError as error:
            self._end(log, swap.discard)
            raise log.place.health.judge_write(f"swap {_name(log)}: {error}", error) from error
        if _plan(log) != planned:
            self._end(log, swap.discard)
            return False
        try:
            if not log.replace_segments(swap, self._clock.now_ms()):
                return False
        except StorageFailed:
            self._end(log, swap.discard)  # else it has discarded itself
            raise
        try:
            await loop.run_in_executor(None, swap.settle)
        except asyncio.CancelledError:
            swap.settle()  # on the loop, for once: who is stopped doesn't stop half way
            raise
        finally:
            self._end(log, swap.finish)
        return True

    def _end(self, log: PartitionLog, step: Callable[[], None]) -> None:
        """The last step of a swap, whatever came of it. StorageFailed when the disk refuses; then it is tried again."""
        try:
            step()
        except OSError as error:
            self._unended[log] = step
            raise log.place.health.judge_write(f"swap {_name(log)}: {error}", error) from error

    def _try_again(self, log: PartitionLog, step: Callable[[], None]) -> None:
        if not (log.closed or log.place.health.failure):
            try:
                step()
            except OSError:
                return  # it was told the first time
        del self._unended[log]
        log.cleaning = False

    async def _settle(self, log: PartitionLog, end: int) -> bool:
        """Write down how far the log is clean, when no power cut can bring back what isn't. False if it was cut."""
        loop, truncations = asyncio.get_running_loop(), log.truncations
        await loop.run_in_executor(None, make_durable, log.place)
        home = self._partitions.dirs.homes.get(TopicPartition(log.topic, log.partition))
        if log.truncations != truncations or home is None:
            return False
        log.cleaned_offset = end
        await loop.run_in_executor(None, home.checkpoint_cleaned)
        return True

    def _job(self, log: PartitionLog, found: Dirt) -> Job:
        config, topic = self._config, log.topic_config
        cleaners = max(config.log_cleaner_threads, 1)
        return Job(
            directory=os.path.abspath(log.directory),
            segments=[[one.base_offset, one.size] for one in log.segments if one.base_offset < found.first_uncleanable],
            indexed=[one.base_offset for one in log.segments],
            first_dirty=found.first_dirty,
            first_uncleanable=found.first_uncleanable,
            now=self._clock.now_ms(),
            delete_retention_ms=topic.delete_retention_ms,
            producers=[[entry[0], entry[3], entry[1]] for entry in log.producers.snapshot()],
            segment_bytes=topic.internal_segment_bytes or topic.segment_bytes,
            index_bytes=topic.segment_index_bytes,
            index_interval=topic.index_interval_bytes,
            map_bytes=min(config.log_cleaner_dedupe_buffer_size // cleaners, MAP_BYTES_MAX),
            load_factor=config.log_cleaner_io_buffer_load_factor,
            buffer_bytes=config.log_cleaner_io_buffer_size // cleaners // 2,
            bytes_per_second=config.log_cleaner_io_max_bytes_per_second / cleaners,
        )

    def _give_up(self, log: PartitionLog, reason: str) -> None:
        self._uncleanable[log] = reason
        events.error("log is uncleanable", partition=_name(log), directory=log.directory, reason=reason)

    # -- metrics -----------------------------------------------------------------------------------------------------

    def _declare(self, metrics: Metrics) -> None:
        def of_last(name: str, read: Callable[[Finished], float]) -> None:
            metrics.gauge(f"kafka_log_logcleaner_{name}", lambda: 0 if self._last is None else read(self._last))

        of_last("max_buffer_utilization_percent", lambda last: int(last.utilisation * 100))
        of_last("cleaner_recopy_percent", lambda last: int(100 * last.bytes_written / max(last.bytes_read, 1)))
        of_last("max_clean_time_secs", lambda last: int(last.seconds))
        metrics.gauge("kafka_log_logcleaner_max_compaction_delay_secs", lambda: self._overdue_ms // 1000)
        metrics.gauge("kafka_log_logcleaner_deadthreadcount", lambda: self._dead)
        manager = "kafka_log_logcleanermanager_"
        metrics.gauge(manager + "max_dirty_percent", lambda: int(100 * self._dirtiest))
        metrics.gauge(manager + "time_since_last_run_ms", lambda: self._clock.now_ms() - self._looked_at)

        def by_directory(name: str, read: Callable[[Sequence[PartitionLog]], float]) -> None:
            def gauges() -> list[tuple[tuple[str, ...], float]]:
                return [
                    ((home.path,), read([one for one in self._uncleanable if one.log_dir == home.path]))
                    for home in self._partitions.dirs.opened
                ]

            metrics.gauge_by(f"{manager}uncleanable_{name}", gauges)

        by_directory("partitions_count", len)
        by_directory("bytes", lambda logs: sum(map(_waiting, logs)))


def _settings(config: Config) -> tuple[object, ...]:
    return (
        config.log_cleaner_threads,
        config.log_cleaner_dedupe_buffer_size,
        config.log_cleaner_io_buffer_load_factor,
        config.log_cleaner_io_buffer_size,
        config.log_cleaner_io_max_bytes_per_second,
        config.log_cleaner_backoff_ms,
        config.message_max_bytes,
    )


def _plan(log: PartitionLog) -> object:
    """What a round relies on: when it changes, the round is off."""
    return log.truncations, log.directory, "compact" in log.topic_config.cleanup_policy


def _waiting(log: PartitionLog) -> int:
    """Bytes of closed segments that no round has cleaned."""
    first = log.cleaned_offset or 0
    return sum(one.size for one in log.segments[:-1] if one.base_offset >= first)


def _name(log: PartitionLog) -> str:
    return f"{log.topic}-{log.partition}"


def _tell(log: PartitionLog, found: Dirt, done: Finished) -> None:
    seconds = max(done.seconds, 0.001)
    events.info(
        "log cleaned",
        partition=_name(log),
        dirty=f"{found.first_dirty}..{done.end}",
        read_mb=round(done.bytes_read / MIB, 1),
        kept_mb=round(done.bytes_written / MIB, 1),
        records=f"{done.records_kept} of {done.records_read}",
        took_s=round(done.seconds, 1),
        mb_per_s=round((done.map_bytes + done.bytes_read) / MIB / seconds, 1),
        map_percent=round(100 * done.utilisation, 1),
    )
    if done.invalid:
        events.warning("records without a key went", partition=_name(log), records=done.invalid)
