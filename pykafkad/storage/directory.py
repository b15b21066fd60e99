"""A log directory: who owns it, which partitions are in it, and the checkpoints they share.

Kafka's layout: a folder per partition beside ``meta.properties`` (which cluster and node the directory belongs to),
``.lock``, four ``*-checkpoint`` files, and ``.kafka_cleanshutdown`` while nobody has it open after a clean stop.
Deleting a partition renames its folder, so that the name is free at once; the bytes go later.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pykafkad.errors import ConfigError, StorageFailed
from pykafkad.model import ZERO_UUID, TopicPartition, uuid_from_text, uuid_text
from pykafkad.storage import names, settling
from pykafkad.storage.checkpoints import (
    KAFKAS,
    CorruptCheckpoint,
    decode_offsets,
    decode_partition_metadata,
    decode_properties,
    encode_offsets,
    encode_partition_metadata,
    encode_properties,
)
from pykafkad.storage.disk import Disk, Lock
from pykafkad.storage.health import Health
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.opening import new_log, open_log
from pykafkad.storage.pool import Pool
from pykafkad.storage.recovery import ProducerState, Progress
from pykafkad.storage.segment import Place

if TYPE_CHECKING:
    from pykafkad.config import TopicConfig

LOADED_INDEX_BYTES = 16 * 1024 * 1024
"""Offset indexes of closed segments that may be in memory at a time, per log directory."""
_PROPERTIES = {"version", "cluster.id", "node.id", "broker.id", "directory.id"}
SYNC_TOGETHER = 16
"""So many logs to sync at shutdown are synced with their volume."""


class _Identity(NamedTuple):
    cluster_id: str
    directory_id: bytes
    properties: bytes
    """``meta.properties`` as we write it."""
    is_kafkas: bool
    """Kafka wrote it, and what lies beside it."""


class Found(NamedTuple):
    """A partition's folder that was there at start."""

    topic: str
    partition: int
    directory: LogDir

    @property
    def path(self) -> str:
        return f"{self.directory.path}/{names.directory_name(self.topic, self.partition)}"

    @property
    def topic_id(self) -> bytes:
        """Read when it is asked for: at a start with ten thousand folders nobody does. Zeros when it can't be told."""
        return self.directory.topic_id(self.path)


