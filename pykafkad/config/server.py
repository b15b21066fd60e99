"""Listeners, limits, threads, metrics, and what Kafka does not have."""

from __future__ import annotations

from pykafkad.config.limits import INT_MAX
from pykafkad.config.setting import (
    CLUSTER_WIDE,
    PER_BROKER,
    Settings,
    any_case_of,
    at_least,
    boolean,
    class_name,
    integer,
    items,
    long,
    one_of,
    string,
)

LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")


class ServerSettings(Settings):
    advertised_listeners = items(
        None,
        "Addresses told to clients, one per listener; unset means the address that the client itself connected to.",
    )
    background_threads = integer(
        10,
        "Threads for background work; accepted for compatibility, the broker sizes its own workers.",
        at_least(1),
        update=CLUSTER_WIDE,
    )
    client_quota_callback_class = class_name(None, "Accepted for compatibility; Java quota callbacks are not run.")
    config_providers = items(
        (), "Accepted for compatibility; indirect config values are not resolved.", update=CLUSTER_WIDE
    )
    connections_max_idle_ms = long(600_000, "A connection without traffic for this long is closed.")
    delete_records_purgatory_purge_interval_requests = integer(
        1, "Accepted for compatibility; finished waits are dropped at once here."
    )
    early_start_listeners = items(None, "Listeners that may open before the rest of the start is done.")
    fetch_max_bytes = integer(
        57_671_680, "Most bytes of records in one Fetch answer, whatever the client asks for.", at_least(1024)
    )
    fetch_purgatory_purge_interval_requests = integer(
        1000, "Accepted for compatibility; finished waits are dropped at once here."
    )
    kafka_metrics_polling_interval_secs = integer(
        10, "Accepted for compatibility; metrics are read when they are scraped.", at_least(1)
    )
    kafka_metrics_reporters = items((), "Accepted for compatibility; metrics are served over HTTP.")
    listener_security_protocol_map = string(
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "Security protocol of each listener name.",
        update=PER_BROKER,
    )
    listeners = items(
        ("PLAINTEXT://127.0.0.1:9092",),
        "Where the broker listens: NAME://host:port, comma-separated; Kafka's own default is every interface.",
        update=PER_BROKER,
    )
    max_connection_creation_rate = integer(
        INT_MAX, "New connections per second that the broker accepts.", at_least(0), update=CLUSTER_WIDE
    )
    max_connections = integer(INT_MAX, "Open connections that the broker accepts.", at_least(0), update=CLUSTER_WIDE)
    max_connections_per_ip = integer(INT_MAX, "Open connections from one address.", at_least(0), update=CLUSTER_WIDE)
    max_connections_per_ip_overrides = string(
        "", "Exceptions from max.connections.per.ip, as host:count, comma-separated.", update=CLUSTER_WIDE
    )
    max_incremental_fetch_session_cache_slots = integer(
        1000, "Incremental fetch sessions that are remembered.", at_least(0)
    )
    max_request_partition_size_limit = integer(
        2000, "Most partitions in one answer of DescribeTopicPartitions.", at_least(1)
    )
    metric_reporters = items(
        ("org.apache.kafka.common.metrics.JmxReporter",),
        "Accepted for compatibility; metrics are served over HTTP.",
        update=CLUSTER_WIDE,
    )
    metrics_num_samples = integer(2, "Accepted for compatibility; rates are left to whoever scrapes.", at_least(1))
    metrics_recording_level = string("INFO", "Accepted for compatibility; all metrics are recorded.")
    metrics_sample_window_ms = long(
        30_000, "Accepted for compatibility; rates are left to whoever scrapes.", at_least(1)
    )
    num_io_threads = integer(
        8, "Accepted for compatibility; requests run on the broker's event loop.", at_least(1), update=CLUSTER_WIDE
    )
    num_network_threads = integer(
        3, "Accepted for compatibility; connections run on the broker's event loop.", at_least(1), update=CLUSTER_WIDE
    )
    producer_purgatory_purge_interval_requests = integer(
        1000, "Accepted for compatibility; finished waits are dropped at once here."
    )
    queued_max_request_bytes = long(
        -1, "Bytes of requests being served before the broker stops reading; -1 means no limit."
    )
    queued_max_requests = integer(500, "Requests being served before the broker stops reading.", at_least(1))
    quota_window_num = integer(11, "Samples kept for client quotas.", at_least(1))
    quota_window_size_seconds = integer(1, "Length of one sample of client quotas.", at_least(1))
    socket_listen_backlog_size = integer(50, "Connections that may wait to be accepted.", at_least(1))
    socket_receive_buffer_bytes = integer(102_400, "Receive buffer of client sockets; -1 leaves it to the system.")
    socket_request_max_bytes = integer(104_857_600, "Largest request that is accepted.", at_least(1))
    socket_send_buffer_bytes = integer(102_400, "Send buffer of client sockets; -1 leaves it to the system.")
    telemetry_max_bytes = integer(1_048_576, "Largest metrics push that a client may send.", at_least(1))
    unstable_api_versions_enable = boolean(False, "Whether API versions under development are served.", internal=True)
    unstable_feature_versions_enable = boolean(
        False, "Whether feature versions under development are allowed.", internal=True
    )

    # Not Kafka's.
    cluster_store = string("sqlite", "Where cluster state lives: sqlite (in the first data directory) or sqlite:PATH.")
    http_listen = string("127.0.0.1:9644", "host:port of /metrics and /health; empty turns them off.")
    log_format = string("text", "How the broker's own log lines look.", one_of("text", "json"))
    log_scrub_interval_ms = long(
        86_400_000, "How often closed segments are read again to find damaged batches.", at_least(1_000)
    )
    log_scrub_max_bytes_per_second = long(
        1_048_576, "How fast closed segments are read in search of damage; 0 turns that off.", at_least(0)
    )
    log_level = string("INFO", "Least severity of the broker's own log lines.", any_case_of(*LOG_LEVELS))
