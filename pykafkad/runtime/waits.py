"""Waiting: lines of those who wait for an offset, and long polls that wait for bytes.

A line is ordered by offset, since offsets mostly come in order: releasing looks at its head only. A long poll hangs on
several partitions at once and is ended by enough bytes, by something that must be told, or by its deadline, whichever
comes first; then it asks its partitions once more and answers.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable, Generator, Sequence
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
    """One long poll, whose result is what ``finish`` returned, called once.

    It is used like a future, but whoever waits is called at once when there is a result, and not in the loop's next
    turn: for a record that comes alone that is a third of the turns that it takes.
    """

    __slots__ = (
        "_callbacks", "_error", "_finish", "_grew", "_loop", "_missing", "_partitions", "_result", "_timer", "_woken",
    )  # fmt: skip

    def __init__(
        self,
        partitions: Sequence[Partition],
        missing: int,
        wait_ms: int,
        finish: Callable[[], Any],
        committed: bool = False,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._partitions = partitions
        self._missing = missing
        self._finish: Callable[[], Any] | None = finish
        self._woken = False
        self._callbacks: list[Callable[[Poll], object]] = []
        self._error: BaseException | None = None
        self._result: Any = None
        self._timer = loop.call_later(wait_ms / 1000, self._complete)
        self._grew = self.grew
        for partition in partitions:
            partition.on_grow(self._grew, committed)

    def grew(self, size: int) -> None:
        """A partition has so many more bytes to read; a negative size means that it has something else to tell."""
        self._missing -= size
        if (self._missing <= 0 or size < 0) and not self._woken:
            self._woken = True
            # Not now: the append that woke us answers first, and others may grow in the same turn of the loop.
            self._loop.call_soon(self._complete)

    def _complete(self) -> None:
        finish = self._finish
        if finish is None:
            return
        try:
            self._result = finish()
        except Exception as error:
            self._error = error
        self._end()

    def _end(self) -> None:
        self._finish = None
        self._timer.cancel()
        for partition in self._partitions:
            partition.off_grow(self._grew)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def cancel(self) -> None:
        """Nobody waits for the result any more."""
        if self._finish is not None:
            self._error = asyncio.CancelledError()
            self._end()

    def done(self) -> bool:
        return self._finish is None

    def result(self) -> Any:
        """What ``finish`` returned or raised; CancelledError if it never came to that."""
        if self._error is not None:
            raise self._error
        return self._result

    def add_done_callback(self, callback: Callable[[Poll], object]) -> None:
        """Call with this poll when it is done, which it isn't yet."""
        self._callbacks.append(callback)

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            over: asyncio.Future[None] = self._loop.create_future()
            self.add_done_callback(lambda _: None if over.done() else over.set_result(None))
            try:
                yield from over
            finally:
                self.cancel()
        return self.result()
