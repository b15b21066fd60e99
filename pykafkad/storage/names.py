"""How Kafka names what it keeps in a log directory: partition folders, segment files and their suffixes."""

from __future__ import annotations

from sys import intern
from typing import NamedTuple

LOG = ".log"
INDEX = ".index"
TIME_INDEX = ".timeindex"
TXN_INDEX = ".txnindex"
SNAPSHOT = ".snapshot"
DELETED = ".deleted"
CLEANED = ".cleaned"
SWAP = ".swap"

SEGMENT_SUFFIXES = (LOG, INDEX, TIME_INDEX, TXN_INDEX)

DELETE_DIRECTORY = "-delete"
FUTURE_DIRECTORY = "-future"
STRAY_DIRECTORY = "-stray"

LEADER_EPOCHS = "leader-epoch-checkpoint"
PARTITION_METADATA = "partition.metadata"
META_PROPERTIES = "meta.properties"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"
CLEANER_OFFSETS = "cleaner-offset-checkpoint"
LOCK = ".lock"
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"


def file_name(offset: int, suffix: str) -> str:
    return f"{offset:020d}{suffix}"


def offset_of(name: str, suffix: str) -> int | None:
    """The offset in ``00000000000000000042.log``; None when the name is not of that kind."""
    if not name.endswith(suffix):
        return None
    digits = name[: -len(suffix)]
    return int(digits) if len(digits) >= 20 and digits.isascii() and digits.isdigit() else None


def directory_name(topic: str, partition: int) -> str:
    return f"{topic}-{partition}"


def partition_of(directory: str) -> tuple[str, int] | None:
    """Topic and partition behind a folder's name: split at the last '-'."""
    topic, dash, digits = directory.rpartition("-")
    if not dash or not topic or not digits.isascii() or not digits.isdigit() or digits != str(int(digits)):
        return None
    return intern(topic), int(digits)


class Marked(NamedTuple):
    """A partition's folder under a name that says what is to become of it: ``<topic>-<partition>.<unique><suffix>``."""

    topic: str
    partition: int
    unique: str
    suffix: str


def marked(directory: str) -> Marked | None:
    """What a folder's name says that ends in -future, -delete or -stray."""
    for suffix in (FUTURE_DIRECTORY, DELETE_DIRECTORY, STRAY_DIRECTORY):
        if directory.endswith(suffix):
            folder, dot, unique = directory.removesuffix(suffix).rpartition(".")
            who = partition_of(folder)
            return Marked(*who, unique, suffix) if dot and who is not None else None
    return None


def future_directory_name(topic: str, partition: int, unique: str) -> str:
    return f"{topic}-{partition}.{unique}{FUTURE_DIRECTORY}"


def deleted_directory_name(topic: str, partition: int, unique: bytes) -> str:
    """``<topic>-<partition>.<32 hex digits>-delete``, the topic's name cut so that the whole fits a file name."""
    tail = f"-{partition}.{unique.hex()}{DELETE_DIRECTORY}"
    return topic[: 255 - len(tail)] + tail
