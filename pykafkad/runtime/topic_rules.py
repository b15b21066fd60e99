"""What may become a topic, and what a topic may grow to: checks of admin requests against one image.

Each check returns a ``Refused`` or the plan that is to be written; nothing here waits or writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kafkawire.errors import ErrorCode
from pykafkad.cluster import keys
from pykafkad.cluster.image import ClusterImage, TopicImage
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.runtime.config_rules import refuse_topic_value, refuse_topic_values
from pykafkad.state import placement

MAX_NAME_LENGTH = 249
MAX_NEW_PARTITIONS = 10_000  # per request
METADATA_TOPIC = "__cluster_metadata"


@dataclass(slots=True)
class NewTopic:
    """A topic as a request asks for it; -1 takes the broker's default."""

    name: str
    partitions: int = -1
    factor: int = -1
    assignments: Sequence[tuple[int, Sequence[int]]] = ()  # (partition, replicas), in the request's order
    configs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class NewPartitions:
    topic: str
    count: int
    assignments: Sequence[Sequence[int]] | None = None


def refuse_name(name: str) -> Refused | None:
    """Kafka's rule for topic names."""
    reason = ""
    if not name:
        reason = "the empty string is not allowed"
    elif name in (".", ".."):
        reason = f"'{name}' is not allowed"
    elif len(name) > MAX_NAME_LENGTH:
        reason = f"the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}"
    elif not re.fullmatch(r"[a-zA-Z0-9._-]+", name):
        reason = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {reason}") if reason else None


def racks(image: ClusterImage, config: Config) -> dict[int, str | None]:
    """The brokers that can take replicas: this one only if some log directory of it isn't cordoned."""
    full = config.node_id if config.all_cordoned else -1
    return {broker.id: broker.rack for broker in image.brokers.values() if not broker.fenced and broker.id != full}


def plan_topic(image: ClusterImage, config: Config, topic: NewTopic, start: int) -> list[tuple[int, ...]] | Refused:
    """The replicas of each partition of a topic to be created."""
    if (refused := refuse_name(topic.name)) is not None:
        return refused
    if topic.name in image.topics:
        return Refused(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{topic.name}' already exists.")
    if (other := colliding(image, topic.name)) is not None:
        return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic '{topic.name}' collides with existing topic: {other}")
    for key, value in topic.configs.items():
        if value is None:
            return Refused(ErrorCode.INVALID_CONFIG, f"Null value not supported for topic configs: {key}")
        if (reason := refuse_topic_value(key, value)) is not None:
            return Refused(ErrorCode.INVALID_CONFIG, reason)
    given = {key: value for key, value in topic.configs.items() if value is not None}
    if (reason := refuse_topic_values(config, given)) is not None:
        return Refused(ErrorCode.INVALID_CONFIG, reason)
    if topic.assignments:
        return _by_hand(image, topic)
    partitions = config.num_partitions if topic.partitions == -1 else topic.partitions
    factor = config.default_replication_factor if topic.factor == -1 else topic.factor
    if factor <= 0:
        return Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if partitions <= 0:
        return Refused(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    return _placed(image, config, partitions, factor, start)


def _placed(
    image: ClusterImage, config: Config, partitions: int, factor: int, start: int
) -> list[tuple[int, ...]] | Refused:
    usable = racks(image, config)
    if factor > len(usable):
        reason = f"only {len(usable)} broker(s) are registered."
        if not usable:
            reason = "All brokers are currently fenced, or have all their log directories cordoned."
        return Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR, f"Unable to replicate the partition {factor} time(s): {reason}"
        )
    return placement.place(usable, partitions, factor, start)


def _by_hand(image: ClusterImage, topic: NewTopic) -> list[tuple[int, ...]] | Refused:
    """Assignments given in the request."""
    if topic.factor != -1:
        detail = "A manual partition assignment was specified, but replication factor was not set to -1."
        return Refused(ErrorCode.INVALID_REQUEST, detail)
    if topic.partitions != -1:
        detail = "A manual partition assignment was specified, but numPartitions was not set to -1."
        return Refused(ErrorCode.INVALID_REQUEST, detail)
    plan: dict[int, tuple[int, ...]] = {}
    size: int | None = None
    for partition, replicas in topic.assignments:
        if partition in plan:
            return Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {partition}",
            )
        reason = placement.refuse_replicas(replicas, image.brokers, size)
        if reason is not None:
            return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
        plan[partition] = tuple(replicas)
        size = len(replicas)
    if sorted(plan) != list(range(len(plan))):
        return Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence"
        )
    return [plan[partition] for partition in range(len(plan))]


