"""Settling: an idle log is made as a clean stop would leave it, so that a crash leaves nothing in it to be read again.

First on the loop, ``prepare``: what is only in memory is written, the indexes' tails and the producers' snapshot. Then
in a worker thread, ``settle``, or for many logs one sync of their volume and ``settled`` for each. From then on the
recovery point that is written down vouches for all of the log, as long as nothing is appended. A log that is written to
meanwhile goes on undisturbed; one that is cut, deleted or moved settles another time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pykafkad.errors import StorageFailed
from pykafkad.storage import names
from pykafkad.storage.log import MARKING

if TYPE_CHECKING:
    from pykafkad.storage.log import PartitionLog
    from pykafkad.storage.segment import Segment


class Settling(NamedTuple):
    """What ``prepare`` saw."""

    end: int
    truncations: int
    segments: list[Segment]
    names: int


def prepare(log: PartitionLog) -> bool:
    """Whether there is anything to sync. If so ``settle``, ``settled`` or ``failed`` must follow: until then the log
    doesn't move.
    """
    if not log.dirty or log.closed or log._unmade or log._active.allocated:
        return False
    end = log.end_offset
    try:
        log._active.save_beside(end, log.producers.snapshot())
    except OSError as error:
        raise log._failed("settle", error) from error
    log._fresh_names.add()
    log._settling = Settling(end, log._truncations, log._segments, log._fresh_names.changes)
    return True


def settle(log: PartitionLog) -> None:
    """Sync what ``prepare`` saw."""
    settling = log._settling
    if settling is None:
        return
    try:
        log.flush(settling.end)
        settling.segments[-1].sync_beside(settling.end)
    except OSError as error:
        failed(log)
        if settling.truncations != log._truncations or isinstance(error, FileNotFoundError):
            return
        raise log.place.health.judge_sync(log._reason("settle", error), error) from error
    except StorageFailed:
        failed(log)
        raise
    settled(log)


def failed(log: PartitionLog) -> None:
    """What ``prepare`` saw has not been synced; another time."""
    log._settling = None


def synced(log: PartitionLog) -> None:
    """The volume was synced after the log was closed: it has settled for good."""
    log.recovery_point = log._settled = log.end_offset
    log._fresh_names.synced(log._fresh_names.changes)
    for segment in log._segments:
        segment.durable = True


def settled(log: PartitionLog) -> None:
    """Everything that ``prepare`` saw has been synced."""
    settling = log._settling
    if settling is not None:
        try:
            _settled(log, settling)
        finally:
            log._settling = None  # last: from here on it may move


def _settled(log: PartitionLog, settling: Settling) -> None:
    end = settling.end
    with MARKING:
        if settling.truncations != log._truncations:
            return
        before, log._settled = log._settled, end
        log.recovery_point = max(log.recovery_point, end)
    log._fresh_names.synced(settling.names)
    for segment in settling.segments[:-1]:
        segment.durable = True
    if 0 <= before < end and all(segment.base_offset != before for segment in log._segments):
        log.place.disk.remove(log.place.path(before, names.SNAPSHOT))  # the newer one has taken its place
