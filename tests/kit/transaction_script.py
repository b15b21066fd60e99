"""The transaction machine as a transcript sees it: one line in, lines out.

    @1000 end 3 x 0/0 commit v=2

At 1000 ms: EndTxn with ticket 3 for the transactional id x from producer 0 in epoch 0, under transaction version 2.
Records that a command decides are replayed at once, as a shard would. ``told x`` says that every partition has the
marker; producer ids come from a row that begins at 100, and only where the machine may need one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pykafkad.errors import Refused
from pykafkad.state.decisions import NOTHING, Decision, Write
from pykafkad.state.transactions import bodies
from pykafkad.state.transactions.bodies import Identity
from pykafkad.state.transactions.ledger import TransactionMachine, TransactionSettings
from pykafkad.state.transactions.phases import Empty, Prepared
from pykafkad.state.transactions.stored import read, record, started_at
from pykafkad.state.transactions.stored import write as encode

Words = dict[str, str]


class TransactionScript:
    def __init__(self, **settings: int) -> None:
        self.version = settings.pop("version", 2)
        self.settings = TransactionSettings(**settings)
        self.machine = TransactionMachine(self.settings, self.version)
        self.log: list[Write] = []
        self.now = 0
        self.fresh = 100

    def __call__(self, line: str) -> list[str]:
        words = line.split()
        if words[0].startswith("@"):
            self.now = int(words.pop(0)[1:])
        verb, *rest = words
        plain = [word for word in rest if "=" not in word]
        named = dict(word.split("=", 1) for word in rest if "=" in word)
        if verb == "settings":
            self.__init__(**{name: int(value) for name, value in named.items()})  # type: ignore[misc]
            return []
        if verb == "reload":
            self.machine = TransactionMachine(self.settings, self.version)
            for write in self.log:
                self._replay(write)
            self.machine.loaded(self.now)
            return [f"to be told: {' '.join(self.machine.prepared) or 'none'}"]
        decision = getattr(self, verb)(plain, named)
        for write in decision.records:
            self.log.append(write)
            self._replay(write)
        return self.show(decision)

    def _replay(self, write: Write) -> None:
        """Through the bytes, as the log keeps it."""
        self.machine.replay(*read(*encode(write.key, write.value, write.version)))

    def _fresh(self, transactional_id: str, named: Words) -> int | None:
        if "none" in named.get("fresh", "") or not self.machine.needs_producer_id(transactional_id):
            return None
        self.fresh += 1
        return self.fresh - 1

    # ── commands ──

    def init(self, plain: list[str], named: Words) -> Decision:
        """``init TICKET ID [shown producer/epoch]``."""
        ticket, name, *shown = plain
        name = name.strip("'")
        return self.machine.init(
            int(ticket),
            transactional_id=name,
            timeout_ms=int(named.get("timeout", 60_000)),
            shown=Identity(*_identity(shown[0])) if shown else None,
            fresh=self._fresh(name, named),
            now=self.now,
        )

    def add(self, plain: list[str], named: Words) -> Decision:
        ticket, name, who, *partitions = plain
        producer_id, epoch = _identity(who)
        return self.machine.add_partitions(
            int(ticket),
            transactional_id=name.strip("'"),
            producer_id=producer_id,
            epoch=epoch,
            partitions=_partitions(partitions),
            client_version=int(named.get("v", 2)),
            now=self.now,
        )

    def verify(self, plain: list[str], named: Words) -> Decision:
        ticket, name, who, *partitions = plain
        producer_id, epoch = _identity(who)
        return self.machine.verify(
            int(ticket),
            transactional_id=name.strip("'"),
            producer_id=producer_id,
            epoch=epoch,
            partitions=_partitions(partitions),
            now=self.now,
        )

    def end(self, plain: list[str], named: Words) -> Decision:
        ticket, name, who, how = plain
        producer_id, epoch = _identity(who)
        version = int(named.get("v", 2))
        name = name.strip("'")
        return self.machine.end(
            int(ticket),
            transactional_id=name,
            producer_id=producer_id,
            epoch=epoch,
            commit={"commit": True, "abort": False}[how],
            client_version=version,
            fresh=self._fresh(name, named) if version >= 2 else None,
            now=self.now,
        )

    def told(self, plain: list[str], named: Words) -> Decision:
        """Every partition has the marker of what is decided; or of what ``of=`` says was decided once."""
        for name, known in self.machine.take_prepared():
            if name == plain[0]:
                return self.machine.complete(name, known.producer_id, known.epoch, self.now)
        if "of" in named:
            return self.machine.complete(plain[0], *_identity(named["of"]), self.now)
        return NOTHING

    def seed(self, plain: list[str], named: Words) -> Decision:
        """The id as it would be after a long life: nothing is open, the identity as given."""
        producer_id, epoch = _identity(plain[1])
        known = self.machine.transactions[plain[0]]
        return Decision((record(plain[0], known.moved(Empty(), self.now, producer_id=producer_id, epoch=epoch), 1),))

    def overdue(self, plain: list[str], named: Words) -> Decision:
        due = 0 if "none" in named.get("fresh", "") else self.machine.producer_ids_for_overdue(self.now)
        self.fresh += due
        return self.machine.abort_overdue(self.now, range(self.fresh - due, self.fresh))

    def expire(self, plain: list[str], named: Words) -> Decision:
        return self.machine.expire(self.now)

    def describe(self, plain: list[str], named: Words) -> Decision:
        return self.machine.describe(int(plain[0]), transactional_id=plain[1].strip("'"), now=self.now)

    def list(self, plain: list[str], named: Words) -> Decision:
        return self.machine.listing(int(plain[0]), now=self.now)

    # ── outcomes ──

    @staticmethod
    def show(decision: Decision) -> list[str]:
        lines = [f"write {_record(write)}" for write in decision.records]
        lines += [f"reply {reply.ticket} {_body(reply.body)}" for reply in decision.replies]
        return lines or ["nothing"]


def _identity(word: str) -> tuple[int, int]:
    producer_id, _, epoch = word.partition("/")
    return int(producer_id), int(epoch)


def _partitions(words: list[str]) -> Sequence[tuple[str, int]]:
    return [(topic, int(index)) for topic, index in (word.split(":") for word in words)]


def _record(write: Write) -> str:
    name, known = write.key, write.value
    if known is None:
        return f"{name} gone"
    phase = known.phase
    said = [f"{name} {phase.name} {known.producer_id}/{known.epoch}"]
    if known.previous_producer_id not in (-1, known.producer_id):
        said.append(f"before {known.previous_producer_id}")
    if isinstance(phase, Prepared) and phase.next_producer_id != -1:
        said.append(f"next {phase.next_producer_id}")
    if started_at(phase) != -1:
        said.append(f"begun {started_at(phase)}")
    where = [f"{topic}:{index}" for topic, index in sorted(getattr(phase, "partitions", ()))]
    if where:
        said.append(f"[{' '.join(where)}]")
    if write.version == 0:
        said.append("as version 0")
    return " ".join(said)


def _body(body: Any) -> str:
    match body:
        case Refused() as refused:
            return refused.code.name
        case Identity(producer_id, epoch):
            return f"{producer_id}/{epoch}"
        case bodies.Added():
            return "added"
        case bodies.Verified(codes):
            return " ".join(code.name for code in codes)
        case bodies.Described() as one:
            where = " ".join(f"{topic}:{index}" for topic, index in one.partitions)
            return (
                f"{one.state} {one.producer_id}/{one.epoch} timeout {one.timeout_ms} begun {one.started_at} [{where}]"
            )
        case bodies.Listed(transactions=those):
            return ", ".join(f"{one.transactional_id} {one.producer_id} {one.state}" for one in those) or "none"
        case _:
            raise AssertionError(body)
