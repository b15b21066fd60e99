"""Recoveries: logs that have to be read again after a crash, read in threads while the loop serves everybody else.

``num.recovery.threads.per.data.dir`` threads for each directory, whose disk they share. Whoever asks for a partition
moves it to the front of its directory's queue and is told, on the loop, when it is there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from pykafkad.clock import stopwatch
from pykafkad.logs import log as events

if TYPE_CHECKING:
    from pykafkad.metrics import Metrics
    from pykafkad.model import TopicPartition
    from pykafkad.storage.directory import LogDir

Work = Callable[..., Any]
"""Takes ``progress``, to be told how many segments are left."""
Done = Callable[[Any], None]
"""Called with what the work returned, or with the exception that it raised."""


class _Queue:
    """What one directory has left to do."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.waiting: OrderedDict[TopicPartition, tuple[Work, Done]] = OrderedDict()
        self.running: dict[TopicPartition, int] = {}  # and which of the directory's threads has it
        self.segments: dict[int, int] = {}  # thread -> segments that it has left
        self.finished = 0
        self.begun = stopwatch()


class Recoveries:
    def __init__(self, threads: int, directories: int, metrics: Metrics) -> None:
        self._threads = threads  # of each directory
        self._most = threads * directories
        self._executor: ThreadPoolExecutor | None = None
        self._queues: dict[LogDir, _Queue] = {}
        self._idle: asyncio.Event | None = None
        self._stopped = False
        manager = "kafka_log_logmanager_remaining"
        metrics.gauge_by(f"{manager}logstorecover", lambda: [((home.path,), count) for home, count in self.left()])
        metrics.gauge_by(f"{manager}segmentstorecover", self._segments_left)

    def ask(self, home: LogDir, key: TopicPartition, work: Work, done: Done, *, urgent: bool) -> None:
        """Have ``work`` done in a thread, unless it is asked for already; ``urgent``: before all that waits."""
        queue = self._queues.get(home)
        if queue is None:
            queue = self._queues[home] = _Queue(home.path)
        if key in queue.running or self._stopped:
            return
        if key not in queue.waiting:
            queue.waiting[key] = work, done
        if urgent:
            queue.waiting.move_to_end(key, last=False)
        self._go_on(home, queue)

    def left(self) -> list[tuple[LogDir, int]]:
        """How many logs each directory has still to recover, as far as they were asked for."""
        return [(home, len(queue.waiting) + len(queue.running)) for home, queue in self._queues.items()]

    def _segments_left(self) -> list[tuple[tuple[str, str], int]]:
        return [
            ((home.path, str(thread)), queue.segments.get(thread, 0))
            for home, queue in self._queues.items()
            for thread in sorted(queue.running.values())
        ]

    def running(self, key: TopicPartition) -> bool:
        return any(key in queue.running for queue in self._queues.values())

    def forget(self, key: TopicPartition) -> None:
        """It needn't be recovered any more, unless a thread is at it."""
        for queue in self._queues.values():
            queue.waiting.pop(key, None)

    def _go_on(self, home: LogDir, queue: _Queue) -> None:
        loop = asyncio.get_running_loop()
        while queue.waiting and len(queue.running) < self._threads:
            key, (work, done) = queue.waiting.popitem(last=False)
            busy = queue.running.values()
            queue.running[key] = thread = next(one for one in range(self._threads) if one not in busy)
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._most, "recovery")
            progress = partial(queue.segments.__setitem__, thread)
            future = loop.run_in_executor(self._executor, partial(work, progress=progress))
            finished = partial(self._finished, home, queue, key, done)
            if future.done():  # in simulations threads take no time
                finished(future)
            else:
                future.add_done_callback(finished)

    def _finished(
        self, home: LogDir, queue: _Queue, key: TopicPartition, done: Done, future: asyncio.Future[Any]
    ) -> None:
        queue.segments.pop(queue.running.pop(key), None)
        queue.finished += 1
        if not self._stopped:
            self._go_on(home, queue)
        if not future.cancelled():
            done(future.exception() or future.result())
        if not queue.waiting and not queue.running and self._queues.pop(home, None) is not None:
            if not self._stopped:
                took = round((stopwatch() - queue.begun) * 1000)
                events.info("logs recovered", directory=queue.path, logs=queue.finished, took_ms=took)
            if not self._queues and self._idle is not None:
                self._idle.set()

    async def stop(self) -> None:
        """Begin nothing more, and return when what was begun has ended."""
        self._stopped = True
        for home, queue in list(self._queues.items()):
            queue.waiting.clear()
            if not queue.running:
                del self._queues[home]
        if self._queues:
            self._idle = asyncio.Event()
            await self._idle.wait()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
