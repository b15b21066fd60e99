"""Transactions as records of ``__transaction_state`` say them, and back."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

from kafkawire.stored.txn_log import PartitionsSchema, TransactionLogKey, TransactionLogValue
from pykafkad.state.decisions import Write
from pykafkad.state.transactions.phases import (
    NEVER,
    CompleteAbort,
    CompleteCommit,
    Dead,
    Empty,
    Ongoing,
    Partitions,
    Phase,
    PrepareAbort,
    PrepareCommit,
    Prepared,
    PrepareEpochFence,
)
from pykafkad.state.transactions.transaction import NO_PRODUCER, Transaction

__all__ = ["TransactionLogKey", "TransactionLogValue", "record", "tombstone", "transaction_of"]

_BY_NUMBER: dict[int, type[Phase]] = {
    phase.number: phase
    for phase in (Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead, PrepareEpochFence)
}


def record(transactional_id: str, known: Transaction, version: int) -> Write:
    """``version`` of the value: 0 has no room for what came with KIP-890, and forgets it."""
    phase = known.phase
    partitions: Partitions = phase.partitions if isinstance(phase, Ongoing | Prepared) else frozenset()
    value = TransactionLogValue(
        producer_id=known.producer_id,
        producer_epoch=known.epoch,
        transaction_timeout_ms=known.timeout_ms,
        transaction_status=phase.number,
        transaction_partitions=[
            PartitionsSchema(topic=topic, partition_ids=[index for _, index in those])
            for topic, those in groupby(sorted(partitions), key=itemgetter(0))
        ],
        transaction_last_update_timestamp_ms=known.updated_at,
        transaction_start_timestamp_ms=started_at(phase),
    )
    if version > 0:
        value.previous_producer_id = known.previous_producer_id
        value.next_producer_id = phase.next_producer_id if isinstance(phase, Prepared) else NO_PRODUCER
        value.client_transaction_version = known.client_version
    if isinstance(phase, Empty):
        value.transaction_partitions = None  # as Kafka writes it
    return Write(TransactionLogKey(transactional_id=transactional_id), value, version)


def tombstone(transactional_id: str) -> Write:
    return Write(TransactionLogKey(transactional_id=transactional_id), None)


def started_at(phase: Phase) -> int:
    """When the transaction began; the last one, if none is open. −1 if there was none under this identity."""
    return NEVER if isinstance(phase, Empty | Dead | PrepareEpochFence) else phase.started_at


def transaction_of(value: TransactionLogValue) -> Transaction:
    return Transaction(
        producer_id=value.producer_id,
        epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        phase=_phase_of(value),
        updated_at=value.transaction_last_update_timestamp_ms,
        previous_producer_id=value.previous_producer_id,
        client_version=value.client_transaction_version,
    )


def _phase_of(value: TransactionLogValue) -> Phase:
    kind = _BY_NUMBER.get(value.transaction_status)
    assert kind is not None, f"a transaction's status {value.transaction_status}"
    begun = value.transaction_start_timestamp_ms
    partitions = frozenset(
        (one.topic, index) for one in value.transaction_partitions or () for index in one.partition_ids
    )
    if kind is Ongoing:
        return Ongoing(partitions, begun)
    if kind is PrepareCommit or kind is PrepareAbort:
        return kind(partitions, begun, value.next_producer_id)
    if kind is CompleteCommit or kind is CompleteAbort:
        return kind(begun)
    assert kind is Empty or kind is Dead or kind is PrepareEpochFence
    return kind()
