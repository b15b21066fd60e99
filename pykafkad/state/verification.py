"""The guard at a partition's door: the first batch of a transaction enters only if the coordinator has vouched for it.

Without it a batch that was delayed in the network could begin a transaction that nobody will ever end (KIP-890). Who
wants to append asks the coordinator, holding the guard that was given out before; if a marker comes between, the guard
is withdrawn and the answer that is on its way counts for nothing. One guard for each producer at a time; retries share
it, so it also remembers the lowest sequence it saw: a batch behind one that waits must not enter before it.
"""

from __future__ import annotations

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused


class Guard:
    """Told apart by identity."""

    __slots__ = ("epoch", "epoch_bumps", "lowest_sequence", "since")

    def __init__(self, sequence: int, epoch: int, now: int, epoch_bumps: bool) -> None:
        self.lowest_sequence = sequence
        self.epoch = epoch
        self.since = now
        self.epoch_bumps = epoch_bumps

    def seen(self, sequence: int, epoch: int) -> None:
        if epoch > self.epoch:
            self.epoch, self.lowest_sequence = epoch, sequence
        elif epoch == self.epoch:
            self.lowest_sequence = min(self.lowest_sequence, sequence)

    def check_sequence(self, producer_id: int, sequence: int, *, known: bool) -> Refused | None:
        """Under transaction version 2 a producer of which no batch is ``known`` begins at 0, as it does in each
        transaction: every end raises its epoch. After one that ended under version 1 it goes on where it was.
        """
        from_nothing = self.epoch_bumps and not known
        if sequence > self.lowest_sequence or (from_nothing and sequence != 0):
            return Refused(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id}: a transaction begins at sequence {sequence},"
                f" due is {0 if from_nothing else self.lowest_sequence}",
            )
        return None


class Guards:
    """The guards of one partition. ``demanded``: transaction.partition.verification.enable."""

    __slots__ = ("_by_producer", "demanded")

    def __init__(self) -> None:
        self._by_producer: dict[int, Guard] = {}
        self.demanded = True

    def __len__(self) -> int:
        return len(self._by_producer)

    def give(self, producer_id: int, sequence: int, epoch: int, now: int, epoch_bumps: bool) -> Guard:
        guard = self._by_producer.get(producer_id)
        if guard is None:
            guard = self._by_producer[producer_id] = Guard(sequence, epoch, now, epoch_bumps)
        guard.seen(sequence, epoch)
        return guard

    def of(self, producer_id: int) -> Guard | None:
        return self._by_producer.get(producer_id)

    def missing(self, producer_id: int, shown: Guard | None) -> bool:
        """Whether a transaction may not begin: no guard, or one that was withdrawn."""
        return self.demanded and (shown is None or self._by_producer.get(producer_id) is not shown)

    def begun(self, producer_id: int) -> None:
        """The transaction has its first batch."""
        if self._by_producer:
            self._by_producer.pop(producer_id, None)

    def ended(self, producer_id: int, epoch: int) -> None:
        """A marker was written. Where markers bump the epoch, one with the guard's own epoch ended the transaction
        before the one that the guard is for.
        """
        guard = self._by_producer.get(producer_id)
        if guard is not None and not (guard.epoch_bumps and guard.epoch == epoch):
            del self._by_producer[producer_id]

    def expire(self, now: int, after_ms: int) -> None:
        for producer_id in [key for key, guard in self._by_producer.items() if now - guard.since >= after_ms]:
            del self._by_producer[producer_id]
