"""A log is opened or begun: what recovery found becomes a ``PartitionLog``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykafkad.errors import StorageFailed
from pykafkad.state.epochs import Epochs
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.recovery import Loaded, ProducerState, Progress, load
from pykafkad.storage.segment import CorruptSegment, Place, Segment

if TYPE_CHECKING:
    from pykafkad.config import TopicConfig

_FOREVER = (1 << 63) - 1


def open_log(
    place: Place,
    topic: str,
    partition: int,
    topic_id: bytes,
    topic_config: TopicConfig,
    producers: ProducerState,
    *,
    start_offset: int,
    recovery_point: int,
    clean: bool,
    compacted: bool,
    now: int,
    progress: Progress,
) -> tuple[PartitionLog, list[str]]:
    """A log whose folder is there; with what recovery has to tell. ``compacted``: records may once have been taken out
    of it, whatever its topic's policy is now.
    """
    try:
        loaded = load(
            place,
            start_offset=start_offset,
            recovery_point=recovery_point,
            clean=clean,
            contiguous=not compacted and "compact" not in topic_config.cleanup_policy,
            interval=topic_config.index_interval_bytes,
            index_limit=topic_config.segment_index_bytes,
            producers=producers,
            now=now,
            progress=progress,
        )
        log = PartitionLog(place, topic, partition, topic_id, topic_config, producers, loaded, unmade=False)
        if loaded.epochs_changed:
            log.save_epochs()
        if not clean and topic_config.flush_messages < _FOREVER:
            # A killed process leaves records that were never synced. Where answers wait for a sync those are shown to
            # nobody, and a repeated request is not told that it is already there, before they are safe too.
            log.flush()
        for segment in loaded.segments:  # most logs are not asked for: what was looked at is let go again
            segment.close()
    except (OSError, CorruptSegment, CorruptIndex) as error:
        raise StorageFailed(place.log_dir, f"open {topic}-{partition}: {error}") from error
    return log, loaded.notes


def new_log(
    place: Place,
    topic: str,
    partition: int,
    topic_id: bytes,
    topic_config: TopicConfig,
    producers: ProducerState,
    *,
    lazy: bool,
    now: int,
) -> PartitionLog:
    segment = Segment(place, 0, size=0, new=True, now=now, index_limit=topic_config.segment_index_bytes)
    loaded = Loaded([segment], 0, 0, 0, Epochs())
    log = PartitionLog(place, topic, partition, topic_id, topic_config, producers, loaded, unmade=True)
    if not lazy:
        log.begin()
    return log
