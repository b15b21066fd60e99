"""How both brokers are set up: small limits, so that a script can reach them, and the same keys and values."""

from __future__ import annotations

COMMON = {
    "node.id": "1",
    "auto.create.topics.enable": "false",
    "num.partitions": "2",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "offset.metadata.max.bytes": "100",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.max.size": "4",
    "max.incremental.fetch.session.cache.slots": "400",
    "message.max.bytes": "100000",
    "log.roll.hours": "200",
    "log.flush.scheduler.interval.ms": "9223372036854775806",
    "broker.session.timeout.ms": "300000",  # a machine that is busy with something else makes no broker look dead
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


def settings(kind: str) -> dict[str, object]:
    return dict(COMMON) | ({"http.listen": ""} if kind == "pykafkad" else {})
