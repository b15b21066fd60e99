"""The partitions on this node: which there are follows the cluster's image, which are open follows who asks.

A partition is opened when somebody first asks for it, or by a walk through all of them that begins with the broker and
works in slices: so the first answer never waits for a thousand logs. Partitions of internal topics have no folder until
something is written to them.

``get`` is on every hot path: one dictionary look-up for a partition that is open and led here.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.cluster.image import BROKER, TOPIC, ClusterImage, PartitionImage, TopicImage, is_internal
from pykafkad.config import topic_config
from pykafkad.errors import Refused, StorageFailed
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.runtime import partition_gauges
from pykafkad.runtime.flusher import Flusher
from pykafkad.runtime.housekeeping import Calendar
from pykafkad.runtime.log_dirs import LogDirs, storage_error
from pykafkad.runtime.moves import Moves
from pykafkad.runtime.partition import NOT_LEADER, Partition
from pykafkad.runtime.recoveries import Recoveries
from pykafkad.runtime.refusals import RECOVERING
from pykafkad.runtime.scrubber import Scrubber
from pykafkad.runtime.tasks import in_thread
from pykafkad.runtime.topic_cells import TopicCells
from pykafkad.runtime.upkeep import Upkeep
from pykafkad.state.sequences import Producers

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.config import Config, TopicConfig
    from pykafkad.metrics import Metrics
    from pykafkad.storage.directory import LogDir
    from pykafkad.storage.log import PartitionLog

UNKNOWN = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "this server does not host this topic-partition")
UNKNOWN_ID = Refused(ErrorCode.UNKNOWN_TOPIC_ID, "no topic has this id")
GONE = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted")
OPENED_PER_SLICE = 8  # two milliseconds
SOON_MS = 1_000
FROZEN_AT_ONCE = 500
"""Partitions after which the garbage collector is told to leave alone what there is. They stay, and a full collection
that looked at every part of ten thousand of them would keep everybody waiting for 0.1 s."""


class _Place(NamedTuple):
    """A partition that should be here, open or not."""

    key: TopicPartition
    topic: TopicImage
    image: PartitionImage


class Partitions:
    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        metrics: Metrics,
        node_id: int,
        log_dirs: Sequence[LogDir],
        offline: Mapping[str, str] | None = None,
        flusher: Flusher | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self.config = config
        self.dirs = LogDirs(log_dirs, offline)
        self.dirs.on_failure = self._directory_failed
        self.dirs.cordoned = config.cordoned_log_dirs
        self.moves = Moves(self)
        self.scrubber = Scrubber(self, metrics)
        self.flusher = flusher or Flusher()
        self._clock = clock
        self._metrics = metrics
        self._node_id = node_id
        self._calendar = calendar or Calendar()
        self._own_calendar = calendar is None
        self._image = ClusterImage()
        self._led: dict[tuple[str, int], Partition] = {}
        self._open: dict[tuple[str, int], Partition] = {}
        self._places: dict[tuple[str, int], _Place] = {}
        self._configs: dict[str, TopicConfig] = {}
        self._cells: dict[str, TopicCells] = {}
        self._failed: dict[tuple[str, int], str] = {}
        self._high_watermarks = {key: mark for d in log_dirs for key, mark in d.high_watermarks().items()}
        self.unavailable: dict[tuple[str, int], Refused] = {}
        """Partitions that can't be served before the broker is started again, and why."""
        self.losses = 0
        """Changes whenever ``unavailable`` does."""
        self.on_loss: list[Callable[[str, int], None]] = []
        """Told when a partition becomes unavailable."""
        self.on_no_disk: Callable[[], None] | None = None
        """Told when the last log directory has failed: a broker without any has nothing left to do."""
        self.recoveries = Recoveries(config.num_recovery_threads_per_data_dir, max(1, len(log_dirs)), metrics)
        self._stops: list[Callable[[], None]] = []
        self._thawed = 0  # partitions opened since the collector was told to leave them alone
        self._unopened = True  # there may be partitions that nobody asked for yet
        self._upkeep = Upkeep(self, clock)
        partition_gauges.declare(self, metrics, clock, node_id)

    # -- asking ------------------------------------------------------------------------------------------------------

    def get(self, topic: str, index: int) -> Partition | Refused:
        """The partition if this node leads it; opened now if it wasn't yet."""
        return self._led.get((topic, index)) or self._find(topic, index)

    def get_by_id(self, topic_id: bytes, index: int) -> Partition | Refused:
        name = self._image.topic_names.get(topic_id)
        return UNKNOWN_ID if name is None else self.get(name, index)

    def _find(self, topic: str, index: int) -> Partition | Refused:
        if (refused := self.unavailable.get((topic, index))) is not None:
            return refused
        place = self._places.get((topic, index))
        if place is None:
            known = self._image.topics.get(topic)
            return UNKNOWN if known is None or not 0 <= index < len(known.partitions) else NOT_LEADER
        partition = self._open.get((topic, index)) or self._open_now(place)
        if isinstance(partition, Refused) or partition.leads:
            return partition
        return NOT_LEADER

    def local(self, topic: str, index: int) -> Partition | None:
        """The partition whatever its role, if it is open."""
        return self._open.get((topic, index))

    def all(self) -> list[Partition]:
        """The partitions that are open."""
        return list(self._open.values())

    def sizes(self, log_dir: LogDir) -> list[tuple[tuple[str, int], int, int]]:
        """(partition, bytes, offsets that it lacks) of every partition in a directory, whether it is open or not."""
        found = []
        for key, place in self._places.items():
            home = self.dirs.homes.get(TopicPartition(*key))
            if home is None and not is_internal(key[0]):
                self._open_now(place)  # makes it
                home = self.dirs.homes.get(TopicPartition(*key))
            if home is log_dir:
                partition = self._open.get(key)
                if partition is None:
                    found.append((key, home.size_of(*key), 0))
                else:
                    lag = 0 if partition.leads else max(partition.high_watermark - partition.log.end_offset, 0)
                    found.append((key, partition.log.size, lag))
        return found

    def __len__(self) -> int:
        return len(self._places)

    def placed(self) -> Iterator[tuple[tuple[str, int], PartitionImage]]:
        """The partitions that should be here, open or not, as the cluster sees them."""
        return ((key, place.image) for key, place in self._places.items())

    @property
    def offline(self) -> int:
        """Partitions that should be here and can't be served."""
        return len(self._failed) + len(self.unavailable)

    # -- following the image -----------------------------------------------------------------------------------------

    def apply(self, image: ClusterImage) -> None:
        """Make what is here match what the cluster wants here."""
        old, self._image = self._image, image
        all_configs = self._reconfigured(old, image)
        for name, topic in old.topics.items():
            now = image.topics.get(name)
            if now is None or now.id != topic.id:
                self._remove_topic(topic)
        for name, topic in image.topics.items():
            before = old.topics.get(name)
            overrides = image.config(TOPIC, name)
            if all_configs or name not in self._configs or overrides is not old.config(TOPIC, name):
                self._configure(name, topic_config(self.config, overrides))
            if before is not topic:
                self._place(topic)
        if self.dirs.offline and not old.revision:
            self._miss()

    def _reconfigured(self, old: ClusterImage, image: ClusterImage) -> bool:
        """Whether this broker's run-time settings changed."""
        own = str(self._node_id)
        default, mine = image.config(BROKER, ""), image.config(BROKER, own)
        if default == old.config(BROKER, "") and mine == old.config(BROKER, own):
            return False
        self.config = self.config.with_dynamic(default, mine)
        self.dirs.cordoned = self.config.cordoned_log_dirs
        for partition in self._open.values():
            partition.producers.guards.demanded = self.config.transaction_partition_verification_enable
        return True

    def _configure(self, name: str, config: TopicConfig) -> None:
        if self._configs.get(name) == config:
            return
        known = name in self._configs
        self._configs[name] = config
        if known:
            for index in range(len(self._image.topics[name].partitions)):
                if (partition := self._open.get((name, index))) is not None:
                    partition.configure(config)

    def _place(self, topic: TopicImage) -> None:
        for index, partition in enumerate(topic.partitions):
            key = TopicPartition(topic.name, index)
            if self._node_id in partition.replicas:
                self._places[key] = place = _Place(key, topic, partition)
                if (found := self._open.get(key)) is not None:
                    self._assume(found, place)
                else:
                    self._unopened = True
            elif key in self._places:
                self._remove(key)

    def _assume(self, partition: Partition, place: _Place) -> None:
        key = place.key
        partition.assume(place.image, self._node_id)
        if partition.leads:
            self._led[key] = partition
        else:
            self._led.pop(key, None)

    def _remove_topic(self, topic: TopicImage) -> None:
        for index in range(len(topic.partitions)):
            self._remove((topic.name, index))
        for log_dir in self.dirs.online:
            in_thread(log_dir.sync_names)
        self._configs.pop(topic.name, None)
        if self._cells.pop(topic.name, None) is not None:
            self._metrics.forget(topic.name)

    def _remove(self, key: tuple[str, int]) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        self._failed.pop(key, None)
        if self.unavailable.pop(key, None) is not None:
            self.losses += 1
        self._led.pop(key, None)
        self.moves.cancel(TopicPartition(*key))
        self.dirs.preferred.pop(TopicPartition(*key), None)
        partition = self._open.pop(key, None)
        home = self.dirs.homes.pop(TopicPartition(*key), None)
        if home is not None and home.health.failure:
            home = None  # its folder is set aside when the directory comes back
        try:
            if partition is None and home is not None:
                self.recoveries.forget(TopicPartition(*key))
                if not self.recoveries.running(TopicPartition(*key)):  # else it goes when that is over
                    home.delete_found(*key, self._clock.now_ms(), self._configs[key[0]].file_delete_delay_ms)
            elif partition is not None and home is not None:
                home.delete_log(partition.log, self._clock.now_ms())
        except StorageFailed as failure:
            events.error("could not delete a partition", partition=f"{key[0]}-{key[1]}", reason=failure.reason)
        if partition is not None:
            partition.leads = False
            partition.log.on_roll = None  # no ring of references is left, which the collector might not look at
            self.flusher.forget(partition)
            partition.lose(GONE)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _open_now(self, place: _Place, *, urgent: bool = True) -> Partition | Refused:
        key, topic = place.key, place.topic
        name, index = key
        if (refused := self.unavailable.get(key)) is not None:
            return refused
        if self.recoveries.running(key):
            return RECOVERING
        home = self.dirs.home(key, topic.id) or self.dirs.place(key)
        if isinstance(home, Refused):
            return self._not_opened(key, home)
        # A folder tells where a partition is, should another directory be missing some day.
        lazy = is_internal(name) and self.dirs.single
        producers = Producers()
        producers.guards.demanded = self.config.transaction_partition_verification_enable
        opening = (name, index, topic.id, self._configs[name], producers, self._clock.now_ms())
        try:
            if home.takes_long(name, index, topic.id):
                done = partial(self._recovered, home, key, topic.id, producers)
                self.recoveries.ask(home, key, partial(home.load_log, *opening), done, urgent=urgent)
                return self._open.get(key, RECOVERING)
            log = home.open_log(*opening, lazy=lazy)
        except StorageFailed as failure:
            return self._not_opened(key, storage_error(failure.reason))
        return self._opened(place, home, log, producers)

    def _recovered(
        self,
        home: LogDir,
        key: TopicPartition,
        topic_id: bytes,
        producers: Producers,
        outcome: tuple[PartitionLog, Iterable[str]] | BaseException,
    ) -> None:
        """A thread has read the log again; meanwhile its topic or its directory may have gone."""
        if isinstance(outcome, StorageFailed):
            self._not_opened(key, storage_error(outcome.reason))
            self._unopened = True
        elif isinstance(outcome, BaseException):
            events.error("could not open a partition", partition=str(key), exc_info=outcome)
        elif home.health.failure:
            outcome[0].abandon()
        else:
            log = home.adopt(*outcome)
            place = self._places.get(key)
            if place is not None and place.topic.id == topic_id:
                self._opened(place, home, log, producers)
            else:
                home.delete_log(log, self._clock.now_ms())

    def _opened(self, place: _Place, home: LogDir, log: PartitionLog, producers: Producers) -> Partition:
        key = place.key
        name, index = key
        self._failed.pop(key, None)
        self._say(home)
        self.dirs.homes[key] = home
        known = self._high_watermarks.pop(key, 0)
        alone = len(place.image.replicas) == 1
        cells = self._cells.get(name)
        if cells is None:
            cells = self._cells[name] = TopicCells(self._metrics, name)
        partition = self._open[key] = Partition(
            topic=name,
            index=index,
            topic_id=place.topic.id,
            log=log,
            producers=producers,
            topic_config=self._configs[name],
            cells=cells,
            flusher=self.flusher,
            # With one replica everything that survived is committed; with more, what the checkpoint knew.
            high_watermark=log.end_offset if alone else known,
            internal=is_internal(name),
        )
        self._assume(partition, place)
        self._thawed += 1
        if self._thawed == FROZEN_AT_ONCE:
            self._thawed = 0
            gc.freeze()
        return partition

    def _not_opened(self, key: TopicPartition, refused: Refused) -> Refused:
        if self._failed.get(key) != refused.detail:
            self._failed[key] = refused.detail
            events.error("could not open a partition", partition=str(key), reason=refused.detail)
        return refused

    def _say(self, home: LogDir) -> None:
        for note in home.notes:
            events.warning("log directory", note=note)
        home.notes.clear()

    def _open_all(self) -> Iterator[None]:
        """Everything that nobody asked for yet, a few at a time; internal ones only if they have a folder."""
        if not self._unopened:
            return
        self._unopened = False
        for number, key in enumerate(list(self._places)):
            place = self._places.get(key)
            if place is not None and key not in self._open:
                internal = is_internal(key[0])
                if not internal or TopicPartition(*key) in self.dirs.homes:
                    try:
                        opened = self._open_now(place, urgent=False)
                        self._unopened |= isinstance(opened, Refused) and opened is not RECOVERING
                    except Exception as error:
                        # One partition that nobody can read must not keep the others closed.
                        events.error("could not open a partition", partition=f"{key[0]}-{key[1]}", exc_info=error)
            if number % OPENED_PER_SLICE == OPENED_PER_SLICE - 1:
                yield

    # -- moving ------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        return self._clock.now_ms()

    def moved(self, key: TopicPartition, target: LogDir) -> None:
        """A partition's log goes on in another directory: the checkpoints of both shall say so soon."""
        self.dirs.homes[key] = target
        self._upkeep.checkpoint_now()

    def by_directory(self) -> list[tuple[LogDir, list[PartitionLog], dict[TopicPartition, int]]]:
        """The open logs of each directory that is online, and their high watermarks."""
        logs: dict[int, list[PartitionLog]] = {id(log_dir): [] for log_dir in self.dirs.online}
        marks: dict[int, dict[TopicPartition, int]] = {id(log_dir): {} for log_dir in self.dirs.online}
        for (topic, index), partition in self._open.items():
            key = TopicPartition(topic, index)
            home = id(self.dirs.homes[key])
            logs[home].append(partition.log)
            marks[home][key] = partition.high_watermark
        return [(log_dir, logs[id(log_dir)], marks[id(log_dir)]) for log_dir in self.dirs.online]

    # -- losing ------------------------------------------------------------------------------------------------------

    def _miss(self) -> None:
        """A directory is offline from the start: what has no folder elsewhere is taken to be there."""
        where = "; ".join(f"{path} ({reason})" for path, reason in self.dirs.offline.items())
        missed = [
            key for key, place in self._places.items() if self.dirs.home(TopicPartition(*key), place.topic.id) is None
        ]
        refused = storage_error(f"not in any log directory that is online; offline: {where}")
        for key in missed:
            self.lose(key, refused)
        if missed:
            events.error("partitions are offline with their log directory", partitions=len(missed), offline=where)

    def _directory_failed(self, log_dir: LogDir) -> None:
        refused = storage_error(f"log directory {log_dir.path} is offline: {log_dir.health.failure}")
        for key, home in self.dirs.homes.items():
            if home is log_dir and key in self._places:
                self.lose(key, refused)
        if not self.dirs.online and self.on_no_disk is not None:
            self.on_no_disk()

    def lose(self, key: tuple[str, int], refused: Refused) -> None:
        """The partition can't be served here any more; whoever waits for it is told."""
        self.unavailable[key] = refused
        self.losses += 1
        self._led.pop(key, None)
        self.recoveries.forget(TopicPartition(*key))
        self.moves.rest(TopicPartition(*key))
        partition = self._open.pop(key, None)
        if partition is not None:
            partition.leads = False
            partition.log.abandon()
            partition.lose(refused)
        for told in self.on_loss:
            told(*key)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to open what wasn't asked for, and to keep house."""
        self.scrubber.start()
        # Comes round for topics that are made while the broker runs, and for directories that were full.
        self._stops.append(self._calendar.every(SOON_MS, self._open_all, first_ms=0))
        self._stops.append(self._calendar.every(SOON_MS, self.moves.resume, first_ms=0))
        self._stops += self._upkeep.begin(self._calendar)

    def sync_ahead(self) -> None:
        """A stop begins: while requests in progress are answered, threads begin to sync."""
        for log_dir in self.dirs.online:
            in_thread(log_dir.sync_ahead)

    async def stop(self) -> None:
        """Everything durable, saved and marked clean; nobody may append any more."""
        for cancel in self._stops:
            cancel()
        self._stops.clear()
        if self._own_calendar:
            self._calendar.stop()
        await self.recoveries.stop()
        for partition in self._open.values():
            partition.leads = False
        self._led.clear()
        await self.moves.stop()
        await self.scrubber.stop()
        await self.flusher.drain()
        loop = asyncio.get_running_loop()
        wanted = {TopicPartition(*key) for key in self._places}
        for log_dir, logs, marks in self.by_directory():
            try:
                await loop.run_in_executor(None, self._close, log_dir, logs, marks, wanted)
            except StorageFailed as failure:
                events.error("log directory not closed cleanly", directory=failure.log_dir, reason=failure.reason)
        for log_dir in self.dirs.opened:
            if log_dir.health.failure:
                log_dir.close(clean=False)
        for partition in self._open.values():
            partition.lose(NOT_LEADER)
        self.flusher.close()

    @staticmethod
    def _close(
        log_dir: LogDir, logs: list[PartitionLog], marks: dict[TopicPartition, int], wanted: set[TopicPartition]
    ) -> None:
        log_dir.close_logs()
        log_dir.checkpoint(logs, marks)
        log_dir.close(clean=True, wanted=wanted)

    def abandon(self) -> None:
        """Let go of everything as it is, as a crash would; for tests."""
        for cancel in self._stops:
            cancel()
        self._stops.clear()
        if self._own_calendar:
            self._calendar.stop()
        self.moves.abandon()
        self.scrubber.abandon()
        for log_dir in self.dirs.opened:
            log_dir.close(clean=False)
