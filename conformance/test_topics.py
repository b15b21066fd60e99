"""CreateTopics, DeleteTopics, CreatePartitions, DescribeConfigs, AlterConfigs and what each refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from conformance.clients import Admin, Client, Message, eventually, produce, refused

Needs = Callable[[Client, str], None]


@pytest.fixture
def own(client: Client, needs: Needs) -> Iterator[Admin]:
    """The admin of the client under test; `admin` is confluent's, for what is arranged."""
    needs(client, "admin")
    with contextlib.closing(client.admin()) as made:
        yield made


def test_create_list_delete(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 3)
    eventually(lambda: own.topics().get(topic) == 3, "the topic is listed")
    eventually(lambda: client.partitions(topic) == 3, "and described")
    own.delete(topic)
    eventually(lambda: topic not in own.topics(), "the topic is gone")
    with refused(client, 3):
        own.delete(topic)
    own.create(topic, 1)
    eventually(lambda: own.topics().get(topic) == 1, "the same name, another topic")
    assert client.offset_at(topic, 0, -1) == 0


def test_metadata(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 5)
    eventually(lambda: client.partitions(topic) == 5, "all five are known")


@pytest.mark.parametrize("name", [".", "..", "a" * 250, "with space", "ümlaut", "semi;colon", "slash/ed"])
def test_invalid_names(client: Client, own: Admin, name: str) -> None:
    with refused(client, 17):  # INVALID_TOPIC_EXCEPTION
        own.create(name, 1)


def test_colliding_names(client: Client, own: Admin, topic: str) -> None:
    dotted, underscored = f"{topic}.x".replace("_", "-"), f"{topic}_x".replace("_", "-").replace("-x", "_x")
    own.create(dotted, 1)
    eventually(lambda: dotted in own.topics(), "the first is there")
    with refused(client, 17):
        own.create(underscored, 1)


def test_create_refusals(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 1)
    eventually(lambda: topic in own.topics(), "the topic is there")
    with refused(client, 36):  # TOPIC_ALREADY_EXISTS
        own.create(topic, 1)
    with refused(client, 37):  # INVALID_PARTITIONS
        own.create(f"{topic}-none", 0)
    with refused(client, 38):  # INVALID_REPLICATION_FACTOR
        own.create(f"{topic}-three", 1, replicas=3)
    with refused(client, 40):  # INVALID_CONFIG
        own.create(f"{topic}-key", 1, {"no.such.key": "1"})
    with refused(client, 40):
        own.create(f"{topic}-value", 1, {"retention.ms": "soon"})
    with refused(client, 40):
        own.create(f"{topic}-bound", 1, {"segment.bytes": "3"})
    assert not [t for t in own.topics() if t.startswith(f"{topic}-")]


def test_validate_only(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 3, {"retention.ms": "1000"}, validate_only=True)
    with refused(client, 40):
        own.create(topic, 3, {"retention.ms": "soon"}, validate_only=True)
    assert topic not in own.topics()


def test_more_partitions(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 2)
    eventually(lambda: own.topics().get(topic) == 2, "two")
    own.grow(topic, 5)
    eventually(lambda: own.topics().get(topic) == 5, "five")
    with refused(client, 37):
        own.grow(topic, 5)
    with refused(client, 37):
        own.grow(topic, 2)
    with refused(client, 3):
        own.grow(f"{topic}-unknown", 2)
    produce(client, topic, [Message(b"x", partition=4)])
    assert client.offset_at(topic, 4, -1) == 1


def test_configs(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 1, {"retention.ms": "86400000", "cleanup.policy": "compact,delete"})
    eventually(lambda: topic in own.topics(), "the topic is there")
    found = own.configs(topic)
    assert found["retention.ms"] == "86400000"
    assert found["cleanup.policy"] == "compact,delete"
    assert found["max.message.bytes"] == "1048588"
    assert found["compression.type"] == "producer"
    assert found["segment.bytes"] == "1073741824"
    assert found["message.timestamp.type"] == "CreateTime"
    with refused(client, 3):
        own.configs(f"{topic}-unknown")


def test_alter_configs_takes_effect(client: Client, own: Admin, topic: str) -> None:
    own.create(topic, 1)
    eventually(lambda: topic in own.topics(), "the topic is there")
    produce(client, topic, [Message(bytes(5000), partition=0)])
    own.alter(topic, {"max.message.bytes": "1000"})
    eventually(lambda: own.configs(topic)["max.message.bytes"] == "1000", "the config is there")
    with refused(client, 10):
        produce(client, topic, [Message(bytes(5000), partition=0)])
    with refused(client, 40):
        own.alter(topic, {"max.message.bytes": "many"})
    with refused(client, 40):
        own.alter(topic, {"no.such.key": "1"})
    with refused(client, 3):
        own.alter(f"{topic}-unknown", {"retention.ms": "1"})
    assert own.configs(topic)["max.message.bytes"] == "1000"


def test_unknown_topic(client: Client, topic: str) -> None:
    """Automatic creation is off: asking for a topic doesn't make it."""
    with refused(client, 3):
        client.partitions(topic)
    with refused(client, 3):
        client.partitions(topic)


def test_invalid_topic(client: Client, topic: str) -> None:
    with refused(client, 17):
        client.partitions("not a name")
