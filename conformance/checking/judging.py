"""The judge: what in a history Kafka rules out. No file, no clock, no broker.

Named as Jepsen names them, where it does:

  lost                  a committed value isn't there at the end
  torn                  of a transaction whose commit nobody confirmed, a part is there (a confirmed one: lost)
  aborted read          G1a: read_committed was given a value of a transaction that was not committed
  early read            read_committed was given a value before anybody had asked to commit it. Cycles of reads (G1c)
                        need no search of their own: of transactions that read each other's values one was early
  phantom               a value that nobody sent
  duplicate             a value is at two places
  inconsistent offset   two values are, or were, at one offset
  reordered             a producer's values stand in another order than it sent them
  nonmonotonic poll     a consumer was given an offset again, or a lower one
  skipped               a consumer went past a value
  hanging               read_committed doesn't get to the end of a partition although nobody is writing
  zombie                a producer committed after its successor was ready
  refused               the broker refused a producer that nobody had taken the place of and that was not overdue
  offset ahead          an offset of the group was seen before its transaction asked to commit, or though it was
                        aborted, or lies behind the end of the data
  offset back           the group's offset is lower than one that was committed, or went back
  moved twice, never    exactly-once: a value that was to be moved is there twice, or was passed over

A transaction whose commit was asked for and not confirmed may be either, but whole. One that a successor overtook
before it asked to commit must not be committed at all. Kafka promises no order between transactions of different
producers, so write cycles (G0) aren't looked for.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from conformance.checking.history import History, Instance, Key, Read, Transaction, origin

MANY = 5  # of one kind are told, the others counted


class Anomaly(NamedTuple):
    kind: str
    text: str


class Fate(enum.Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    PERHAPS = "perhaps committed"


@dataclass(frozen=True)
class Case:
    """A history, with what several questions need of it."""

    history: History
    fates: dict[str, Fate]
    senders: dict[str, Transaction]
    """Who sent a value."""
    stored: dict[Key, list[Read]]
    """What readers of committed records can read at the end."""

    def fate(self, value: str) -> Fate:
        return self.fates[self.senders[value].name]


def judge(history: History) -> list[Anomaly]:
    """Everything that is wrong, the gravest questions first."""
    case = Case(
        history,
        {name: fate(one, history.instances.values()) for name, one in history.transactions.items()},
        {value: one for one in history.transactions.values() for _, value in one.sends},
        {key: log.committed for key, log in history.logs.items()},
    )
    phantoms = list(_phantoms(case))
    if phantoms:
        return phantoms  # whoever makes values up can't be asked where they belong
    return [anomaly for question in QUESTIONS for anomaly in question(case)]


def fate(transaction: Transaction, instances: Iterable[Instance]) -> Fate:
    if transaction.commit_asked is None or transaction.outcome == "aborted":
        return Fate.ABORTED
    if transaction.outcome == "committed":
        return Fate.COMMITTED
    return Fate.ABORTED if overtaken(transaction, instances) else Fate.PERHAPS


def overtaken(transaction: Transaction, instances: Iterable[Instance]) -> bool:
    """Whether another producer was given the transactional id, after this one's, before this one asked to commit."""
    own, asked = transaction.instance, transaction.commit_asked
    return own.ready is not None and any(
        other.transactional_id == own.transactional_id
        and other.asked > own.ready
        and other.ready is not None
        and asked is not None
        and other.ready < asked
        for other in instances
    )


def told(anomalies: list[Anomaly]) -> str:
    """For people."""
    counts = Counter(anomaly.kind for anomaly in anomalies)
    lines = []
    for kind, count in counts.most_common():
        lines.append(f"{kind}: {count}")
        lines += [f"    {one.text}" for one in anomalies if one.kind == kind][:MANY]
    return "\n".join(lines)


# ── values ──


def _phantoms(case: Case) -> Iterator[Anomaly]:
    for read in _all_reads(case.history):
        if read.value not in case.senders:
            yield Anomaly("phantom", f"{_at(read)} holds {read.value}, which nobody sent")


def _zombies(case: Case) -> Iterator[Anomaly]:
    for one in case.history.transactions.values():
        if one.outcome == "committed" and overtaken(one, case.history.instances.values()):
            yield Anomaly("zombie", f"{one.name} was committed though a successor of {one.instance.name} was ready")


