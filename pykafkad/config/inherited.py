"""Settings whose subject does not exist here (Raft quorum, remote storage); files of Kafka still load."""

from __future__ import annotations

from pykafkad.config.limits import LONG_MAX
from pykafkad.config.setting import (
    CLUSTER_WIDE,
    Settings,
    at_least,
    between,
    boolean,
    double,
    integer,
    items,
    long,
    string,
)


class InheritedSettings(Settings):
    controller_performance_always_log_threshold_ms = long(
        2000, "Accepted for compatibility; there is no controller event queue to time.", at_least(0), internal=True
    )
    controller_performance_sample_period_ms = long(
        60_000, "Accepted for compatibility; there is no controller event queue to time.", at_least(100), internal=True
    )
    controller_quorum_append_linger_ms = integer(
        25, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_auto_join_enable = boolean(
        False, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here."
    )
    controller_quorum_bootstrap_servers = items(
        (), "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here."
    )
    controller_quorum_election_backoff_max_ms = integer(
        1000, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_election_timeout_ms = integer(
        1000, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_fetch_max_bytes = integer(
        1_048_576, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(1)
    )
    controller_quorum_fetch_snapshot_max_bytes = integer(
        1_048_576, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(1)
    )
    controller_quorum_fetch_timeout_ms = integer(
        2000, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_request_timeout_ms = integer(
        2000, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_retry_backoff_ms = integer(
        20, "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here.", at_least(0)
    )
    controller_quorum_voters = items(
        (), "Accepted from Kafka's files; cluster metadata does not live in a Raft quorum here."
    )
    follower_fetch_last_tiered_offset_enable = boolean(
        False, "Whether an empty follower starts at the last offset in remote storage.", update=CLUSTER_WIDE
    )
    initial_broker_registration_timeout_ms = integer(
        60_000, "A starting broker gives up when it could not register within this time."
    )
    internal_metadata_delete_delay_millis = long(
        60_000, "Accepted from Kafka's files; there is no metadata log here.", internal=True
    )
    internal_metadata_log_segment_bytes = integer(
        None, "Accepted from Kafka's files; there is no metadata log here.", internal=True
    )
    internal_metadata_max_batch_size_in_bytes = integer(
        8_388_608, "Accepted from Kafka's files; there is no metadata log here.", internal=True
    )
    log_local_retention_bytes = long(
        -2,
        "Bytes kept locally of a partition with remote storage; -2 follows log.retention.bytes.",
        at_least(-2),
        update=CLUSTER_WIDE,
    )
    log_local_retention_ms = long(
        -2,
        "Time that records of a partition with remote storage stay local; -2 follows log.retention.ms.",
        at_least(-2),
        update=CLUSTER_WIDE,
    )
    metadata_log_dir = string(None, "Accepted from Kafka's files; there is no metadata log here.")
    metadata_log_max_record_bytes_between_snapshots = long(
        20_971_520, "Accepted from Kafka's files; there is no metadata log here.", at_least(1)
    )
    metadata_log_max_snapshot_interval_ms = long(
        3_600_000, "Accepted from Kafka's files; there is no metadata log here.", at_least(0)
    )
    metadata_log_segment_bytes = integer(
        1_073_741_824, "Accepted from Kafka's files; there is no metadata log here.", at_least(8_388_608)
    )
    metadata_log_segment_ms = long(604_800_000, "Accepted from Kafka's files; there is no metadata log here.")
    metadata_max_idle_interval_ms = integer(
        500, "Accepted from Kafka's files; there is no metadata log here.", at_least(0)
    )
    metadata_max_retention_bytes = long(104_857_600, "Accepted from Kafka's files; there is no metadata log here.")
    metadata_max_retention_ms = long(604_800_000, "Accepted from Kafka's files; there is no metadata log here.")
    remote_fetch_max_wait_ms = integer(
        500, "Longest wait of a fetch for remote storage.", at_least(1), update=CLUSTER_WIDE
    )
    remote_list_offsets_request_timeout_ms = long(
        30_000, "Longest wait of ListOffsets for remote storage.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_index_file_cache_total_size_bytes = long(
        1_073_741_824, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_index_file_cache_ttl_ms = long(
        900_000, "Accepted from Kafka's files; remote storage is not supported.", at_least(-1), internal=True
    )
    remote_log_manager_copier_thread_pool_size = integer(
        10, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_manager_copy_max_bytes_per_second = long(
        LONG_MAX, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_manager_copy_quota_window_num = integer(
        11, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_manager_copy_quota_window_size_seconds = integer(
        1, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_manager_expiration_thread_pool_size = integer(
        10, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_manager_fetch_max_bytes_per_second = long(
        LONG_MAX, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_manager_fetch_quota_window_num = integer(
        11, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_manager_fetch_quota_window_size_seconds = integer(
        1, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_manager_follower_thread_pool_size = integer(
        2, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_manager_task_interval_ms = long(
        30_000, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_manager_task_retry_backoff_max_ms = long(
        30_000, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), internal=True
    )
    remote_log_manager_task_retry_backoff_ms = long(
        500, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), internal=True
    )
    remote_log_manager_task_retry_jitter = double(
        0.2, "Accepted from Kafka's files; remote storage is not supported.", between(0, 0.5), internal=True
    )
    remote_log_manager_thread_pool_size = integer(
        2, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_metadata_custom_metadata_max_bytes = integer(
        128, "Accepted from Kafka's files; remote storage is not supported.", at_least(0)
    )
    remote_log_metadata_manager_class_name = string(
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        "Accepted from Kafka's files; remote storage is not supported.",
    )
    remote_log_metadata_manager_class_path = string(
        None, "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_metadata_manager_impl_prefix = string(
        "rlmm.config.", "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_metadata_manager_listener_name = string(
        None, "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_reader_max_pending_tasks = integer(
        100, "Accepted from Kafka's files; remote storage is not supported.", at_least(1)
    )
    remote_log_reader_threads = integer(
        10, "Accepted from Kafka's files; remote storage is not supported.", at_least(1), update=CLUSTER_WIDE
    )
    remote_log_storage_manager_class_name = string(
        None, "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_storage_manager_class_path = string(
        None, "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_storage_manager_impl_prefix = string(
        "rsm.config.", "Accepted from Kafka's files; remote storage is not supported."
    )
    remote_log_storage_system_enable = boolean(False, "Accepted from Kafka's files; remote storage is not supported.")
    server_max_startup_time_ms = long(LONG_MAX, "Longest time that a start may take.", at_least(0), internal=True)
