"""What a client sees of the common refusals, and that nothing has happened where something was refused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.clients import Admin, Client, Failed, Message, eventually, fails, gather, produce, refused

Needs = Callable[..., None]
QUICK = {"timeout_ms": 2000}  # for what a client goes on trying until its patience ends


def test_produce_to_an_unknown_topic(client: Client, admin: Arranger, topic: str) -> None:
    with fails(client, 3):
        produce(client, topic, [Message(b"x", partition=0)], **QUICK)
    assert topic not in admin.topics(), "nobody made it"


def test_produce_to_an_unknown_partition(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "unknown partition")
    admin.create(topic, 1)
    with fails(client, 3):
        produce(client, topic, [Message(b"x", partition=9)], **QUICK)
    assert client.offset_at(topic, 0, -1) == 0


def test_produce_to_an_invalid_name(client: Client) -> None:
    with fails(client, 17, 3):
        produce(client, "not a name", [Message(b"x", partition=0)], **QUICK)


def test_read_an_unknown_topic(client: Client, admin: Arranger, topic: str) -> None:
    with fails(client, 3):
        client.read(topic, 1, timeout=2)
    assert topic not in admin.topics()


def test_read_a_deleted_topic(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    admin.delete(topic)
    admin.await_gone(topic)
    with fails(client, 3):
        client.read(topic, 1, timeout=2)


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd"])
def test_too_large_for_the_topic(client: Client, admin: Arranger, topic: str, codec: str) -> None:
    """What counts is the size of the batch as it was sent."""
    admin.create(topic, 1, {"max.message.bytes": "2000"})
    with refused(client, 10):
        produce(client, topic, [Message(random.Random(1).randbytes(4000), partition=0)], codec=codec)
    assert client.offset_at(topic, 0, -1) == 0
    produce(client, topic, [Message(random.Random(1).randbytes(1000), partition=0)], codec=codec)
    assert client.offset_at(topic, 0, -1) == 1


def test_large_but_well_compressed(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1, {"max.message.bytes": "20000"})
    produce(client, topic, [Message(bytes(500_000), partition=0)], codec="gzip", max_request=2_000_000)
    assert client.read(topic, 1)[0].value == bytes(500_000)


def test_a_time_in_the_future(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "timestamps")
    admin.create(topic, 1)
    with refused(client, 32):  # INVALID_TIMESTAMP: an hour ahead is the most
        produce(client, topic, [Message(b"x", partition=0, timestamp=int(time.time() * 1000) + 7_200_000)])
    assert client.offset_at(topic, 0, -1) == 0
    produce(client, topic, [Message(b"x", partition=0, timestamp=int(time.time() * 1000) + 1_800_000)])
    assert client.offset_at(topic, 0, -1) == 1


def test_a_time_before_the_topics_limit(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "timestamps")
    admin.create(topic, 1, {"message.timestamp.before.max.ms": "60000"})
    with refused(client, 32):
        produce(client, topic, [Message(b"x", partition=0, timestamp=int(time.time() * 1000) - 3_600_000)])
    produce(client, topic, [Message(b"x", partition=0, timestamp=int(time.time() * 1000) - 1000)])
    assert client.offset_at(topic, 0, -1) == 1


def test_more_in_sync_replicas_than_there_are(client: Client, admin: Arranger, topic: str) -> None:
    """Kafka 4 never asks for more of them than the partition has replicas."""
    admin.create(topic, 1, {"min.insync.replicas": "2"})
    produce(client, topic, [Message(b"x", partition=0)], acks="all")
    assert client.offset_at(topic, 0, -1) == 1


def test_more_replicas_than_brokers(client: Client, own: Admin, topic: str) -> None:
    with refused(client, 38):  # INVALID_REPLICATION_FACTOR
        own.create(topic, 1, replicas=5)
    assert topic not in own.topics()


def test_too_many_or_too_few_partitions(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 3)
    for wanted in (3, 2):
        with refused(client, 37):  # INVALID_PARTITIONS
            own.grow(topic, wanted)


def test_delete_an_unknown_topic(client: Client, own: Admin, topic: str) -> None:
    with refused(client, 3):
        own.delete(topic)


def test_delete_records_of_an_unknown_topic(client: Client, own: Admin, topic: str) -> None:
    with fails(client, 3, 6):  # or what a client makes of not finding a leader
        own.delete_records(topic, 0, 1)


def test_delete_records_beyond_the_end(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with refused(client, 1):
        own.delete_records(topic, 0, 5)


def test_alter_an_unknown_topic(client: Client, own: Admin, topic: str) -> None:
    with refused(client, 3):
        own.alter(topic, {"retention.ms": "1000"})


def test_a_session_longer_than_allowed(client: Client, admin: Arranger, topic: str) -> None:
    """INVALID_SESSION_TIMEOUT: the broker's group.max.session.timeout.ms is a minute here."""
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    consumer = None
    with fails(client, 26):
        try:
            consumer = client.consumer(f"group-{topic}", [topic], session_ms=120_000)
            gather(consumer, 1, 3)
        finally:
            if consumer is not None:
                consumer.close()
    assert f"group-{topic}" not in admin.groups() or not admin.members(f"group-{topic}")


def test_a_fenced_instance(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    """Of two with one group.instance.id the later stays; the earlier can't commit any more."""
    needs(client, "static", "commit offsets", "fenced")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)] * 5)
    group = f"group-{topic}"
    first = client.consumer(group, [topic], instance="same", session_ms=30_000)
    try:
        gather(first, 5)
        second = client.consumer(group, [topic], instance="same", session_ms=30_000)
        try:
            gather(second, 5)
            with fails(client, 82, 25, 22):  # FENCED_INSTANCE_ID, or whom it has already forgotten
                first.commit({(topic, 0): 3})
            assert admin.committed(group, topic) == {}
        finally:
            second.close()
    finally:
        first.close()


def test_commit_in_an_unknown_topic(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "commit unassigned")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    consumer = client.consumer(f"group-{topic}", [topic])
    try:
        gather(consumer, 1)
        with fails(client, 3):
            consumer.commit({(f"{topic}-unknown", 0): 1})
    finally:
        consumer.close()


def test_an_unknown_group(client: Client, own: Admin, topic: str) -> None:
    group = f"group-{topic}"
    assert group not in own.groups()
    with refused(client, 69):  # GROUP_ID_NOT_FOUND
        own.delete_group(group)


def test_the_state_of_an_unknown_group(client: Client, own: Admin, topic: str) -> None:
    """Told apart since DescribeGroups 6; older clients are told that it is dead."""
    try:
        state = own.group_state(f"group-{topic}")
    except Failed as refusal:
        assert refusal.code in (69, -1), refusal
    else:
        assert state == "Dead"


def test_members_that_share_no_strategy(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "cooperative-sticky")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)])
    group = f"group-{topic}"
    first = client.consumer(group, [topic], strategy="range", session_ms=30_000)
    second = None
    try:
        gather(first, 1)
        with fails(client, 23):  # INCONSISTENT_GROUP_PROTOCOL
            try:
                second = client.consumer(group, [topic], strategy="cooperative-sticky", session_ms=30_000)
                gather(second, 1, 2)
            finally:
                if second is not None:
                    second.close()
        eventually(lambda: len(admin.members(group)) == 1, "the first is still alone")
    finally:
        first.close()
