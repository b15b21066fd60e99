"""Many partitions, many records, many topics: nothing here is large, but a broker that counts badly shows."""

from __future__ import annotations

import pytest

from conformance.clients import Admin, Client, Message, eventually, gather, produce


def test_many_small_records(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    values = [b"%d" % i for i in range(20_000)]
    produce(client, topic, [Message(v, partition=0) for v in values], linger_ms=20, codec="lz4")
    assert [r.value for r in client.read(topic, 20_000)] == values


def test_hundred_topics(client: Client, admin: Admin, topic: str) -> None:
    names = [f"{topic}-{i}" for i in range(100)]
    for name in names:
        admin.create(name, 1)
    for name in names[::20]:
        produce(client, name, [Message(name.encode(), partition=0)])
        assert client.read(name, 1)[0].value == name.encode()
    for name in names:
        admin.delete(name)
    eventually(lambda: not set(names) & set(admin.topics()), "all are gone")


@pytest.mark.timeout(180)
def test_thousand_partitions(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1000)
    eventually(lambda: client.partitions(topic) == 1000, "all partitions are known")
    values = [b"%d" % i for i in range(4000)]
    sent = produce(client, topic, [Message(v, b"key-" + v) for v in values], linger_ms=50, timeout=60)
    assert len({s.partition for s in sent}) > 900
    consumer = client.consumer(f"group-{topic}", [topic], limit=4000)
    got = gather(consumer, 4000, 60)
    consumer.close()
    assert {r.value for r in got} == set(values)
    admin.delete(topic)
