"""``pykafkad transactions`` against a broker."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from kafkawire import records
from kafkawire.api import add_partitions_to_txn, init_producer_id, produce
from pykafkad.cli.client import TRANSACTION, Client
from tests.cli.conftest import Run, Started

_numbers = itertools.count()


class Producer:
    """One that has begun a transaction and says no more."""

    def __init__(self, client: Client, topic: str, *, announces: bool = True) -> None:
        self.name = f"writer-{next(_numbers)}"
        self.topic = topic
        self.connection = client.coordinator(self.name, TRANSACTION)
        made = self.connection.call(
            init_producer_id.Request(transactional_id=self.name, transaction_timeout_ms=60_000), at_most=5
        )
        assert made.error_code == 0
        self.who = made.producer_id, made.producer_epoch
        if announces:
            self.announce()
        self.write()

    def announce(self) -> None:
        self.connection.call(
            add_partitions_to_txn.Request(
                v3_and_below_transactional_id=self.name,
                v3_and_below_producer_id=self.who[0],
                v3_and_below_producer_epoch=self.who[1],
                v3_and_below_topics=[add_partitions_to_txn.Topic(name=self.topic, partitions=[0])],
            ),
            at_most=3,
        )

    def write(self) -> None:
        batch = records.build(
            [(None, b"v")],
            timestamp=1_700_000_000_000,  # long ago
            transactional=True,
            producer_id=self.who[0],
            producer_epoch=self.who[1],
            base_sequence=0,
        )
        part = produce.PartitionProduceData(index=0, records=memoryview(bytearray(batch)))
        request = produce.Request(
            transactional_id=self.name,
            acks=-1,
            timeout_ms=5000,
            topic_data=[produce.TopicProduceData(name=self.topic, partition_data=[part])],
        )
        [answer] = self.connection.call(request, at_most=11).responses[0].partition_responses
        assert answer.error_code == 0


@pytest.fixture
def client(broker: Started) -> Iterator[Client]:
    with Client(broker.address) as client:
        yield client


@pytest.fixture
def producer(client: Client, topic: str) -> Producer:
    return Producer(client, topic)


def held(pykafkad: Run, topic: str) -> list[Any]:
    rows: list[Any] = pykafkad("transactions", "held", "--topic", topic, "--json").json
    return rows


def test_it_is_listed_and_described(pykafkad: Run, producer: Producer, topic: str) -> None:
    [row] = pykafkad("transactions", "list", "--transactional-id-pattern", producer.name, "--json").json
    assert (row["producer_id"], row["transaction_state"]) == (producer.who[0], "Ongoing")
    assert pykafkad("transactions", "list", "--state", "PrepareCommit").out == "no transactions\n"
    assert producer.name not in pykafkad("transactions", "--list", "--duration-filter", "3600000").out
    [one] = pykafkad("transactions", "describe", producer.name, "--json").json
    assert (one["transaction_state"], one["topic_partitions"]) == ("Ongoing", [f"{topic}-0"])
    assert 0 <= one["transaction_duration_ms"] < 60_000
    wanted = ["--topic", topic, "--partition", "0"]
    [row] = pykafkad("transactions", "describe-producers", *wanted, "--json").json
    assert (row["producer_id"], row["current_transaction_start_offset"]) == (producer.who[0], 0)


def test_whom_it_keeps_waiting_until_it_is_aborted(pykafkad: Run, producer: Producer, topic: str) -> None:
    pykafkad("produce", topic, "--partition", "0", stdin="a\nb\n")
    [row] = held(pykafkad, topic)
    assert (row["topic"], row["partition"], row["last_stable_offset"], row["waiting"]) == (topic, 0, 0, 3)
    assert (row["transactional_id"], row["state"]) == (producer.name, "Ongoing")
    assert pykafkad("transactions", "abort", "--transactional-id", producer.name).out == f"aborted {producer.name}\n"
    assert held(pykafkad, topic) == []
    assert pykafkad("transactions", "held", "--topic", topic).out.startswith("no partition keeps")
    again = pykafkad("transactions", "abort", producer.name)
    assert (again.code, again.err) == (1, f"pykafkad transactions: {producer.name} has no transaction open (Empty)\n")


@pytest.fixture
def unverified(pykafkad: Run) -> Iterator[None]:
    """As brokers before 3.6 were: whatever a producer sends is taken for part of a transaction."""
    cluster = ["configs", "alter", "--entity-type", "brokers", "--entity-default"]
    assert pykafkad(*cluster, "--add-config", "transaction.partition.verification.enable=false").code == 0
    yield
    assert pykafkad(*cluster, "--delete-config", "transaction.partition.verification.enable").code == 0


def test_one_that_hangs_is_found_and_ended(pykafkad: Run, client: Client, topic: str, unverified: None) -> None:
    where = ["--topic", topic]
    assert pykafkad("transactions", "find-hanging", *where).out == "no transaction hangs\n"
    producer = Producer(client, topic, announces=False)
    [row] = pykafkad("transactions", "find-hanging", *where, "--partition", "0", "--json").json
    assert row in pykafkad("transactions", "find-hanging", "--json").json
    assert (row["producer_id"], row["start_offset"], row["transactional_id"]) == (producer.who[0], 0, producer.name)
    assert [row["state"] for row in held(pykafkad, topic)] == ["hanging"]
    ended = pykafkad("transactions", "abort", *where, "--partition", "0", "--start-offset", "0")
    assert ended.out == f"aborted what producer {producer.who[0]} began at {topic}-0 0\n"
    assert held(pykafkad, topic) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["describe"], "which transactional id?"),
        (["abort"], "which one?"),
        (["abort", "--topic", "t"], "which one?"),
        (["find-hanging", "--partition", "0", "--broker-id", "0"], "--partition needs --topic"),
    ],
)
def test_what_is_not_enough(pykafkad: Run, words: list[str], said: str) -> None:
    wrong = pykafkad("transactions", *words)
    assert wrong.code == 2 and said in wrong.err


def test_what_is_not_there(pykafkad: Run, topic: str) -> None:
    unknown = pykafkad("transactions", "describe", "nobody")
    assert (unknown.code, unknown.err) == (1, "pykafkad transactions: there is no transactional id nobody\n")
    nothing = pykafkad("transactions", "abort", "--topic", topic, "--partition", "0", "--start-offset", "5")
    assert nothing.code == 1 and "began at 5" in nothing.err
