"""LogDirs: which directory holds which partition, where a new one goes, and which directories are offline.

Kafka's rules: a new partition goes where the fewest are, among directories that are online and not cordoned. A
partition stays where it is; while its directory is offline it is not made anew elsewhere, or its records would be
there twice, in two versions, once the directory is back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.logs import log as events
from pykafkad.model import TopicPartition
from pykafkad.storage.names import DELETE_DIRECTORY, FUTURE_DIRECTORY, Marked

if TYPE_CHECKING:
    from pykafkad.storage.directory import Found, LogDir

_PREFERRED_MOST = 10_000
ALL = "*"  # in cordoned.log.dirs


def storage_error(detail: str) -> Refused:
    return Refused(ErrorCode.KAFKA_STORAGE_ERROR, detail)


class LogDirs:
    def __init__(self, found: Sequence[LogDir], offline: Mapping[str, str] | None = None) -> None:
        self.opened = tuple(found)
        self.online = list(found)
        self.offline = dict(offline or {})
        """Path -> why, of directories that failed, at the start or since."""
        self.cordoned: tuple[str, ...] = ()
        self.homes: dict[TopicPartition, LogDir] = {}
        self.preferred: dict[TopicPartition, LogDir] = {}
        """Where partitions are to be made that don't exist yet."""
        self.on_failure: Callable[[LogDir], None] | None = None
        """Told on the loop, before anything else can be answered from that directory there."""
        self.interrupted: list[tuple[LogDir, Marked]] = []
        """Moves that were under way when the broker stopped: where to, and the folder there."""
        self._doubles: dict[TopicPartition, list[tuple[LogDir, Found]]] = {}
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        for log_dir in found:
            log_dir.health.on_failure = lambda log_dir=log_dir: self._failed(log_dir)
        self._complete_moves(found)
        self._look_around(found)

    def _complete_moves(self, log_dirs: Sequence[LogDir]) -> None:
        """A mirror whose source has been renamed away, under the same unique name, is the partition."""
        given_up = {one[:3] for log_dir in log_dirs for one in log_dir.marked if one.suffix == DELETE_DIRECTORY}
        for log_dir in log_dirs:
            for one in log_dir.marked:
                if one.suffix == FUTURE_DIRECTORY:
                    if one[:3] in given_up:
                        log_dir.promote(one)
                    else:
                        self.interrupted.append((log_dir, one))

    def _look_around(self, log_dirs: Sequence[LogDir]) -> None:
        places: dict[TopicPartition, list[tuple[LogDir, Found]]] = {}
        for log_dir in log_dirs:
            for found in log_dir.found():
                places.setdefault(TopicPartition(found.topic, found.partition), []).append((log_dir, found))
        for key, candidates in places.items():
            if len(candidates) == 1:
                self.homes[key] = candidates[0][0]
            else:
                self._doubles[key] = candidates

    @property
    def single(self) -> bool:
        """Whether there is one directory only, so that nobody has to ask where a partition is."""
        return len(self.opened) + len(self.offline) == 1

    # -- where a partition lives -------------------------------------------------------------------------------------

    def home(self, key: TopicPartition, topic_id: bytes) -> LogDir | Refused | None:
        """Where the partition's folder is; None when it has none, refused when nobody can say which one counts."""
        doubles = self._doubles.get(key)
        if doubles is None:
            return self.homes.get(key)
        ours = [(log_dir, found) for log_dir, found in doubles if found.topic_id == topic_id]
        if len(ours) != 1:
            paths = " and ".join(found.path for _, found in doubles)
            return storage_error(f"{paths} hold the same partition: move one of them away and start again")
        for log_dir, found in doubles:  # of an earlier topic of that name, left on a directory that was offline
            if log_dir is not ours[0][0]:
                events.warning("log directory", note=f"{found.path} is of another topic {key.topic}: set aside")
                log_dir.set_aside(found)
        del self._doubles[key]
        self.homes[key] = ours[0][0]
        return ours[0][0]

    def place(self, key: TopicPartition) -> LogDir | Refused:
        """A directory for a partition that has none."""
        if (wanted := self.preferred.pop(key, None)) is not None and wanted in self.online:
            return wanted
        open_to_new = [log_dir for log_dir in self.online if not self.is_cordoned(log_dir.path)]
        if not open_to_new:
            return storage_error(f"no log directory takes {key}: all are cordoned or offline")
        return min(open_to_new, key=lambda log_dir: log_dir.count)

    def prefer(self, key: TopicPartition, log_dir: LogDir) -> None:
        """Remember where a partition is to be made that doesn't exist yet."""
        self.preferred.pop(key, None)
        self.preferred[key] = log_dir
        if len(self.preferred) > _PREFERRED_MOST:
            del self.preferred[next(iter(self.preferred))]

    def by_path(self, path: str) -> LogDir | Refused:
        """The directory at an absolute path, if it is one of ours and online."""
        for log_dir in self.online:
            if log_dir.path == path:
                return log_dir
        if path in self.offline:
            return storage_error(f"log directory {path} is offline")
        return Refused(ErrorCode.LOG_DIR_NOT_FOUND, f"{path} is not in log.dirs")

    def is_cordoned(self, path: str) -> bool:
        return ALL in self.cordoned or path in self.cordoned

    # -- failure -----------------------------------------------------------------------------------------------------

    def _failed(self, log_dir: LogDir) -> None:
        """In whatever thread met the failure; on the loop it takes effect before the next line runs."""
        if threading.get_ident() == self._thread:
            self._take_offline(log_dir)
        else:
            self._loop.call_soon_threadsafe(self._take_offline, log_dir)

    def _take_offline(self, log_dir: LogDir) -> None:
        if log_dir.path in self.offline:
            return
        self.offline[log_dir.path] = log_dir.health.failure
        self.online.remove(log_dir)
        events.error("log directory is offline", directory=log_dir.path, reason=log_dir.health.failure)
        if self.on_failure is not None:
            self.on_failure(log_dir)
