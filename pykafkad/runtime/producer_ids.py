"""Producer ids, handed out one at a time from a block that the cluster gave to this broker.

Nobody else hands out ids of the block; what is left of it when the broker ends is lost, as in Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from pykafkad.runtime.tasks import Tasks

BLOCK_SIZE = 1000


class ProducerIds:
    def __init__(self, next_block: Callable[[int], Awaitable[range]]) -> None:
        self._next_block = next_block
        self._left: Iterator[int] = iter(())
        self._tasks = Tasks()
        self._fetching: asyncio.Task[None] | None = None

    def at_hand(self) -> int | None:
        """The next id if the block has one."""
        return next(self._left, None)

    async def next(self) -> int:
        """The next id, after a new block has come if need be; all who wait share one request for it."""
        while (producer_id := self.at_hand()) is None:
            if self._fetching is None:
                self._fetching = self._tasks.start("next block of producer ids", self._fetch())
            # Shielded: one caller that goes away must not take the block away from the others.
            await asyncio.shield(self._fetching)
        return producer_id

    async def _fetch(self) -> None:
        try:
            self._left = iter(await self._next_block(BLOCK_SIZE))
        finally:
            self._fetching = None
