"""What was acknowledged is there: after SIGTERM, after kill -9, after kill -9 in the middle of it all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from conformance.arrange import Arranger
from conformance.brokers import Broker
from conformance.clients import Client, Failed, Message, Sent, eventually, gather, produce
from conformance.clients import client as make_client

Start = Callable[..., Broker]


@pytest.fixture(params=["stop", "kill"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def down(broker: Broker, how: str) -> None:
    if how == "kill":
        broker.kill()
    else:
        code = broker.stop()
        assert code in (0, 143), f"exit code {code}"  # 143 is a JVM's way to obey SIGTERM
        if broker.kind == "pykafkad":
            assert code == 0


def test_restart_keeps_everything(client_name: str, kind: str, own_broker: Start, topic: str, how: str) -> None:
    broker = own_broker()
    client = make_client(client_name, broker.bootstrap)
    admin = Arranger(broker.bootstrap)
    admin.create(topic, 3, {"retention.ms": "123456789"})
    group = f"group-{topic}"
    produce(client, topic, [Message(b"%d" % i, b"k%d" % i, partition=i % 3) for i in range(60)], idempotent=True)
    consumer = client.consumer(group, [topic], limit=60)
    gather(consumer, 60)
    consumer.commit()
    consumer.close()
    eventually(lambda: admin.committed(group, topic) == dict.fromkeys(range(3), 20), "the commit is there")
    down(broker, how)
    broker.start()
    admin = Arranger(broker.bootstrap)
    admin.await_leaders(topic, 3)  # a broker that answers needn't have loaded everything yet
    assert admin.topics()[topic] == 3
    assert admin.configs(topic)["retention.ms"] == "123456789"
    eventually(lambda: admin.committed(group, topic) == dict.fromkeys(range(3), 20), "the commit is still there")
    for partition in range(3):
        got = client.read(topic, 20, partition=partition)
        assert [r.value for r in got] == [b"%d" % i for i in range(partition, 60, 3)]
    produce(client, topic, [Message(b"after", partition=1)], idempotent=True)
    again = client.consumer(group, [topic], limit=1)
    assert [(r.value, r.offset) for r in gather(again, 1)] == [(b"after", 20)]
    again.close()


def test_members_outlive_the_broker(
    client_name: str, kind: str, own_broker: Start, topic: str, needs: Callable[[Client, str], None]
) -> None:
    """A consumer that was polling when the broker went goes on, with its group, when it comes back."""
    broker = own_broker()
    client = make_client(client_name, broker.bootstrap)
    needs(client, "outliving the broker")
    Arranger(broker.bootstrap).create(topic, 1)
    other = make_client("confluent", broker.bootstrap)
    consumer = client.consumer(f"group-{topic}", [topic], session_ms=30_000)
    try:
        produce(other, topic, [Message(b"%d" % i, partition=0) for i in range(10)])
        assert len(gather(consumer, 10)) == 10
        broker.restart()
        produce(make_client("confluent", broker.bootstrap), topic, [Message(b"after", partition=0)], timeout=60)
        got: list[bytes | None] = []

        def heard() -> bool:
            got.extend(r.value for r in consumer.poll(0.2))
            return b"after" in got

        eventually(heard, "what was produced afterwards arrives", timeout=60)
    finally:
        consumer.close()


class Load:
    """One producer that sends numbers until it is told to end, and what was said about each of them."""

    def __init__(self, client: Client, topic: str) -> None:
        self.producer = client.producer(idempotent=True, linger_ms=1, timeout_ms=60_000)
        self.topic = topic
        self.sent = 0
        self.answers: dict[int, Sent | Failed] = {}
        self.going = True
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        while self.going:
            i = self.sent
            self.sent += 1
            self.producer.start(self.topic, Message(b"%d" % i, partition=0), lambda said, i=i: self.hear(i, said))  # type: ignore[misc]
            for _ in range(4):  # and then on, because kcat hears what was answered only when it has more to send
                if not self.going or self.sent - len(self.answers) <= 200:
                    break
                time.sleep(0.001)

    def hear(self, i: int, said: Sent | Failed) -> None:
        self.answers[i] = said

    def acknowledged(self) -> dict[int, Sent]:
        return {i: said for i, said in self.answers.copy().items() if isinstance(said, Sent)}

    def end(self) -> None:
        self.going = False
        self.thread.join(30)
        self.producer.flush(60)
        self.producer.close()


@pytest.mark.timeout(150)
def test_kill_under_load(client_name: str, kind: str, own_broker: Start, topic: str) -> None:
    broker = own_broker()
    client = make_client(client_name, broker.bootstrap)
    Arranger(broker.bootstrap).create(topic, 1)
    load = Load(client, topic)
    for _ in range(2 if kind == "pykafkad" else 1):
        heard = len(load.acknowledged())
        eventually(lambda n=heard: len(load.acknowledged()) > n + 1000, "a thousand more are acknowledged")  # type: ignore[misc]
        broker.kill()
        broker.start()
    heard = len(load.acknowledged())
    eventually(lambda: len(load.acknowledged()) > heard + 500, "the producer goes on", timeout=60)
    load.end()
    acknowledged = load.acknowledged()
    end = client.offset_at(topic, 0, -1)
    assert end is not None
    stored = [int(r.value or b"-1") for r in client.read(topic, end)]
    assert len(set(stored)) == len(stored), "nothing is there twice"
    assert stored == sorted(stored), "everything is in order"
    assert not acknowledged.keys() - set(stored), "nothing acknowledged is missing"
    for i, said in acknowledged.items():
        assert said.offset < 0 or stored[said.offset] == i, "each is where it was said to be"
