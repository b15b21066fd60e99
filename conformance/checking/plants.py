"""Bugs to plant: ``python -m conformance.checking.plants NAME… serve …`` runs pykafkad with them in it.

Each is a mistake somebody could make: one function that does a little less, or a little else. ``UNHURRIED`` isn't one.
It makes the moments longer in which a kill hurts, as a busy disk would, and every run has it, so that nothing is found
for its sake alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pykafkad.cli.main import main
from pykafkad.runtime.endings import Endings, _Ending
from pykafkad.runtime.group_shards import GroupShard
from pykafkad.runtime.partition import Partition
from pykafkad.state import sequences
from pykafkad.state.decisions import Decision, Reply
from pykafkad.state.groups.ledger import GroupMachine
from pykafkad.state.groups.offsets import Offsets
from pykafkad.state.sequences import Duplicate, Producers
from pykafkad.state.transactions import ledger
from pykafkad.state.transactions.bodies import Added
from pykafkad.state.transactions.ledger import TransactionMachine
from pykafkad.state.transactions.phases import Completed, Ongoing, PrepareAbort, PrepareCommit, Prepared
from pykafkad.state.transactions.transaction import BUMPING, Transaction, prepared
from pykafkad.state.verification import Guard
from pykafkad.storage import recovery
from pykafkad.storage.recovery import _Loader

LONGEST_S = 0.3


class Plant(NamedTuple):
    change: Callable[[], None]
    faults: tuple[str, ...]
    """The kinds of faults that bring it to light, of those that ``rounds.py`` has."""


PLANTS: dict[str, Plant] = {}


def plant(*faults: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def put(change: Callable[[], None]) -> Callable[[], None]:
        PLANTS[change.__name__.replace("_", "-")] = Plant(change, faults)
        return change

    return put


def markers_take_their_time() -> None:
    def notice(endings: Any) -> None:
        shard = endings._shard
        if endings._beginning is None and shard.refusal is None and shard.machine.prepared:
            wait = random.choice((0, 1, 1)) * random.uniform(0, LONGEST_S)
            endings._beginning = endings._loop.call_later(wait, endings._begin)

    _put(Endings, "_notice", notice)


# ── restarts ──


def _when_left_over(change: Callable[[Any], None]) -> None:
    """Change the endings of transactions that were decided by the process before."""
    left: set[str] = set()
    loaded, made = TransactionMachine.loaded, _Ending.__init__

    def load(machine: TransactionMachine, now: int) -> None:
        left.update(machine.prepared)
        loaded(machine, now)

    def make(ending: Any, transactional_id: str, *arguments: Any) -> None:
        made(ending, transactional_id, *arguments)
        if transactional_id in left:
            left.remove(transactional_id)
            change(ending)

    _put(TransactionMachine, "loaded", load)
    _put(_Ending, "__init__", make)


@plant("kills")
def after_a_restart_one_partition_gets_no_marker() -> None:
    _when_left_over(lambda ending: ending.remaining and ending.remaining.popitem())


@plant("kills")
def after_a_restart_what_was_aborted_is_committed() -> None:
    def change(ending: Any) -> None:
        ending.marker = ending.marker._replace(commit=True)

    _when_left_over(change)


@plant("kills")
def after_a_restart_what_was_committed_is_aborted() -> None:
    def change(ending: Any) -> None:
        ending.marker = ending.marker._replace(commit=False)

    _when_left_over(change)


@plant("kills")
def a_crash_takes_the_last_batch() -> None:
    recover = _Loader.recover

    def less(loader: Any, segment: Any, epochs: Any) -> Any:
        last = None
        if not segment.place.directory.rpartition("/")[2].startswith("__"):
            for header, _, _ in segment.batches():
                last = header
        if last is not None:
            segment.cut(segment.size - last.length)
        return recover(loader, segment, epochs)

    _put(_Loader, "recover", less)


@plant("kills")
def a_crash_leaves_aborts_out_of_the_index() -> None:
    load = recovery.load_producers
    _put(recovery, "load_producers", lambda *arguments: load(*arguments[:7]))


@plant("kills")
def offsets_of_transactions_are_not_loaded() -> None:
    _put(GroupShard, "_replay_transactional", lambda *arguments: None)


# ── readers ──


@plant("wire")
def read_committed_reads_what_is_open() -> None:
    stabilise = Partition._stabilise

    def all_is_stable(partition: Any) -> None:
        stabilise(partition)
        partition.last_stable_offset = partition.high_watermark

    _put(Partition, "_stabilise", all_is_stable)


@plant("wire")
def nobody_is_told_what_was_aborted() -> None:
    _put(Partition, "aborted", lambda *arguments: ())


# ── producers ──


@plant("pauses")
def old_epochs_are_as_good_as_new_ones() -> None:
    def blind(command: Callable[..., Decision]) -> Callable[..., Decision]:
        def ask(machine: Any, ticket: int, *, transactional_id: str, epoch: int, **others: Any) -> Decision:
            known = machine.transactions.get(transactional_id)
            now = known.epoch if known is not None else epoch
            return command(machine, ticket, transactional_id=transactional_id, epoch=now, **others)

        return ask

    for name in ("add_partitions", "verify", "end"):
        _put(TransactionMachine, name, blind(getattr(TransactionMachine, name)))
    _put(sequences, "_stale_epoch", lambda *arguments: None)
    _put(Producers, "guard", unsuspecting)


def unsuspecting(
    producers: Producers, producer_id: int, sequence: int, epoch: int, now: int, epoch_bumps: bool
) -> Guard | None:
    """As it is, but for its own look at the epoch."""
    if producers.ongoing(producer_id, epoch):
        return None
    return producers.guards.give(producer_id, sequence, epoch, now, epoch_bumps)


@plant("pauses")
def who_timed_out_keeps_its_epoch() -> None:
    _put(ledger, "fenced", lambda known, phase, version, now: known.moved(phase, now, client_version=0))


@plant("wire")
def a_batch_that_comes_again_is_written_again() -> None:
    check = Producers.check

    def forgetful(producers: Any, header: Any, guard: Any = None) -> Any:
        verdict = check(producers, header, guard)
        return None if isinstance(verdict, Duplicate) else verdict

    _put(Producers, "check", forgetful)


@plant("wire")
def an_end_that_comes_again_ends_the_next_transaction() -> None:
    again: dict[str, bool] = {}
    end, overdue = TransactionMachine._end, TransactionMachine.abort_overdue

    def remember(
        machine: Any, ticket: int, name: str, known: Any, producer_id: int, epoch: int, commit: bool, now: int
    ) -> Decision:
        if not isinstance(known.phase, Ongoing) and (known.producer_id, known.epoch) == (producer_id, epoch):
            again[name] = commit
        return end(machine, ticket, name, known, producer_id, epoch, commit, now)

    def late(machine: Any, now: int, fresh: Sequence[int]) -> Decision:
        for name in [name for name in again if name in machine.open]:
            known = machine.transactions[name]
            phase = (PrepareCommit if again.pop(name) else PrepareAbort)(known.phase.partitions, known.phase.started_at)
            return Decision((machine._record(name, prepared(known, phase, 0, now)),))
        return overdue(machine, now, fresh)

    _put(TransactionMachine, "_end", remember)
    _put(TransactionMachine, "abort_overdue", late)


# ── transaction version 2 ──


def _in_its_place(is_let_through: Callable[[Transaction, int, dict[str, Any]], bool]) -> None:
    """Who adds partitions with an old epoch is let through as if it had the current one."""
    add = TransactionMachine.add_partitions

    def ask(machine: Any, ticket: int, *, transactional_id: str, epoch: int, **others: Any) -> Decision:
        known = machine.transactions.get(transactional_id)
        if known is not None and is_let_through(known, epoch, others):
            epoch = known.epoch
        return add(machine, ticket, transactional_id=transactional_id, epoch=epoch, **others)

    _put(TransactionMachine, "add_partitions", ask)


@plant("delays")
def an_end_of_the_transaction_before_ends_this_one() -> None:
    end = TransactionMachine._end_bumping

    def lenient(
        machine: Any,
        ticket: int,
        name: str,
        known: Transaction,
        producer_id: int,
        epoch: int,
        commit: bool,
        fresh: int | None,
        now: int,
    ) -> Decision:
        if isinstance(known.phase, Ongoing) and epoch == known.epoch - 1:
            epoch = known.epoch
        return end(machine, ticket, name, known, producer_id, epoch, commit, fresh, now)

    _put(TransactionMachine, "_end_bumping", lenient)


@plant("delays")
def a_batch_of_the_transaction_before_joins_this_one() -> None:
    stale = sequences._stale_epoch
    _in_its_place(lambda known, epoch, others: epoch == known.epoch - 1)
    _put(
        sequences,
        "_stale_epoch",
        lambda producer_id, epoch, known: None if epoch == known - 1 else stale(producer_id, epoch, known),
    )
    _put(Producers, "guard", unsuspecting)


@plant("delays")
def who_joins_by_writing_is_not_asked_for_its_epoch() -> None:
    _in_its_place(lambda known, epoch, others: others["client_version"] >= BUMPING)


@plant("wire")
def who_joins_by_writing_is_not_written_down() -> None:
    """But for the first, with which the transaction begins."""
    add = TransactionMachine.add_partitions

    def forgetful(machine: Any, ticket: int, *, transactional_id: str, client_version: int, **others: Any) -> Decision:
        known = machine.transactions.get(transactional_id)
        if client_version >= BUMPING and known is not None and isinstance(known.phase, Ongoing):
            return Decision((), (Reply(ticket, Added()),))
        return add(machine, ticket, transactional_id=transactional_id, client_version=client_version, **others)

    _put(TransactionMachine, "add_partitions", forgetful)


def _fencing(is_fenced: Callable[[Transaction, int], bool]) -> None:
    """Who asks for an end of version 2 is fenced now and then."""
    end = TransactionMachine._end_bumping

    def strict(
        machine: Any, ticket: int, name: str, known: Transaction, producer_id: int, epoch: int, *others: Any
    ) -> Decision:
        if is_fenced(known, epoch):
            return Decision((), (Reply(ticket, ledger.FENCED),))
        return end(machine, ticket, name, known, producer_id, epoch, *others)

    _put(TransactionMachine, "_end_bumping", strict)


@plant("wire")
def an_end_that_comes_again_is_refused() -> None:
    _fencing(lambda known, epoch: isinstance(known.phase, Completed) and epoch == known.epoch - 1)


@plant("wire", "delays")
def an_end_that_comes_before_the_last_one_is_over_is_refused() -> None:
    _fencing(lambda known, epoch: isinstance(known.phase, Prepared) and epoch == known.epoch)


# ── groups ──


@plant("wire")
def pending_offsets_count_at_once() -> None:
    _put(
        GroupMachine,
        "replay_in_transaction",
        lambda machine, producer_id, key, value: machine.replay(key, value),
    )


@plant("wire")
def pending_offsets_count_although_aborted() -> None:
    end = Offsets.end
    _put(Offsets, "end", lambda offsets, producer_id, commit: end(offsets, producer_id, True))


def _put(owner: Any, name: str, what: Any) -> None:
    assert hasattr(owner, name), name
    setattr(owner, name, what)


UNHURRIED = markers_take_their_time


if __name__ == "__main__":
    UNHURRIED()
    words = sys.argv[1:]
    while words[0] in PLANTS:
        PLANTS[words.pop(0)].change()
    sys.exit(main(words))
