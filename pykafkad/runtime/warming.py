"""Asking again until it takes no disk: how a handler reads what may not be in memory, without stopping the loop.

A read that would wait raises ``Cold``; a worker thread brings the pages in, and the same question is asked again.
Where memory is so short that pages are gone before they are used, the last round waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import cache
from typing import TypeVar

from pykafkad.storage.cold import Cold

T = TypeVar("T")
ROUNDS = 8
THREADS = 4


@cache
def readers() -> Executor:
    """The threads that wait for the disk on behalf of readers; one set for all brokers of a process."""
    from concurrent.futures import ThreadPoolExecutor  # a broker may live long before somebody reads old data

    return ThreadPoolExecutor(THREADS, thread_name_prefix="reader")


async def warm(colds: Iterable[Cold]) -> None:
    """Have worker threads bring all of it in, at the same time."""
    loop = asyncio.get_running_loop()
    found = list(colds)
    for failure in await asyncio.gather(
        *(loop.run_in_executor(readers(), cold.warm) for cold in found), return_exceptions=True
    ):
        if failure is not None and not isinstance(failure, OSError):  # a disk's refusal is met again, and told, there
            raise failure
    for cold in found:
        cold.adopt()


async def settled(ask: Callable[[bool], T]) -> T:
    """The answer to ``ask(wait)``, asked without waiting as long as that helps."""
    for _ in range(ROUNDS):
        try:
            return ask(False)
        except Cold as cold:
            await warm([cold])
    return ask(True)
