"""Background tasks: each has a name, and none dies unseen.

A task that ends with an exception is logged once and counted; the broker goes on. ``stop`` cancels what is left and
waits for it, so that nothing runs when the files close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pykafkad.logs import log


class Tasks:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failures = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures += 1
            log.error("background task failed", task=task.get_name(), exc_info=error)

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Tell all that are left to end; returns them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    async def stop(self) -> None:
        tasks = self.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def in_thread(work: Callable[..., object], *args: object) -> None:
    """Have a thread do what nobody waits for; a failure is logged."""

    def done(future: asyncio.Future[object]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("work on a log directory failed", reason=str(error))

    asyncio.get_running_loop().run_in_executor(None, work, *args).add_done_callback(done)
