"""What a machine may ask of its driver: records to be written, replies to be sent. Nothing else leaves a machine.

A command returns a ``Decision``. The driver appends its records, replays them into the machine, and lets the replies
go when the records are committed. A reply names its caller by the integer ticket that came with the command, so a
caller who must wait is simply not named yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol


class Write(NamedTuple):
    """One record for the machine's own partition, in the words of its log's codec; ``value`` None is a tombstone."""

    key: Any
    value: Any
    version: int = 0


class Reply(NamedTuple):
    """The answer to the caller who holds ``ticket``; a ``Refused`` is an answer too."""

    ticket: int
    body: Any


class Producer(NamedTuple):
    """Whose transaction records are to be written in; ``guard`` is for the log, and nothing to the machine."""

    producer_id: int
    epoch: int
    guard: Any = None


class Decision(NamedTuple):
    records: tuple[Write, ...] = ()
    replies: tuple[Reply, ...] = ()
    producer: Producer | None = None


NOTHING = Decision()


class Machine(Protocol):
    """What ``runtime/shard.py`` drives."""

    @property
    def deadline(self) -> int | None:
        """The earliest moment at which ``on_time`` has something to do, in the unit of ``now``."""

    def on_time(self, now: int) -> Decision:
        """Do one thing that is due; nothing before the deadline. The driver comes back while more is due."""

    def replay(self, key: Any, value: Any) -> None:
        """Take a written record in: at load time and at run time the only writer of hard state."""

    def loaded(self, now: int) -> None:
        """The log has been replayed to its end: start what time must watch."""

    def waiting(self) -> Iterable[int]:
        """Tickets that were taken and not yet answered."""
