"""Every metric of the broker, declared once; hot paths hold a cell and add to it.

Names are what dashboards built on Kafka's JMX exporter ask for: the MBean's domain, type and name in lower case,
counters with ``_total``. A hot path keeps the ``Cell`` it got at set-up and does ``cell.value += n``: no lookup, no
lock, no label formatting. Rendering, and with it prometheus_client, belongs to ``ops/prometheus.py`` and is loaded at
the first scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "summary"]


class Declared(NamedTuple):
    """One metric as the world sees it."""

    kind: Kind
    labels: tuple[str, ...]
    help: str


def _table() -> dict[str, Declared]:
    topic_counters = {
        "messagesin": "Records received",
        "bytesin": "Bytes of records received",
        "bytesout": "Bytes of records sent to consumers",
        "bytesrejected": "Bytes of records refused",
        "totalproducerequests": "Produce requests per topic partition asked",
        "totalfetchrequests": "Fetch requests per topic partition asked",
        "failedproducerequests": "Produce requests refused",
        "failedfetchrequests": "Fetch requests refused",
        "producemessageconversions": "Records rewritten on their way in (compression, append time)",
    }
    table: dict[str, Declared] = {}
    for name, text in topic_counters.items():
        table[f"kafka_server_brokertopicmetrics_{name}_total"] = Declared("counter", ("topic",), text)
    for name, text in {
        "nokeycompactedtopicrecords": "Batches refused: a record without key on a compacted topic",
        "invalidmagicnumberrecords": "Batches refused: wrong magic",
        "invalidmessagecrcrecords": "Batches refused: wrong CRC",
        "invalidoffsetorsequencerecords": "Batches refused: wrong offsets or sequence",
    }.items():
        table[f"kafka_server_brokertopicmetrics_{name}_total"] = Declared("counter", (), text)
    request = ("request",)
    table["kafka_network_requestmetrics_requests_total"] = Declared(
        "counter", ("request", "version"), "Requests served"
    )
    table["kafka_network_requestmetrics_errors_total"] = Declared(
        "counter", ("request", "error"), "Requests that failed inside the broker"
    )
    table["kafka_network_requestmetrics_totaltimems"] = Declared(
        "summary", request, "Milliseconds from the request's arrival to its answer being queued"
    )
    table["kafka_network_requestmetrics_localtimems"] = Declared(
        "summary", request, "Milliseconds spent on the request before it was answered or had to wait"
    )
    table["kafka_network_requestmetrics_requestbytes"] = Declared("summary", request, "Size of requests in bytes")
    counters = {
        "kafka_server_replicamanager_isrshrinks_total": "ISR shrinks",
        "kafka_server_replicamanager_isrexpands_total": "ISR expansions",
        "kafka_server_replicamanager_failedisrupdates_total": "ISR updates that failed",
        "kafka_controller_controllerstats_uncleanleaderelections_total": "Leaders elected outside the ISR",
        "kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total": "Fetch sessions evicted",
        "kafka_server_group_coordinator_metrics_offset_commit_count": "Offsets committed",
        "kafka_server_group_coordinator_metrics_offset_expiration_count": "Offsets expired",
        "kafka_server_group_coordinator_metrics_offset_deletion_count": "Offsets deleted",
        "kafka_server_group_coordinator_metrics_group_completed_rebalance_count": "Rebalances completed",
        "kafka_coordinator_transaction_transactioncoordinator_committed_total": "Transactions committed",
        "kafka_coordinator_transaction_transactioncoordinator_aborted_total": "Transactions aborted",
        "kafka_coordinator_transaction_transactioncoordinator_timedout_total": "Transactions aborted at their timeout",
        "kafka_coordinator_transaction_transactioncoordinator_fenced_total": "Requests of producers whose "
        "transactional id somebody else has taken",
        "kafka_server_addpartitionstotxnmanager_verificationfailure_total": "Partitions that a transaction's "
        "coordinator didn't vouch for",
        "kafka_log_logmanager_scrubbedbytes_total": "Bytes of closed segments that were checked for damage",
        "kafka_network_socketserver_connections_accepted_total": "Connections accepted",
        "kafka_network_socketserver_connections_closed_total": "Connections closed",
        "kafka_network_socketserver_bytes_received_total": "Bytes received from clients",
        "kafka_network_socketserver_bytes_sent_total": "Bytes sent to clients",
        "kafka_network_socketserver_bytes_sent_from_files_total": "Bytes sent by sendfile, never in user space",
        "kafka_network_socketserver_cold_reads_total": "File slices that a worker thread had to warm first",
    }
    for name, text in counters.items():
        table[name] = Declared("counter", (), text)
    table["kafka_network_socketserver_refused_total"] = Declared(
        "counter", ("reason",), "Connections closed because of what the peer did"
    )
    gauges = {
        "kafka_server_kafkaserver_brokerstate": "1 starting, 3 running, 6 shutting down",
        "kafka_server_replicamanager_partitioncount": "Partitions on this broker",
        "kafka_server_replicamanager_leadercount": "Partitions this broker leads",
        "kafka_server_replicamanager_underreplicatedpartitions": "Partitions with fewer in-sync replicas than replicas",
        "kafka_server_replicamanager_underminisrpartitioncount": "Partitions below min.insync.replicas",
        "kafka_server_replicamanager_atminisrpartitioncount": "Partitions at min.insync.replicas",
        "kafka_server_replicamanager_offlinereplicacount": "Replicas on failed log directories",
        "kafka_server_replicamanager_partitionswithlatetransactionscount": "Partitions led here with a transaction"
        " that nobody is going to end: open and silent for longer than any may be",
        "kafka_server_replicamanager_produceridcount": "Producer ids remembered",
        "kafka_controller_kafkacontroller_activecontrollercount": "1 on the broker that holds the controller's lease",
        "kafka_controller_kafkacontroller_activebrokercount": "Brokers alive",
        "kafka_controller_kafkacontroller_fencedbrokercount": "Brokers fenced",
        "kafka_controller_kafkacontroller_globaltopiccount": "Topics of the cluster",
        "kafka_controller_kafkacontroller_globalpartitioncount": "Partitions of the cluster",
        "kafka_controller_kafkacontroller_offlinepartitionscount": "Partitions without a leader",
        "kafka_controller_kafkacontroller_preferredreplicaimbalancecount": "Partitions not led by their first replica",
        "kafka_controller_kafkacontroller_lastappliedrecordoffset": "Revision of the cluster store known here",
        "kafka_log_logmanager_offlinelogdirectorycount": "Log directories that failed",
        "kafka_log_logcleaner_max_buffer_utilization_percent": "How full compaction's key map was in its last round",
        "kafka_log_logcleaner_cleaner_recopy_percent": "Bytes that stayed of those that compaction's last round read",
        "kafka_log_logcleaner_max_clean_time_secs": "Seconds that compaction's last round took",
        "kafka_log_logcleaner_max_compaction_delay_secs": "Longest wait of a record beyond max.compaction.lag.ms",
        "kafka_log_logcleaner_deadthreadcount": "Cleaners whose last round ended with the death of its process",
        "kafka_log_logcleanermanager_max_dirty_percent": "Share of uncleaned bytes of the dirtiest log",
        "kafka_log_logcleanermanager_time_since_last_run_ms": "Milliseconds since a cleaner last looked for work",
        "kafka_log_logmanager_cordonedlogdirectorycount": "Log directories that get no new partitions",
        "kafka_log_logmanager_corruptbatches": "Damaged stretches of closed segments that the scrubber has found",
        "kafka_server_fetchsessioncache_numincrementalfetchsessions": "Fetch sessions",
        "kafka_server_fetchsessioncache_numincrementalfetchpartitionscached": "Partitions in fetch sessions",
        "kafka_coordinator_group_groupmetadatamanager_numgroups": "Groups coordinated here",
        "kafka_coordinator_group_groupmetadatamanager_numoffsets": "Committed offsets kept here",
        "kafka_coordinator_transaction_transactioncoordinator_open": "Transactions open",
        "kafka_coordinator_transaction_transactioncoordinator_oldestseconds": "Age of the oldest open transaction",
        "kafka_coordinator_transaction_transactionmarkerchannelmanager_unknowndestinationqueuesize": "Ends of "
        "transactions that a partition couldn't take yet",
        "kafka_coordinator_transaction_transactionmarkerchannelmanager_logappendretryqueuesize": "Transactions "
        "that all partitions have seen end, and the coordinator's log couldn't take yet",
        "kafka_server_transaction_coordinator_metrics_partition_load_time_max": "Milliseconds, longest load of a "
        "coordinator's partition",
        "kafka_server_transaction_coordinator_metrics_partition_load_time_avg": "Milliseconds, mean of those loads",
        "kafka_network_socketserver_connectioncount": "Connections open",
        "kafka_network_requestchannel_requestqueuesize": "Requests waiting for their answer",
        "kafka_network_socketserver_memorypoolused": "Bytes of requests that have arrived in part or wait their turn",
    }
    for name, text in gauges.items():
        table[name] = Declared("gauge", (), text)
    for name, text in {
        "partitions_count": "Partitions that compaction gave up, because of damage or for an error",
        "bytes": "Bytes that wait for compaction in those",
    }.items():
        table[f"kafka_log_logcleanermanager_uncleanable_{name}"] = Declared("gauge", ("logDirectory",), text)
    table["kafka_log_logmanager_remaininglogstorecover"] = Declared(
        "gauge", ("dir",), "Logs that have to be read again after a crash, while there are any"
    )
    table["kafka_log_logmanager_remainingsegmentstorecover"] = Declared(
        "gauge", ("dir", "threadNum"), "Segments left of the log that a thread is reading again"
    )
    table["kafka_server_delayedoperationpurgatory_purgatorysize"] = Declared(
        "gauge", ("delayedOperation",), "Requests waiting for data or for replicas"
    )
    table["kafka_server_group_coordinator_metrics_group_count"] = Declared("gauge", ("protocol",), "Groups by protocol")
    table["kafka_coordinator_group_groupmetadatamanager_numgroups_by_state"] = Declared(
        "gauge", ("state",), "Groups by state"
    )
    partition = ("topic", "partition")
    for name, text in {
        "size": "Bytes on disk",
        "logstartoffset": "First offset kept",
        "logendoffset": "Next offset to be written",
        "numlogsegments": "Segment files",
        "unsyncedrecords": "Records that a power cut could take now, at most",
        "unsyncedbytes": "Bytes that a power cut could take now, at most",
    }.items():
        table[f"kafka_log_log_{name}"] = Declared("gauge", partition, text)
    for name, text in {
        "underreplicated": "1 if a replica is out of sync",
        "insyncreplicascount": "In-sync replicas",
        "replicascount": "Replicas",
        "laststableoffsetlag": "Records behind the high watermark that open transactions hold back",
    }.items():
        table[f"kafka_cluster_partition_{name}"] = Declared("gauge", partition, text)
    group = ("group", "topic", "partition")
    table["kafka_consumergroup_lag"] = Declared(
        "gauge", group, "Records between a group's offset and the high watermark"
    )
    table["kafka_consumergroup_lag_seconds"] = Declared(
        "gauge", group, "Age of the first record that the group hasn't consumed yet"
    )
    table["kafka_consumergroup_current_offset"] = Declared("gauge", group, "Offset that the group committed")
    return table


DECLARED: Mapping[str, Declared] = _table()

# Upper bounds of a summary's buckets: 50 µs to 60 s in steps of about 1.3, in whatever unit is observed.
BOUNDS: tuple[float, ...] = tuple(0.05 * 1.3**step for step in range(96))
QUANTILES = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)


class Cell:
    """One counter with one set of label values."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Summary:
    """Observations in buckets; quantiles are read from them at a scrape.

    ``base`` is counted in: two summaries that mostly see the same values keep those once.
    """

    __slots__ = ("base", "buckets", "total")

    def __init__(self, base: Summary | None = None) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.base = base

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(BOUNDS, value)] += 1
        self.total += value

    def observe_run(self, value: float, times: int) -> None:
        self.buckets[bisect_left(BOUNDS, value)] += times
        self.total += value * times

    def read(self) -> tuple[list[int], float]:
        """Buckets and sum, those of the base included."""
        if self.base is None:
            return self.buckets, self.total
        buckets, total = self.base.read()
        return [mine + theirs for mine, theirs in zip(self.buckets, buckets, strict=True)], self.total + total


