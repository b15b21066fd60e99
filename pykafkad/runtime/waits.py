"""Waiting: lines of those who wait for an offset, and long polls that wait for bytes.

A line is ordered by offset, since offsets mostly come in order: releasing looks at its head only. A long poll hangs on
several partitions at once and is ended by enough bytes, by something that must be told, or by its deadline, whichever
comes first; then it asks its partitions once more and answers.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.runtime.partition import Partition


class _Waiter:
    __slots__ = ("lost", "offset", "reached")

    def __init__(self, offset: int, reached: Callable[[], None], lost: Callable[[Refused], None] | None) -> None:
        self.offset = offset
        self.reached = reached
        self.lost = lost

    def __lt__(self, other: _Waiter) -> bool:
        return self.offset < other.offset


_NOBODY: list[_Waiter] = []  # shared by the lines where nobody stands, and never added to


class Line:
    """Callers in a line, each waiting until a mark reaches its offset."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters = _NOBODY

    def __len__(self) -> int:
        return len(self.waiters)

    def wait(self, offset: int, reached: Callable[[], None], lost: Callable[[Refused], None] | None = None) -> None:
        waiter = _Waiter(offset, reached, lost)
        waiters = self.waiters
        if not waiters:
            self.waiters = [waiter]
        elif waiters[-1].offset <= offset:
            waiters.append(waiter)
        else:
            insort(waiters, waiter)

    def release(self, mark: int) -> None:
        """Call everybody whose offset the mark has reached."""
        waiters = self.waiters
        count = 0
        for waiter in waiters:
            if waiter.offset > mark:
                break
            count += 1
        if count:
            released = waiters[:count]
            # Out of the line first: a caller may come back and stand in it again.
            del waiters[:count]
            for waiter in released:
                waiter.reached()

    def fail(self, refused: Refused) -> None:
        """The mark won't come: tell those who asked to be told."""
        waiters, self.waiters = self.waiters, _NOBODY
        for waiter in waiters:
            if waiter.lost is not None:
                waiter.lost(refused)


class Growers:
    """Who wants to be called when there is more of a partition to read: some only for what read_committed may read,
    which is the same until the partition sees its first transaction.
    """

    __slots__ = ("any", "committed")

    def __init__(self) -> None:
        self.any: dict[Callable[[int], None], bool] = {}  # with whether only what is stable counts
        self.committed: dict[Callable[[int], None], None] = {}  # … and those, once that makes a difference

    def part(self) -> None:
        """The partition has transactions now."""
        for callback in [callback for callback, committed in self.any.items() if committed]:
            del self.any[callback]
            self.committed[callback] = None

    def discard(self, callback: Callable[[int], None]) -> None:
        self.any.pop(callback, None)
        self.committed.pop(callback, None)

    def all(self) -> list[Callable[[int], None]]:
        return [*self.any, *self.committed]


class Poll:
    """One long poll. ``future`` gets what ``finish`` returns, exactly once."""

    __slots__ = ("_finish", "_grew", "_loop", "_missing", "_partitions", "_timer", "_woken", "future")

    def __init__(
        self,
        partitions: Sequence[Partition],
        missing: int,
        wait_ms: int,
        finish: Callable[[], Any],
        committed: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._partitions = partitions
        self._missing = missing
        self._finish = finish
        self._woken = False
        self._grew = self.grew
        self.future: asyncio.Future[Any] = loop.create_future()
        self._timer = loop.call_later(wait_ms / 1000, self._complete)
        for partition in partitions:
            partition.on_grow(self._grew, committed)
        self.future.add_done_callback(self._leave)

    def grew(self, size: int) -> None:
        """A partition has so many more bytes to read; a negative size means that it has something else to tell."""
        self._missing -= size
        if (self._missing <= 0 or size < 0) and not self._woken:
            self._woken = True
            # Not now: the append that woke us answers first, and others may grow in the same turn of the loop.
            self._loop.call_soon(self._complete)

    def _complete(self) -> None:
        if self.future.done():
            return
        try:
            self.future.set_result(self._finish())
        except Exception as error:
            self.future.set_exception(error)

    def _leave(self, _future: asyncio.Future[Any]) -> None:
        self._timer.cancel()
        for partition in self._partitions:
            partition.off_grow(self._grew)
