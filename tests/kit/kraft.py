"""A stopped Kafka's log directory, written by our own writers: metadata log, snapshot, partitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kafkawire.records import build
from kafkawire.stored import metadata_log as m
from pykafkad.storage.disk import RealDisk
from tests.storage.helpers import append, batch, open_dir, open_log

CLUSTER = "c-l_u-s_t-e-r-1234567A"
ORDERS, CLICKS = bytes(range(1, 17)), bytes(range(2, 18))


def topic(name: str, topic_id: bytes, *replicas: Sequence[int], epoch: int = 0) -> list[Any]:
    """A topic as a controller makes it, its partitions with these replicas."""
    return [
        m.TopicRecord(name=name, topic_id=topic_id),
        *(
            m.PartitionRecord(
                partition_id=number,
                topic_id=topic_id,
                replicas=list(nodes),
                isr=list(nodes),
                leader=nodes[0],
                leader_epoch=epoch,
                partition_epoch=epoch,
            )
            for number, nodes in enumerate(replicas)
        ),
    ]


def feature(name: str, level: int) -> m.FeatureLevelRecord:
    return m.FeatureLevelRecord(name=name, feature_level=level)


def frames(records: Sequence[Any], offset: int = 0) -> bytes:
    """One batch of metadata records."""
    values = [(None, m.write(record, record.__wire__.versions.last)) for record in records]
    return bytes(build(values, base_offset=offset, timestamp=0))


def control(kind: int, offset: int) -> bytes:
    return bytes(build([(bytes([0, 0, 0, kind]), b"")], base_offset=offset, timestamp=0, control=True))


def write_log(folder: Path, *batches: bytes, base: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{base:020}.log").write_bytes(b"".join(batches))


def write_snapshot(folder: Path, end: int, records: Sequence[Any], *, whole: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = control(3, 0) + frames(records, 1) + (control(4, 1 + len(records)) if whole else b"")
    (folder / f"{end:020}-{1:010}.checkpoint").write_bytes(data)


class Kafka:
    """A directory with two topics, ``orders`` and ``clicks``; each partition has closed segments and an active one."""

    def __init__(self, path: Path, *, clean: bool = True, node_id: int = 1) -> None:
        self.path = path
        self.node_id = node_id
        self.records: list[Any] = [
            feature("metadata.version", 30),
            feature("group.version", 1),
            m.RegisterBrokerRecord(broker_id=node_id),
            *topic("orders", ORDERS, [node_id], [node_id], epoch=3),
            *topic("clicks", CLICKS, [node_id]),
            m.ConfigRecord(resource_type=2, resource_name="orders", name="retention.ms", value="-1"),
            m.ProducerIdsRecord(broker_id=node_id, next_producer_id=4000),
        ]
        directory = open_dir(RealDisk(), str(path), cluster_id=CLUSTER, node_id=node_id)
        for name, topic_id, partition in (("orders", ORDERS, 0), ("orders", ORDERS, 1), ("clicks", CLICKS, 0)):
            log = open_log(
                directory, name, partition, topic_id=topic_id, internal_segment_bytes=200, index_interval_bytes=50
            )
            for number in range(6):
                append(log, batch(2, timestamp=1_000 + number), epoch=2)
            log.flush(8 if not clean else None)
        if clean:
            directory.close(True)
        else:  # as kill -9 leaves it: checkpoints of a while ago, no marker
            directory.checkpoint(directory.logs.values(), {})
            directory.close(False)

    @property
    def metadata(self) -> Path:
        return self.path / "__cluster_metadata-0"

    @property
    def directory_id(self) -> str:
        lines = (self.path / "meta.properties").read_text().splitlines()
        return next(line for line in lines if line.startswith("directory.id=")).partition("=")[2]

    def written(self, *more: Any) -> Path:
        """With its metadata log; these records come last."""
        write_log(self.metadata, frames([*self.records, *more]))
        return self.path
