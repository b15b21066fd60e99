"""Fetch: from anywhere, in any portion, waiting or not; whoever reads gets each record once and in order."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from conformance.arrange import Arranger
from conformance.clients import Client, Consumer, Failed, Message, Received, eventually, gather, produce, refused
from conformance.clients import client as make_client

Needs = Callable[[Client, str], None]


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % i for i in range(first, end)]


def put(client: Client, topic: str, n: int, **options: object) -> None:
    produce(client, topic, [Message(v, partition=0) for v in numbers(0, n)], **options)


@contextlib.contextmanager
def member(client: Client, topic: str, *topics: str, **options: object) -> Iterator[Consumer]:
    consumer = client.consumer(f"group-{topic}", topics or [topic], **options)
    try:
        yield consumer
    finally:
        consumer.close()


@pytest.mark.parametrize("start", [0, 1, 50, 99])
def test_from_an_offset(client: Client, admin: Arranger, topic: str, start: int) -> None:
    admin.create(topic, 1)
    put(client, topic, 100)
    got = client.read(topic, 100 - start, start=start)
    assert [(r.offset, r.value) for r in got] == list(zip(range(start, 100), numbers(start, 100), strict=True))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_from_the_middle_of_a_batch(client: Client, admin: Arranger, topic: str, codec: str) -> None:
    """A batch comes whole; what lies before the wanted offset is the client's to drop."""
    admin.create(topic, 1)
    put(client, topic, 200, codec=codec, linger_ms=200, batch=1_000_000)
    got = client.read(topic, 73, start=127)
    assert [(r.offset, r.value) for r in got] == list(zip(range(127, 200), numbers(127, 200), strict=True))