def quantile(buckets: list[int], fraction: float) -> float:
    """The upper bound of the bucket in which that fraction of all observations is reached; 0 with none."""
    missing = fraction * sum(buckets)
    for bound, bucket in zip((*BOUNDS, BOUNDS[-1]), buckets, strict=True):
        missing -= bucket
        if bucket and missing <= 0:
            return bound
    return 0.0


LabelValues = tuple[str, ...]
Sample = tuple[LabelValues, float]
Gauge = Callable[[], float]
Gauges = Callable[[], Iterable[Sample]]


class Metrics:
    """The metrics of one broker; several brokers may live in one process."""

    def __init__(self) -> None:
        self.counters: dict[str, dict[LabelValues, Cell]] = {}
        self.summaries: dict[str, dict[LabelValues, Summary]] = {}
        self.gauges: dict[str, Gauges] = {}

    def counter(self, name: str, *label_values: str) -> Cell:
        """The cell of a declared counter, the same one for the same labels."""
        cells = self.counters.get(name)
        if cells is None:
            _declared(name, "counter", label_values)
            cells = self.counters[name] = {}
        cell = cells.get(label_values)
        if cell is None:
            _declared(name, "counter", label_values)
            cell = cells[label_values] = Cell()
        return cell

    def summary(self, name: str, *label_values: str, base: Summary | None = None) -> Summary:
        """The buckets of a declared summary, the same ones for the same labels."""
        _declared(name, "summary", label_values)
        return self.summaries.setdefault(name, {}).setdefault(label_values, Summary(base))

    def gauge(self, name: str, read: Gauge) -> None:
        """Let a gauge without labels be read by ``read`` at each scrape."""
        _declared(name, "gauge", ())
        self.gauges[name] = lambda: (((), read()),)

    def gauge_by(self, name: str, read: Gauges) -> None:
        """Let a gauge with labels be read by ``read``, which gives (label values, value) pairs, at each scrape."""
        assert DECLARED[name].kind == "gauge", name
        self.gauges[name] = read

    def forget(self, label_value: str) -> None:
        """Drop the cells of a topic that is gone, so that a broker with short-lived topics doesn't grow."""
        for name, cells in self.counters.items():
            if "topic" in DECLARED[name].labels:
                at = DECLARED[name].labels.index("topic")
                for labels in [labels for labels in cells if labels[at] == label_value]:
                    del cells[labels]


def _declared(name: str, kind: Kind, label_values: LabelValues) -> None:
    declared = DECLARED.get(name)
    assert declared is not None, f"metric {name} is not declared"
    assert declared.kind == kind and len(declared.labels) == len(label_values), (name, declared, label_values)
