"""Transactions as their users meet them: all of it or nothing of it, in order, once, whoever dies on the way.

Of the broker's answer to a producer that isn't the current one any more many clients make an error of their own, so
those scenarios use `fails`; what counts is what readers see afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from conformance.arrange import Arranger
from conformance.brokers import Broker
from conformance.clients import (
    Client,
    Consumer,
    Failed,
    Message,
    Producer,
    Received,
    Sent,
    eventually,
    fails,
    gather,
    produce,
    refused,
)
from conformance.clients import client as make_client
from conformance.proxy import END_TXN, Proxy

Needs = Callable[..., None]
Start = Callable[..., Broker]
FENCED = (47, 49, 90)  # INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED
ENDED = (*FENCED, 48, 120)  # INVALID_TXN_STATE, TRANSACTION_ABORTABLE


@pytest.fixture
def client(client: Client, needs: Needs) -> Client:
    needs(client, "transactions")
    return client


@contextlib.contextmanager
def transacting(client: Client, name: str, **options: object) -> Iterator[Producer]:
    producer = client.producer(transactional=name, **options)
    try:
        yield producer
    finally:
        producer.close()


@contextlib.contextmanager
def reading(client: Client, topic: str, isolation: str = "read_committed") -> Iterator[Consumer]:
    consumer = client.consumer(f"{isolation}-{topic}", [topic], isolation=isolation)
    try:
        yield consumer
    finally:
        consumer.close()


def send(producer: Producer, topic: str, *values: bytes, partition: int = 0) -> None:
    """Returns when the broker has said of each that it is in the log."""
    answers: list[Sent | Failed] = []
    for value in values:
        producer.start(topic, Message(value, partition=partition), answers.append)
    producer.flush(30)
    eventually(lambda: len(answers) == len(values), "all are answered")
    for answer in answers:
        if isinstance(answer, Failed):
            raise answer


def plainly(client: Client, topic: str, *values: bytes) -> None:
    produce(client, topic, [Message(value, partition=0) for value in values])


def values(records: list[Received]) -> list[bytes | None]:
    return [record.value for record in records]


def seen(client: Client, topic: str, count: int, partition: int = 0) -> list[bytes | None]:
    return values(client.read(topic, count, partition=partition, isolation="read_committed"))


def stored(client: Client, topic: str, count: int, partition: int = 0) -> list[bytes | None]:
    return values(client.read(topic, count, partition=partition, isolation="read_uncommitted"))


def test_committed_records_are_seen_and_not_before(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    plainly(client, topic, b"before")
    with reading(client, topic) as consumer, transacting(client, topic) as producer:
        assert values(gather(consumer, 1)) == [b"before"]
        producer.begin()
        send(producer, topic, b"1", b"2")
        assert consumer.poll(0.5) == []
        producer.commit()
        assert values(gather(consumer, 2)) == [b"1", b"2"]


def test_aborted_records_are_passed_over(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    plainly(client, topic, b"before")
    with transacting(client, topic) as producer:
        producer.begin()
        send(producer, topic, b"gone", b"gone too")
        producer.abort()
        producer.begin()
        send(producer, topic, b"kept")
        producer.commit()
    assert seen(client, topic, 2) == [b"before", b"kept"]


def test_whoever_reads_uncommitted_sees_all(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    with reading(client, topic, "read_uncommitted") as consumer, transacting(client, topic) as producer:
        producer.begin()
        send(producer, topic, b"gone")
        assert values(gather(consumer, 1)) == [b"gone"], "while the transaction is open"
        producer.abort()
        producer.begin()
        send(producer, topic, b"kept")
        assert values(gather(consumer, 1)) == [b"kept"]
        producer.commit()
    assert stored(client, topic, 2) == [b"gone", b"kept"], "also once it was aborted"


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_several_topics_and_partitions_at_once(client: Client, admin: Arranger, topic: str, end: str) -> None:
    places = [(name, p) for name in (f"{topic}-a", f"{topic}-b") for p in range(3)]
    for name in (f"{topic}-a", f"{topic}-b"):
        admin.create(name, 3)
    with transacting(client, topic) as producer:
        producer.begin()
        for name, p in places:
            send(producer, name, b"first", partition=p)
        producer.commit() if end == "commit" else producer.abort()
        producer.begin()
        for name, p in places:
            send(producer, name, b"last", partition=p)
        producer.commit()
    expected = [b"first", b"last"] if end == "commit" else [b"last"]
    for name, p in places:
        assert seen(client, name, len(expected), p) == expected


def test_one_after_another(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    """Two records and a marker each."""
    needs(client, "aborted often")
    admin.create(topic, 1)
    with transacting(client, topic) as producer:
        for i in range(6):
            producer.begin()
            send(producer, topic, b"%d a" % i, b"%d b" % i)
            producer.abort() if i % 2 else producer.commit()
    got = client.read(topic, 6, isolation="read_committed")
    assert values(got) == [b"%d %c" % (i, c) for i in (0, 2, 4) for c in b"ab"]
    assert [r.offset for r in got] == [0, 1, 6, 7, 12, 13]


def test_empty_transactions(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "empty transactions")
    admin.create(topic, 1)
    with transacting(client, topic) as producer:
        producer.begin()
        producer.commit()
        producer.begin()
        producer.abort()
        producer.begin()
        send(producer, topic, b"x")
        producer.commit()
    got = client.read(topic, 1, isolation="read_committed")
    assert [(r.offset, r.value) for r in got] == [(0, b"x")], "they left nothing in the log"


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_open_transaction_holds_back_what_comes_after(client: Client, admin: Arranger, topic: str, end: str) -> None:
    """The last stable offset: a reader of committed records doesn't overtake what is undecided."""
    admin.create(topic, 1)
    plainly(client, topic, b"before")
    with reading(client, topic) as consumer, transacting(client, topic) as producer:
        assert values(gather(consumer, 1)) == [b"before"]
        producer.begin()
        send(producer, topic, b"open")
        plainly(client, topic, b"plain")
        assert stored(client, topic, 3) == [b"before", b"open", b"plain"]
        assert consumer.poll(0.5) == []
        producer.commit() if end == "commit" else producer.abort()
        expected = [b"open", b"plain"] if end == "commit" else [b"plain"]
        assert values(gather(consumer, len(expected))) == expected


