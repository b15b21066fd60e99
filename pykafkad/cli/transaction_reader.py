"""What the cluster says about transactions: their coordinators, and the partitions that they wrote to.

A reader with isolation.level=read_committed stops at the last stable offset: the first record of the oldest transaction
whose end a partition hasn't heard of. The partition knows the producer, the coordinator knows the transaction; a
producer that no coordinator answers for hangs, and nobody will end what it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.cli.client import TRANSACTION, Client, Connection, by_leader, by_topic, check
from pykafkad.cli.failures import CommandFailed

Where = tuple[str, int]
LATEST, COMMITTED = -1, 1
OPEN = frozenset(("Ongoing", "PrepareCommit", "PrepareAbort"))


@dataclass(frozen=True, slots=True)
class Listed:
    """A transactional id, as its coordinator lists it."""

    transactional_id: str
    coordinator: int
    producer_id: int
    state: str


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer with a transaction that is open on a partition."""

    topic: str
    partition: int
    producer_id: int
    epoch: int
    coordinator_epoch: int
    start_offset: int
    last_timestamp: int


def list_transactions(
    client: Client,
    *,
    states: Sequence[str] = (),
    producer_ids: Sequence[int] = (),
    duration_ms: int = -1,
    pattern: str | None = None,
) -> list[Listed]:
    """Every broker knows the transactions that it coordinates: all are asked."""
    from kafkawire.api import list_transactions as api

    found = []
    least = 2 if pattern is not None else 1 if duration_ms >= 0 else 0
    for broker in client.metadata([]).brokers:
        connection = client.broker(broker.node_id)
        request = api.Request(
            state_filters=list(states),
            producer_id_filters=list(producer_ids),
            duration_filter=duration_ms,
            transactional_id_pattern=pattern,
        )

        def ask(connection: Connection = connection, request: Any = request) -> Any:
            response = connection.call(request, at_least=least)
            check(response.error_code, connection.name if pattern is None else f"pattern {pattern!r}")
            return response.transaction_states

        found += [
            Listed(one.transactional_id, broker.node_id, one.producer_id, one.transaction_state)
            for one in client.patiently(ask)
        ]
    return found


def describe_transaction(client: Client, transactional_id: str) -> Any:
    """DescribeTransactions' answer for one id; an id that nobody uses stops the command."""
    from kafkawire.api import describe_transactions as api

    def ask() -> Any:
        connection = client.coordinator(transactional_id, TRANSACTION)
        [told] = connection.call(api.Request(transactional_ids=[transactional_id])).transaction_states
        if told.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND:
            raise CommandFailed(f"there is no transactional id {transactional_id}")
        check(told.error_code, transactional_id)
        return told

    return client.patiently(ask)


def active_producers(client: Client, wanted: Iterable[Where], broker_id: int | None = None) -> dict[Where, list[Any]]:
    """DescribeProducers of partitions, asked of their leaders or of one broker."""
    from kafkawire.api import describe_producers as api

    partitions = sorted(set(wanted))
    leaders = client.leaders(sorted({topic for topic, _ in partitions}))
    asked = {broker_id: partitions} if broker_id is not None else by_leader(partitions, leaders)
    found: dict[Where, list[Any]] = {}
    for node_id, mine in asked.items():
        topics = [api.TopicRequest(name=name, partition_indexes=those) for name, those in by_topic(mine).items()]
        for topic in client.broker(node_id).call(api.Request(topics=topics)).topics:
            for one in topic.partitions:
                check(one.error_code, f"{topic.name}-{one.partition_index}", one.error_message)
                found[topic.name, one.partition_index] = one.active_producers
    return found


def open_on(client: Client, wanted: Iterable[Where], broker_id: int | None = None) -> list[Producer]:
    """Producers that have a transaction open on these partitions, oldest first on each."""
    found = [
        Producer(
            topic=topic,
            partition=index,
            producer_id=one.producer_id,
            epoch=one.producer_epoch,
            coordinator_epoch=one.coordinator_epoch,
            start_offset=one.current_txn_start_offset,
            last_timestamp=one.last_timestamp,
        )
        for (topic, index), producers in active_producers(client, wanted, broker_id).items()
        for one in producers
        if one.current_txn_start_offset >= 0
    ]
    return sorted(found, key=lambda one: (one.topic, one.partition, one.start_offset))


def partitions_of(client: Client, topics: Sequence[str] | None) -> list[Where]:
    """Every partition that has a leader, of these topics or of all."""
    answer = client.metadata(topics or None)
    for topic in answer.topics:
        check(topic.error_code, topic.name)
    return [
        (topic.name, one.partition_index) for topic in answer.topics for one in topic.partitions if one.leader_id >= 0
    ]


def held_back(client: Client, wanted: Sequence[Where]) -> dict[Where, tuple[int, int]]:
    """(last stable offset, end for everybody else) of the partitions where the two differ."""
    latest = dict.fromkeys(wanted, LATEST)
    ends, stable = client.offsets(latest), client.offsets(latest, COMMITTED)
    return {
        where: (stable[where].offset, ends[where].offset)
        for where in wanted
        if where in stable and stable[where].offset < ends[where].offset
    }


def owners(client: Client, producers: Sequence[Producer]) -> dict[int, Any]:
    """What coordinators say of these producers' transactions, by producer id: (transactional id, description)."""
    if not producers:
        return {}
    listed = list_transactions(client, producer_ids=sorted({one.producer_id for one in producers}))
    return {
        one.producer_id: (one.transactional_id, describe_transaction(client, one.transactional_id)) for one in listed
    }


def answered_for(producer: Producer, told: Any) -> bool:
    """Whether a coordinator will end what this producer has open on its partition."""
    if told.transaction_state not in OPEN:
        return False
    return any(topic.topic == producer.topic and producer.partition in topic.partitions for topic in told.topics)
