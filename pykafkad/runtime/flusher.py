"""fsync in worker threads, grouped: one sync serves everybody who waited when it began.

A partition asks for its end to be durable; while a sync of that partition runs, further requests only raise the mark
for the next one. So with ``flush.messages=1`` a hundred producers cost one fsync per round and not a hundred.

``flush.ms`` is a timer that the first unsynced write sets, so a record waits exactly that long for its sync to begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from pykafkad.errors import StorageFailed
from pykafkad.runtime.housekeeping import LONGEST_S

if TYPE_CHECKING:
    from pykafkad.storage.log import PartitionLog


class Flushed(Protocol):
    """Who is told: ``flushed`` on the loop after each sync, with the failure if it failed."""

    log: PartitionLog

    def flushed(self, upto: int, failure: StorageFailed | None) -> None: ...


class Flusher:
    def __init__(self, executor: Executor | None = None, observe: Callable[[float], None] | None = None) -> None:
        self._executor = executor
        self._own = executor is None
        self._observe = observe
        self._wanted: dict[Flushed, int] = {}
        self._running: dict[Flushed, asyncio.Future[None]] = {}
        self._timers: dict[Flushed, asyncio.TimerHandle] = {}
        self._idle: dict[Flushed, list[Callable[[], None]]] = {}

    def request(self, partition: Flushed, upto: int) -> None:
        """Make everything below ``upto`` durable soon; ``partition.flushed`` tells when."""
        if partition in self._running:
            self._wanted[partition] = max(upto, self._wanted.get(partition, 0))
        else:
            self._start(partition, upto)

    def within(self, partition: Flushed, delay_ms: int) -> None:
        """Make what is there then durable after so long, unless that is arranged already."""
        if partition not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[partition] = loop.call_later(min(delay_ms / 1000, LONGEST_S), self._due, partition)

    def _due(self, partition: Flushed) -> None:
        del self._timers[partition]
        self.request(partition, partition.log.end_offset)

    def forget(self, partition: Flushed) -> None:
        """What ``within`` arranged is void: the settings changed, or the partition goes."""
        timer = self._timers.pop(partition, None)
        if timer is not None:
            timer.cancel()

    def when_idle(self, partition: Flushed, callback: Callable[[], None]) -> None:
        """Call back at a moment when no sync of the partition runs: now, or before the next one begins."""
        if partition in self._running:
            self._idle.setdefault(partition, []).append(callback)
        else:
            callback()

    def _start(self, partition: Flushed, upto: int) -> None:
        loop = asyncio.get_running_loop()
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="flush")
        begun = loop.time()
        future = loop.run_in_executor(self._executor, partition.log.flush, upto)
        self._running[partition] = future

        def done(future: asyncio.Future[None]) -> None:
            del self._running[partition]
            if future.cancelled():
                self._idle.pop(partition, None)
                return
            error = future.exception()
            if error is not None and not isinstance(error, StorageFailed):
                error = StorageFailed(partition.log.directory, repr(error))
            if self._observe is not None:
                self._observe((loop.time() - begun) * 1000)
            for callback in self._idle.pop(partition, ()):
                callback()
            wanted = self._wanted.pop(partition, 0)
            if wanted > upto and error is None:
                self._start(partition, wanted)
            partition.flushed(upto, error)

        future.add_done_callback(done)

    async def drain(self) -> None:
        """Until no sync runs or is wanted; none is timed any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._running:
            await asyncio.wait(list(self._running.values()))
            await asyncio.sleep(0)  # let the done callbacks start what was wanted meanwhile

    def close(self) -> None:
        if self._own and self._executor is not None:
            self._executor.shutdown(wait=True)
