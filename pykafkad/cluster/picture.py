"""From one ClusterImage to the next: applies what a watch told."""

from __future__ import annotations

from collections.abc import Mapping

from pykafkad.cluster import keys
from pykafkad.cluster.image import BrokerImage, ClusterImage, TopicImage
from pykafkad.cluster.store import Changes, Entry
from pykafkad.model import uuid_from_text


def from_entries(revision: int, entries: Mapping[str, Entry]) -> ClusterImage:
    """The image of a whole store."""
    return apply(ClusterImage(), Changes(revision, entries, ()))


def apply(image: ClusterImage, changes: Changes) -> ClusterImage:
    """The image after ``changes``; parts that did not change are shared with the old one."""
    if changes.whole:
        return from_entries(changes.revision, changes.puts)
    drawing = _Drawing(image)
    # Topics before their partitions' states, whatever order the keys came in.
    for key, entry in sorted(changes.puts.items(), key=lambda item: item[0].startswith(keys.PARTITIONS)):
        drawing.put(key, entry)
    for key in changes.deletes:
        drawing.delete(key)
    return drawing.finish(changes.revision)


class _Drawing:
    """An image in the making."""

    def __init__(self, image: ClusterImage) -> None:
        self.brokers: dict[int, BrokerImage] = dict(image.brokers)
        self.topics: dict[str, TopicImage] = dict(image.topics)
        self.topic_names: dict[bytes, str] = dict(image.topic_names)
        self.configs = dict(image.configs)
        self.features = image.features
        self.cluster_id = image.cluster_id
        self.controller_id = image.controller_id
        self.revisions: dict[str, int] = dict(image.revisions)

    def put(self, key: str, entry: Entry) -> None:
        if key.startswith(keys.TOPICS):
            self._put_topic(key, keys.read_topic(entry.value))
        elif key.startswith(keys.PARTITIONS):
            self._put_partition(key, entry.value)
        elif key.startswith(keys.CONFIGS):
            self.configs[keys.config_from_key(key)] = keys.read(entry.value)
        elif key.startswith(keys.BROKERS):
            broker_id = int(key[len(keys.BROKERS) :])
            self.brokers[broker_id] = keys.read_broker(broker_id, entry.value, entry.revision)
        elif key == keys.CLUSTER:
            self.cluster_id = keys.read(entry.value)["id"]
        elif key == keys.CONTROLLER:
            self.controller_id = keys.read(entry.value)["broker"]
        elif key == keys.FEATURES:
            self.features = keys.read(entry.value)
        self.revisions[key] = entry.revision

    def _put_topic(self, key: str, topic: TopicImage) -> None:
        old = self.topics.get(topic.name)
        if old is not None and old.id == topic.id:
            # Grown: the partitions that were there keep their state.
            topic = TopicImage(topic.name, topic.id, old.partitions + topic.partitions[len(old.partitions) :])
        elif key in self.revisions:  # deleted and made again, perhaps under a name that differs by a dot
            self._drop_topic(key)
        self.topics[topic.name] = topic
        self.topic_names[topic.id] = topic.name

    def _put_partition(self, key: str, value: bytes) -> None:
        id_text, _, index_text = key[len(keys.PARTITIONS) :].partition("/")
        name = self.topic_names.get(uuid_from_text(id_text))
        if name is None:
            return
        topic, index = self.topics[name], int(index_text)
        state = keys.read_partition(value, topic.partitions[index].replicas)
        partitions = (*topic.partitions[:index], state, *topic.partitions[index + 1 :])
        self.topics[name] = TopicImage(name, topic.id, partitions)

    def delete(self, key: str) -> None:
        self.revisions.pop(key, None)
        if key.startswith(keys.TOPICS):
            self._drop_topic(key)
        elif key.startswith(keys.CONFIGS):
            self.configs.pop(keys.config_from_key(key), None)
        elif key.startswith(keys.BROKERS):
            self.brokers.pop(int(key[len(keys.BROKERS) :]), None)
        elif key == keys.CONTROLLER:
            self.controller_id = -1
        elif key == keys.FEATURES:
            self.features = {}

    def _drop_topic(self, key: str) -> None:
        name: str | None = key[len(keys.TOPICS) :]
        if name not in self.topics:  # a name with dots
            name = next((name for name in self.topics if keys.topic(name) == key), None)
        if name is not None:
            topic = self.topics.pop(name)
            self.topic_names.pop(topic.id, None)

    def finish(self, revision: int) -> ClusterImage:
        return ClusterImage(
            revision,
            self.cluster_id,
            self.brokers,
            self.topics,
            self.topic_names,
            self.configs,
            self.features,
            self.controller_id,
            self.revisions,
        )
