"""Kafka's own kafka-transactions: a transaction is listed, described, found hanging and aborted, at any broker.

What hangs is made as brokers before 3.6 let it happen: a producer's batch for which no coordinator was asked. To the
tool it is a transaction that nobody will ever end, and everything behind it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from conformance import brokers
from conformance.arrange import Arranger
from conformance.clients import Message, eventually, produce
from conformance.clients import client as make_client
from conformance.tools import Ended, Tools
from kafkawire.api import add_partitions_to_txn, init_producer_id
from kafkawire.api import produce as produce_api
from kafkawire.records import build
from pykafkad.cli.client import TRANSACTION, Client

LONG_AGO = 1_700_000_000_000
Ask = Callable[..., Ended]


@pytest.fixture
def ask(broker: brokers.Broker, tools: Tools) -> Ask:
    def run(*args: str, code: int = 0) -> Ended:
        ended = tools.run("kafka-transactions", "--bootstrap-server", broker.bootstrap, *args)
        assert ended.code == code, f"{' '.join(args)}: exit code {ended.code}\n{ended.out}{ended.err}"
        return ended

    return run


def rows(ended: Ended) -> list[dict[str, str]]:
    """The table that was printed, each line under its heads."""
    head, *lines = [line.split("\t") for line in ended.out.splitlines() if "\t" in line]
    return [{name.strip(): value.strip() for name, value in zip(head, line, strict=False)} for line in lines]


class Writer:
    """A producer of transactions, by hand: it announces its partition, or doesn't, and writes one record."""

    def __init__(self, client: Client, name: str, topic: str) -> None:
        self.name, self.topic = name, topic
        eventually(lambda: self.introduce(client), "there is a coordinator", timeout=60)

    def introduce(self, client: Client) -> bool:
        self.connection = client.coordinator(self.name, TRANSACTION)
        made = self.connection.call(
            init_producer_id.Request(transactional_id=self.name, transaction_timeout_ms=600_000), at_most=5
        )
        self.producer_id, self.epoch = made.producer_id, made.producer_epoch
        return bool(made.error_code == 0)

    def announce(self) -> None:
        answer = self.connection.call(
            add_partitions_to_txn.Request(
                v3_and_below_transactional_id=self.name,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=[add_partitions_to_txn.Topic(name=self.topic, partitions=[0])],
            ),
            at_most=3,
        )
        [topic] = answer.results_by_topic_v3_and_below
        assert [one.partition_error_code for one in topic.results_by_partition] == [0]

    def write(self, sequence: int = 0) -> int:
        """The error code."""
        batch = build(
            [(None, b"v")],
            timestamp=LONG_AGO,
            transactional=True,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
        )
        part = produce_api.PartitionProduceData(index=0, records=memoryview(bytearray(batch)))
        topic = produce_api.TopicProduceData(name=self.topic, partition_data=[part])
        request = produce_api.Request(transactional_id=self.name, acks=-1, timeout_ms=5000, topic_data=[topic])
        [answer] = self.connection.call(request, at_most=11).responses[0].partition_responses
        return int(answer.error_code)


@pytest.fixture
def open_one(broker: brokers.Broker, admin: Arranger, topic: str) -> Iterator[Writer]:
    """A producer that has begun a transaction and says no more."""
    admin.create(topic, 1, {"message.timestamp.before.max.ms": str((1 << 63) - 1)})
    with Client(broker.bootstrap) as client:
        writer = Writer(client, f"writer-{topic}", topic)
        writer.announce()
        assert writer.write() == 0
        yield writer


@pytest.fixture
def unverified(broker: brokers.Broker, tools: Tools) -> Iterator[None]:
    def set_to(word: str, setting: str) -> None:
        words = ["--alter", "--entity-type", "brokers", "--entity-default", word, setting]
        ended = tools.run("kafka-configs", "--bootstrap-server", broker.bootstrap, *words)
        assert ended.code == 0, ended.err

    set_to("--add-config", "transaction.partition.verification.enable=false")
    yield
    set_to("--delete-config", "transaction.partition.verification.enable")


@pytest.fixture
def hanging(broker: brokers.Broker, admin: Arranger, topic: str, unverified: None) -> Iterator[Writer]:
    admin.create(topic, 1, {"message.timestamp.before.max.ms": str((1 << 63) - 1)})
    with Client(broker.bootstrap) as client:
        writer = Writer(client, f"writer-{topic}", topic)
        eventually(lambda: writer.write() == 0, "the setting has come into force")
        yield writer


def committed(broker: brokers.Broker, topic: str) -> int:
    """Where a reader of committed records finds the end."""
    from confluent_kafka import Consumer, TopicPartition

    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "x", "isolation.level": "read_committed"})
    try:
        return int(reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)[1])
    finally:
        reader.close()