def test_beside_each_other(client: Client, admin: Arranger, topic: str) -> None:
    """Two producers on one partition: the earlier one's end makes both visible, each according to its own."""
    admin.create(topic, 1)
    plainly(client, topic, b"before")
    with (
        reading(client, topic) as consumer,
        transacting(client, f"{topic}-one") as one,
        transacting(client, f"{topic}-two") as two,
    ):
        assert values(gather(consumer, 1)) == [b"before"]
        one.begin()
        two.begin()
        for i in range(3):
            send(one, topic, b"one %d" % i)
            send(two, topic, b"two %d" % i)
        two.commit()
        assert consumer.poll(0.5) == [], "one is open still"
        one.abort()
        assert values(gather(consumer, 3)) == [b"two %d" % i for i in range(3)]


def test_many_partitions(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 50)
    answers: list[Sent | Failed] = []
    with transacting(client, topic) as producer:
        producer.begin()
        for i in range(2000):
            producer.start(topic, Message(b"%d" % i, partition=i % 50), answers.append)
        producer.flush(60)
        producer.commit()
    assert not [a for a in answers if isinstance(a, Failed)]
    for p in (0, 1, 24, 49):
        assert seen(client, topic, 40, p) == [b"%d" % i for i in range(p, 2000, 50)]


