"""Gauges read from the broker's services at a scrape: the cluster, logs, groups and their lag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kafkawire.batches import HEADER_SIZE, header_at
from kafkawire.errors import WireError
from pykafkad.errors import Refused, StorageFailed
from pykafkad.storage.exposure import exposed

if TYPE_CHECKING:
    from pykafkad.runtime.node import Node
    from pykafkad.runtime.partition import Partition

Samples = Iterator[tuple[tuple[str, ...], float]]


def declare(node: Node, state: Callable[[], int]) -> None:
    """Hang the gauges on the node's metrics; ``state`` is Kafka's number of the broker's state."""
    gauge, gauge_by = node.metrics.gauge, node.metrics.gauge_by
    gauge("kafka_server_kafkaserver_brokerstate", state)
    controller = "kafka_controller_kafkacontroller_"
    gauge(controller + "activecontrollercount", lambda: int(node.image.controller_id == node.node_id))
    gauge(controller + "activebrokercount", lambda: sum(not one.fenced for one in node.image.brokers.values()))
    gauge(controller + "fencedbrokercount", lambda: sum(one.fenced for one in node.image.brokers.values()))
    gauge(controller + "globaltopiccount", lambda: len(node.image.topics))
    gauge(controller + "globalpartitioncount", lambda: sum(len(one.partitions) for one in node.image.topics.values()))
    gauge(
        controller + "offlinepartitionscount",
        lambda: sum(part.leader < 0 for topic in node.image.topics.values() for part in topic.partitions),
    )
    gauge(
        controller + "preferredreplicaimbalancecount",
        lambda: sum(
            part.leader != part.replicas[0] for topic in node.image.topics.values() for part in topic.partitions
        ),
    )
    gauge(controller + "lastappliedrecordoffset", lambda: node.image.revision)
    sessions = node.fetch_sessions
    gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", lambda: len(sessions))
    gauge("kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", lambda: sessions.cached_partitions)
    gauge("kafka_coordinator_group_groupmetadatamanager_numoffsets", lambda: sum(1 for _ in node.groups.lags()))
    _declare_transactions(node)
    gauge_by("kafka_log_log_size", lambda: _of_logs(node, lambda one: one.log.size))
    gauge_by("kafka_log_log_logstartoffset", lambda: _of_logs(node, lambda one: one.log.start_offset))
    gauge_by("kafka_log_log_logendoffset", lambda: _of_logs(node, lambda one: one.log.end_offset))
    gauge_by("kafka_log_log_numlogsegments", lambda: _of_logs(node, lambda one: len(one.log.segments)))
    gauge_by("kafka_log_log_unsyncedrecords", lambda: _of_logs(node, lambda one: exposed(one.log)[0]))
    gauge_by("kafka_log_log_unsyncedbytes", lambda: _of_logs(node, lambda one: exposed(one.log)[1]))
    gauge_by(
        "kafka_cluster_partition_laststableoffsetlag",
        lambda: _of_logs(node, lambda one: one.high_watermark - one.last_stable_offset),
    )
    gauge_by("kafka_consumergroup_lag", lambda: _lag(node))
    gauge_by("kafka_consumergroup_current_offset", lambda: _current(node))
    seconds = LagSeconds(node)
    gauge_by("kafka_consumergroup_lag_seconds", seconds.read)


def _declare_transactions(node: Node) -> None:
    gauge, transactions = node.metrics.gauge, node.transactions
    coordinator = "kafka_coordinator_transaction_transactioncoordinator_"
    gauge(coordinator + "open", lambda: sum(1 for _ in transactions.open()))
    gauge(coordinator + "oldestseconds", lambda: _oldest(node))
    sender = "kafka_coordinator_transaction_transactionmarkerchannelmanager_"
    gauge(sender + "unknowndestinationqueuesize", transactions.unsent_markers)
    gauge(sender + "logappendretryqueuesize", transactions.unwritten_ends)
    loads = "kafka_server_transaction_coordinator_metrics_partition_load_time_"
    gauge(loads + "max", lambda: max(transactions.load_times, default=0))
    gauge(loads + "avg", lambda: sum(transactions.load_times) / max(len(transactions.load_times), 1))


def _oldest(node: Node) -> float:
    now = node.clock.now_ms()
    return max((max(0, now - begun) / 1000 for _, begun in node.transactions.open()), default=0.0)


def _of_logs(node: Node, read: Callable[[Partition], float]) -> Samples:
    for partition in node.partitions.all():
        yield (partition.topic, str(partition.index)), read(partition)


def _current(node: Node) -> Samples:
    for group, topic, index, offset, _ in list(node.groups.lags()):
        yield (group, topic, str(index)), offset


def _lag(node: Node) -> Samples:
    for group, topic, index, offset, _ in list(node.groups.lags()):
        partition = node.partitions.get(topic, index)
        if not isinstance(partition, Refused):
            yield (group, topic, str(index)), max(0, partition.high_watermark - offset)


class LagSeconds:
    """Age of the first record that a group hasn't consumed: how long its newest consumer has been behind.

    It is the newest timestamp of the batch that holds the committed offset. A group that stands still is looked up
    once.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[tuple[str, int, int], int] = {}  # topic, partition, offset -> timestamp

    def read(self) -> Samples:
        node, known, self._known = self._node, self._known, {}
        now = node.clock.now_ms()
        for group, topic, index, offset, _ in list(node.groups.lags()):
            partition = node.partitions.get(topic, index)
            if isinstance(partition, Refused):
                continue
            seconds = 0.0
            if offset < partition.high_watermark:
                key = topic, index, max(offset, partition.log.start_offset)
                timestamp = self._known.get(key) or known.get(key) or _timestamp_at(partition, key[2])
                if timestamp is None:
                    continue
                self._known[key] = timestamp
                seconds = max(0, now - timestamp) / 1000
            yield (group, topic, str(index)), seconds


def _timestamp_at(partition: Partition, offset: int) -> int | None:
    found = partition.read(offset, HEADER_SIZE, partition.high_watermark, False)
    if found is None or isinstance(found, Refused):
        return None
    try:
        return header_at(found.read(), 0).max_timestamp
    except (WireError, StorageFailed, OSError):
        return None
