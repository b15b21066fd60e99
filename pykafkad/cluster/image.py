"""ClusterImage: the cluster at one revision, immutable; a handler reads one image from start to end.

``picture.py`` makes a new image from the old one and what a watch told. Topics that did not change are the same objects
in both, so whoever follows the cluster finds the difference by identity. ``memo`` on images is for what others derive
from them once (an encoded answer, say): an image never changes, so neither does what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

GROUP_METADATA_TOPIC = "__consumer_offsets"
TRANSACTION_STATE_TOPIC = "__transaction_state"
SHARE_STATE_TOPIC = "__share_group_state"
INTERNAL_TOPICS = frozenset({GROUP_METADATA_TOPIC, TRANSACTION_STATE_TOPIC, SHARE_STATE_TOPIC})

# Resource types of configs, as DescribeConfigs numbers them.
TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32


def is_internal(topic: str) -> bool:
    return topic in INTERNAL_TOPICS


class PartitionImage(NamedTuple):
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int  # -1: none
    leader_epoch: int
    partition_epoch: int


class TopicImage:
    """A topic and its partitions; equal when they say the same."""

    __slots__ = ("id", "memo", "name", "partitions")

    def __init__(self, name: str, id: bytes, partitions: tuple[PartitionImage, ...]) -> None:
        self.name = name
        self.id = id
        self.partitions = partitions
        self.memo: dict[Any, Any] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicImage) and (self.name, self.id, self.partitions) == (
            other.name,
            other.id,
            other.partitions,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TopicImage({self.name!r}, {self.id!r}, {self.partitions!r})"


class BrokerImage(NamedTuple):
    id: int
    epoch: int
    endpoints: Mapping[str, tuple[str, int]]  # by listener name; host "" when it advertises what the client reached
    rack: str | None
    fenced: bool = False
    directory: str = ""  # id of its first data directory: two processes with one broker id differ in it


_NO_CONFIGS: Mapping[str, str] = {}


class ClusterImage:
    """The cluster at one revision."""

    __slots__ = (
        "brokers",
        "cluster_id",
        "configs",
        "controller_id",
        "features",
        "memo",
        "revision",
        "revisions",
        "topic_names",
        "topics",
    )

    def __init__(
        self,
        revision: int = 0,
        cluster_id: str = "",
        brokers: Mapping[int, BrokerImage] | None = None,
        topics: Mapping[str, TopicImage] | None = None,
        topic_names: Mapping[bytes, str] | None = None,
        configs: Mapping[tuple[int, str], Mapping[str, str]] | None = None,
        features: Mapping[str, int] | None = None,
        controller_id: int = -1,
        revisions: Mapping[str, int] | None = None,
    ) -> None:
        self.revision = revision
        self.cluster_id = cluster_id
        self.brokers = brokers or {}
        self.topics = topics or {}
        self.topic_names = topic_names if topic_names is not None else {t.id: t.name for t in self.topics.values()}
        self.configs = configs or {}
        self.features = features or {}
        self.controller_id = controller_id
        self.revisions = revisions or {}  # of every key, for compare-and-set
        self.memo: dict[Any, Any] = {}

    def topic(self, name: str) -> TopicImage | None:
        return self.topics.get(name)

    def topic_by_id(self, topic_id: bytes) -> TopicImage | None:
        name = self.topic_names.get(topic_id)
        return None if name is None else self.topics.get(name)

    def config(self, resource_type: int, name: str) -> Mapping[str, str]:
        return self.configs.get((resource_type, name), _NO_CONFIGS)

    def alive(self, broker_id: int) -> bool:
        broker = self.brokers.get(broker_id)
        return broker is not None and not broker.fenced

    def __repr__(self) -> str:
        return f"ClusterImage(revision={self.revision}, {len(self.brokers)} brokers, {len(self.topics)} topics)"
