"""Random walks of producers, their doubles and time, under the laws of machines and the promises of transactions."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.decisions import Decision
from pykafkad.state.transactions import stored
from pykafkad.state.transactions.bodies import Identity
from pykafkad.state.transactions.ledger import TransactionMachine, TransactionSettings
from pykafkad.state.transactions.phases import COMES_FROM, Empty, Ongoing, Prepared
from pykafkad.state.transactions.transaction import Transaction
from tests.kit.machine_laws import UnderLaw

SETTINGS = TransactionSettings(max_timeout_ms=10_000, expiration_ms=50_000)
IDS = ("a", "b")


class Walk:
    """Producers that mostly do what they should, and now and then anything else."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.version = self.dice.choice([0, 1, 2])
        self.law = UnderLaw(lambda: TransactionMachine(SETTINGS, self.version), lambda machine: machine.transactions)
        self.seen: dict[str, list[Identity]] = {name: [Identity(7, 0)] for name in IDS}
        self.fresh = 100
        self.given: set[Identity] = set()

    def step(self) -> None:
        choice = self.dice.choices(
            ["init", "add", "verify", "end", "told", "look", "time", "exhaust"], [2, 5, 1, 5, 6, 1, 2, 0.3]
        )[0]
        before = dict(self.law.machine.transactions)
        getattr(self, choice)(self.dice.choice(IDS))
        self.watch(before, moved=choice != "exhaust")

    def who(self, name: str) -> Identity:
        return self.seen[name][-1] if self.dice.random() < 0.8 else self.dice.choice(self.seen[name])

    def _fresh(self, name: str) -> int | None:
        if not self.law.machine.needs_producer_id(name) or self.dice.random() < 0.05:
            return None
        self.fresh += 1
        return self.fresh

    def init(self, name: str) -> None:
        shown = self.who(name) if self.dice.random() < 0.4 else None
        timeout = self.dice.choice([1000, 10_000, 10_000, 10_001, 0])
        decision = self.law.command(
            "init", transactional_id=name, timeout_ms=timeout, shown=shown, fresh=self._fresh(name)
        )
        self.given_out(name, decision, fresh=shown is None)

    def add(self, name: str) -> None:
        producer_id, epoch = self.who(name)
        partitions = [("t", self.dice.randrange(3)) for _ in range(self.dice.randrange(1, 3))]
        self.law.command(
            "add_partitions",
            transactional_id=name,
            producer_id=producer_id,
            epoch=epoch,
            partitions=partitions,
            client_version=self.dice.choice([0, 2]),
        )

    def verify(self, name: str) -> None:
        producer_id, epoch = self.who(name)
        self.law.command(
            "verify", transactional_id=name, producer_id=producer_id, epoch=epoch, partitions=[("t", 0), ("t", 9)]
        )

    def end(self, name: str) -> None:
        producer_id, epoch = self.who(name)
        version = self.dice.choice([0, 2, 2])
        decision = self.law.command(
            "end",
            transactional_id=name,
            producer_id=producer_id,
            epoch=epoch,
            commit=self.dice.random() < 0.6,
            client_version=version,
            fresh=self._fresh(name) if version == 2 else None,
        )
        if version == 2:
            self.given_out(name, decision, fresh=False)

    def given_out(self, name: str, decision: Decision, *, fresh: bool) -> None:
        for reply in decision.replies:
            if isinstance(reply.body, Identity):
                assert not (fresh and reply.body in self.given), "two producers got one identity"
                assert reply.body.epoch <= 32_766 or self.version < 2, "a producer got the epoch left for fencing"
                self.given.add(reply.body)
                self.seen[name].append(reply.body)

    def told(self, name: str) -> None:
        known = self.law.machine.transactions.get(name)
        if known is not None and self.dice.random() < 0.9:
            self.law.order("complete", name, known.producer_id, known.epoch, self.law.now)
        else:
            self.law.order("complete", name, *self.who(name), self.law.now)

    def look(self, name: str) -> None:
        self.law.command("describe", transactional_id=name)
        self.law.command("listing")

    def time(self, name: str) -> None:
        self.law.let_pass(self.dice.choice([10, 500, 5_000, 60_000]))
        due = self.law.machine.producer_ids_for_overdue(self.law.now)
        self.fresh += due
        fresh = range(self.fresh - due + 1, self.fresh + 1)
        self.law.order("abort_overdue", self.law.now, fresh[: self.dice.randint(0, due)])
        self.law.order("expire", self.law.now)

    def exhaust(self, name: str) -> None:
        """The last epochs of a producer id, without sixty-five thousand steps on the way."""
        known = self.law.machine.transactions.get(name)
        if known is None or not isinstance(known.phase, Empty) or known.epoch > 1000:
            return
        from pykafkad.state.transactions.stored import record

        write = record(name, known.moved(known.phase, self.law.now, epoch=32_764), min(self.version, 1))
        self.law.wrote(write)
        self.seen[name].append(Identity(known.producer_id, 32_764))

    def watch(self, before: dict[str, Transaction], *, moved: bool) -> None:
        machine = self.law.machine
        assert set(machine.open) == {
            name for name, one in machine.transactions.items() if isinstance(one.phase, Ongoing)
        }
        assert set(machine.prepared) == {
            name for name, one in machine.transactions.items() if isinstance(one.phase, Prepared)
        }
        for name, now in machine.transactions.items():
            was = before.get(name)
            if was is None or was == now or not moved:
                continue
            if isinstance(was.phase, Ongoing) and isinstance(now.phase, Prepared):
                assert now.phase.partitions == was.phase.partitions, "a partition was lost on the way to its marker"
            if was.producer_id == now.producer_id:
                assert now.epoch >= was.epoch, "an epoch went back"
            else:
                assert now.epoch == 0 and was.epoch >= 32_766, "a producer id was given up early"


