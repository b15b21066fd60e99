"""Many partitions, many records, many topics: nothing here is large, but a broker that counts badly shows."""

from __future__ import annotations

import pytest

from conformance.arrange import Arranger
from conformance.clients import Client, Message, eventually, gather, produce


def test_many_small_records(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    values = [b"%d" % i for i in range(20_000)]
    produce(client, topic, [Message(v, partition=0) for v in values], linger_ms=20, codec="lz4")
    assert [r.value for r in client.read(topic, 20_000)] == values


def test_longest_key_and_header_name(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    key, headers = b"k" * 100_000, (("n" * 30_000, b"v" * 100_000),)
    produce(client, topic, [Message(b"v", key, headers, 0)])
    (got,) = client.read(topic, 1)
    assert (got.key, got.headers) == (key, headers)


def test_ten_producers_at_once(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 4)
    producers = [client.producer(linger_ms=0) for _ in range(10)]
    answers: list[object] = []
    for i in range(200):
        producers[i % 10].start(topic, Message(b"%d" % i, partition=i % 4), answers.append)
    for producer in producers:
        producer.flush(30)
        producer.close()
    got = [r.value for p in range(4) for r in client.read(topic, 50, partition=p)]
    assert sorted(int(v or b"") for v in got) == list(range(200))


def test_many_groups(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"x", partition=0)] * 3)
    for i in range(200):
        admin.alter_offsets(f"group-{topic}-{i}", topic, {0: i % 3})
    names = {f"group-{topic}-{i}" for i in range(200)}
    assert names <= admin.groups()
    consumer = client.consumer(f"group-{topic}-199", [topic], limit=2)
    assert [r.offset for r in gather(consumer, 2)] == [1, 2]
    consumer.close()


def test_hundred_topics(client: Client, admin: Arranger, topic: str) -> None:
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
def test_thousand_partitions(client: Client, admin: Arranger, topic: str) -> None:
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
