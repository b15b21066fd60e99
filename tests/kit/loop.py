"""A virtual-time event loop: time moves only when everybody waits, and a deadlock is an error, not a hang.

``run(main())`` runs a coroutine. ``asyncio.sleep(3600)`` takes no time; the clock stands still while anything can run.
Work for threads runs at once, on the loop, so that nothing depends on a scheduler. ``LoopClock`` is the broker's wall
clock on such a loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH_MS = 1_700_000_000_000


class Deadlock(AssertionError):
    """Everybody waits and no timer is set."""


class _Selector(selectors.SelectSelector):
    """Polls real file descriptors without waiting; instead of waiting, it moves the time on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Deadlock("every task waits and no timer is set")
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopClock:
    """The wall clock that goes with a loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return EPOCH_MS + round(self._loop.time() * 1000)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time; tasks left over are cancelled."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
