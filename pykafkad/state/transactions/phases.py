"""The phases of a transactional id, each with what exists only in it.

          a partition is added            EndTxn, a timeout, a new producer             all partitions know
    Empty ────────────────────► Ongoing ─────────────────────────────────────► PrepareCommit ──────► CompleteCommit
      ▲                          ▲  │                                          PrepareAbort  ──────► CompleteAbort
      │                          │  └─ by way of PrepareEpochFence, unless EndTxn                          │   │
      │                          └───────────── a partition is added ──────────────────────────────────────┘   │
      └────────────────────────────────────────── InitProducerId ──────────────────────────────────────────────┘
    Empty, CompleteCommit, CompleteAbort ── an abort under transaction version 2 ──► PrepareAbort
    Empty, CompleteCommit, CompleteAbort ── unused for transactional.id.expiration.ms ──► Dead

Every phase but the last two is a record of ``__transaction_state``: what was written decides, whatever happens to the
broker. PREPARE_… is the moment at which a transaction is decided; COMPLETE_… only says that all have been told.
"""

from __future__ import annotations

from dataclasses import dataclass

TopicIndex = tuple[str, int]
Partitions = frozenset[TopicIndex]
NEVER = -1


@dataclass(frozen=True, slots=True)
class Empty:
    """A producer was given its identity and has begun nothing.

    InitProducerId: a new epoch. A partition: → Ongoing. EndTxn: INVALID_TXN_STATE; version 2 may abort: → PrepareAbort.
    """

    name = "Empty"
    number = 0


@dataclass(frozen=True, slots=True)
class Ongoing:
    """Partitions have been added: whatever is written to them waits for the end.

    InitProducerId: the transaction is aborted under a new epoch, the caller comes again. EndTxn: → Prepare….
    The timeout: as InitProducerId.
    """

    partitions: Partitions
    started_at: int  # ms

    name = "Ongoing"
    number = 1


@dataclass(frozen=True, slots=True)
class PrepareCommit:
    """Decided: committed. Markers are on their way; until they are there, whoever wants more has to wait.

    Everything: CONCURRENT_TRANSACTIONS, under any identity, since the producer may have been given the one that comes
    with Complete…. Only EndTxn of versions 0 and 1, and the question whether a partition was added, must bear the
    current one.
    """

    partitions: Partitions
    started_at: int
    next_producer_id: int = -1  # whom the epochs of this producer id no longer suffice for

    name = "PrepareCommit"
    number = 2


@dataclass(frozen=True, slots=True)
class PrepareAbort:
    """Decided: aborted. As PrepareCommit."""

    partitions: Partitions
    started_at: int
    next_producer_id: int = -1

    name = "PrepareAbort"
    number = 3


@dataclass(frozen=True, slots=True)
class CompleteCommit:
    """Committed, and every partition knows. As Empty; an EndTxn that comes again is told that it is done."""

    started_at: int

    name = "CompleteCommit"
    number = 4


@dataclass(frozen=True, slots=True)
class CompleteAbort:
    """Aborted, and every partition knows. As CompleteCommit."""

    started_at: int

    name = "CompleteAbort"
    number = 5


@dataclass(frozen=True, slots=True)
class Dead:
    """On the way out: a tombstone takes its place in the log, so that nobody ever meets it."""

    name = "Dead"
    number = 6


@dataclass(frozen=True, slots=True)
class PrepareEpochFence:
    """The epoch is raised before an abort, so that the producer that was there is fenced. One step with the abort here:
    both are in the PREPARE_ABORT record, and nobody ever meets this phase either.
    """

    name = "PrepareEpochFence"
    number = 7


Phase = Empty | Ongoing | PrepareCommit | PrepareAbort | CompleteCommit | CompleteAbort | Dead | PrepareEpochFence
Prepared = PrepareCommit | PrepareAbort
Completed = CompleteCommit | CompleteAbort

NAMES = frozenset(
    phase.name
    for phase in (Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead, PrepareEpochFence)
)

# Phase -> the phases that it can come from. Checked at every move, drawn above.
COMES_FROM: dict[type[Phase], tuple[type[Phase], ...]] = {
    Empty: (Empty, CompleteCommit, CompleteAbort),
    Ongoing: (Ongoing, Empty, CompleteCommit, CompleteAbort),
    PrepareCommit: (Ongoing,),
    PrepareAbort: (Ongoing, Empty, CompleteCommit, CompleteAbort),
    CompleteCommit: (PrepareCommit,),
    CompleteAbort: (PrepareAbort,),
}
