"""A transaction coordinator that says what the test wants, for tests of the side that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from kafkawire.errors import ErrorCode


class Question(NamedTuple):
    transactional_id: str
    producer_id: int
    epoch: int
    partitions: list[tuple[str, int]]
    add: bool


class Voucher:
    """``slow``: answers come when ``answer`` is called."""

    def __init__(self, *codes: ErrorCode, slow: bool = False) -> None:
        self.codes = codes or (ErrorCode.NONE,)
        self.slow = slow
        self.asked: list[Question] = []
        self._waiting: list[tuple[asyncio.Future[list[ErrorCode]], int]] = []

    def verify(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Sequence[tuple[str, int]],
        now: int,
        *,
        add: bool,
        at_once: bool = False,
    ) -> list[ErrorCode] | asyncio.Future[list[ErrorCode]]:
        self.asked.append(Question(transactional_id, producer_id, producer_epoch, list(partitions), add))
        if not self.slow:
            return self._codes(len(partitions))
        future: asyncio.Future[list[ErrorCode]] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, len(partitions)))
        return future

    def answer(self) -> None:
        for future, count in self._waiting:
            future.set_result(self._codes(count))
        self._waiting.clear()

    def _codes(self, count: int) -> list[ErrorCode]:
        return [self.codes[number % len(self.codes)] for number in range(count)]