def _refusals(case: Case) -> Iterator[Anomaly]:
    """A producer that is fenced, or told that it asks for what can't be, must have been overtaken or too slow."""
    begun: dict[str, float] = {}
    for one in case.history.transactions.values():
        begun[one.instance.name] = one.begun
    instances = case.history.instances.values()
    for instance in instances:
        if instance.refused is None:
            continue
        at, code = instance.refused
        contested = any(_may_overtake(other, instance, at) for other in instances)
        overdue = at - begun.get(instance.name, at) >= instance.timeout_s
        if not contested and not overdue:
            yield Anomaly("refused", f"{instance.name} was refused with {code}, for no reason")


def _may_overtake(other: Instance, own: Instance, until: float) -> bool:
    """Whether the other one's request for the transactional id may have come after this one's."""
    return (
        other is not own
        and other.transactional_id == own.transactional_id
        and other.asked < until
        and (other.asked > own.asked or other.ready is None or other.ready > own.asked)
    )


def _whole(case: Case) -> Iterator[Anomaly]:
    """Lost, torn, aborted: what is stored of each transaction at the end."""
    present = {read.value for reads in case.stored.values() for read in reads}
    for one in case.history.transactions.values():
        sent = [value for key, value in one.sends if key in case.stored]
        missing = [value for value in sent if value not in present]
        match case.fates[one.name]:
            case Fate.COMMITTED:
                for value in missing:
                    yield Anomaly("lost", f"{value} was committed and isn't there{_where(one, value)}")
            case Fate.PERHAPS:
                if missing and len(missing) < len(sent):
                    yield Anomaly("torn", f"{one.name}: {missing} of {sent} aren't there")
            case Fate.ABORTED:
                for value in sent:
                    if value in present:
                        yield Anomaly("aborted read", f"{value} was not committed and is there at the end")


def _polled(case: Case) -> Iterator[Anomaly]:
    """What readers of committed records were given while it went on."""
    present = {read.value for reads in case.stored.values() for read in reads}
    for poll in case.history.polls:
        if not poll.committed:
            continue
        for read in poll.reads:
            one = case.senders[read.value]
            if case.fates[one.name] is Fate.ABORTED:
                yield Anomaly("aborted read", f"{poll.consumer} read {read.value}, which was not committed")
            elif one.commit_asked is None or poll.at < one.commit_asked:
                yield Anomaly("early read", f"{poll.consumer} read {read.value} before it was to be committed")
            elif read.key in case.stored and read.value not in present:
                yield Anomaly("lost", f"{read.value} isn't there; {poll.consumer} has read it at {_at(read)}")


def _places(case: Case) -> Iterator[Anomaly]:
    """One place for each value, one value at each place, whoever looks, and as producers were told."""
    places: dict[str, set[tuple[Key, int]]] = defaultdict(set)
    values: dict[tuple[Key, int], set[str]] = defaultdict(set)
    for read in _all_reads(case.history):
        places[read.value].add((read.key, read.offset))
        values[read.key, read.offset].add(read.value)
    for one in case.history.transactions.values():
        for key, value in one.sends:
            if value in one.told:
                values[key, one.told[value]].add(value)
    for value, where in places.items():
        if len(where) > 1:
            yield Anomaly("duplicate", f"{value} is at {sorted(where)}")
    for (key, offset), there in values.items():
        if len(there) > 1:
            yield Anomaly("inconsistent offset", f"{_name(key)} offset {offset} holds {sorted(there)}")


def _order(case: Case) -> Iterator[Anomaly]:
    offsets: dict[str, int] = {}
    for log in case.history.logs.values():
        for read in log.uncommitted:
            offsets.setdefault(read.value, read.offset)
    newest: dict[tuple[str, Key], tuple[int, str]] = {}
    for one in case.history.transactions.values():
        for key, value in one.sends:
            if value not in offsets:
                continue
            where = one.instance.name, key
            offset, before = newest.get(where, (-1, ""))
            if offsets[value] < offset:
                yield Anomaly("reordered", f"{_name(key)}: {value} was sent behind {before} and is before it")
            newest[where] = offsets[value], value


