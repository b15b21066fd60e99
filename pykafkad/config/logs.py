"""Topics and their logs on disk."""

from __future__ import annotations

from pykafkad.config.limits import DOUBLE_MAX, GZIP_LEVEL, LONG_MAX
from pykafkad.config.setting import (
    CLUSTER_WIDE,
    PER_BROKER,
    Settings,
    at_least,
    between,
    boolean,
    class_name,
    double,
    each_of,
    integer,
    items,
    long,
    one_of,
    string,
)


class LogSettings(Settings):
    alter_config_policy_class_name = class_name(None, "Accepted for compatibility; Java policy classes are not run.")
    auto_create_topics_enable = boolean(True, "Whether a Metadata request may create the topics it names.")
    compression_gzip_level = integer(
        -1, "Level used where the broker itself compresses with gzip.", GZIP_LEVEL, update=CLUSTER_WIDE
    )
    compression_lz4_level = integer(
        9, "Level used where the broker itself compresses with lz4.", between(1, 17), update=CLUSTER_WIDE
    )
    compression_type = string(
        "producer",
        "Codec that topics are stored with; producer keeps whatever the producer used.",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        update=CLUSTER_WIDE,
    )
    compression_zstd_level = integer(
        3, "Level used where the broker itself compresses with zstd.", between(-131_072, 22), update=CLUSTER_WIDE
    )
    cordoned_log_dirs = items((), "Log directories that get no new partitions; * means all of them.", update=PER_BROKER)
    create_topic_policy_class_name = class_name(None, "Accepted for compatibility; Java policy classes are not run.")
    delete_topic_enable = boolean(True, "Whether topics may be deleted.")
    log_cleaner_backoff_ms = long(
        15_000, "Pause of the compaction task when there was nothing to clean.", at_least(0), update=CLUSTER_WIDE
    )
    log_cleaner_dedupe_buffer_size = long(
        134_217_728, "Memory for the key map of compaction, over all cleaner threads.", update=CLUSTER_WIDE
    )
    log_cleaner_delete_retention_ms = long(
        86_400_000, "How long tombstones stay readable in compacted topics.", at_least(0), update=CLUSTER_WIDE
    )
    log_cleaner_enable = boolean(True, "Whether compacted topics are compacted at all.")
    log_cleaner_io_buffer_load_factor = double(0.9, "How full the key map of compaction may get.", update=CLUSTER_WIDE)
    log_cleaner_io_buffer_size = integer(
        524_288,
        "Memory for reading and writing during compaction, over all cleaner threads.",
        at_least(0),
        update=CLUSTER_WIDE,
    )
    log_cleaner_io_max_bytes_per_second = double(
        DOUBLE_MAX, "Limit for bytes read and written by compaction.", update=CLUSTER_WIDE
    )
    log_cleaner_max_compaction_lag_ms = long(
        LONG_MAX,
        "A record waits at most this long before it becomes eligible for compaction.",
        at_least(1),
        update=CLUSTER_WIDE,
    )
    log_cleaner_min_cleanable_ratio = double(
        0.5, "Share of uncleaned bytes from which a log is worth compacting.", between(0, 1), update=CLUSTER_WIDE
    )
    log_cleaner_min_compaction_lag_ms = long(
        0, "A record stays uncompacted for at least this long.", at_least(0), update=CLUSTER_WIDE
    )
    log_cleaner_threads = integer(1, "Threads that compact.", at_least(0), update=CLUSTER_WIDE)
    log_cleanup_policy = items(
        ("delete",),
        "What happens to old segments: delete them, compact them, or both; empty keeps everything.",
        each_of("compact", "delete"),
        update=CLUSTER_WIDE,
    )
    log_dir = items(
        ("./pykafkad-data",), "Data directory, used when log.dirs is unset; Kafka's own default is /tmp/kafka-logs."
    )
    log_dir_failure_timeout_ms = long(
        30_000, "A broker that cannot report a failed log directory for this long stops.", at_least(1)
    )
    log_dirs = items(None, "Data directories, comma-separated.")
    log_flush_interval_messages = long(
        LONG_MAX, "Records written to a partition before it is forced to disk.", at_least(1), update=CLUSTER_WIDE
    )
    log_flush_interval_ms = long(
        None,
        "Longest time before written records are forced to disk; unset uses log.flush.scheduler.interval.ms.",
        update=CLUSTER_WIDE,
    )
    log_flush_offset_checkpoint_interval_ms = integer(
        60_000, "How often recovery points are written down.", at_least(0)
    )
    log_flush_scheduler_interval_ms = long(
        LONG_MAX, "Stands in for log.flush.interval.ms where that is unset; here each sync has a timer of its own."
    )
    log_flush_start_offset_checkpoint_interval_ms = integer(
        60_000, "How often log start offsets are written down.", at_least(0)
    )
    log_index_interval_bytes = integer(
        4096, "Bytes of log between two entries of the offset index.", at_least(0), update=CLUSTER_WIDE
    )
    log_index_size_max_bytes = integer(
        10_485_760,
        "Largest size of an index file; a segment rolls when its index is full.",
        at_least(4),
        update=CLUSTER_WIDE,
    )
    log_initial_task_delay_ms = long(
        30_000, "Wait after the start before retention and the other log tasks run first.", at_least(0), internal=True
    )
    log_message_timestamp_after_max_ms = long(
        3_600_000, "How far a record's timestamp may lie ahead of the broker's clock.", at_least(0), update=CLUSTER_WIDE
    )
    log_message_timestamp_before_max_ms = long(
        LONG_MAX, "How far a record's timestamp may lie behind the broker's clock.", at_least(0), update=CLUSTER_WIDE
    )
    log_message_timestamp_type = string(
        "CreateTime",
        "Whether records keep the producer's timestamp or get the time of the append.",
        one_of("CreateTime", "LogAppendTime"),
        update=CLUSTER_WIDE,
    )
    log_preallocate = boolean(False, "Whether new segment files are allocated at full size.", update=CLUSTER_WIDE)
    log_retention_bytes = long(
        -1, "Size above which a partition's oldest segments are deleted; -1 means no limit.", update=CLUSTER_WIDE
    )
    log_retention_check_interval_ms = long(300_000, "How often segments are checked for deletion.", at_least(1))
    log_retention_hours = integer(
        168, "Hours before a segment may be deleted; log.retention.minutes and log.retention.ms go before it."
    )
    log_retention_minutes = integer(None, "Minutes before a segment may be deleted; log.retention.ms goes before it.")
    log_retention_ms = long(
        None, "Milliseconds before a segment may be deleted; -1 means no limit.", update=CLUSTER_WIDE
    )
    log_roll_hours = integer(168, "Hours after which a new segment is begun; log.roll.ms goes before it.", at_least(1))
    log_roll_jitter_hours = integer(
        0, "Most hours taken off log.roll.hours at random; log.roll.jitter.ms goes before it.", at_least(0)
    )
    log_roll_jitter_ms = long(None, "Most milliseconds taken off the roll time at random.", update=CLUSTER_WIDE)
    log_roll_ms = long(None, "Milliseconds after which a new segment is begun.", update=CLUSTER_WIDE)
    log_segment_bytes = integer(
        1_073_741_824, "Size at which a new segment is begun.", at_least(1_048_576), update=CLUSTER_WIDE
    )
    log_segment_delete_delay_ms = long(
        60_000, "How long a deleted segment's files stay on disk.", at_least(0), update=CLUSTER_WIDE
    )
    message_max_bytes = integer(
        1_048_588, "Largest record batch that is accepted, as it arrives.", at_least(0), update=CLUSTER_WIDE
    )
    min_insync_replicas = integer(
        1, "Replicas that must have a record before acks=all succeeds.", at_least(1), update=CLUSTER_WIDE
    )
    num_partitions = integer(1, "Partitions of a topic that is created without a count.", at_least(1))
    num_recovery_threads_per_data_dir = integer(
        2, "Threads per data directory that check and flush logs at start and stop.", at_least(1), update=CLUSTER_WIDE
    )
    unclean_leader_election_enable = boolean(
        False, "Whether a replica that lacks records may lead when no other is left.", update=CLUSTER_WIDE
    )
    unclean_leader_election_interval_ms = long(
        300_000, "How often leaderless partitions are offered an unclean election.", at_least(1), internal=True
    )
