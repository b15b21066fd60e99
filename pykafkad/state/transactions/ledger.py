"""The TransactionMachine: all transactional ids of one partition of ``__transaction_state``.

Commands in, decisions out; ``replay`` is the only writer of hard state (the last record of each transactional id), at
load time and at run time. What is decided here is told to the partitions by somebody else: ``prepared`` names the
transactions that were decided and that nobody has taken up yet; ``complete`` takes the news that all partitions know.

Two protocols meet here. Under transaction version 0 and 1 a producer announces partitions before it writes to them,
and keeps its epoch from one transaction to the next. Under version 2 (KIP-890) partitions are added when something is
first written to them, and every end raises the epoch: an EndTxn that arrives late carries an epoch of the past and
can't be taken for one of the transaction that runs now. A producer says by the version of its requests which one it
speaks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.decisions import NOTHING, Decision, Reply, Write
from pykafkad.state.transactions.bodies import Added, Described, Identity, Listed, ListedTransaction, Verified
from pykafkad.state.transactions.phases import (
    COMES_FROM,
    CompleteAbort,
    CompleteCommit,
    Completed,
    Dead,
    Empty,
    Ongoing,
    PrepareAbort,
    PrepareCommit,
    Prepared,
    PrepareEpochFence,
    TopicIndex,
)
from pykafkad.state.transactions.stored import record, started_at, tombstone
from pykafkad.state.transactions.transaction import (
    BUMPING,
    EXHAUSTED,
    NO_EPOCH,
    NO_PRODUCER,
    NO_TIMEOUT,
    Transaction,
    completed,
    fenced,
    initialised,
    prepared,
)

FENCED = Refused(ErrorCode.PRODUCER_FENCED, "another producer has this transactional id now")
CONCURRENT = Refused(ErrorCode.CONCURRENT_TRANSACTIONS, "the last transaction is not over yet")
NO_MAPPING = Refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING, "the transactional id has another producer id")
WRONG_STATE = Refused(ErrorCode.INVALID_TXN_STATE, "there is no such transaction to end")
NO_ID = Refused(ErrorCode.INVALID_REQUEST, "a transactional id is not empty")
NO_FRESH_ID = Refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "no producer id is at hand")
BAD_TIMEOUT = Refused(ErrorCode.INVALID_TRANSACTION_TIMEOUT, "not within transaction.max.timeout.ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSettings:
    """The broker's settings that transactions obey."""

    max_timeout_ms: int = 900_000
    expiration_ms: int = 604_800_000