class LogDir:
    def __init__(self, disk: Disk, path: str, identity: _Identity, lock: Lock, clean: bool, files: Pool) -> None:
        self.disk = disk
        self.path = path
        self.cluster_id = identity.cluster_id
        self.directory_id = identity.directory_id
        self._identity = identity
        self.clean = clean
        """Whether the last owner stopped cleanly, so that nothing needs recovery."""
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self.notes: list[str] = []
        """What was found out of order, one line each; the caller logs them and empties the list."""
        self.health = Health(path)
        self._lock = lock
        self._writing = threading.Lock()
        self._purging = threading.Lock()  # apart: it is held as long as unlinking takes
        self._files = files
        self._indexes = Pool(LOADED_INDEX_BYTES)
        self._doomed: list[tuple[int, str]] = []
        self._deleted: set[TopicPartition] = set()
        """Partitions of which a checkpoint on disk, or one that is being written, may still speak."""
        self.marked: list[names.Marked] = []
        """Folders of moves that were under way, and of what was being deleted, as they were found at start."""
        self._found: dict[TopicPartition, Found] = {}
        self._look_around()
        # Of folders that were found and not opened yet; watermarks of all that were found.
        self._recovery_points = self._read_offsets(names.RECOVERY_POINTS)
        self._starts = self._read_offsets(names.LOG_STARTS)
        self._high_watermarks = self._read_offsets(names.HIGH_WATERMARKS)
        self._cleaned = self._read_offsets(names.CLEANER_OFFSETS)
        self._cleaned_unknown = bool(self.notes) or identity.is_kafkas
        """Whether compaction may have been in any log, and not only in those that its checkpoint names: one that can't
        be read may have named more, or vouched for segments that have gaps between them.
        """

    # -- opening ---------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, disk: Disk, path: str, *, node_id: int, cluster_id: str | None, files: Pool | None = None) -> LogDir:
        """Take the directory, making it if need be. ``cluster_id`` None: the one it has, or a new one; ``files``: the
        open files that directories of one process share.

        ConfigError when it is in use or belongs to another cluster or node; StorageFailed when the disk refuses.
        """
        path = path.rstrip("/") or "/"
        lock: Lock | None = None
        try:
            _make_durably(disk, path)
            lock = disk.lock(f"{path}/{names.LOCK}")
            if lock is None:
                raise ConfigError(f"log directory {path} is in use by another broker ({names.LOCK} is held)")
            identity = _identify(disk, path, node_id, cluster_id)
            marker = f"{path}/{names.CLEAN_SHUTDOWN}"
            clean = disk.exists(marker)
            if clean:  # durably gone before anything is written, or a crash would look clean
                disk.remove(marker)
                disk.sync_directory(path)
            files = files or Pool(disk.max_open_files)
            return cls(disk, path, identity, lock, clean, files)
        except OSError as error:
            if lock is not None:
                lock.release()
            raise StorageFailed(path, str(error)) from error
        except ConfigError:
            if lock is not None:
                lock.release()
            raise

    def _read_offsets(self, name: str) -> dict[TopicPartition, int]:
        """Offsets of a checkpoint; none when it can't be believed, which costs time in recovery and nothing else."""
        path = f"{self.path}/{name}"
        try:
            if self.disk.exists(path):
                offsets = decode_offsets(self.disk.read(path))
                self._deleted |= offsets.keys() - self._found.keys()
                return {key: offsets[key] for key in self._found if key in offsets}
        except CorruptCheckpoint as error:
            self.notes.append(f"{path}: {error}; going on without it")
            if name == names.RECOVERY_POINTS:
                self.clean = False
        return {}

    def _look_around(self) -> None:
        for name in sorted(self.disk.directories(self.path)):
            if (marked := names.marked(name)) is not None:
                self.marked.append(marked)
            if name.endswith(names.DELETE_DIRECTORY):
                self._doomed.append((0, f"{self.path}/{name}"))
            elif not name.endswith((names.FUTURE_DIRECTORY, names.STRAY_DIRECTORY)):
                who = names.partition_of(name)
                if who is not None:
                    self._found[TopicPartition(*who)] = Found(*who, self)

    def topic_id(self, path: str) -> bytes:
        """Of the topic whose partition is in the folder ``path``."""
        metadata = f"{path}/{names.PARTITION_METADATA}"
        try:
            if self.disk.exists(metadata):
                return decode_partition_metadata(self.disk.read(metadata))
        except CorruptCheckpoint as error:
            self.notes.append(f"{metadata}: {error}")
        return ZERO_UUID

    @property
    def count(self) -> int:
        """Partitions that are here, open or not."""
        return len(self.logs) + len(self._found)

    def found(self) -> list[Found]:
        """Folders that nobody has opened, set aside or deleted yet."""
        return list(self._found.values())

    # -- logs ------------------------------------------------------------------------------------------------------

    def open_log(
        self,
        topic: str,
        partition: int,
        topic_id: bytes,
        topic_config: TopicConfig,
        producers: ProducerState,
        now: int,
        *,
        lazy: bool = False,
    ) -> PartitionLog:
        """Load and recover the partition's log, or begin one (``lazy``: its folder appears with its first record)."""
        if self._is_there(topic, partition, topic_id):
            return self.adopt(*self.load_log(topic, partition, topic_id, topic_config, producers, now))
        self._bury(TopicPartition(topic, partition))
        place = self._place(self._path(topic, partition))
        return self.adopt(new_log(place, topic, partition, topic_id, topic_config, producers, lazy=lazy, now=now))

    def takes_long(self, topic: str, partition: int, topic_id: bytes) -> bool:
        """Whether opening means to read again what a crash left: ``load_log`` in a thread, then ``adopt``."""
        return not self.clean and self._is_there(topic, partition, topic_id)

    def _is_there(self, topic: str, partition: int, topic_id: bytes) -> bool:
        """Whether there is a folder for it; one of an earlier topic of that name is set aside."""
        found = self._found.get(TopicPartition(topic, partition))
        if found is None or topic_id == ZERO_UUID:
            return found is not None
        its_id = found.topic_id
        if its_id == ZERO_UUID or _nearly(its_id, topic_id):
            if its_id != ZERO_UUID:
                self.notes.append(f"{found.path}/{names.PARTITION_METADATA} is damaged: written anew")
            self._write(f"{found.path}/{names.PARTITION_METADATA}", encode_partition_metadata(topic_id))
        elif its_id != topic_id:
            self.notes.append(f"{found.path} is of an earlier topic {topic}: set aside")
            self.set_aside(found)
            return False
        return True

    def load_log(
        self,
        topic: str,
        partition: int,
        topic_id: bytes,
        topic_config: TopicConfig,
        producers: ProducerState,
        now: int,
        progress: Progress = lambda left: None,
    ) -> tuple[PartitionLog, list[str]]:
        """Load and recover a log whose folder is there, with what there is to note; the directory doesn't know of it
        before ``adopt``. May run in a worker thread; ``progress`` is told there how many segments are left.
        """
        key = TopicPartition(topic, partition)
        recovery_point = self._recovery_points.get(key, 0)
        log, notes = open_log(
            self._place(self._path(topic, partition)),
            topic,
            partition,
            topic_id,
            topic_config,
            producers,
            start_offset=self._starts.get(key, 0),
            recovery_point=recovery_point,
            clean=self.clean,
            compacted=self._cleaned_unknown or key in self._cleaned,
            now=now,
            progress=progress,
        )
        if log.end_offset < recovery_point:
            with self._writing:
                self._recovery_points[key] = max(log.end_offset - 1, 0)
                self._amend({key: log.end_offset})
        return log, notes

    def adopt(self, log: PartitionLog, notes: Iterable[str] = ()) -> PartitionLog:
        """The log is one of the directory's from now on."""
        key = TopicPartition(log.topic, log.partition)
        self.notes += (f"{key}: {note}" for note in notes)
        log.cleaned_offset = self._cleaned.get(key)
        self.logs[key] = log  # first: a checkpoint in another thread must see it here or there
        for known in (self._found, self._recovery_points, self._starts, self._cleaned):
            known.pop(key, None)
        return log

    def size_of(self, topic: str, partition: int) -> int:
        """Bytes of a log that isn't open; 0 if there is none."""
        found = self._found.get(TopicPartition(topic, partition))
        if found is None:
            return 0
        return sum(size for name, size in self.disk.files(found.path).items() if name.endswith(names.LOG))

    def delete_found(self, topic: str, partition: int, now: int, delay_ms: int) -> None:
        """Like ``delete_log``, of a log that nobody has opened."""
        found = self._found.get(TopicPartition(topic, partition))
        if found is not None:
            self._forget(TopicPartition(topic, partition))
            self._doom(topic, partition, now + delay_ms)

    def _doom(self, topic: str, partition: int, when: int) -> None:
        name = names.deleted_directory_name(topic, partition, self.disk.new_uuid())
        self._rename(f"{self.path}/{names.directory_name(topic, partition)}", f"{self.path}/{name}")
        self._doomed.append((when, f"{self.path}/{name}"))

    def set_aside(self, found: Found) -> None:
        """Keep a folder that belongs to no topic of the cluster under a name that says so, as Kafka does."""
        unique = self.disk.new_uuid().hex()
        self._rename(found.path, f"{found.path}.{unique}{names.STRAY_DIRECTORY}")
        self._forget(TopicPartition(found.topic, found.partition))

    def delete_log(self, log: PartitionLog, now: int = 0) -> None:
        """Gone for everybody at once, off the disk at a later ``purge``."""
        log.abandon()
        key = TopicPartition(log.topic, log.partition)
        self._forget(key)
        if self.disk.exists(log.directory):
            self._doom(log.topic, log.partition, now + log.topic_config.file_delete_delay_ms)

    def truncate_log(self, log: PartitionLog, offset: int) -> None:
        """Cut a log at ``offset``, but first see to it that no checkpoint vouches for what comes in its place."""
        with self._writing:
            self._amend({TopicPartition(log.topic, log.partition): offset})
            log.truncate_to(offset)

    def restart_log(self, log: PartitionLog, offset: int, now: int) -> None:
        """Empty a log, in the same way."""
        with self._writing:
            self._amend({TopicPartition(log.topic, log.partition): offset})
            log.restart_at(offset, now)

    # -- moving a log here or away ---------------------------------------------------------------------------------

    def hand_over(self, log: PartitionLog, target: LogDir, mirror: str, unique: str) -> str:
        """The log goes on in ``target``, whose folder ``mirror`` has all of it. Returns our folder's new name, which
        may go once the log's names are durable over there (``doom``).
        """
        key = TopicPartition(log.topic, log.partition)
        target._bury(key)  # it may have been there before
        if log.cleaned_offset is None and self._cleaned_unknown:
            log.cleaned_offset = log.start_offset
        try:
            if log.cleaned_offset is not None:  # a crash finds it over there, and doesn't take gaps for losses
                target._deleted.add(key)
                target._cleaned[key] = log.cleaned_offset
                target.checkpoint_cleaned()
            return self._hand_over(log, target, mirror, unique)
        finally:
            target._cleaned.pop(key, None)

    def _hand_over(self, log: PartitionLog, target: LogDir, mirror: str, unique: str) -> str:
        key, old = TopicPartition(log.topic, log.partition), log.directory
        doomed = f"{self.path}/{names.directory_name(*key)}.{unique}{names.DELETE_DIRECTORY}"
        self._rename(old, doomed)
        try:
            self.disk.sync_directory(self.path)
            target._rename(mirror, f"{target.path}/{names.directory_name(*key)}")
        except (OSError, StorageFailed) as error:
            self._rename(doomed, old)
            try:
                self.disk.sync_directory(self.path)  # or a power cut would take the mirror for the log
            except OSError as failed:
                raise self.health.judge_sync(f"sync: {failed}", failed) from failed
            if isinstance(error, OSError):
                raise self.health.judge_sync(f"sync: {error}", error) from error
            raise
        log.move_to(target._place(f"{target.path}/{names.directory_name(*key)}"))
        self._forget(key)
        target._deleted.discard(key)
        target.logs[key] = log
        return doomed

    def doom(self, path: str, when: int) -> None:
        """Remove a folder at the first ``purge`` from then on."""
        self._doomed.append((when, path))

    def promote(self, future: names.Marked) -> None:
        """Give the mirror of a move that a crash interrupted at its end the name that it was about to get."""
        key = TopicPartition(future.topic, future.partition)
        path = f"{self.path}/{names.directory_name(*key)}"
        self._rename(f"{self.path}/{names.future_directory_name(*key, future.unique)}", path)
        try:
            self.disk.sync_directory(self.path)
        except OSError as error:
            raise self.health.judge_sync(f"sync: {error}", error) from error
        self._found[key] = Found(*key, self)
        self._deleted.discard(key)
        self._cleaned.update(self._read_offsets(names.CLEANER_OFFSETS))
        self.notes.append(f"{path}: completed a move from another log directory")

    def _path(self, topic: str, partition: int) -> str:
        return f"{self.path}/{names.directory_name(topic, partition)}"

    def _place(self, path: str) -> Place:
        return Place(self.disk, self.path, path, self._files, self._indexes, self.health)

    def _forget(self, key: TopicPartition) -> None:
        offsets = (self._recovery_points, self._starts, self._high_watermarks, self._cleaned)
        for known in (self.logs, self._found, *offsets):
            known.pop(key, None)
        self._deleted.add(key)

    def _bury(self, key: TopicPartition) -> None:
        """Before a log begins under the name of one that is gone: no crash may bring the old folder back, nor may the
        old one's offsets be taken for the new one's.
        """
        if key in self._deleted:
            with self._writing:
                self._amend(dict.fromkeys(self._deleted, 0))
                self._deleted.clear()
                self.sync_names()

    def purge(self, now: int) -> int:
        """Remove folders whose time has come; may take long, so it may run in a worker thread. Returns how many."""
        with self._purging:
            due = [item for item in self._doomed if item[0] <= now]
            try:
                for item in due:
                    self.disk.remove_tree(item[1])
                    self._doomed.remove(item)
            except OSError as error:
                raise self.health.judge_write(f"purge: {error}", error) from error
        return len(due)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def checkpoint(self, logs: Iterable[PartitionLog], high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Write recovery points, log starts and high watermarks: of these logs, of those opened since the caller
        looked, and of those that nobody has opened. May run in a worker thread.
        """
        self.health.check()
        with self._writing:
            points, starts = self._offsets(logs)
            watermarks = dict(self._high_watermarks)
            for key in high_watermarks:
                watermarks.pop(key, None)
            watermarks.update((key, offset) for key, offset in high_watermarks.items() if offset > 0)
            self._write(f"{self.path}/{names.RECOVERY_POINTS}", encode_offsets(points))
            self._write(f"{self.path}/{names.LOG_STARTS}", encode_offsets(starts))
            self._write(f"{self.path}/{names.HIGH_WATERMARKS}", encode_offsets(watermarks))

    def checkpoint_cleaned(self) -> None:
        """Write down how far logs are clean. May run in a worker thread."""
        cleaned = dict(self._cleaned)
        for key, log in tuple(self.logs.items()):
            if log.cleaned_offset is not None:
                cleaned[key] = log.cleaned_offset
        with self._writing:
            self._write(f"{self.path}/{names.CLEANER_OFFSETS}", encode_offsets(cleaned))

    def _offsets(self, logs: Iterable[PartitionLog]) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        points, starts = dict(self._recovery_points), dict(self._starts)
        for log in dict.fromkeys((*logs, *self.logs.values())):
            key = TopicPartition(log.topic, log.partition)
            if self.logs.get(key) is not log:  # deleted meanwhile
                continue
            if log.recovery_point:
                points[key] = log.trusted_below
            if log.start_offset:  # also where a segment begins there: the one before may not be gone for good
                starts[key] = log.start_offset
        return points, starts

    def _amend(self, limits: Mapping[TopicPartition, int]) -> None:
        """Lower what the checkpoints on disk say of these partitions; the caller holds ``_writing``."""
        for name in (names.RECOVERY_POINTS, names.LOG_STARTS, names.HIGH_WATERMARKS, names.CLEANER_OFFSETS):
            path = f"{self.path}/{name}"
            try:
                offsets = decode_offsets(self.disk.read(path)) if self.disk.exists(path) else {}
            except CorruptCheckpoint:
                offsets = {}
            # Closed at exactly the recovery point a segment would be trusted, and its indexes are not synced.
            spare = 1 if name == names.RECOVERY_POINTS else 0
            lowered = {
                key: min(offset, limits[key] - spare) if key in limits else offset for key, offset in offsets.items()
            }
            if lowered != offsets:
                self._write(path, encode_offsets({key: offset for key, offset in lowered.items() if offset > 0}))

    def sync_names(self) -> None:
        """Make it durable which logs there are; after deletions, or a power cut might bring one back. Takes a thread's
        time.
        """
        try:
            self.disk.sync_directory(self.path)
        except OSError as error:
            raise StorageFailed(self.path, f"sync: {error}") from error

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """As the last checkpoint had them when the directory was opened."""
        return dict(self._high_watermarks)

    def look(self) -> None:
        """Take the directory offline when it isn't there any more. May run in a worker thread."""
        file = f"{self.path}/{names.META_PROPERTIES}"
        if not self.disk.exists(file):
            self.health.fail(f"{file} is gone; was the volume unmounted?")

    def space(self) -> tuple[int, int]:
        """(total, usable) bytes of the volume."""
        return self.disk.space(self.path)

    def settle(self, logs: Sequence[PartitionLog]) -> None:
        """Sync logs that were prepared for it, many at once with their volume. In a worker thread."""
        if len(logs) < SYNC_TOGETHER:
            for log in logs:
                settling.settle(log)
            return
        try:
            self._sync_all()
        except StorageFailed:
            for log in logs:
                settling.failed(log)
            raise
        for log in logs:
            settling.settled(log)

    def sync_ahead(self) -> None:
        """The clean end is near: begin to sync what has been written, so that less is left to sync when no one may
        write any more. May run in a worker thread.
        """
        if sum(log.dirty for log in tuple(self.logs.values())) >= SYNC_TOGETHER:
            self._sync_all()

    def _sync_all(self) -> None:
        self.health.check()
        try:
            self.disk.sync_all(self.path)
        except OSError as error:
            raise self.health.judge_sync(f"sync: {error}", error) from error

    def close_logs(self) -> None:
        """Close all logs cleanly. Many that have something to sync share one sync of the volume: a thousand partitions
        would keep a stopping broker busy for seconds otherwise.
        """
        dirty = [log for log in self.logs.values() if log.dirty]
        together = len(dirty) >= SYNC_TOGETHER
        failed: StorageFailed | None = None
        for log in self.logs.values():
            try:
                log.close(sync=not together)
            except StorageFailed as failure:  # the others shall be as safe as they can be
                failed = failed or failure
        if together:
            self._sync_all()
            for log in dirty:
                settling.synced(log)
        if failed is not None:
            raise failed

    def close(self, clean: bool, wanted: Container[TopicPartition] | None = None) -> None:
        """Give the directory up. ``clean``: close every log and leave the marker that spares the next start recovery.

        There is no marker when the last owner left none and some log has not been opened since: nobody has looked at
        what the crash did to it. ``wanted`` (all by default) says whose logs matter; folders of nobody's don't.
        """
        try:
            if not clean:
                for log in self.logs.values():
                    log.abandon()
                return
            self.health.check()
            self.close_logs()
            points, starts = self._offsets(self.logs.values())
            with self._writing:
                self._write(f"{self.path}/{names.RECOVERY_POINTS}", encode_offsets(points))
                self._write(f"{self.path}/{names.LOG_STARTS}", encode_offsets(starts))
                if not self.clean and any(wanted is None or key in wanted for key in self._found):
                    return
                if self._identity.is_kafkas:  # from now on the recovery points vouch for what Kafka's compaction left
                    self._write(f"{self.path}/{names.META_PROPERTIES}", self._identity.properties)
                marker = json.dumps({"version": 0, "brokerEpoch": -1}).encode()
                self._write(f"{self.path}/{names.CLEAN_SHUTDOWN}", marker)
        finally:
            self._lock.release()

    def _write(self, path: str, data: bytes) -> None:
        try:
            self.disk.replace(path, data)
        except OSError as error:
            raise self.health.judge_write(f"{path}: {error}", error) from error

    def _rename(self, path: str, new_path: str) -> None:
        try:
            self.disk.rename(path, new_path)
        except OSError as error:
            raise self.health.judge_write(f"rename {path}: {error}", error) from error


def _make_durably(disk: Disk, path: str) -> None:
    """A new directory's name lives in its parent: unless that is synced a power cut may take all of it."""
    missing = []
    while path and not disk.exists(path):
        missing.append(path)
        path = path.rpartition("/")[0]
    for made in reversed(missing):
        disk.make_directory(made)
        disk.sync_directory(made.rpartition("/")[0] or ("/" if made.startswith("/") else "."))


def _identify(disk: Disk, path: str, node_id: int, cluster_id: str | None) -> _Identity:
    """Read meta.properties and compare, or write it."""
    file = f"{path}/{names.META_PROPERTIES}"
    data = disk.read(file) if disk.exists(file) else b""
    known, is_kafkas = decode_properties(data), data.startswith(KAFKAS[:1])
    strange, complete = known.keys() - _PROPERTIES, len(known.keys() & _PROPERTIES) >= len(_PROPERTIES) - 1
    if strange and not complete:  # a key has lost a bit; what it said would silently be made up anew
        raise ConfigError(f"{file}: unknown key {min(strange)!r}")
    their_cluster = known.get("cluster.id")
    their_node = known.get("node.id", known.get("broker.id"))
    if their_cluster and cluster_id and their_cluster != cluster_id:
        raise ConfigError(f"log directory {path} belongs to cluster {their_cluster}, not to {cluster_id}")
    if their_node is not None and their_node != str(node_id):
        raise ConfigError(f"log directory {path} belongs to node {their_node}, not to {node_id}")
    cluster_id = their_cluster or cluster_id or uuid_text(_usable_uuid(disk))
    text = known.get("directory.id")
    try:
        directory_id = uuid_from_text(text) if text else _usable_uuid(disk)
    except ValueError as error:
        raise ConfigError(f"{file}: directory.id: {error}") from error
    wanted = {
        "version": "1",
        "cluster.id": cluster_id,
        "node.id": str(node_id),
        "directory.id": uuid_text(directory_id),
    }
    properties = encode_properties(wanted)
    if {key: known.get(key) for key in wanted} != wanted:
        disk.replace(file, KAFKAS + properties if is_kafkas else properties)
    return _Identity(cluster_id, directory_id, properties, is_kafkas)


def _usable_uuid(disk: Disk) -> bytes:
    """Kafka reserves the first hundred directory ids and does not like a leading dash in any."""
    while True:
        uuid = disk.new_uuid()
        if any(uuid[:15]) and not uuid_text(uuid).startswith("-"):
            return uuid


def _nearly(one: bytes, other: bytes) -> bool:
    """Whether two ids are too much alike to be two: a flipped bit in their text changes at most a character's six."""
    return 0 < (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count() <= 6
