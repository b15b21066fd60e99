"""Transactional producers as the coordinator's APIs see them, for tests that don't care about the wire."""

from __future__ import annotations

from typing import Any

from kafkawire.api import add_offsets_to_txn, add_partitions_to_txn, describe_transactions, end_txn, init_producer_id
from tests.kit.coordination import GroupBroker

Identity = tuple[int, int]


async def initialise(
    broker: GroupBroker,
    name: str | None = "x",
    *,
    shown: Identity = (-1, -1),
    timeout_ms: int = 60_000,
    version: int = 5,
) -> tuple[int, int, int]:
    """(error code, producer id, epoch)."""
    request = init_producer_id.Request(transactional_id=name, transaction_timeout_ms=timeout_ms)
    if version >= 3:
        request.producer_id, request.producer_epoch = shown
    response = await broker.call(request, version)
    return response.error_code, response.producer_id, response.producer_epoch


def adding(name: str, who: Identity, *partitions: tuple[str, int]) -> add_partitions_to_txn.Request:
    """A request of versions 0 to 3."""
    topics: dict[str, list[int]] = {}
    for topic, index in partitions:
        topics.setdefault(topic, []).append(index)
    return add_partitions_to_txn.Request(
        v3_and_below_transactional_id=name,
        v3_and_below_producer_id=who[0],
        v3_and_below_producer_epoch=who[1],
        v3_and_below_topics=[add_partitions_to_txn.Topic(name=one, partitions=those) for one, those in topics.items()],
    )


async def add(
    broker: GroupBroker, name: str, who: Identity, *partitions: tuple[str, int], version: int = 3
) -> dict[tuple[str, int], int]:
    response = await broker.call(adding(name, who, *partitions), version)
    return codes(response.results_by_topic_v3_and_below)


def codes(topics: Any) -> dict[tuple[str, int], int]:
    return {
        (topic.name, one.partition_index): one.partition_error_code
        for topic in topics
        for one in topic.results_by_partition
    }


async def add_offsets(broker: GroupBroker, name: str, who: Identity, group: str, version: int = 4) -> int:
    request = add_offsets_to_txn.Request(
        transactional_id=name, producer_id=who[0], producer_epoch=who[1], group_id=group
    )
    code: int = (await broker.call(request, version)).error_code
    return code


async def end(
    broker: GroupBroker, name: str, who: Identity, *, commit: bool = True, version: int = 5
) -> tuple[int, int, int]:
    request = end_txn.Request(transactional_id=name, producer_id=who[0], producer_epoch=who[1], committed=commit)
    response = await broker.call(request, version)
    return response.error_code, response.producer_id, response.producer_epoch


async def state(broker: GroupBroker, name: str = "x") -> str:
    response = await broker.call(describe_transactions.Request(transactional_ids=[name]), 0)
    told: str = response.transaction_states[0].transaction_state
    return told


async def partitions(broker: GroupBroker, name: str = "x") -> list[tuple[str, int]]:
    response = await broker.call(describe_transactions.Request(transactional_ids=[name]), 0)
    [told] = response.transaction_states
    return [(topic.topic, index) for topic in told.topics for index in topic.partitions]
