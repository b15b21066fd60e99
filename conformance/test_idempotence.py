"""InitProducerId and the promise behind it: a request that is sent again because its answer was lost is stored once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from conformance.arrange import Arranger
from conformance.clients import CODECS, Client, Failed, Message, Sent, eventually, produce
from conformance.clients import client as make_client
from conformance.proxy import Proxy


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_idempotent_producer(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 2)
    for _ in range(3):  # each is a new producer id
        produce(client, topic, [Message(b"%d" % i, partition=i // 50) for i in range(100)], idempotent=True)
    for partition in range(2):
        expected = [b"%d" % i for i in range(50 * partition, 50 * partition + 50)] * 3
        assert [r.value for r in client.read(topic, 150, partition=partition)] == expected


@pytest.mark.parametrize("codec", CODECS)
def test_idempotent_batches_of_each_codec(client: Client, admin: Arranger, topic: str, codec: str) -> None:
    admin.create(topic, 1)
    values = [b"%d" % i * 20 for i in range(500)]
    produce(client, topic, [Message(v, partition=0) for v in values], idempotent=True, codec=codec, batch=4000)
    assert [r.value for r in client.read(topic, 500)] == values


def test_idempotent_producers_beside_each_other(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    answers: list[Sent | Failed] = []
    two = [client.producer(idempotent=True, linger_ms=0) for _ in range(2)]
    for i in range(200):
        two[i % 2].start(topic, Message(b"%d" % i, partition=0), answers.append)
    for producer in two:
        producer.flush(30)
        producer.close()
    got = [int(r.value or b"") for r in client.read(topic, 200)]
    assert sorted(got) == list(range(200))
    for mine in (0, 1):
        assert [i for i in got if i % 2 == mine] == list(range(mine, 200, 2)), "each in its own order"


def test_idempotent_over_many_partitions(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 20)
    produce(client, topic, [Message(b"%d" % i, b"k", partition=i % 20) for i in range(1000)], idempotent=True)
    for p in (0, 7, 19):
        assert [int(r.value or b"") for r in client.read(topic, 50, partition=p)] == list(range(p, 1000, 20))


def test_idempotent_after_its_records_are_gone(client: Client, admin: Arranger, topic: str) -> None:
    """A producer whose last batch was deleted goes on where it was."""
    admin.create(topic, 1)
    answers: list[Sent | Failed] = []
    producer = client.producer(idempotent=True, linger_ms=0)
    try:
        for i in range(3):
            producer.start(topic, Message(b"%d" % i, partition=0), answers.append)
            producer.flush(20)
            if "admin" not in client.cannot:  # kcat's producer is another one after each flush
                eventually(lambda n=i: len(answers) == n + 1, "it is answered")  # type: ignore[misc]
            admin.delete_records(topic, 0, -1)
    finally:
        producer.close()
    assert not [a for a in answers if isinstance(a, Failed)]
    assert (client.offset_at(topic, 0, -2), client.offset_at(topic, 0, -1)) == (3, 3)


def test_lost_answers(client_name: str, kind: str, own_broker: Callable[..., object], proxy: Proxy, topic: str) -> None:
    broker = own_broker(advertised_listeners=f"PLAINTEXT://127.0.0.1:{proxy.port}")
    proxy.target = broker.port  # type: ignore[attr-defined]
    client = make_client(client_name, f"127.0.0.1:{proxy.port}")
    arranger = Arranger(f"127.0.0.1:{proxy.port}")
    arranger.create(topic, 1)
    arranger.close()
    eventually(lambda: client.partitions(topic) == 1, "the topic is there")
    # kcat reads its input in blocks of 1024 bytes and waits for the end of one: what is smaller, it keeps to itself
    values = [b"%d" % i + b"." * 2048 for i in range(300)]
    answers: list[object] = []
    lost_before = proxy.lost
    producer = client.producer(idempotent=True, linger_ms=0)
    for i, value in enumerate(values):
        if i % 100 == 50:
            proxy.lose_answers(1)
        producer.start(topic, Message(value, partition=0), answers.append)
        if i % 100 == 50:
            eventually(lambda: proxy.to_lose == 0, "the answer to something is lost", pause=0.005)
        deadline = time.monotonic() + 0.005  # bounded: kcat hears what was answered only when it has more to send
        while len(answers) <= i - 20 and time.monotonic() < deadline:
            time.sleep(0.001)
    producer.flush(30)
    producer.close()
    assert proxy.lost - lost_before >= 2, "the wire did break"
    assert [r.value for r in client.read(topic, 300)] == values
    assert client.offset_at(topic, 0, -1) == 300, "once each"
