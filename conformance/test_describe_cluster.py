"""DescribeCluster, Metadata, DescribeConfigs of brokers, ListGroups, DescribeGroups: what an operator looks at."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.clients import Admin, Client, Message, eventually, gather, produce

Needs = Callable[..., None]

# What these are by default, or what every broker of a run was started with.
KNOWN = {
    "auto.create.topics.enable": "false",
    "group.min.session.timeout.ms": "1000",
    "log.retention.hours": "168",
    "log.segment.bytes": "1073741824",
    "message.max.bytes": "1048588",
    "num.partitions": "1",
    "offsets.retention.minutes": "10080",
    "compression.type": "producer",
}


def test_brokers(client: Client, own: Admin) -> None:
    known = own.brokers()
    assert known
    for host, port in known.values():
        socket.create_connection((host, port), 5).close()


def test_broker_addresses_are_those_to_use(client: Client, own: Admin) -> None:
    assert set(client.bootstrap.split(",")) == {f"{host}:{port}" for host, port in own.brokers().values()}


@pytest.mark.parametrize("key", KNOWN)
def test_broker_configs(client: Client, own: Admin, key: str) -> None:
    assert own.broker_configs(min(own.brokers()))[key] == KNOWN[key]


def test_broker_configs_are_all_there(client: Client, own: Admin) -> None:
    assert len(own.broker_configs(min(own.brokers()))) > 250


def test_topics(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    wanted = {f"{topic}-{i}": i for i in (1, 2, 5)}
    for name, partitions in wanted.items():
        admin.create(name, partitions)
    eventually(lambda: wanted.items() <= own.topics().items(), "all are listed")


def test_topic_configs_by_default(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    found = own.configs(topic)
    wanted = {
        "cleanup.policy": "delete",
        "delete.retention.ms": "86400000",
        "file.delete.delay.ms": "60000",
        "index.interval.bytes": "4096",
        "message.timestamp.after.max.ms": "3600000",
        "message.timestamp.before.max.ms": "9223372036854775807",
        "min.insync.replicas": "1",
        "retention.bytes": "-1",
        "retention.ms": "604800000",
        "segment.index.bytes": "10485760",
        "segment.jitter.ms": "0",
        "segment.ms": "604800000",
        "unclean.leader.election.enable": "false",
    }
    assert {key: found.get(key) for key in wanted} == wanted


def test_groups_are_listed(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    names = {f"group-{topic}-{i}" for i in range(3)}
    for name in names:
        admin.alter_offsets(name, topic, {0: 0})
    assert names <= own.groups()


def test_an_empty_group(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    admin.alter_offsets(f"group-{topic}", topic, {0: 0})
    assert own.group_state(f"group-{topic}") == "Empty"
    assert own.members(f"group-{topic}") == []


def test_a_group_at_work(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    consumer = client.consumer(f"group-{topic}", [topic])
    try:
        gather(consumer, 1)
        eventually(lambda: own.group_state(f"group-{topic}") == "Stable", "it is stable")
        ((client_id, instance),) = own.members(f"group-{topic}")
        assert client_id and instance is None
    finally:
        consumer.close()


def test_an_instance_is_named(client: Client, own: Admin, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "instance ids")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    consumer = client.consumer(f"group-{topic}", [topic], instance="the-one")
    try:
        gather(consumer, 1)
        assert [instance for _, instance in admin.members(f"group-{topic}")] == ["the-one"]
        assert [instance for _, instance in own.members(f"group-{topic}")] == ["the-one"]
    finally:
        consumer.close()