def test_small_portions(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    values = [random.Random(i).randbytes(10_000) for i in range(60)]
    produce(client, topic, [Message(v, partition=0) for v in values])
    assert [r.value for r in client.read(topic, 60, max_fetch=15_000)] == values


def test_a_record_larger_than_a_portion(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    big = random.Random(3).randbytes(500_000)
    produce(client, topic, [Message(v, partition=0) for v in (b"before", big, b"after")])
    assert [r.value for r in client.read(topic, 3, max_fetch=2_000)] == [b"before", big, b"after"]


def test_over_several_segments(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1, {"segment.bytes": "1048576"})
    values = [random.Random(i).randbytes(100_000) for i in range(35)]
    produce(client, topic, [Message(v, partition=0) for v in values])
    assert [r.value for r in client.read(topic, 35)] == values
    assert [r.value for r in client.read(topic, 10, start=25)] == values[25:]


def test_waiting_at_the_end(client: Client, admin: Arranger, topic: str) -> None:
    """A long poll that is waiting is answered by what another client produces."""
    admin.create(topic, 1)
    put(client, topic, 3)
    got: list[Received] = []
    reader = threading.Thread(target=lambda: got.extend(client.read(topic, 4)), daemon=True)
    reader.start()
    other = make_client("confluent", client.bootstrap)
    time.sleep(0.3)  # more likely than not it waits by now; it must get the record either way
    produce(other, topic, [Message(b"late", partition=0)])
    reader.join(20)
    assert [r.value for r in got] == [*numbers(0, 3), b"late"]


def test_a_reader_keeps_up_with_a_writer(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with member(client, topic) as consumer:
        got: list[Received] = []
        other = make_client("confluent", client.bootstrap)
        for i in range(5):
            produce(other, topic, [Message(v, partition=0) for v in numbers(i * 20, i * 20 + 20)])
            got += gather(consumer, 20 * (i + 1) - len(got))
    assert [r.value for r in got] == numbers(0, 100)


def test_many_partitions(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 50)
    produce(client, topic, [Message(b"%d" % i, b"k", partition=i % 50) for i in range(500)])
    with member(client, topic, limit=500) as consumer:
        got = gather(consumer, 500)
    assert len(got) == 500
    for p in range(50):
        assert [int(r.value or b"") for r in got if r.partition == p] == list(range(p, 500, 50))


def test_several_topics(client: Client, admin: Arranger, topic: str) -> None:
    names = [f"{topic}-{i}" for i in range(3)]
    for name in names:
        admin.create(name, 2)
        produce(client, name, [Message(name.encode(), partition=p) for p in (0, 1) for _ in range(5)])
    with member(client, topic, *names, limit=30) as consumer:
        got = gather(consumer, 30)
    assert sorted((r.topic, r.partition, r.offset) for r in got) == sorted(
        (name, p, o) for name in names for p in (0, 1) for o in range(5)
    )
    assert all(r.value == r.topic.encode() for r in got)


def test_two_groups_get_everything(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 2)
    produce(client, topic, [Message(b"%d" % i, partition=i % 2) for i in range(40)])
    for group in ("one", "two"):
        consumer = client.consumer(f"{group}-{topic}", [topic], limit=40)
        got = gather(consumer, 40)
        consumer.close()
        assert sorted(int(r.value or b"") for r in got) == list(range(40))


def test_out_of_range(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    put(client, topic, 10)
    with refused(client, 1):  # OFFSET_OUT_OF_RANGE
        client.read(topic, 1, start=1000, timeout=10)


def test_out_of_range_after_delete_records(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "out of range")
    admin.create(topic, 1)
    put(client, topic, 10)
    admin.delete_records(topic, 0, 6)
    with refused(client, 1):
        client.read(topic, 1, start=3, timeout=10)
    assert [r.offset for r in client.read(topic, 4, start=6)] == [6, 7, 8, 9]


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_isolation_without_transactions(client: Client, admin: Arranger, topic: str, isolation: str) -> None:
    admin.create(topic, 1)
    put(client, topic, 20)
    assert [r.value for r in client.read(topic, 20, isolation=isolation)] == numbers(0, 20)


def test_empty_topic(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 2)
    with member(client, topic) as consumer:
        eventually(lambda: consumer.poll(0.1) == [] and len(consumer.assignment()) == 2, "both are assigned")
        assert consumer.poll(0.3) == []
        put(client, topic, 1)
        assert gather(consumer, 1)[0].offset == 0


def test_seek_back(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    put(client, topic, 20)
    with member(client, topic) as consumer:
        gather(consumer, 20)
        consumer.seek(topic, 0, 5)
        assert [r.offset for r in gather(consumer, 15)] == list(range(5, 20))


def test_seek_forward(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    put(client, topic, 20)
    with member(client, topic) as consumer:
        gather(consumer, 1)
        consumer.seek(topic, 0, 18)
        eventually(lambda: [r.offset for r in consumer.poll(0.2)][-1:] == [19], "the last one")


def test_a_topic_that_comes_later(
    client: Client, admin: Arranger, topic: str, needs: Callable[[Client, str], None]
) -> None:
    """Whoever subscribes to a topic before it is there gets its records once it is."""
    needs(client, "subscribe early")
    with member(client, topic) as consumer:
        with contextlib.suppress(Failed):
            assert consumer.poll(0.2) == []
        admin.create(topic, 1)
        produce(make_client("confluent", client.bootstrap), topic, [Message(b"x", partition=0)])
        eventually(lambda: consumer.poll(0.2), "its record arrives")


def test_partitions_that_come_later(
    client: Client, admin: Arranger, topic: str, needs: Callable[[Client, str], None]
) -> None:
    needs(client, "later partitions")
    admin.create(topic, 1)
    with member(client, topic) as consumer:
        put(client, topic, 1)
        gather(consumer, 1)
        admin.grow(topic, 2)
        admin.await_leaders(topic, 2)
        produce(make_client("confluent", client.bootstrap), topic, [Message(b"new", partition=1)])
        eventually(lambda: b"new" in [r.value for r in consumer.poll(0.2)], "its record arrives")


def test_many_headers(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    headers = tuple((f"name-{i}", b"%d" % i * 20) for i in range(100))
    produce(client, topic, [Message(b"v", b"k", headers, 0)])
    assert client.read(topic, 1)[0].headers == headers


def test_a_topic_made_anew(client: Client, admin: Arranger, topic: str) -> None:
    """The same name is another topic: a new reader starts at 0 and sees nothing of the old one."""
    admin.create(topic, 1)
    put(client, topic, 10)
    assert len(client.read(topic, 10)) == 10
    admin.delete(topic)
    admin.await_gone(topic)
    admin.create(topic, 1)
    produce(client, topic, [Message(b"new", partition=0)])
    assert [(r.offset, r.value) for r in client.read(topic, 1)] == [(0, b"new")]
