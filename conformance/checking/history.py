"""What was asked and what was told, as the judge sees it: made from the lines that the processes of a run wrote.

A key is a partition, a value is written once in a run, ever. All processes share one clock (CLOCK_MONOTONIC), so what
one was told before another one asked happened before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Key = tuple[str, int]  # topic, partition


class Read(NamedTuple):
    key: Key
    offset: int
    value: str


@dataclass
class Instance:
    """One producer object under a transactional id. ``ready``: when its init_transactions was answered, if ever."""

    name: str
    transactional_id: str
    asked: float
    ready: float | None = None
    timeout_s: float = 0
    """Of its transactions; 0: nobody knows."""
    refused: tuple[float, str] | None = None
    """When and with which code the broker refused to go on with it."""


@dataclass
class Transaction:
    name: str
    instance: Instance
    begun: float
    sends: list[tuple[Key, str]] = field(default_factory=list)
    """In the order in which they were sent, or were to be."""
    told: dict[str, int] = field(default_factory=dict)
    """Offsets of values, as far as the producer was told."""
    offsets: dict[Key, int] = field(default_factory=dict)
    """What it commits for its mover's group."""
    commit_asked: float | None = None
    outcome: str | None = None
    """committed, aborted: what the client said; None: it didn't say, or said that it doesn't know."""


@dataclass
class Poll:
    """What a consumer was given at once. ``consumer`` is another one after every seek and every new assignment."""

    consumer: str
    committed: bool
    at: float
    reads: list[Read]


@dataclass
class Watch:
    """A group's offsets as an OffsetFetch told them; no key: none."""

    at: float
    offsets: dict[Key, int]


@dataclass
class Log:
    """A partition at the end, when everybody has stopped: read from its start to its end, by both kinds of readers."""

    committed: list[Read] = field(default_factory=list)
    uncommitted: list[Read] = field(default_factory=list)
    stable: int = 0
    """Where a reader of committed records meets the end."""
    end: int = 0


@dataclass
class History:
    instances: dict[str, Instance] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    starts: dict[str, dict[Key, int]] = field(default_factory=dict)
    """Where consumers began to read, as far as they were told to begin somewhere."""
    polls: list[Poll] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    logs: dict[Key, Log] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    """The topics that movers read, each for a group of its own."""
    offsets: dict[Key, int] = field(default_factory=dict)
    """The movers' offsets at the end."""


def origin(value: str) -> str | None:
    """The value that a mover made this one of; None: a writer's own."""
    return value.partition("<")[2] or None


def read(lines: Iterable[str]) -> History:
    """Lines that are torn, because their writer was killed in the middle, are nobody's word."""
    history = History()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        take(history, event)
    return history


def take(history: History, event: Mapping[str, Any]) -> None:
    at = event["at"]
    match event["what"]:
        case "init":
            known = Instance(event["by"], event["id"], at, timeout_s=event.get("timeout_ms", 0) / 1000)
            history.instances[event["by"]] = known
        case "ready":
            history.instances[event["by"]].ready = at
        case "gone":
            if event.get("code"):
                history.instances[event["by"]].refused = at, event["code"]
        case "begin":
            history.transactions[event["txn"]] = Transaction(event["txn"], history.instances[event["by"]], at)
        case "send":
            history.transactions[event["txn"]].sends.append((_key(event["key"]), event["value"]))
        case "told":
            history.transactions[event["txn"]].told[event["value"]] = event["offset"]
        case "offsets":
            history.transactions[event["txn"]].offsets |= _offsets(event["offsets"])
        case "commit":
            history.transactions[event["txn"]].commit_asked = at
        case "ended":
            history.transactions[event["txn"]].outcome = event["outcome"]
        case "start":
            history.starts[event["by"]] = _offsets(event["offsets"])
        case "poll":
            history.polls.append(Poll(event["by"], event["committed"], at, _reads(event["reads"])))
        case "watch":
            history.watches.append(Watch(at, _offsets(event["offsets"])))
        case "log":
            log = history.logs.setdefault(_key(event["key"]), Log())
            if event["committed"]:
                log.committed, log.stable = _reads(event["reads"]), event["end"]
            else:
                log.uncommitted, log.end = _reads(event["reads"]), event["end"]
        case "end":
            history.moved, history.offsets = event["moved"], _offsets(event["offsets"])
        case _:
            pass  # faults, and whatever else is there to be read by people


def _key(written: list[Any]) -> Key:
    return written[0], written[1]


def _offsets(written: list[list[Any]]) -> dict[Key, int]:
    return {(topic, partition): offset for topic, partition, offset in written}


def _reads(written: list[list[Any]]) -> list[Read]:
    return [Read((topic, partition), offset, value) for topic, partition, offset, value in written]
