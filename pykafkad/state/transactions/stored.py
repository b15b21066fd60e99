"""Transactions as records of ``__transaction_state`` keep them: the codec of the transaction machine's log."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from kafkawire.stored import txn_log
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

_BY_NUMBER: dict[int, type[Phase]] = {
    phase.number: phase
    for phase in (Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead, PrepareEpochFence)
}
_WITH_PARTITIONS = (Ongoing, PrepareCommit, PrepareAbort)


def record(transactional_id: str, known: Transaction, version: int) -> Write:
    """What a transactional id has become, as a value of this version will tell it."""
    return Write(transactional_id, known if version > 0 else known.without_bumps(), version)


def tombstone(transactional_id: str) -> Write:
    return Write(transactional_id, None)


def write(transactional_id: str, known: Transaction | None, version: int) -> tuple[bytes, bytes | None]:
    """The bytes of a record's key and value."""
    key = _key_of(transactional_id)
    return key, None if known is None else txn_log.write_value(_value_of(known, version), version)


def read(key: bytes, value: bytes | None) -> tuple[str | None, Transaction | None]:
    """The transactional id and what is known of it; None is a tombstone, and no id a record that means nothing here."""
    found, stored = txn_log.read(key, value)
    if not isinstance(found, TransactionLogKey):
        return None, None
    return found.transactional_id, None if stored is None else _transaction_of(stored)


@lru_cache(maxsize=1024)
def _key_of(transactional_id: str) -> bytes:
    return txn_log.write(TransactionLogKey(transactional_id=transactional_id), None, 0)[0]


def _value_of(known: Transaction, version: int) -> TransactionLogValue:
    phase = known.phase
    value = TransactionLogValue(
        producer_id=known.producer_id,
        producer_epoch=known.epoch,
        transaction_timeout_ms=known.timeout_ms,
        transaction_status=phase.number,
        transaction_partitions=_topics(phase.partitions) if isinstance(phase, _WITH_PARTITIONS) else [],
        transaction_last_update_timestamp_ms=known.updated_at,
        transaction_start_timestamp_ms=started_at(phase),
    )
    if version > 0:
        value.previous_producer_id = known.previous_producer_id
        value.next_producer_id = phase.next_producer_id if isinstance(phase, Prepared) else NO_PRODUCER
        value.client_transaction_version = known.client_version
    if isinstance(phase, Empty):
        value.transaction_partitions = None  # as Kafka writes it
    return value


@lru_cache(maxsize=64)
def _topics(partitions: Partitions) -> list[PartitionsSchema]:
    """A transaction is written with the same partitions again and again, and so is the producer's next one."""
    return [
        PartitionsSchema(topic=topic, partition_ids=[index for _, index in those])
        for topic, those in groupby(sorted(partitions), key=itemgetter(0))
    ]


def started_at(phase: Phase) -> int:
    """When the transaction began; the last one, if none is open. −1 if there was none under this identity."""
    return NEVER if isinstance(phase, (Empty, Dead, PrepareEpochFence)) else phase.started_at


def _transaction_of(value: TransactionLogValue) -> Transaction:
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