@pytest.mark.parametrize("seed", range(20))
def test_any_walk_keeps_the_laws(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(200):
        walk.step()
    rebuilt = walk.law.rebuilt()
    assert (rebuilt.open, set(rebuilt.prepared)) == (walk.law.machine.open, set(walk.law.machine.prepared))


@pytest.mark.parametrize("seed", range(10))
def test_what_is_read_of_a_record_is_what_was_replayed_when_it_was_written(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(200):
        walk.step()
    assert {write.version for write in walk.law.log if write.value is not None} == {min(walk.version, 1)}
    for write in walk.law.log:
        assert stored.read(*stored.write(write.key, write.value, write.version)) == (write.key, write.value)


@pytest.mark.parametrize("seed", range(10))
def test_phases_follow_the_drawing(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(200):
        walk.step()
    last: dict[str, Transaction] = {}
    for write in walk.law.log:
        name, now = write.key, write.value
        if now is None:
            last.pop(name, None)
            continue
        if name in last:
            assert type(last[name].phase) in COMES_FROM[type(now.phase)]
        last[name] = now


@pytest.mark.parametrize("seed", range(15))
def test_an_end_of_version_2_never_ends_another_transaction(seed: int) -> None:
    """What Jepsen found in the old protocol. Every EndTxn that was ever sent may arrive again at any later time."""
    dice = random.Random(seed)
    law = UnderLaw(lambda: TransactionMachine(SETTINGS, 2), lambda machine: machine.transactions)
    law.command("init", transactional_id="x", timeout_ms=1000, shown=None, fresh=1)
    mine, sent = Identity(1, 0), []
    for number in range(60):
        law.command(
            "add_partitions",
            transactional_id="x",
            producer_id=mine.producer_id,
            epoch=mine.epoch,
            partitions=[("t", number)],
            client_version=2,
        )
        open_now = law.machine.transactions["x"]
        for late, commit in dice.sample(sent, min(5, len(sent))):
            [reply] = law.command("end", **_end(late, commit)).replies
            assert isinstance(reply.body, Refused) and reply.body.code == ErrorCode.PRODUCER_FENCED
            assert law.machine.transactions["x"] == open_now
        commit = dice.random() < 0.5
        sent.append((mine, commit))
        [reply] = law.command("end", **_end(mine, commit)).replies
        mine = reply.body
        law.order("complete", "x", mine.producer_id, mine.epoch, 0)


def _end(who: Identity, commit: bool) -> dict[str, Any]:
    return {
        "transactional_id": "x",
        "producer_id": who.producer_id,
        "epoch": who.epoch,
        "commit": commit,
        "client_version": 2,
        "fresh": None,
    }
