"""Compacted topics: the last record of each key stays where it was, and deleted keys disappear in the end."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.brokers import Broker
from conformance.clients import Client, Message, Received, eventually, produce
from conformance.clients import client as make_client

Start = Callable[..., Broker]

AT_ONCE = {"log_cleaner_backoff_ms": 100}
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": str(1 << 20),  # the least that is allowed
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
}
VALUE_BYTES = 60_000
ROUND = 40  # records, so that two segments are closed


def fill(client: Client, topic: str, keys: int, codec: str) -> list[Message]:
    """A round of records over so many keys, each in a batch of its own."""
    noise = random.Random(topic)
    messages = [Message(noise.randbytes(VALUE_BYTES), b"k%d" % (i % keys), partition=0) for i in range(ROUND)]
    produce(client, topic, messages, codec=codec, linger_ms=0, acks="all", batch=100_000)
    return messages


def read_all(client: Client, topic: str) -> list[Received]:
    """What is left; only the end is known beforehand, and how many records there are is not."""
    end = client.offset_at(topic, 0, -1)
    assert end is not None
    found: list[Received] = []
    while not found or found[-1].offset < end - 1:
        found += client.read(topic, 1, start=found[-1].offset + 1 if found else 0)
    return found


@pytest.fixture(params=["none", "zstd"])
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_last_record_of_each_key_stays(
    client_name: str, kind: str, own_broker: Start, topic: str, codec: str
) -> None:
    broker = own_broker(**AT_ONCE)
    client = make_client(client_name, broker.bootstrap)
    Arranger(broker.bootstrap).create(topic, 1, COMPACTED)
    messages = fill(client, topic, 4, codec)
    eventually(lambda: client.read(topic, 1)[0].offset > 0, "the first record has gone")
    found = read_all(client, topic)
    assert len(found) < ROUND
    for one in found:
        assert (one.key, one.value) == (messages[one.offset].key, messages[one.offset].value)
    last = {message.key: offset for offset, message in enumerate(messages)}
    assert {one.key: one.offset for one in found} == last
    gap = found[0].offset - 1
    assert client.read(topic, 1, start=gap)[0].offset > gap, "who asks for what has gone gets what follows"


def test_a_deleted_key_disappears(client_name: str, kind: str, own_broker: Start, topic: str) -> None:
    broker = own_broker(**AT_ONCE)
    client = make_client(client_name, broker.bootstrap)
    Arranger(broker.bootstrap).create(topic, 1, COMPACTED)
    produce(client, topic, [Message(b"mine", b"deleted", partition=0), Message(None, b"deleted", partition=0)])
    fill(client, topic, 4, "none")
    eventually(lambda: client.read(topic, 1)[0].offset > 0, "the value has gone")

    def gone() -> bool:
        fill(client, topic, 4, "none")  # a round needs something to clean
        return all(one.key != b"deleted" for one in client.read(topic, 3))

    eventually(gone, "the tombstone has gone")
