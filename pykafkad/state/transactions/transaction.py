"""What is known of one transactional id, and how its identity moves on. Values: every change makes a new one.

An identity is a producer id and an epoch. Epochs rise, to fence whoever had the one before; when 32,766 is reached the
transactional id gets another producer id, and 32,767 is left for the coordinator to fence with.
"""

from __future__ import annotations

from typing import NamedTuple

from pykafkad.state.transactions.phases import (
    CompleteAbort,
    CompleteCommit,
    Completed,
    Empty,
    Phase,
    PrepareAbort,
    PrepareCommit,
    Prepared,
)

NO_PRODUCER = -1
NO_EPOCH = -1
EPOCH_MAX = 32767
EXHAUSTED = EPOCH_MAX - 1
NO_TIMEOUT = 2**31 - 1  # ms: a transaction that waits for its end however long it takes, as two-phase commits do
BUMPING = 2  # the transaction version (KIP-890) from which on every end raises the epoch


class Transaction(NamedTuple):
    producer_id: int
    epoch: int
    timeout_ms: int
    phase: Phase
    updated_at: int  # ms
    previous_producer_id: int = NO_PRODUCER
    client_version: int = 0  # the transaction version that the producer spoke when it last moved the phase

    @property
    def exhausted(self) -> bool:
        return self.epoch >= EXHAUSTED

    @property
    def bumps(self) -> bool:
        return self.client_version >= BUMPING

    def moved(self, phase: Phase, now: int, **changes: int) -> Transaction:
        """The next state; the producer id that it had is always remembered."""
        return self._replace(phase=phase, updated_at=now, previous_producer_id=self.producer_id, **changes)

    def without_bumps(self) -> Transaction:
        """What a record of version 0 keeps, which has no room for what came with KIP-890."""
        phase = self.phase
        if isinstance(phase, Prepared) and phase.next_producer_id != NO_PRODUCER:
            phase = type(phase)(phase.partitions, phase.started_at)
        return self._replace(phase=phase, previous_producer_id=NO_PRODUCER, client_version=0)


def initialised(producer_id: int, timeout_ms: int, now: int) -> Transaction:
    """A transactional id that nobody has used before."""
    return Transaction(
        producer_id=producer_id,
        epoch=0,
        timeout_ms=timeout_ms,
        phase=Empty(),
        updated_at=now,
        previous_producer_id=producer_id,
    )


def prepared(known: Transaction, phase: Prepared, client_version: int, now: int) -> Transaction:
    """The end is decided. Under version 2 the marker carries the raised epoch, so that nothing of the transaction that
    comes late can follow it, and no EndTxn of this one can be taken for one of the next.
    """
    epoch = known.epoch
    if client_version >= BUMPING and epoch < EPOCH_MAX:
        epoch += 1
    return known.moved(phase, now, epoch=epoch, client_version=client_version)


def completed(known: Transaction, now: int) -> Transaction:
    """All partitions have the marker; a producer id whose epochs are used up gives way."""
    phase = known.phase
    assert isinstance(phase, Prepared), phase
    done: Completed = (
        CompleteCommit(phase.started_at) if isinstance(phase, PrepareCommit) else CompleteAbort(phase.started_at)
    )
    if known.bumps and phase.next_producer_id != NO_PRODUCER:
        return known.moved(done, now, producer_id=phase.next_producer_id, epoch=0)
    return known.moved(done, now)


def fenced(known: Transaction, phase: PrepareAbort, server_version: int, now: int) -> Transaction:
    """The coordinator aborts on its own: the epoch rises, whichever version the producer spoke."""
    if server_version >= BUMPING:
        return prepared(known, phase, BUMPING, now)
    return known.moved(phase, now, epoch=min(known.epoch + 1, EPOCH_MAX), client_version=0)