class TransactionMachine:
    def __init__(self, settings: TransactionSettings, version: int = BUMPING) -> None:
        self._settings = settings
        self.version = version  # the cluster's transaction.version: what the coordinator itself speaks
        self.transactions: dict[str, Transaction] = {}  # hard
        self.open: dict[str, None] = {}  # those of them that are Ongoing
        self.prepared: dict[str, None] = {}  # those whose end is decided, until somebody takes them up
        # Soft: the epoch before the last, of a producer that showed what it had when it was given a new one. Kafka
        # doesn't store it either.
        self._last_epochs: dict[str, int] = {}

    # ── time: the broker's calendar looks for what is overdue, as often as Kafka does ──

    @property
    def deadline(self) -> int | None:
        return None

    def on_time(self, now: int) -> Decision:
        return NOTHING

    def loaded(self, now: int) -> None:
        """Nothing starts with time; what had been decided is in ``prepared``."""

    def waiting(self) -> Iterator[int]:
        return iter(())

    # ── who a producer is ──

    def needs_producer_id(self, transactional_id: str) -> bool:
        """Whether an InitProducerId or an EndTxn of this id may take a fresh producer id."""
        known = self.transactions.get(transactional_id)
        return known is None or known.exhausted

    def init(
        self,
        ticket: int,
        *,
        transactional_id: str,
        timeout_ms: int,
        shown: Identity | None,
        fresh: int | None,
        now: int,
    ) -> Decision:
        """Give a producer its identity. ``shown``: the one it had (KIP-360); ``fresh``: an unused producer id."""
        if not transactional_id:
            return _reply(ticket, NO_ID)
        if not 0 < timeout_ms <= self._settings.max_timeout_ms:
            return _reply(ticket, BAD_TIMEOUT)
        known = self.transactions.get(transactional_id)
        if known is None:
            if fresh is None:
                return _reply(ticket, NO_FRESH_ID)
            made = initialised(fresh, timeout_ms, now)
            self._last_epochs.pop(transactional_id, None)
            return self._write(ticket, transactional_id, made, Identity(made.producer_id, made.epoch))
        if isinstance(known.phase, Prepared):
            return _reply(ticket, CONCURRENT)
        if shown is not None and not (
            shown.producer_id == known.producer_id
            # The answer that brought another producer id may have got lost.
            or (shown.producer_id == known.previous_producer_id and shown.epoch >= EXHAUSTED)
        ):
            return _reply(ticket, FENCED)
        match known.phase:
            case Ongoing():
                if self._rotates(known) and fresh is None:
                    return _reply(ticket, NO_FRESH_ID)
                return Decision((self._fence(transactional_id, known, fresh, now),), (Reply(ticket, CONCURRENT),))
            case Empty() | CompleteCommit() | CompleteAbort():
                return self._renew(ticket, transactional_id, known, timeout_ms, shown, fresh, now)
            case Dead() | PrepareEpochFence():
                raise AssertionError(f"{transactional_id} is stored as {known.phase.name}")
            case _:
                assert_never(known.phase)

    def _renew(
        self,
        ticket: int,
        transactional_id: str,
        known: Transaction,
        timeout_ms: int,
        shown: Identity | None,
        fresh: int | None,
        now: int,
    ) -> Decision:
        producer_id, epoch, last = known.producer_id, known.epoch, NO_EPOCH
        if known.exhausted and (shown is None or shown.epoch == known.epoch):
            if fresh is None:
                return _reply(ticket, NO_FRESH_ID)
            producer_id, epoch, last = fresh, 0, known.epoch if shown is not None else NO_EPOCH
        elif shown is None:
            epoch += 1
        elif shown.epoch == known.epoch:
            epoch, last = epoch + 1, epoch
        elif shown.epoch == self._last_epochs.get(transactional_id, NO_EPOCH) and shown.epoch != NO_EPOCH:
            last = shown.epoch  # it comes again for the answer that it didn't get
        else:
            return _reply(ticket, FENCED)
        self._last_epochs[transactional_id] = last
        made = known.moved(Empty(), now, producer_id=producer_id, epoch=epoch, timeout_ms=timeout_ms)
        return self._write(ticket, transactional_id, made, Identity(producer_id, epoch))

    # ── what a transaction writes to ──

    def add_partitions(
        self,
        ticket: int,
        *,
        transactional_id: str,
        producer_id: int,
        epoch: int,
        partitions: Collection[TopicIndex],
        client_version: int,
        now: int,
    ) -> Decision:
        last = self.transactions.get(transactional_id)
        if last is not None and isinstance(last.phase, Prepared):
            return _reply(ticket, CONCURRENT)  # whoever asks: with COMPLETE another producer id may come into force
        known = self._current(transactional_id, producer_id, epoch)
        if isinstance(known, Refused):
            return _reply(ticket, known)
        phase = known.phase
        match phase:
            case Ongoing(have, begun):
                if have.issuperset(partitions):
                    return _reply(ticket, Added())
                grown = Ongoing(have.union(partitions), begun)
            case Empty() | CompleteCommit() | CompleteAbort():
                grown = Ongoing(frozenset(partitions), now)
            case PrepareCommit() | PrepareAbort() | Dead() | PrepareEpochFence():
                raise AssertionError(f"{transactional_id} is stored as {phase.name}")
            case _:
                assert_never(phase)
        moved = known.moved(grown, now, client_version=client_version)
        return self._write(ticket, transactional_id, moved, Added())

    def verify(
        self,
        ticket: int,
        *,
        transactional_id: str,
        producer_id: int,
        epoch: int,
        partitions: Sequence[TopicIndex],
        now: int,
    ) -> Decision:
        """Whether partitions were added before something is written to them."""
        known = self._current(transactional_id, producer_id, epoch)
        if isinstance(known, Refused):
            return _reply(ticket, known)
        if isinstance(known.phase, Prepared):
            return _reply(ticket, CONCURRENT)
        have = known.phase.partitions if isinstance(known.phase, Ongoing) else ()
        codes = (ErrorCode.NONE if one in have else ErrorCode.TRANSACTION_ABORTABLE for one in partitions)
        return _reply(ticket, Verified(tuple(codes)))

    def _current(self, transactional_id: str, producer_id: int, epoch: int) -> Transaction | Refused:
        if not transactional_id:
            return NO_ID
        known = self.transactions.get(transactional_id)
        if known is None or known.producer_id != producer_id:
            return NO_MAPPING
        return known if known.epoch == epoch else FENCED

    # ── the end ──

    def end(
        self,
        ticket: int,
        *,
        transactional_id: str,
        producer_id: int,
        epoch: int,
        commit: bool,
        client_version: int,
        fresh: int | None,
        now: int,
    ) -> Decision:
        if not transactional_id:
            return _reply(ticket, NO_ID)
        known = self.transactions.get(transactional_id)
        if known is None:
            return _reply(ticket, NO_MAPPING)
        if client_version < BUMPING:
            return self._end(ticket, transactional_id, known, producer_id, epoch, commit, now)
        return self._end_bumping(ticket, transactional_id, known, producer_id, epoch, commit, fresh, now)

    def _end(
        self,
        ticket: int,
        transactional_id: str,
        known: Transaction,
        producer_id: int,
        epoch: int,
        commit: bool,
        now: int,
    ) -> Decision:
        """Versions 0 and 1: the phase alone tells a retry from a mistake."""
        if known.producer_id != producer_id:
            return _reply(ticket, NO_MAPPING)
        if known.epoch != epoch:
            return _reply(ticket, FENCED)
        same = Identity(NO_PRODUCER, NO_EPOCH)
        phase = known.phase
        match phase:
            case Ongoing(partitions, begun):
                decided = (PrepareCommit if commit else PrepareAbort)(partitions, begun)
                return self._write(ticket, transactional_id, prepared(known, decided, 0, now), same)
            case PrepareCommit() | PrepareAbort():
                return _reply(ticket, CONCURRENT)
            case CompleteCommit() | CompleteAbort():
                return _reply(ticket, same if isinstance(phase, CompleteCommit) is commit else WRONG_STATE)
            case Empty():
                return _reply(ticket, WRONG_STATE)
            case Dead() | PrepareEpochFence():
                raise AssertionError(f"{transactional_id} is stored as {phase.name}")
            case _:
                assert_never(phase)

    def _end_bumping(
        self,
        ticket: int,
        transactional_id: str,
        known: Transaction,
        producer_id: int,
        epoch: int,
        commit: bool,
        fresh: int | None,
        now: int,
    ) -> Decision:
        """Version 2: a retry carries the epoch before, everything else the current one."""
        if isinstance(known.phase, Prepared):
            return _reply(ticket, CONCURRENT)
        rotated = known.previous_producer_id == producer_id and epoch == EXHAUSTED and known.epoch == 0
        retry = rotated or known.epoch == epoch + 1
        if known.producer_id != producer_id and not rotated:
            return _reply(ticket, NO_MAPPING)
        phase = known.phase
        match phase:
            case CompleteCommit() | CompleteAbort():
                if not retry and known.epoch != epoch:
                    return _reply(ticket, FENCED)
                if retry:
                    done = isinstance(phase, CompleteCommit) is commit
                    return _reply(ticket, Identity(known.producer_id, known.epoch) if done else WRONG_STATE)
                partitions, begun = frozenset[TopicIndex](), now
            case Empty():
                if known.epoch != epoch:
                    return _reply(ticket, FENCED)
                partitions, begun = frozenset[TopicIndex](), now
            case Ongoing(partitions, begun):
                if known.epoch != epoch:
                    return _reply(ticket, FENCED)
            case Dead() | PrepareEpochFence():
                raise AssertionError(f"{transactional_id} is stored as {phase.name}")
            case _:
                assert_never(phase)
        if commit and not isinstance(phase, Ongoing):
            return _reply(ticket, WRONG_STATE)
        if known.exhausted and fresh is None:
            return _reply(ticket, NO_FRESH_ID)
        following = fresh if known.exhausted and fresh is not None else NO_PRODUCER
        decided = (PrepareCommit if commit else PrepareAbort)(partitions, begun, following)
        made = prepared(known, decided, BUMPING, now)
        self._last_epochs[transactional_id] = known.epoch
        onwards = Identity(following, 0) if following != NO_PRODUCER else Identity(made.producer_id, made.epoch)
        return self._write(ticket, transactional_id, made, onwards)

    def _fence(self, transactional_id: str, known: Transaction, fresh: int | None, now: int) -> Write:
        """Abort what a producer left open, under an epoch that it doesn't have.

        Under version 2 this is an abort like any other, and the producer may still ask what became of its transaction:
        as long as nobody has come in its place, it can go on with the answer.
        """
        assert isinstance(known.phase, Ongoing)
        self._last_epochs[transactional_id] = known.epoch if self.version >= BUMPING else NO_EPOCH
        following = fresh if self._rotates(known) and fresh is not None else NO_PRODUCER
        decided = PrepareAbort(known.phase.partitions, known.phase.started_at, following)
        return self._record(transactional_id, fenced(known, decided, self.version, now))

    def _rotates(self, known: Transaction) -> bool:
        """Whether an abort by the coordinator gives the transactional id another producer id."""
        return self.version >= BUMPING and known.exhausted

    def complete(self, transactional_id: str, producer_id: int, epoch: int, now: int) -> Decision:
        """Every partition has the marker of the transaction that was decided under this identity."""
        known = self.transactions.get(transactional_id)
        if (
            known is None
            or not isinstance(known.phase, Prepared)
            or (known.producer_id, known.epoch) != (producer_id, epoch)
        ):
            return NOTHING
        return Decision((self._record(transactional_id, completed(known, now)),))

    def take_prepared(self) -> list[tuple[str, Transaction]]:
        """The transactions whose end is decided and that nobody has taken up yet: they are the caller's now."""
        taken, self.prepared = self.prepared, {}
        return [(transactional_id, self.transactions[transactional_id]) for transactional_id in taken]

    # ── what time brings ──

    def _overdue(self, now: int) -> Iterator[tuple[str, Transaction]]:
        for transactional_id in self.open:
            known = self.transactions[transactional_id]
            if known.timeout_ms < NO_TIMEOUT and started_at(known.phase) + known.timeout_ms < now:
                yield transactional_id, known

    def producer_ids_for_overdue(self, now: int) -> int:
        """How many fresh producer ids ``abort_overdue`` can use."""
        return sum(self._rotates(known) for _, known in self._overdue(now))

    def abort_overdue(self, now: int, fresh: Sequence[int]) -> Decision:
        """Abort the transactions that have been open for longer than their producers asked for; one that needs a fresh
        producer id and finds none has to wait for the next time.
        """
        left, overdue = iter(fresh), []
        for transactional_id, known in self._overdue(now):
            rotates = self._rotates(known)
            following = next(left, None) if rotates else None
            if following is not None or not rotates:
                overdue.append(self._fence(transactional_id, known, following, now))
        return Decision(tuple(overdue))

    def expire(self, now: int) -> Decision:
        """Forget transactional ids that nobody has used for so long."""
        before = now - self._settings.expiration_ms
        gone = (
            transactional_id
            for transactional_id, known in self.transactions.items()
            if known.updated_at <= before and isinstance(known.phase, Empty | Completed)
        )
        return Decision(tuple(tombstone(transactional_id) for transactional_id in gone))

    # ── administration ──

    def describe(self, ticket: int, *, transactional_id: str, now: int) -> Decision:
        if not transactional_id:
            return _reply(ticket, NO_ID)
        known = self.transactions.get(transactional_id)
        if known is None:
            return _reply(ticket, Refused(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND))
        phase = known.phase
        partitions: Iterable[TopicIndex] = phase.partitions if isinstance(phase, Ongoing | Prepared) else ()
        return _reply(
            ticket,
            Described(
                state=phase.name,
                timeout_ms=known.timeout_ms,
                started_at=started_at(phase),
                producer_id=known.producer_id,
                epoch=known.epoch,
                partitions=tuple(sorted(partitions)),
            ),
        )

    def listing(self, ticket: int, now: int) -> Decision:
        listed = (
            ListedTransaction(transactional_id, known.producer_id, known.phase.name, started_at(known.phase))
            for transactional_id, known in self.transactions.items()
        )
        return _reply(ticket, Listed(tuple(listed)))

    # ── records ──

    def replay(self, key: str | None, value: Transaction | None) -> None:
        """``key`` is a transactional id; None, a record of a kind that this machine knows nothing of."""
        if key is None:
            return
        self.open.pop(key, None)
        self.prepared.pop(key, None)
        if value is None:
            self.transactions.pop(key, None)
            self._last_epochs.pop(key, None)
            return
        self.transactions[key] = value
        if isinstance(value.phase, Ongoing):
            self.open[key] = None
        elif isinstance(value.phase, Prepared):
            self.prepared[key] = None

    def _write(self, ticket: int, transactional_id: str, made: Transaction, body: Any) -> Decision:
        return Decision((self._record(transactional_id, made),), (Reply(ticket, body),))

    def _record(self, transactional_id: str, made: Transaction) -> Write:
        known = self.transactions.get(transactional_id)
        assert known is None or type(known.phase) in COMES_FROM[type(made.phase)], (known, made)
        return record(transactional_id, made, min(self.version, 1))


def _reply(ticket: int, body: Any) -> Decision:
    return Decision((), (Reply(ticket, body),))