def test_commit_sends_what_is_waiting(client: Client, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    answers: list[Sent | Failed] = []
    with transacting(client, topic, linger_ms=1000) as producer:
        producer.begin()
        for i in range(100):
            producer.start(topic, Message(b"%d" % i, partition=0), answers.append)
        producer.commit()
        eventually(lambda: len(answers) == 100, "all are answered")
    assert not [a for a in answers if isinstance(a, Failed)]
    assert seen(client, topic, 100) == [b"%d" % i for i in range(100)]


class Transformer:
    """Takes ten records of each of two partitions and writes them to another topic, with its offsets."""

    def __init__(self, client: Client, source: str, target: str, name: str) -> None:
        self.source, self.target = source, target
        self.consumer = client.consumer(
            f"group-{name}", [source], transactional=name, isolation="read_committed", limit=20
        )
        self.producer = client.producer(transactional=name)

    def work(self) -> None:
        got = gather(self.consumer, 20)
        self.producer.begin()
        for p in (0, 1):
            send(
                self.producer, self.target, *(b"<%b>" % (r.value or b"") for r in got if r.partition == p), partition=p
            )
        self.producer.send_offsets(self.consumer, {(self.source, 0): 10, (self.source, 1): 10})

    def close(self) -> None:
        self.producer.close()
        self.consumer.close()


@pytest.fixture
def source(client: Client, admin: Arranger, topic: str) -> str:
    name = f"{topic}-source"
    admin.create(name, 2)
    produce(client, name, [Message(b"%d" % i, partition=i % 2) for i in range(20)])
    return name


def transformed(partition: int) -> list[bytes]:
    return [b"<%d>" % i for i in range(partition, 20, 2)]


def test_consume_transform_produce(client: Client, admin: Arranger, source: str, topic: str) -> None:
    admin.create(topic, 2)
    with contextlib.closing(Transformer(client, source, topic, topic)) as transformer:
        transformer.work()
        # confluent's way to ask, which `admin` takes, waits for the decision
        with contextlib.closing(make_client("kafka-python", client.bootstrap).admin()) as other:
            assert other.committed(f"group-{topic}", source) == {}, "not before the commit"
        transformer.producer.commit()
        eventually(lambda: admin.committed(f"group-{topic}", source) == {0: 10, 1: 10}, "the offsets are committed")
    assert [seen(client, topic, 10, p) for p in (0, 1)] == [transformed(0), transformed(1)]
    produce(client, source, [Message(b"later", partition=1)])
    with contextlib.closing(client.consumer(f"group-{topic}", [source], limit=1)) as successor:
        assert [(r.offset, r.value) for r in gather(successor, 1)] == [(10, b"later")]


def test_consume_transform_produce_is_undone_as_a_whole(
    client: Client, admin: Arranger, source: str, topic: str, needs: Needs
) -> None:
    needs(client, "take over")
    admin.create(topic, 2)
    with contextlib.closing(Transformer(client, source, topic, topic)) as transformer:
        transformer.work()
        transformer.producer.abort()
    assert admin.committed(f"group-{topic}", source) == {}
    with contextlib.closing(Transformer(client, source, topic, topic)) as successor:
        successor.work()  # sees all of it again
        successor.producer.commit()
    assert [seen(client, topic, 10, p) for p in (0, 1)] == [transformed(0), transformed(1)], "once each"
    assert [stored(client, topic, 20, p) for p in (0, 1)] == [transformed(0) * 2, transformed(1) * 2]
    eventually(lambda: admin.committed(f"group-{topic}", source) == {0: 10, 1: 10}, "the offsets are committed")


def test_a_zombie_is_fenced(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "take over")
    admin.create(topic, 1)
    with transacting(client, topic) as old:
        old.begin()
        send(old, topic, b"old")
        with transacting(client, topic) as new:
            new.begin()
            send(new, topic, b"new")
            with fails(client, *FENCED):
                old.commit()
            new.commit()
        with fails(client, *FENCED):
            old.begin()
            send(old, topic, b"undead")
            old.commit()
    plainly(client, topic, b"last")
    assert seen(client, topic, 2) == [b"new", b"last"]
    assert stored(client, topic, 3) == [b"old", b"new", b"last"]


def test_a_successor_ends_what_was_left_open(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "take over")
    admin.create(topic, 1)
    with reading(client, topic) as consumer, transacting(client, topic) as dead:
        dead.begin()
        send(dead, topic, b"half")
        plainly(client, topic, b"plain")
        with transacting(client, topic):
            assert values(gather(consumer, 1)) == [b"plain"], "at once, not when the transaction times out"


def test_the_coordinator_aborts_what_takes_too_long(
    client_name: str, kind: str, own_broker: Start, needs: Needs, topic: str
) -> None:
    broker = own_broker(transaction_abort_timed_out_transaction_cleanup_interval_ms=500)
    client = make_client(client_name, broker.bootstrap)
    needs(client, "transactions", "take over")
    with contextlib.closing(Arranger(broker.bootstrap)) as arranger:
        arranger.create(topic, 1)
    with transacting(client, topic, transaction_ms=3000) as producer:
        producer.begin()
        send(producer, topic, b"late")
        plainly(client, topic, b"plain")
        assert seen(client, topic, 1) == [b"plain"], "without a word from the producer"
        with fails(client, *ENDED):
            producer.commit()
    with transacting(client, topic) as again:
        again.begin()
        send(again, topic, b"again")
        again.commit()
    assert seen(client, topic, 2) == [b"plain", b"again"]


def test_a_timeout_over_the_maximum_is_refused(client: Client, admin: Arranger, topic: str) -> None:
    """transaction.max.timeout.ms is a quarter of an hour."""
    with refused(client, 50):  # INVALID_TRANSACTION_TIMEOUT
        client.producer(transactional=topic, transaction_ms=901_000).close()


def test_ending_what_was_not_begun(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    """The client's own refusal; the broker must not have been asked for anything that shows."""
    needs(client, "end unbegun")
    admin.create(topic, 1)
    with transacting(client, topic) as producer, fails(client, 48):
        producer.commit()
    assert client.offset_at(topic, 0, -1) == 0


def test_a_restart_in_the_middle(client_name: str, kind: str, own_broker: Start, needs: Needs, topic: str) -> None:
    broker = own_broker()
    client = make_client(client_name, broker.bootstrap)
    needs(client, "transactions")
    with contextlib.closing(Arranger(broker.bootstrap)) as arranger:
        arranger.create(topic, 2)
    with transacting(client, topic) as producer:
        producer.begin()
        send(producer, topic, b"before", partition=0)
        broker.kill()
        broker.start()
        send(producer, topic, b"after", partition=0)
        send(producer, topic, b"after", partition=1)
        producer.commit()
    assert seen(client, topic, 2) == [b"before", b"after"]
    assert seen(client, topic, 1, 1) == [b"after"]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_lost_answers(client_name: str, kind: str, own_broker: Start, proxy: Proxy, needs: Needs, topic: str) -> None:
    """To a batch, and to the commit itself: asked again, it happens once."""
    broker = own_broker(advertised_listeners=f"PLAINTEXT://127.0.0.1:{proxy.port}")
    proxy.target = broker.port
    client = make_client(client_name, f"127.0.0.1:{proxy.port}")
    needs(client, "transactions", "lost end")
    with contextlib.closing(Arranger(f"127.0.0.1:{proxy.port}")) as arranger:
        arranger.create(topic, 1)
    with transacting(client, topic) as producer:
        for i in range(3):
            producer.begin()
            proxy.lose_answers(1)
            send(producer, topic, b"%d" % i)
            assert proxy.to_lose == 0, "an answer was lost"
            proxy.lose_answers(1, END_TXN)
            producer.commit()
            assert proxy.to_lose == 0, "another answer was lost"
    assert seen(client, topic, 3) == [b"0", b"1", b"2"]
    assert client.offset_at(topic, 0, -1) == 6, "three records and three markers"
