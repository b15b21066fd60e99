"""Take over the partitions of a stopped broker's log directory: what is copied, what is shared, what stays behind.

The source is opened for reading only, and its lock is held meanwhile, so that nobody starts on it. A closed segment's
log is never appended to again, by either side; it may be a hard link, since whoever truncates one makes it his own
first (``Disk.unshare``), and deleting or compacting it leaves the other name alone. Everything else is a real copy.

A source that was killed is copied as it is: the first start on the copy recovers it, as it would its own. Of segments
that recovery will read again the indexes are left behind: they are preallocated, stale, and built anew in any case.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pykafkad.errors import ConfigError
from pykafkad.model import ZERO_UUID, TopicPartition
from pykafkad.storage import names
from pykafkad.storage.checkpoints import (
    CorruptCheckpoint,
    decode_offsets,
    decode_partition_metadata,
    decode_properties,
    encode_offsets,
)
from pykafkad.storage.disk import copy_file

METADATA_FOLDER = "__cluster_metadata-0"
OFFSET_FILES = (names.RECOVERY_POINTS, names.LOG_STARTS, names.HIGH_WATERMARKS, names.CLEANER_OFFSETS)

_KEPT = (*names.SEGMENT_SUFFIXES, names.SNAPSHOT, names.SWAP)
_KEPT_WHOLE = (names.LEADER_EPOCHS, names.PARTITION_METADATA)
_REBUILT = (names.INDEX, names.TIME_INDEX)
_UNLINKABLE = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)


class Take(NamedTuple):
    """A file that is taken over."""

    source: str
    target: str
    size: int
    shared: bool  # may be a hard link


@dataclass(slots=True)
class Source:
    """A log directory that nobody runs on."""

    path: str
    cluster_id: str
    node_id: int
    directory_id: str
    clean: bool
    offsets: Mapping[str, Mapping[TopicPartition, int]]
    """Of each checkpoint file, by its name."""
    folders: dict[TopicPartition, tuple[str, bytes]]
    """Partition -> its folder's name and topic id."""
    left: list[str]
    """Folders that hold no partition of their own: moves that were under way, strays."""
    lock: int

    @classmethod
    def open(cls, path: str) -> Source:
        """ConfigError when it is no KRaft log directory, or somebody runs on it."""
        path = path.rstrip("/") or "/"
        try:
            listed = sorted(os.listdir(path))
            lock = _hold(path)
            try:
                return cls._look(path, listed, lock)
            except BaseException:
                os.close(lock)
                raise
        except CorruptCheckpoint as error:
            raise ConfigError(f"{path}: {error}") from error
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error

    @classmethod
    def _look(cls, path: str, listed: list[str], lock: int) -> Source:
        if names.META_PROPERTIES not in listed:
            raise ConfigError(f"{path} is no Kafka log directory: it has no {names.META_PROPERTIES}")
        known = decode_properties(_read(f"{path}/{names.META_PROPERTIES}"))
        if known.get("version") != "1" or not known.get("node.id", "").isdigit() or not known.get("cluster.id"):
            said = f"{names.META_PROPERTIES} of version {known.get('version')}"
            raise ConfigError(f"{path} is not from a KRaft broker ({said}): migrate it from ZooKeeper first")
        offsets = {name: decode_offsets(_read(f"{path}/{name}")) for name in OFFSET_FILES if name in listed}
        folders, left = {}, []
        for name in listed:
            if name == METADATA_FOLDER or not os.path.isdir(f"{path}/{name}"):
                continue
            who = names.partition_of(name)
            if who is not None:
                folders[TopicPartition(*who)] = (name, _topic_id(f"{path}/{name}"))
            elif name.endswith((names.FUTURE_DIRECTORY, names.STRAY_DIRECTORY)):
                left.append(name)
        return cls(
            path,
            known["cluster.id"],
            int(known["node.id"]),
            known.get("directory.id", ""),
            names.CLEAN_SHUTDOWN in listed,
            offsets,
            folders,
            left,
            lock,
        )

    @property
    def has_metadata(self) -> bool:
        return os.path.isdir(f"{self.path}/{METADATA_FOLDER}")

    def close(self) -> None:
        os.close(self.lock)

    # -- what to take ----------------------------------------------------------------------------------------------

    def plan(self, key: TopicPartition, target: str) -> list[Take]:
        """The files of a partition. ``target`` is the directory that gets its folder."""
        folder, _ = self.folders[key]
        found = {entry.name: entry.stat().st_size for entry in os.scandir(f"{self.path}/{folder}")}
        bases = sorted(base for name in found if (base := names.offset_of(name, names.LOG)) is not None)
        trusted = self._trusted(key, bases)
        takes = []
        for name, size in found.items():
            if name not in _KEPT_WHOLE and not name.endswith(_KEPT):
                continue
            base = int(name[:20]) if name[:20].isdigit() else -1
            if not self.clean and base >= trusted and name.endswith(_REBUILT):
                continue
            shared = name.endswith(names.LOG) and base < min(trusted, bases[-1])
            takes.append(Take(f"{self.path}/{folder}/{name}", f"{target}/{folder}/{name}", size, shared))
        return takes

    def _trusted(self, key: TopicPartition, bases: list[int]) -> int:
        """Segments below this offset need no recovery."""
        if not bases or self.clean:
            return bases[-1] if bases else 0
        point = self.offsets.get(names.RECOVERY_POINTS, {}).get(key, 0)
        return max((base for base in bases if base <= point), default=0)


def take(takes: Sequence[Take], link: bool, progress: Callable[[int, bool], None]) -> None:
    """Bring a partition's files to their targets; ``progress`` hears of bytes and whether they are shared. OSError."""
    for one in takes:
        os.makedirs(os.path.dirname(one.target), exist_ok=True)
        if link and one.shared:
            try:
                os.link(one.source, one.target)
                progress(one.size, True)
                continue
            except OSError as error:  # another volume, or one that has no links
                if error.errno not in _UNLINKABLE:
                    raise
        copy_file(one.source, one.target, lambda size: progress(size, False))


def write_checkpoints(target: str, sources: Sequence[Source], taken: Container[TopicPartition]) -> None:
    """The offsets of the partitions that were taken over, under the names of their checkpoints."""
    for name in OFFSET_FILES:
        merged = {
            key: offset
            for source in sources
            for key, offset in source.offsets.get(name, {}).items()
            if key in taken and key in source.folders
        }
        if merged:
            with open(f"{target}/{name}", "wb") as file:
                file.write(encode_offsets(merged))


def _hold(path: str) -> int:
    """A shared lock on the lock file keeps brokers out, which want it alone; a descriptor of it, or of the folder."""
    lock_file = f"{path}/{names.LOCK}"
    if not os.path.exists(lock_file):  # a copy of a log directory, perhaps
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fd = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(fd)
        raise ConfigError(f"{path}: a broker is running on it ({names.LOCK} is held); stop it first") from None
    return fd


def _topic_id(folder: str) -> bytes:
    try:
        return decode_partition_metadata(_read(f"{folder}/{names.PARTITION_METADATA}"))
    except FileNotFoundError:
        return ZERO_UUID


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
