"""A topic's settings: its own overrides over the broker's defaults over Kafka's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pykafkad.config.limits import GZIP_LEVEL, LONG_MAX, REPLICA_LIST
from pykafkad.config.setting import (
    Settings,
    at_least,
    between,
    boolean,
    double,
    each_of,
    integer,
    items,
    long,
    one_of,
    string,
)

if TYPE_CHECKING:
    from pykafkad.config.broker import Config


class TopicConfig(Settings):
    cleanup_policy = items(
        ("delete",),
        "What happens to old segments: delete them, compact them, or both; empty keeps everything.",
        each_of("compact", "delete"),
        server=("log.cleanup.policy",),
    )
    compression_gzip_level = integer(
        -1,
        "Level used when the broker compresses this topic with gzip.",
        GZIP_LEVEL,
        server=("compression.gzip.level",),
    )
    compression_lz4_level = integer(
        9,
        "Level used when the broker compresses this topic with lz4.",
        between(1, 17),
        server=("compression.lz4.level",),
    )
    compression_type = string(
        "producer",
        "Codec that the topic is stored with; producer keeps whatever the producer used.",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        server=("compression.type",),
    )
    compression_zstd_level = integer(
        3,
        "Level used when the broker compresses this topic with zstd.",
        between(-131_072, 22),
        server=("compression.zstd.level",),
    )
    delete_retention_ms = long(
        86_400_000,
        "How long tombstones stay readable after compaction.",
        at_least(0),
        server=("log.cleaner.delete.retention.ms",),
    )
    file_delete_delay_ms = long(
        60_000, "How long a deleted segment's files stay on disk.", at_least(0), server=("log.segment.delete.delay.ms",)
    )
    flush_messages = long(
        LONG_MAX,
        "Records written to a partition before it is forced to disk.",
        at_least(1),
        server=("log.flush.interval.messages",),
    )
    flush_ms = long(
        LONG_MAX,
        "Longest time before written records are forced to disk.",
        at_least(0),
        server=("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    )
    follower_replication_throttled_replicas = items(
        (), "Replicas whose fetching is throttled, as partition:broker pairs or *.", REPLICA_LIST
    )
    index_interval_bytes = integer(
        4096, "Bytes of log between two entries of the offset index.", at_least(0), server=("log.index.interval.bytes",)
    )
    internal_segment_bytes = integer(None, "Segment size for tests, below what segment.bytes allows.", internal=True)
    leader_replication_throttled_replicas = items(
        (), "Replicas whose sending to followers is throttled, as partition:broker pairs or *.", REPLICA_LIST
    )
    local_retention_bytes = long(
        -2,
        "Bytes kept locally with remote storage; -2 follows retention.bytes.",
        at_least(-2),
        server=("log.local.retention.bytes",),
    )
    local_retention_ms = long(
        -2,
        "Time that records stay local with remote storage; -2 follows retention.ms.",
        at_least(-2),
        server=("log.local.retention.ms",),
    )
    max_compaction_lag_ms = long(
        LONG_MAX,
        "A record waits at most this long before it becomes eligible for compaction.",
        at_least(1),
        server=("log.cleaner.max.compaction.lag.ms",),
    )
    max_message_bytes = integer(
        1_048_588, "Largest record batch that is accepted, as it arrives.", at_least(0), server=("message.max.bytes",)
    )
    message_timestamp_after_max_ms = long(
        3_600_000,
        "How far a record's timestamp may lie ahead of the broker's clock.",
        at_least(0),
        server=("log.message.timestamp.after.max.ms",),
    )
    message_timestamp_before_max_ms = long(
        LONG_MAX,
        "How far a record's timestamp may lie behind the broker's clock.",
        at_least(0),
        server=("log.message.timestamp.before.max.ms",),
    )
    message_timestamp_type = string(
        "CreateTime",
        "Whether records keep the producer's timestamp or get the time of the append.",
        one_of("CreateTime", "LogAppendTime"),
        server=("log.message.timestamp.type",),
    )
    min_cleanable_dirty_ratio = double(
        0.5,
        "Share of uncleaned bytes from which the log is worth compacting.",
        between(0, 1),
        server=("log.cleaner.min.cleanable.ratio",),
    )
    min_compaction_lag_ms = long(
        0,
        "A record stays uncompacted for at least this long.",
        at_least(0),
        server=("log.cleaner.min.compaction.lag.ms",),
    )
    min_insync_replicas = integer(
        1, "Replicas that must have a record before acks=all succeeds.", at_least(1), server=("min.insync.replicas",)
    )
    preallocate = boolean(False, "Whether new segment files are allocated at full size.", server=("log.preallocate",))
    remote_log_copy_disable = boolean(False, "Whether copying to remote storage is paused.")
    remote_log_delete_on_disable = boolean(False, "Whether remote data goes when remote storage is turned off.")
    remote_storage_enable = boolean(False, "Whether segments are copied to remote storage.")
    retention_bytes = long(
        -1,
        "Size above which a partition's oldest segments are deleted; -1 means no limit.",
        server=("log.retention.bytes",),
    )
    retention_ms = long(
        604_800_000,
        "Milliseconds before a segment may be deleted; -1 means no limit.",
        at_least(-1),
        server=("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    )
    segment_bytes = integer(
        1_073_741_824, "Size at which a new segment is begun.", at_least(1_048_576), server=("log.segment.bytes",)
    )
    segment_index_bytes = integer(
        10_485_760,
        "Largest size of an index file; a segment rolls when its index is full.",
        at_least(4),
        server=("log.index.size.max.bytes",),
    )
    segment_jitter_ms = long(
        0,
        "Most milliseconds taken off segment.ms at random, so that not all partitions roll together.",
        at_least(0),
        server=("log.roll.jitter.ms", "log.roll.jitter.hours"),
    )
    segment_ms = long(
        604_800_000,
        "Milliseconds after which a new segment is begun.",
        at_least(1),
        server=("log.roll.ms", "log.roll.hours"),
    )
    unclean_leader_election_enable = boolean(
        False,
        "Whether a replica that lacks records may lead when no other is left.",
        server=("unclean.leader.election.enable",),
    )

    @property
    def compacted(self) -> bool:
        return "compact" in self.cleanup_policy


# Broker keys that say the same in another unit: factor to the unit of the topic key.
_UNITS = {
    "log.retention.minutes": 60_000,
    "log.retention.hours": 3_600_000,
    "log.roll.hours": 3_600_000,
    "log.roll.jitter.hours": 3_600_000,
}


def server_value(config: Config, key: str) -> Any:
    """What a broker key means for topics: its value in the topic key's unit, None while it is unset."""
    value = getattr(config, key.replace(".", "_"))
    if value is not None and (factor := _UNITS.get(key)) is not None:
        return -1 if value < 0 else value * factor
    return value


def topic_defaults(config: Config) -> TopicConfig:
    """The settings of a topic without overrides."""
    values = {}
    for setting in TopicConfig.SETTINGS.values():
        for key in setting.server:
            if (value := server_value(config, key)) is not None:
                if value != setting.default:
                    values[setting.name] = value
                break
    return TopicConfig(**values)


def topic_config(config: Config, overrides: Mapping[str, str]) -> TopicConfig:
    """A topic's settings. Stored overrides were checked when they came in; what can't be read any more is left out."""
    defaults = config.topic_defaults
    if not overrides:
        return defaults
    values = {}
    for key, text in overrides.items():
        if (setting := TopicConfig.SETTINGS.get(key)) is not None:
            try:
                values[setting.name] = setting.parse(text)
            except ValueError:
                continue
    return defaults.replace(**values)