def colliding(image: ClusterImage, name: str) -> str | None:
    """The topic whose metrics could not be told from this name's."""
    key = keys.topic(name)
    if key not in image.revisions:
        return None
    return next((other for other in image.topics if keys.topic(other) == key and other != name), None)


def new_partitions(config: Config, topics: Sequence[NewTopic]) -> int:
    """How many partitions a request asks for."""
    return sum(
        len(topic.assignments) or (config.num_partitions if topic.partitions == -1 else max(topic.partitions, 0))
        for topic in topics
    )


def plan_growth(
    image: ClusterImage, config: Config, wanted: NewPartitions, start: int
) -> list[tuple[int, ...]] | Refused:
    """The replicas of the partitions to be added."""
    topic = image.topic(wanted.topic)
    if topic is None:
        return Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    now, added = len(topic.partitions), wanted.count - len(topic.partitions)
    if added == 0:
        return Refused(ErrorCode.INVALID_PARTITIONS, f"Topic already has {now} partition(s).")
    if added < 0:
        return Refused(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {topic.name} currently has {now} partition(s); {wanted.count} would not be an increase.",
        )
    size = len(topic.partitions[0].replicas)
    if wanted.assignments is None:
        if added > MAX_NEW_PARTITIONS:
            return Refused(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")
        return _placed(image, config, added, size, start)
    if len(wanted.assignments) != added:
        return Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {added} additional partition(s), but only {len(wanted.assignments)} assignment(s) "
            "were specified.",
        )
    for replicas in wanted.assignments:
        if (reason := placement.refuse_replicas(replicas, image.brokers, size)) is not None:
            return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
    return [tuple(replicas) for replicas in wanted.assignments]


def internal_topic(config: Config, name: str, brokers: int) -> NewTopic:
    """A coordinator's topic, with Kafka's settings; a factor nobody chose gives way to a small cluster."""
    prefix, cleanup = _INTERNAL[name]
    segment_bytes = getattr(config, f"{prefix}_segment_bytes")
    factor = getattr(config, f"{prefix}_replication_factor")
    if not config.is_set(f"{prefix}_replication_factor".replace("_", ".")):
        factor = max(1, min(factor, brokers))
    configs: dict[str, str | None] = {"segment.bytes": str(segment_bytes), **cleanup}
    if prefix != "offsets_topic":
        min_isr = getattr(config, f"{prefix}_min_isr")
        if not config.is_set(f"{prefix}_min_isr".replace("_", ".")):
            min_isr = min(min_isr, factor)
        configs["min.insync.replicas"] = str(min_isr)
    return NewTopic(name, getattr(config, f"{prefix}_num_partitions"), factor, configs=configs)


_INTERNAL: dict[str, tuple[str, dict[str, str]]] = {
    "__consumer_offsets": ("offsets_topic", {"cleanup.policy": "compact", "compression.type": "producer"}),
    "__transaction_state": (
        "transaction_state_log",
        {"cleanup.policy": "compact", "compression.type": "uncompressed", "unclean.leader.election.enable": "false"},
    ),
    "__share_group_state": (
        "share_coordinator_state_topic",
        {"cleanup.policy": "delete", "compression.type": "producer", "retention.ms": "-1"},
    ),
}


def topic_keys(topic: TopicImage) -> list[str]:
    """Every key that goes with a topic."""
    indexes = range(len(topic.partitions))
    return [keys.topic(topic.name), *(keys.partition(topic.id, index) for index in indexes)]
