"""InitProducerId and the promise behind it: a request that is sent again because its answer was lost is stored once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from conformance.clients import Admin, Client, Message, eventually, produce
from conformance.clients import client as make_client
from conformance.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_idempotent_producer(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 2)
    for _ in range(3):  # each is a new producer id
        produce(client, topic, [Message(b"%d" % i, partition=i // 50) for i in range(100)], idempotent=True)
    for partition in range(2):
        expected = [b"%d" % i for i in range(50 * partition, 50 * partition + 50)] * 3
        assert [r.value for r in client.read(topic, 150, partition=partition)] == expected


def test_lost_answers(client_name: str, kind: str, own_broker: Callable[..., object], proxy: Proxy, topic: str) -> None:
    broker = own_broker(advertised_listeners=f"PLAINTEXT://127.0.0.1:{proxy.port}")
    proxy.target = broker.port  # type: ignore[attr-defined]
    client = make_client(client_name, f"127.0.0.1:{proxy.port}")
    make_client("confluent", f"127.0.0.1:{proxy.port}").admin().create(topic, 1)
    eventually(lambda: client.partitions(topic) == 1, "the topic is there")
    answers: list[object] = []
    producer = client.producer(idempotent=True, linger_ms=0)
    for i in range(300):
        if i % 100 == 50:
            proxy.lose_answers(1)
        producer.start(topic, Message(b"%d" % i, partition=0), answers.append)
        deadline = time.monotonic() + 0.005  # bounded: kcat hears what was answered only when it has more to send
        while len(answers) <= i - 20 and time.monotonic() < deadline:
            time.sleep(0.001)
    producer.flush(30)
    producer.close()
    assert proxy.lost >= 2, "the wire did break"
    assert [r.value for r in client.read(topic, 300)] == [b"%d" % i for i in range(300)]
    assert client.offset_at(topic, 0, -1) == 300, "once each"
