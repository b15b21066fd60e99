"""What every machine must keep to, whatever it decides about. A walk of commands is played under these laws.

1. Commands leave hard state untouched; only ``replay`` changes it.
2. Replaying the records gives the machine that wrote them.
3. The same inputs give the same decisions.
4. ``on_time`` before the deadline does nothing.
5. No reply to an unknown ticket, no ticket answered twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from pykafkad.state.decisions import NOTHING, Decision, Machine, Producer, Write

M = TypeVar("M", bound=Machine)


class UnderLaw(Generic[M]):
    def __init__(self, build: Callable[[], M], hard: Callable[[M], Any]) -> None:
        self.build = build
        self.hard = hard
        self.machine = build()
        self.twin = build()  # gets the same inputs
        self.log: list[Write] = []
        self._replays: list[Callable[[Any], None]] = []  # the same, as it came, and markers
        self.open: dict[int, None] = {}
        self.answered: dict[int, None] = {}
        self.tickets = 0
        self.now = 0

    def command(self, name: str, *args: Any, **kwargs: Any) -> Decision:
        """Ask the machine something under a new ticket."""
        self.tickets += 1
        self.open[self.tickets] = None
        return self._decide(lambda machine: getattr(machine, name)(self.tickets, *args, now=self.now, **kwargs))

    def order(self, name: str, *args: Any) -> Decision:
        """Tell the machine something that nobody waits for."""
        return self._decide(lambda machine: getattr(machine, name)(*args))

    def let_pass(self, ms: int) -> None:
        """Time goes on, with a waking at each deadline."""
        until = self.now + ms
        while True:
            deadline = self.machine.deadline
            if deadline is None or deadline > until:
                break
            if deadline > self.now:
                assert self.machine.on_time(deadline - 1) == NOTHING
                assert self.twin.on_time(deadline - 1) == NOTHING
            self.now = max(self.now, deadline)
            self._decide(lambda machine: machine.on_time(self.now))
        self.now = until

    def _decide(self, ask: Callable[[M], Decision]) -> Decision:
        before = copy.deepcopy(self.hard(self.machine))
        decision = ask(self.machine)
        assert self.hard(self.machine) == before, "a command touched hard state"
        assert ask(self.twin) == decision, "the same inputs, another decision"
        for reply in decision.replies:
            assert reply.ticket in self.open and reply.ticket not in self.answered, reply
            del self.open[reply.ticket]
            self.answered[reply.ticket] = None
        for write in decision.records:
            self.wrote(write, decision.producer)
        assert sorted(self.machine.waiting()) == sorted(self.open), "a ticket was lost"
        return decision

    def wrote(self, write: Write, producer: Producer | None = None) -> None:
        """A record is in the log."""
        self.log.append(write)
        self._replay(partial(_write, write, producer))

    def end_transaction(self, producer_id: int, commit: bool) -> None:
        """A marker is written."""
        self._replay(lambda machine: machine.end_transaction(producer_id, commit))

    def _replay(self, replay: Callable[[Any], None]) -> None:
        self._replays.append(replay)
        replay(self.machine)
        replay(self.twin)

    def rebuilt(self) -> M:
        """The machine as its log tells it."""
        other = self.build()
        for replay in self._replays:
            replay(other)
        assert self.hard(other) == self.hard(self.machine)
        return other


def _write(write: Write, producer: Producer | None, machine: Any) -> None:
    if producer is None:
        machine.replay(write.key, write.value)
    else:
        machine.replay_in_transaction(producer.producer_id, write.key, write.value)
