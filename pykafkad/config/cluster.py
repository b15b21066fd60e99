"""This broker among others: identity, replication, requests between brokers."""

from __future__ import annotations

from pykafkad.config.limits import LONG_MAX
from pykafkad.config.setting import CLUSTER_WIDE, Settings, at_least, boolean, each_of, integer, items, long, string


class ClusterSettings(Settings):
    alter_log_dirs_replication_quota_window_num = integer(
        11, "Samples kept for the quota on moves between log directories.", at_least(1)
    )
    alter_log_dirs_replication_quota_window_size_seconds = integer(
        1, "Length of one sample of the quota on moves between log directories.", at_least(1)
    )
    auto_leader_rebalance_enable = boolean(True, "Whether leadership is handed back to preferred replicas by itself.")
    broker_heartbeat_interval_ms = integer(2000, "How often a broker renews its lease in the cluster store.")
    broker_id = integer(-1, "Former name of node.id; must agree with it when both are set.")
    broker_rack = string(None, "Rack of this broker, for replica placement and for reading from the nearest replica.")
    broker_session_timeout_ms = integer(9000, "A broker whose lease was not renewed for this long is fenced.")
    controlled_shutdown_enable = boolean(True, "Whether a stopping broker hands its leaderships over first.")
    controller_listener_names = items(
        (), "Accepted from Kafka's files; this broker has no separate controller listener."
    )
    controller_quota_window_num = integer(11, "Samples kept for the quota on topic creation and deletion.", at_least(1))
    controller_quota_window_size_seconds = integer(
        1, "Length of one sample of the quota on topic creation and deletion.", at_least(1)
    )
    controller_socket_timeout_ms = integer(30_000, "How long a request from broker to controller may take.")
    default_replication_factor = integer(1, "Replicas of a topic that is created without a count.")
    follower_replication_throttled_rate = long(
        LONG_MAX,
        "Bytes per second that throttled followers may fetch on this broker.",
        at_least(0),
        update=CLUSTER_WIDE,
    )
    inter_broker_listener_name = string(
        None, "Listener that brokers use among themselves; unset follows security.inter.broker.protocol."
    )
    leader_imbalance_check_interval_seconds = long(300, "How often preferred leadership is checked.", at_least(1))
    leader_replication_throttled_rate = long(
        LONG_MAX,
        "Bytes per second that throttled leaders may send to followers from this broker.",
        at_least(0),
        update=CLUSTER_WIDE,
    )
    node_id = integer(1, "Number of this broker in the cluster.", at_least(0))
    num_replica_alter_log_dirs_threads = integer(
        None, "Threads that move replicas between log directories; unset means one per directory."
    )
    num_replica_fetchers = integer(1, "Fetchers per source broker for replication.", at_least(1), update=CLUSTER_WIDE)
    process_roles = items(
        ("broker", "controller"),
        "Accepted from Kafka's files; every process here is a broker that can also lead the cluster.",
        each_of("broker", "controller"),
    )
    replica_alter_log_dirs_io_max_bytes_per_second = long(
        LONG_MAX, "Bytes per second for moves between this broker's log directories.", at_least(0), update=CLUSTER_WIDE
    )
    replica_fetch_backoff_ms = integer(1000, "Wait of a follower after a failed fetch.", at_least(0))
    replica_fetch_max_bytes = integer(1_048_576, "Bytes per partition that a follower asks for.", at_least(0))
    replica_fetch_min_bytes = integer(1, "Bytes that a follower's fetch waits for.")
    replica_fetch_response_max_bytes = integer(
        10_485_760, "Bytes in all that a follower asks for at once.", at_least(0)
    )
    replica_fetch_wait_max_ms = integer(500, "Longest wait of a follower's fetch.")
    replica_high_watermark_checkpoint_interval_ms = long(5000, "How often high watermarks are written down.")
    replica_lag_time_max_ms = long(
        30_000, "A follower that has not caught up for this long leaves the in-sync replicas."
    )
    replica_selector_class = string(
        None, "Chooses the replica to read from; RackAwareReplicaSelector is known, unset reads from the leader."
    )
    replica_socket_receive_buffer_bytes = integer(65_536, "Socket receive buffer of followers.")
    replica_socket_timeout_ms = integer(30_000, "How long a follower's request may take.")
    replication_quota_window_num = integer(11, "Samples kept for replication quotas.", at_least(1))
    replication_quota_window_size_seconds = integer(1, "Length of one sample of replication quotas.", at_least(1))
    request_timeout_ms = integer(30_000, "How long a request to another broker may take.")
    socket_connection_setup_timeout_max_ms = long(
        30_000, "Longest wait for a connection to another broker, after repeated failures."
    )
    socket_connection_setup_timeout_ms = long(10_000, "First wait for a connection to another broker.")