def led(broker: brokers.Broker) -> bool:
    """Whether each partition has a leader; those of internal topics may be a moment old."""
    from confluent_kafka.admin import AdminClient

    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=20).topics.values()
    return all(partition.leader >= 0 for topic in topics for partition in topic.partitions.values())


def test_an_open_transaction_is_listed_and_described(ask: Ask, open_one: Writer, topic: str) -> None:
    [listed] = [row for row in rows(ask("list")) if row["TransactionalId"] == open_one.name]
    assert (listed["ProducerId"], listed["TransactionState"]) == (str(open_one.producer_id), "Ongoing")
    matching = ask("list", "--transactional-id-pattern", f"writer-{topic}.*")
    assert [row["TransactionalId"] for row in rows(matching)] == [open_one.name]
    assert open_one.name not in ask("list", "--duration-filter", "3600000").out
    [described] = rows(ask("describe", "--transactional-id", open_one.name))
    assert described["CoordinatorId"] == "1"
    assert described["TransactionalId"] == open_one.name
    assert (described["ProducerId"], described["ProducerEpoch"]) == (str(open_one.producer_id), str(open_one.epoch))
    assert (described["TransactionState"], described["TransactionTimeoutMs"]) == ("Ongoing", "600000")
    assert described["TopicPartitions"] == f"{topic}-0"
    assert 0 <= int(described["TransactionDurationMs"]) < 600_000
    [producer] = rows(ask("describe-producers", "--topic", topic, "--partition", "0"))
    assert producer["ProducerId"] == str(open_one.producer_id)
    assert producer["ProducerEpoch"] == str(open_one.epoch)
    assert (producer["LastSequence"], producer["CurrentTransactionStartOffset"]) == ("0", "0")
    assert producer["LastTimestamp"] == str(LONG_AGO)
    assert rows(ask("find-hanging", "--topic", topic)) == [], "its coordinator knows of it"


def test_an_open_transaction_is_aborted_by_its_start(
    broker: brokers.Broker, ask: Ask, open_one: Writer, topic: str
) -> None:
    where = ("--topic", topic, "--partition", "0")
    produce(make_client("confluent", broker.bootstrap), topic, [Message(b"waits", partition=0)])
    assert committed(broker, topic) == 0
    ask("abort", *where, "--start-offset", "0")
    eventually(lambda: committed(broker, topic) == 3, "nobody waits any more")
    [producer] = rows(ask("describe-producers", *where))
    assert producer["CurrentTransactionStartOffset"] == "None"


def test_a_hanging_transaction_is_found_and_aborted(
    broker: brokers.Broker, ask: Ask, hanging: Writer, topic: str
) -> None:
    where = ("--topic", topic, "--partition", "0")
    produce(make_client("confluent", broker.bootstrap), topic, [Message(b"waits", partition=0)])
    assert committed(broker, topic) == 0
    eventually(lambda: led(broker), "all partitions of the broker have a leader", timeout=60)
    for words in (("--topic", topic), where, ("--broker-id", "1")):
        found = [row for row in rows(ask("find-hanging", *words)) if row["Topic"] == topic]
        assert [(row["Partition"], row["ProducerId"], row["StartOffset"]) for row in found] == [
            ("0", str(hanging.producer_id), "0")
        ]
    ask("abort", *where, "--start-offset", "0")
    eventually(lambda: committed(broker, topic) == 3, "nobody waits any more")
    assert rows(ask("find-hanging", "--topic", topic)) == []


def test_a_hanging_transaction_is_aborted_as_of_an_old_broker(
    broker: brokers.Broker, ask: Ask, hanging: Writer, topic: str
) -> None:
    where = ("--topic", topic, "--partition", "0")
    [row] = rows(ask("find-hanging", *where))
    known = ("--producer-id", row["ProducerId"], "--producer-epoch", row["ProducerEpoch"], "--coordinator-epoch", "0")
    ask("abort", *where, *known)
    eventually(lambda: committed(broker, topic) == 2, "nobody waits any more")


def test_what_was_begun_elsewhere_is_not_aborted(ask: Ask, open_one: Writer, topic: str) -> None:
    said = ask("abort", "--topic", topic, "--partition", "0", "--start-offset", "5", code=1)
    assert "Could not find any open transactions starting at offset 5 on partition" in said.out + said.err
    [producer] = rows(ask("describe-producers", "--topic", topic, "--partition", "0"))
    assert producer["CurrentTransactionStartOffset"] == "0"


def test_a_transaction_is_terminated_by_its_id(broker: brokers.Broker, ask: Ask, open_one: Writer, topic: str) -> None:
    ask("forceTerminateTransaction", "--transactionalId", open_one.name)
    eventually(lambda: committed(broker, topic) == 2, "nobody waits any more")
    [described] = rows(ask("describe", "--transactional-id", open_one.name))
    assert described["TransactionState"] in ("CompleteAbort", "Empty")
    assert open_one.write(1) != 0, "the producer has been fenced"
