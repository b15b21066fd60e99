"""What Prometheus is told about the partitions on this node: read when it asks, nothing is counted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.cluster.image import PartitionImage
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions


def declare(partitions: Partitions, metrics: Metrics, clock: Clock, node_id: int) -> None:
    opened, placed, dirs = partitions.all, partitions.placed, partitions.dirs
    gauge, by_partition = metrics.gauge, metrics.gauge_by

    def late_transactions() -> int:
        now, timeout_max_ms = clock.now_ms(), partitions.config.transaction_max_timeout_ms
        return sum(p.leads and p.producers.has_late(now, timeout_max_ms) for p in opened())

    gauge("kafka_server_replicamanager_partitioncount", lambda: len(partitions))
    gauge(
        "kafka_server_replicamanager_leadercount",
        lambda: sum(image.leader == node_id for _, image in placed()),
    )
    gauge(
        "kafka_server_replicamanager_underreplicatedpartitions",
        lambda: sum(len(image.isr) < len(image.replicas) for _, image in placed()),
    )
    gauge(
        "kafka_server_replicamanager_underminisrpartitioncount",
        lambda: sum(p.leads and not p.enough_replicas for p in opened()),
    )
    gauge("kafka_server_replicamanager_partitionswithlatetransactionscount", late_transactions)
    gauge("kafka_server_replicamanager_offlinereplicacount", lambda: partitions.offline)
    gauge("kafka_server_replicamanager_produceridcount", lambda: sum(len(p.producers) for p in opened()))
    gauge("kafka_log_logmanager_offlinelogdirectorycount", lambda: len(dirs.offline))
    gauge(
        "kafka_log_logmanager_cordonedlogdirectorycount",
        lambda: sum(dirs.is_cordoned(log_dir.path) for log_dir in dirs.online),
    )

    def of_each(name: str, read: Callable[[Partition], float]) -> None:
        by_partition(name, lambda: [((p.topic, str(p.index)), read(p)) for p in opened()])

    of_each("kafka_log_log_size", lambda p: p.log.size)
    of_each("kafka_log_log_logstartoffset", lambda p: p.log.start_offset)
    of_each("kafka_log_log_logendoffset", lambda p: p.log.end_offset)
    of_each("kafka_log_log_numlogsegments", lambda p: len(p.log.segments))
    of_each("kafka_cluster_partition_laststableoffsetlag", lambda p: p.high_watermark - p.last_stable_offset)

    def of_each_placed(name: str, read: Callable[[PartitionImage], float]) -> None:
        by_partition(name, lambda: [((topic, str(index)), read(image)) for (topic, index), image in placed()])

    of_each_placed("kafka_cluster_partition_insyncreplicascount", lambda image: len(image.isr))
    of_each_placed("kafka_cluster_partition_replicascount", lambda image: len(image.replicas))
    of_each_placed("kafka_cluster_partition_underreplicated", lambda image: len(image.isr) < len(image.replicas))
    by_partition(
        "kafka_server_delayedoperationpurgatory_purgatorysize",
        lambda: [
            (("Produce",), sum(p.waiting for p in opened())),
            (("Fetch",), len({callback for p in opened() for callback in p.growers()})),
        ],
    )
