"""Groups, offsets, transactions and producer ids."""

from __future__ import annotations

from pykafkad.config.limits import INT_MAX
from pykafkad.config.setting import (
    CLUSTER_WIDE,
    Settings,
    any_case_of,
    at_least,
    between,
    boolean,
    each_of,
    integer,
    items,
    long,
    short,
    string,
)


class CoordinatorSettings(Settings):
    add_partitions_to_txn_retry_backoff_max_ms = integer(
        100,
        "Longest wait before the broker retries adding partitions while the last transaction completes.",
        at_least(0),
    )
    add_partitions_to_txn_retry_backoff_ms = integer(
        20, "First wait before the broker retries adding partitions while the last transaction completes.", at_least(1)
    )
    group_consumer_assignment_interval_ms = integer(
        1000, "Least time between two assignments of a consumer group.", at_least(0), update=CLUSTER_WIDE
    )
    group_consumer_assignors = items(
        ("uniform", "range"), "Server-side assignors of consumer groups; the first one is the default."
    )
    group_consumer_heartbeat_interval_ms = integer(
        5000, "How often members of a consumer group are told to heartbeat.", at_least(1)
    )
    group_consumer_max_assignment_interval_ms = integer(
        15_000, "Upper bound of a group's own consumer.assignment.interval.ms.", at_least(0)
    )
    group_consumer_max_heartbeat_interval_ms = integer(
        15_000, "Upper bound of a group's own consumer.heartbeat.interval.ms.", at_least(1)
    )
    group_consumer_max_session_timeout_ms = integer(
        60_000, "Upper bound of a group's own consumer.session.timeout.ms.", at_least(1)
    )
    group_consumer_max_size = integer(INT_MAX, "Most members of one consumer group.", at_least(1))
    group_consumer_migration_policy = string(
        "bidirectional",
        "Which live conversions between classic and consumer groups are allowed.",
        any_case_of("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"),
    )
    group_consumer_min_assignment_interval_ms = integer(
        0, "Lower bound of a group's own consumer.assignment.interval.ms.", at_least(0)
    )
    group_consumer_min_heartbeat_interval_ms = integer(
        5000, "Lower bound of a group's own consumer.heartbeat.interval.ms.", at_least(1)
    )
    group_consumer_min_session_timeout_ms = integer(
        45_000, "Lower bound of a group's own consumer.session.timeout.ms.", at_least(1)
    )
    group_consumer_regex_refresh_interval_ms = integer(
        600_000,
        "How often pattern subscriptions are matched against the topics again.",
        at_least(10_000),
        internal=True,
    )
    group_consumer_session_timeout_ms = integer(
        45_000, "A consumer group member that is silent for this long is removed.", at_least(1)
    )
    group_coordinator_append_linger_ms = integer(
        -1, "How long coordinators gather records before writing; -1 writes what is ready together.", at_least(-1)
    )
    group_coordinator_background_threads = integer(
        2, "Accepted for compatibility; coordinators have no threads of their own here.", at_least(1)
    )
    group_coordinator_cached_buffer_max_bytes = integer(
        1_048_588,
        "Largest write buffer that a group coordinator keeps for reuse.",
        at_least(524_288),
        update=CLUSTER_WIDE,
    )
    group_coordinator_rebalance_protocols = items(
        ("classic", "consumer", "streams"),
        "Group protocols that the broker offers.",
        each_of("consumer", "classic", "share", "streams"),
    )
    group_coordinator_threads = integer(
        4, "Accepted for compatibility; coordinators have no threads of their own here.", at_least(1)
    )
    group_initial_rebalance_delay_ms = integer(
        3000, "How long an empty classic group waits for more members before its first rebalance."
    )
    group_max_session_timeout_ms = integer(1_800_000, "Longest session timeout that a classic member may ask for.")
    group_max_size = integer(INT_MAX, "Most members of one classic group.", at_least(1))
    group_min_session_timeout_ms = integer(6000, "Shortest session timeout that a classic member may ask for.")
    group_share_assignment_interval_ms = integer(
        1000, "Least time between two assignments of a share group.", at_least(0), update=CLUSTER_WIDE
    )
    group_share_assignors = items(("simple",), "Server-side assignors of share groups.")
    group_share_delivery_count_limit = integer(
        5, "How often a record is delivered to a share group before it is given up.", between(2, 10)
    )
    group_share_heartbeat_interval_ms = integer(
        5000, "How often members of a share group are told to heartbeat.", at_least(1)
    )
    group_share_initialize_retry_interval_ms = integer(
        30_000,
        "Wait before the state of a share partition is initialised again after a failure.",
        at_least(1),
        internal=True,
    )
    group_share_max_assignment_interval_ms = integer(
        15_000, "Upper bound of a group's own share.assignment.interval.ms.", at_least(0)
    )
    group_share_max_delivery_count_limit = integer(
        10, "Upper bound of a group's own share.delivery.count.limit.", between(5, 25)
    )
    group_share_max_heartbeat_interval_ms = integer(
        15_000, "Upper bound of a group's own share.heartbeat.interval.ms.", at_least(1)
    )
    group_share_max_partition_max_record_locks = integer(
        4000, "Upper bound of a group's own share.partition.max.record.locks.", between(2000, 10_000)
    )
    group_share_max_record_lock_duration_ms = integer(
        60_000, "Upper bound of a group's own share.record.lock.duration.ms.", between(30_000, 3_600_000)
    )
    group_share_max_session_timeout_ms = integer(
        60_000, "Upper bound of a group's own share.session.timeout.ms.", at_least(1)
    )
    group_share_max_share_sessions = integer(2000, "Most share sessions on one broker.", at_least(1))
    group_share_max_size = integer(200, "Most members of one share group.", between(1, 1000))
    group_share_min_assignment_interval_ms = integer(
        0, "Lower bound of a group's own share.assignment.interval.ms.", at_least(0)
    )
    group_share_min_delivery_count_limit = integer(
        2, "Lower bound of a group's own share.delivery.count.limit.", between(2, 5)
    )
    group_share_min_heartbeat_interval_ms = integer(
        5000, "Lower bound of a group's own share.heartbeat.interval.ms.", at_least(1)
    )
    group_share_min_partition_max_record_locks = integer(
        100, "Lower bound of a group's own share.partition.max.record.locks.", between(100, 2000)
    )
    group_share_min_record_lock_duration_ms = integer(
        15_000, "Lower bound of a group's own share.record.lock.duration.ms.", between(1000, 30_000)
    )
    group_share_min_session_timeout_ms = integer(
        45_000, "Lower bound of a group's own share.session.timeout.ms.", at_least(1)
    )
    group_share_partition_max_record_locks = integer(
        2000, "Most records of one share partition that are out with consumers.", between(100, 10_000)
    )
    group_share_persister_class_name = string(
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        "Accepted for compatibility; share state is kept in its own topic.",
        internal=True,
    )
    group_share_record_lock_duration_ms = integer(
        30_000, "How long a share consumer holds a record before others may get it.", between(1000, 3_600_000)
    )
    group_share_session_timeout_ms = integer(
        45_000, "A share group member that is silent for this long is removed.", at_least(1)
    )
    group_streams_assignment_interval_ms = integer(
        1000, "Least time between two assignments of a streams group.", at_least(0), update=CLUSTER_WIDE
    )
    group_streams_heartbeat_interval_ms = integer(
        5000, "How often members of a streams group are told to heartbeat.", at_least(1)
    )
    group_streams_initial_rebalance_delay_ms = integer(
        3000, "How long a new streams group waits for more members before its first assignment.", at_least(0)
    )
    group_streams_max_assignment_interval_ms = integer(
        15_000, "Upper bound of a group's own streams.assignment.interval.ms.", at_least(0)
    )
    group_streams_max_heartbeat_interval_ms = integer(
        15_000, "Upper bound of a group's own streams.heartbeat.interval.ms.", at_least(1)
    )
    group_streams_max_session_timeout_ms = integer(
        60_000, "Upper bound of a group's own streams.session.timeout.ms.", at_least(1)
    )
    group_streams_max_size = integer(INT_MAX, "Most members of one streams group.", at_least(1))
    group_streams_max_standby_replicas = integer(
        2, "Upper bound of a group's own streams.num.standby.replicas.", at_least(0)
    )
    group_streams_min_assignment_interval_ms = integer(
        0, "Lower bound of a group's own streams.assignment.interval.ms.", at_least(0)
    )
    group_streams_min_heartbeat_interval_ms = integer(
        5000, "Lower bound of a group's own streams.heartbeat.interval.ms.", at_least(1)
    )
    group_streams_min_session_timeout_ms = integer(
        45_000, "Lower bound of a group's own streams.session.timeout.ms.", at_least(1)
    )
    group_streams_num_standby_replicas = integer(0, "Standby copies of each task of a streams group.", at_least(0))
    group_streams_session_timeout_ms = integer(
        45_000, "A streams group member that is silent for this long is removed.", at_least(1)
    )
    offset_metadata_max_bytes = integer(4096, "Longest text that may accompany a committed offset.")
    offsets_commit_timeout_ms = integer(5000, "How long an offset commit waits for its replicas.", at_least(1))
    offsets_load_buffer_size = integer(
        5_242_880, "Bytes read at a time while a group partition is loaded.", at_least(1)
    )
    offsets_retention_check_interval_ms = long(600_000, "How often expired offsets are looked for.", at_least(1))
    offsets_retention_minutes = integer(
        10_080, "Offsets of a group without members expire after this time.", at_least(1)
    )
    offsets_topic_compression_codec = integer(0, "Codec number for records in __consumer_offsets; 0 is none.")
    offsets_topic_num_partitions = integer(
        50, "Partitions of __consumer_offsets; not to be changed once it exists.", at_least(1)
    )
    offsets_topic_replication_factor = short(
        3, "Replicas of __consumer_offsets; left unset, a small cluster uses as many brokers as it has.", at_least(1)
    )
    offsets_topic_segment_bytes = integer(104_857_600, "Segment size of __consumer_offsets.", at_least(1))
    producer_id_expiration_check_interval_ms = integer(
        600_000, "How often producers that have gone silent are forgotten.", at_least(1), internal=True
    )
    producer_id_expiration_ms = integer(
        86_400_000,
        "A silent producer's sequence numbers are forgotten after this time.",
        at_least(1),
        update=CLUSTER_WIDE,
    )
    share_coordinator_append_linger_ms = integer(
        -1,
        "How long the share coordinator gathers records before writing; -1 writes what is ready together.",
        at_least(-1),
    )
    share_coordinator_cached_buffer_max_bytes = integer(
        1_048_588,
        "Largest write buffer that the share coordinator keeps for reuse.",
        at_least(524_288),
        update=CLUSTER_WIDE,
    )
    share_coordinator_cold_partition_snapshot_interval_ms = integer(
        300_000, "How often idle share partitions get a snapshot.", at_least(1), internal=True
    )
    share_coordinator_load_buffer_size = integer(
        5_242_880, "Bytes read at a time while a share state partition is loaded.", at_least(1)
    )
    share_coordinator_snapshot_update_records_per_snapshot = integer(
        500, "Updates written between two snapshots of a share partition.", between(0, 500)
    )
    share_coordinator_state_topic_compression_codec = integer(
        0, "Codec number for records in __share_group_state; 0 is none."
    )
    share_coordinator_state_topic_min_isr = short(2, "min.insync.replicas of __share_group_state.", at_least(1))
    share_coordinator_state_topic_num_partitions = integer(
        50, "Partitions of __share_group_state; not to be changed once it exists.", at_least(1)
    )
    share_coordinator_state_topic_prune_interval_ms = integer(
        300_000, "How often superseded share state is deleted.", at_least(1), internal=True
    )
    share_coordinator_state_topic_replication_factor = short(
        3, "Replicas of __share_group_state; left unset, a small cluster uses as many brokers as it has.", at_least(1)
    )
    share_coordinator_state_topic_segment_bytes = integer(
        104_857_600, "Segment size of __share_group_state.", at_least(1)
    )
    share_coordinator_threads = integer(
        1, "Accepted for compatibility; coordinators have no threads of their own here.", at_least(1)
    )
    share_coordinator_write_timeout_ms = integer(
        5000, "How long a write of share state waits for its replicas.", at_least(1)
    )
    share_fetch_purgatory_purge_interval_requests = integer(
        1000, "Accepted for compatibility; finished waits are dropped at once here."
    )
    transaction_abort_timed_out_transaction_cleanup_interval_ms = integer(
        10_000, "How often transactions past their timeout are looked for.", at_least(1)
    )
    transaction_max_timeout_ms = integer(
        900_000, "Longest timeout that a transactional producer may ask for.", at_least(1)
    )
    transaction_partition_verification_enable = boolean(
        True,
        "Whether a leader checks with the coordinator that a partition belongs to the transaction.",
        update=CLUSTER_WIDE,
    )
    transaction_remove_expired_transaction_cleanup_interval_ms = integer(
        3_600_000, "How often expired transactional ids are removed.", at_least(1)
    )
    transaction_state_log_load_buffer_size = integer(
        5_242_880, "Bytes read at a time while a transaction partition is loaded.", at_least(1)
    )
    transaction_state_log_min_isr = integer(2, "min.insync.replicas of __transaction_state.", at_least(1))
    transaction_state_log_num_partitions = integer(
        50, "Partitions of __transaction_state; not to be changed once it exists.", at_least(1)
    )
    transaction_state_log_replication_factor = short(
        3, "Replicas of __transaction_state; left unset, a small cluster uses as many brokers as it has.", at_least(1)
    )
    transaction_state_log_segment_bytes = integer(104_857_600, "Segment size of __transaction_state.", at_least(1))
    transaction_two_phase_commit_enable = boolean(
        False, "Whether producers may leave a transaction open for an external decision."
    )
    transactional_id_expiration_ms = integer(
        604_800_000, "A transactional id unused for this long is forgotten.", at_least(1)
    )
