"""CreateTopics, DeleteTopics, CreatePartitions, DescribeConfigs, AlterConfigs and what each refuses."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.clients import Admin, Client, Message, eventually, produce, refused

Needs = Callable[[Client, str], None]


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
    noise = random.Random(1).randbytes(5000)  # some clients compress whatever they are given
    own.create(topic, 1)
    eventually(lambda: topic in own.topics(), "the topic is there")
    produce(client, topic, [Message(noise, partition=0)])
    own.alter(topic, {"max.message.bytes": "1000"})
    eventually(lambda: own.configs(topic)["max.message.bytes"] == "1000", "the config is there")
    with refused(client, 10):
        produce(client, topic, [Message(noise, partition=0)])
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


def test_invalid_topic(client: Client, topic: str, needs: Needs) -> None:
    needs(client, "metadata errors")
    with refused(client, 17):
        client.partitions("not a name")


INVALID = [
    ("cleanup.policy", "nonsense"),
    ("compression.type", "rar"),
    ("max.message.bytes", "-1"),
    ("message.timestamp.type", "Never"),
    ("min.insync.replicas", "0"),
    ("retention.ms", "-2"),
    ("segment.ms", "0"),
    ("unclean.leader.election.enable", "perhaps"),
    ("min.cleanable.dirty.ratio", "1.5"),
]


@pytest.mark.parametrize(("key", "value"), INVALID)
def test_invalid_config_values(client: Client, own: Admin, topic: str, key: str, value: str) -> None:
    with refused(client, 40):
        own.create(topic, 1, {key: value})


def test_many_configs_at_creation(client: Client, own: Admin, topic: str) -> None:
    wanted = {
        "cleanup.policy": "compact",
        "compression.type": "lz4",
        "delete.retention.ms": "1000",
        "max.message.bytes": "2000000",
        "message.timestamp.type": "LogAppendTime",
        "min.cleanable.dirty.ratio": "0.25",
        "retention.bytes": "123456789",
        "segment.bytes": "10485760",
    }
    own.create(topic, 1, wanted)
    eventually(lambda: topic in own.topics(), "the topic is there")
    assert wanted.items() <= own.configs(topic).items()


def test_altered_retention_is_described(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    own.alter(topic, {"retention.ms": "60000"})
    eventually(lambda: own.configs(topic)["retention.ms"] == "60000", "the new value")
    assert own.configs(topic)["cleanup.policy"] == "delete", "the rest is as it was"


def test_longest_name(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    name = topic.replace("_", "-").ljust(249, "x")
    own.create(name, 1)
    admin.await_leaders(name)
    produce(client, name, [Message(b"x", partition=0)])
    assert client.read(name, 1)[0].topic == name


def test_names_with_every_sign(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    name = f"{topic.replace('_', '-')}.A-z_0"
    own.create(name, 1)
    admin.await_leaders(name)
    assert client.partitions(name) == 1


def test_name_of_an_internal_topic(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    admin.alter_offsets(f"group-{topic}", topic, {0: 0})  # now Kafka's own topic is there
    with refused(client, 36):
        own.create("__consumer_offsets", 1)


def test_deleted_topic_is_empty_when_it_comes_back(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"old", partition=0)] * 5)
    own.delete(topic)
    admin.await_gone(topic)
    own.create(topic, 1)
    admin.await_leaders(topic)
    produce(client, topic, [Message(b"new", partition=0)])
    assert [(r.offset, r.value) for r in client.read(topic, 1)] == [(0, b"new")]


def test_partitions_of_one_topic_are_counted_apart(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 7)
    admin.create(f"{topic}-other", 2)
    assert (client.partitions(topic), client.partitions(f"{topic}-other")) == (7, 2)


def test_grown_topic_keeps_its_records(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(10)])
    own.grow(topic, 3)
    admin.await_leaders(topic, 3)
    produce(client, topic, [Message(b"new", partition=2)])
    assert [r.value for r in client.read(topic, 10)] == [b"%d" % i for i in range(10)]
    assert client.read(topic, 1, partition=2)[0].value == b"new"
