"""Produce and Fetch as clients use them: what goes in comes out, in order, byte for byte."""

from __future__ import annotations

import random
import time

import pytest

from conformance.clients import CODECS, Admin, Client, Message, eventually, produce, refused


def test_keyed_order_per_partition(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 4)
    messages = [Message(f"{i}".encode(), f"key-{i % 13}".encode()) for i in range(1300)]
    sent = produce(client, topic, messages)
    assert sorted(sent) == sorted({(s.partition, s.offset) for s in sent})
    where: dict[bytes | None, set[int]] = {}
    order: dict[bytes | None, list[int]] = {}
    for partition in range(4):
        count = client.offset_at(topic, partition, -1)
        assert count is not None
        for i, record in enumerate(client.read(topic, count, partition=partition) if count else []):
            assert record.offset == i
            where.setdefault(record.key, set()).add(partition)
            order.setdefault(record.key, []).append(int(record.value or b"-1"))
    assert all(len(partitions) == 1 for partitions in where.values())
    for i in range(13):
        assert order[f"key-{i}".encode()] == list(range(i, 1300, 13))


@pytest.mark.parametrize("codec", CODECS)
def test_codecs(client: Client, admin: Admin, topic: str, codec: str) -> None:
    admin.create(topic, 1)
    rng = random.Random(codec)
    values = [rng.randbytes(10) * rng.randrange(1, 200) for _ in range(300)]
    produce(client, topic, [Message(v, partition=0) for v in values], codec=codec, linger_ms=50)
    assert [r.value for r in client.read(topic, 300)] == values


def test_codecs_read_by_another_client(client: Client, admin: Admin, topic: str) -> None:
    """What one client compressed, librdkafka reads: the broker passes batches on as they are."""
    from conformance.clients import client as make

    admin.create(topic, 1)
    for codec in CODECS:
        produce(client, topic, [Message(codec.encode() * 50, partition=0) for _ in range(20)], codec=codec)
    other = make("confluent", client.bootstrap)
    expected = [codec.encode() * 50 for codec in CODECS for _ in range(20)]
    assert [r.value for r in other.read(topic, 100)] == expected


def test_headers(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    empty = b"-" if "empty bytes" in client.cannot else b""
    headers = (("trace", b"abc"), ("empty", empty), ("trace", b"again"), ("ünï", "ç".encode()))
    produce(client, topic, [Message(b"v", b"k", headers, 0), Message(b"none", None, (), 0)])
    first, second = client.read(topic, 2)
    if "header order" in client.cannot:
        assert sorted(first.headers) == sorted(headers)
    else:
        assert first.headers == headers
    assert second.headers == ()


def test_null_header(client: Client, admin: Admin, topic: str, needs) -> None:  # type: ignore[no-untyped-def]
    needs(client, "null header")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"v", None, (("null", None), ("x", b"y")), 0)])
    assert client.read(topic, 1)[0].headers == (("null", None), ("x", b"y"))


def test_null_keys_and_values(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    pairs: list[tuple[bytes | None, bytes | None]] = [(b"k", b"v"), (None, b"v"), (b"k", None)]
    if "empty bytes" not in client.cannot:
        pairs += [(b"", b"v"), (b"k", b"")]
    for key, value in pairs:
        produce(client, topic, [Message(value, key, partition=0)])
    assert [(r.key, r.value) for r in client.read(topic, len(pairs))] == pairs


@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_acks(client: Client, admin: Admin, topic: str, acks: object) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(50)], acks=acks)
    assert [r.value for r in client.read(topic, 50)] == [b"%d" % i for i in range(50)]


def test_binary_of_every_byte(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    every = bytes(range(256)) * 4
    produce(client, topic, [Message(every, every[::-1], partition=0)])
    (record,) = client.read(topic, 1)
    assert (record.key, record.value) == (every[::-1], every)


def test_one_megabyte_and_one_too_large(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    big = random.Random(1).randbytes(1_000_000)
    options = {"max_request": 20_000_000, "batch": 2_000_000}
    produce(client, topic, [Message(big, partition=0)] * 3, **options)
    with refused(client, 10):  # MESSAGE_TOO_LARGE
        produce(client, topic, [Message(big + bytes(1_048_576), partition=0)], **options)
    produce(client, topic, [Message(b"after", partition=0)], **options)
    got = client.read(topic, 4, max_fetch=100_000)  # the first batch comes whole even when it is larger than asked for
    assert [r.value for r in got] == [big, big, big, b"after"]


def test_larger_when_the_topic_says_so(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1, {"max.message.bytes": "5000000"})
    big = random.Random(2).randbytes(4_000_000)
    produce(client, topic, [Message(big, partition=0)], max_request=20_000_000, batch=5_000_000)
    assert client.read(topic, 1)[0].value == big


def test_timestamps_kept(client: Client, admin: Admin, topic: str, needs) -> None:  # type: ignore[no-untyped-def]
    needs(client, "timestamps")
    admin.create(topic, 1)
    start = int(time.time()) * 1000 - 3_600_000
    times = [start + i * 1000 for i in range(20)]
    produce(client, topic, [Message(b"x", partition=0, timestamp=t) for t in times])
    assert [r.timestamp for r in client.read(topic, 20)] == times


def test_timestamps_of_arrival(client: Client, admin: Admin, topic: str, needs) -> None:  # type: ignore[no-untyped-def]
    needs(client, "append time")
    admin.create(topic, 1, {"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    timestamp = None if "timestamps" in client.cannot else 1_000
    produce(client, topic, [Message(b"x", partition=0, timestamp=timestamp)] * 3, codec="gzip")
    after = int(time.time() * 1000)
    got = client.read(topic, 3)
    assert all(before <= r.timestamp <= after for r in got)


def test_topics_compression_type(client: Client, admin: Admin, topic: str) -> None:
    """A topic with a codec of its own takes any batch and hands out that codec's."""
    admin.create(topic, 1, {"compression.type": "gzip"})
    for codec in CODECS:
        produce(client, topic, [Message(codec.encode() * 100, partition=0)] * 5, codec=codec)
    assert [r.value for r in client.read(topic, 25)] == [c.encode() * 100 for c in CODECS for _ in range(5)]


def test_compacted_topic_refuses_keyless(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1, {"cleanup.policy": "compact"})
    produce(client, topic, [Message(b"v", b"k", partition=0)])
    with refused(client, 87):  # INVALID_RECORD
        produce(client, topic, [Message(b"v", partition=0)])
    eventually(lambda: client.offset_at(topic, 0, -1) == 1, "only the first record was stored")
