"""Endings: tell every partition of a transaction that it is over, until all of them know.

A transaction is decided when its PREPARE_… record is committed. From then on a marker goes to each of its partitions;
when the last of them is there, the machine is told, and writes COMPLETE_…. A partition that can't take its marker now
is asked again; one whose topic is gone needs none. A crash at any point costs nothing: the machine that is built from
the log names what was decided and not completed, and it all goes out again; a second marker changes nothing.

One object per shard, since it lives and dies with the shard's leadership. Where a partition is led is not its business:
it hands markers to ``write`` and waits for the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kafkawire.errors import ErrorCode
from pykafkad.logs import log
from pykafkad.runtime.markers import Marker
from pykafkad.state.transactions.phases import PrepareCommit, Prepared

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.metrics import Cell
    from pykafkad.runtime.shard import Shard
    from pykafkad.state.transactions.ledger import TransactionMachine
    from pykafkad.state.transactions.phases import TopicIndex
    from pykafkad.state.transactions.transaction import Transaction

RETRY_S = 0.1

# The partition has seen a later epoch of producer or coordinator: whoever brought it has ended what was open.
_OVERTAKEN = frozenset((ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED))


class WriteMarker(Protocol):
    def __call__(self, topic: str, index: int, marker: Marker, now: int, done: Callable[[ErrorCode], None], /) -> None:
        """Write a marker to a partition, wherever it is led. ``done`` is called once, maybe at once."""


class _Ending:
    """A transaction whose end is decided, and who hasn't heard of it."""

    __slots__ = ("asked", "decided", "known", "marker", "remaining", "transactional_id")

    def __init__(self, transactional_id: str, known: Transaction, coordinator_epoch: int, decided: int) -> None:
        assert isinstance(known.phase, Prepared)
        self.transactional_id = transactional_id
        self.known = known
        self.decided = decided  # the decision can't be lost any more when the high watermark is here
        self.remaining = dict.fromkeys(sorted(known.phase.partitions))
        self.asked: dict[TopicIndex, None] = {}  # those of them that have yet to answer
        self.marker = Marker(
            producer_id=known.producer_id,
            producer_epoch=known.epoch,
            commit=isinstance(known.phase, PrepareCommit),
            coordinator_epoch=coordinator_epoch,
            epoch_bumps=known.bumps,
        )


class Endings:
    def __init__(
        self,
        shard: Shard[TransactionMachine],
        write: WriteMarker,
        exists: Callable[[str, int], bool],
        clock: Clock,
        ended: dict[bool, Cell],
    ) -> None:
        """``exists`` says whether the cluster still has a partition; ``ended`` counts commits (True) and aborts."""
        self._shard = shard
        self._write = write
        self._exists = exists
        self._clock = clock
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._endings: dict[str, _Ending] = {}
        self._beginning: asyncio.Handle | None = None
        self._retrying: asyncio.Handle | None = None
        shard.watch(self._notice)

    def _notice(self) -> None:
        """The machine has changed. What it has decided is taken up when the answers that are ready have left."""
        shard = self._shard
        if self._beginning is None and shard.refusal is None and shard.machine.prepared:
            self._beginning = self._loop.call_soon(self._begin)

    @property
    def unsent(self) -> int:
        """Markers that some partition couldn't take yet."""
        return sum(len(one.remaining) - len(one.asked) for one in self._endings.values())

    def untold(self, transactional_id: str) -> Collection[TopicIndex] | None:
        """The partitions that have yet to hear of a transaction's end; None: nothing is on its way."""
        ending = self._endings.get(transactional_id)
        return None if ending is None else ending.remaining.keys()

    @property
    def unwritten(self) -> int:
        """Transactions that all partitions know of, while the record that says so couldn't be written yet."""
        return sum(not one.remaining for one in self._endings.values())

    def _begin(self) -> None:
        self._beginning = None
        shard = self._shard
        if shard.refusal is not None:
            return  # moved away, or loaded again: that begins anew
        taken = [_Ending(name, known, shard.epoch, shard.end) for name, known in shard.machine.take_prepared()]
        for ending in taken:
            self._endings[ending.transactional_id] = ending
        shard.partition.committed(shard.end, partial(self._send_all, taken), lambda _: self._come_back())

    def _send_all(self, endings: list[_Ending]) -> None:
        now = self._clock.now_ms()
        for ending in endings:
            self._send(ending, now)

    def _send(self, ending: _Ending, now: int) -> None:
        if self._endings.get(ending.transactional_id) is not ending:
            return
        if self._shard.partition.high_watermark < ending.decided:
            self._come_back()
            return
        for where in [one for one in ending.remaining if one not in ending.asked]:
            ending.asked[where] = None
            try:
                self._write(*where, ending.marker, now, partial(self._answered, ending, where))
            except Exception as error:  # one partition must not keep the others from knowing
                log.error("could not write a marker", partition="-".join(map(str, where)), exc_info=error)
                self._answered(ending, where, ErrorCode.UNKNOWN_SERVER_ERROR)
        if not ending.remaining:  # nothing was ever written to: an abort under version 2
            self._complete(ending)

    def _answered(self, ending: _Ending, where: TopicIndex, code: ErrorCode) -> None:
        ending.asked.pop(where, None)
        if self._endings.get(ending.transactional_id) is not ending or where not in ending.remaining:
            return
        gone = code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and not self._exists(*where)
        if code in _OVERTAKEN:
            log.warning(
                "a partition knows better than a transaction's end",
                transactional_id=ending.transactional_id,
                partition="-".join(map(str, where)),
                reason=code.name,
            )
        if code == ErrorCode.NONE or gone or code in _OVERTAKEN:
            del ending.remaining[where]
        else:
            self._come_back()
        if not ending.remaining and not ending.asked:
            self._complete(ending)

    def _complete(self, ending: _Ending) -> None:
        shard, name, known = self._shard, ending.transactional_id, ending.known
        if self._endings.get(name) is not ending or shard.refusal is not None:
            return
        now = self._clock.now_ms()
        shard.tell(now, shard.machine.complete, name, known.producer_id, known.epoch, now)
        if shard.refusal is not None:
            return  # it was rebuilt, and begins anew from its log
        if (left := shard.machine.transactions.get(name)) is not None and isinstance(left.phase, Prepared):
            self._come_back()  # the log doesn't take the record
        else:
            self._endings.pop(name, None)
            self._ended[ending.marker.commit].value += 1

    def _come_back(self) -> None:
        if self._retrying is None:
            self._retrying = self._loop.call_later(RETRY_S, self._again)

    def _again(self) -> None:
        self._retrying = None
        if self._shard.refusal is not None:
            return
        self._send_all(list(self._endings.values()))

    def stop(self) -> None:
        """The shard is another broker's now."""
        for handle in (self._beginning, self._retrying):
            if handle is not None:
                handle.cancel()
        self._endings.clear()
