"""The calendar: what a broker does every so often, on the loop, in slices small enough not to be noticed.

An entry is a plain function, or a generator function that yields between slices of its work: between two slices the
loop serves requests. A failure is logged and the entry comes round again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from pykafkad.logs import log

Work = Callable[[], Any]
LONGEST_S = 24 * 3600.0  # asyncio's own bound for a timer is about as far away


class Calendar:
    def __init__(self) -> None:
        self._timers: dict[int, asyncio.Handle] = {}
        self._next = 0
        self._stopped = False

    def every(self, interval_ms: int, fn: Work, *, first_ms: int | None = None) -> Callable[[], None]:
        """Call ``fn`` every so often, first after ``first_ms`` or one interval. Returns what takes it out again."""
        entry = self._next
        self._next += 1
        loop = asyncio.get_running_loop()

        cancelled = False

        def arm(delay_ms: int) -> None:
            if not self._stopped and not cancelled:
                self._timers[entry] = loop.call_later(min(delay_ms / 1000, LONGEST_S), due)

        def due() -> None:
            try:
                result = fn()
            except Exception as error:
                log.error("housekeeping failed", entry=getattr(fn, "__qualname__", repr(fn)), exc_info=error)
                result = None
            if isinstance(result, Iterator):
                slice_of(result)
            else:
                arm(interval_ms)

        def slice_of(work: Iterator[Any]) -> None:
            if self._stopped or cancelled:
                return
            try:
                next(work)
            except StopIteration:
                arm(interval_ms)
            except Exception as error:
                log.error("housekeeping failed", entry=getattr(fn, "__qualname__", repr(fn)), exc_info=error)
                arm(interval_ms)
            else:
                self._timers[entry] = loop.call_soon(slice_of, work)

        arm(interval_ms if first_ms is None else first_ms)

        def cancel() -> None:
            nonlocal cancelled
            cancelled = True
            timer = self._timers.pop(entry, None)
            if timer is not None:
                timer.cancel()

        return cancel

    def stop(self) -> None:
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