def _consumers(case: Case) -> Iterator[Anomaly]:
    stored = {
        True: case.stored,
        False: {key: log.uncommitted for key, log in case.history.logs.items()},
    }
    positions: dict[tuple[str, Key], int | None] = {}
    for consumer, starts in case.history.starts.items():
        for key, offset in starts.items():
            positions[consumer, key] = offset
    for poll in case.history.polls:
        passed: dict[Key, list[Read]] = defaultdict(list)
        for read in poll.reads:
            passed[read.key].append(read)
        for key, reads in passed.items():
            position = positions.get((poll.consumer, key))
            given = {read.offset for read in reads}
            for read in reads:
                if position is not None and read.offset < position:
                    yield Anomaly("nonmonotonic poll", f"{poll.consumer} was given {_at(read)} at {position}")
                position = read.offset + 1
            begun = positions.get((poll.consumer, key))
            if begun is not None and position is not None:
                for there in stored[poll.committed].get(key, ()):
                    if begun <= there.offset < position and there.offset not in given:
                        yield Anomaly("skipped", f"{poll.consumer} went past {there.value} at {_at(there)}")
            positions[poll.consumer, key] = position


def _ends(case: Case) -> Iterator[Anomaly]:
    for key, log in case.history.logs.items():
        if log.stable < log.end:
            yield Anomaly("hanging", f"{_name(key)} can be read to {log.stable} and ends at {log.end}")


# ── what is moved from one topic to another, and the offsets that go with it ──


def _moved(case: Case) -> Iterator[Anomaly]:
    if not case.history.moved:
        return
    copies: dict[str, list[str]] = defaultdict(list)
    for reads in case.stored.values():
        for read in reads:
            if (source := origin(read.value)) is not None:
                copies[source].append(read.value)
    sources = {read.value: read for key, reads in case.stored.items() if key[0] in case.history.moved for read in reads}
    for value, read in sources.items():
        found = copies.pop(value, [])
        if len(found) > 1:
            yield Anomaly("moved twice", f"{value} at {_at(read)} became {sorted(found)}")
        elif not found:
            offset = case.history.offsets.get(read.key)
            yield Anomaly("moved never", f"{value} at {_at(read)} became nothing, the group is at {offset}")
    for value, found in copies.items():
        yield Anomaly("aborted read", f"{sorted(found)} was made of {value}, which isn't there at the end")


def _group(case: Case) -> Iterator[Anomaly]:
    history = case.history
    commits: dict[tuple[Key, int], list[Transaction]] = defaultdict(list)
    for one in history.transactions.values():
        for key, offset in one.offsets.items():
            commits[key, offset].append(one)
    newest: dict[Key, int] = {}
    for watch in sorted(history.watches, key=lambda watch: watch.at):
        for key, offset in watch.offsets.items():
            if offset < newest.get(key, offset):
                yield Anomaly("offset back", f"the group's offset of {_name(key)} was {newest[key]}, then {offset}")
            elif offset > newest.get(key, -1) and not any(
                one.commit_asked is not None and one.commit_asked <= watch.at and case.fates[one.name] != Fate.ABORTED
                for one in commits[key, offset]
            ):
                who = [one.name for one in commits[key, offset]]
                yield Anomaly(
                    "offset ahead", f"{_name(key)}: offset {offset} was seen before any of {who} committed it"
                )
            newest[key] = max(offset, newest.get(key, offset))
    for (key, offset), ones in commits.items():
        if any(case.fates[one.name] is Fate.COMMITTED for one in ones) and history.offsets.get(key, -1) < offset:
            yield Anomaly(
                "offset back", f"{_name(key)}: {offset} was committed, {history.offsets.get(key)} is at the end"
            )
    for key, offset in history.offsets.items():
        if key in history.logs and offset > history.logs[key].end:
            yield Anomaly("offset ahead", f"{_name(key)} ends at {history.logs[key].end}, the group is at {offset}")


QUESTIONS: list[Callable[[Case], Iterator[Anomaly]]] = [
    _zombies,
    _refusals,
    _whole,
    _polled,
    _places,
    _order,
    _consumers,
    _ends,
    _moved,
    _group,
]


def _all_reads(history: History) -> Iterator[Read]:
    for poll in history.polls:
        yield from poll.reads
    for log in history.logs.values():
        yield from log.committed
        yield from log.uncommitted


def _where(one: Transaction, value: str) -> str:
    return f"; its offset was {one.told[value]}" if value in one.told else ""


def _name(key: Key) -> str:
    return f"{key[0]}-{key[1]}"


def _at(read: Read) -> str:
    return f"{_name(read.key)}:{read.offset}"
