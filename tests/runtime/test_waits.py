"""Lines by offset, and long polls that end once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.runtime.waits import Line, Poll
from tests.kit.loop import run


class Growing:
    """The part of a partition that a poll knows."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[int], None]] = []

    def on_grow(self, callback: Callable[[int], None], committed: bool = False) -> None:
        self.callbacks.append(callback)

    def off_grow(self, callback: Callable[[int], None]) -> None:
        self.callbacks.remove(callback)

    def grow(self, size: int) -> None:
        for callback in list(self.callbacks):
            callback(size)


def test_a_line_releases_in_order_of_offset() -> None:
    line, released = Line(), []
    for offset in (5, 7, 3, 7):
        line.wait(offset, lambda offset=offset: released.append(offset))  # type: ignore[misc]
    line.release(2)
    assert released == []
    line.release(5)
    assert released == [3, 5]
    line.release(100)
    assert released == [3, 5, 7, 7] and len(line) == 0


def test_whoever_is_released_may_stand_in_line_again() -> None:
    line, calls = Line(), []

    def again() -> None:
        calls.append(len(line))
        if len(calls) < 3:
            line.wait(1, again)

    line.wait(1, again)
    line.release(1)
    assert calls == [0] and len(line) == 1


def test_a_line_that_fails_tells_those_who_asked() -> None:
    line, told = Line(), []
    line.wait(1, lambda: told.append("reached"), lambda refused: told.append(refused.code.name))
    line.wait(2, lambda: told.append("reached"))
    line.fail(Refused(ErrorCode.KAFKA_STORAGE_ERROR))
    line.release(9)
    assert told == ["KAFKA_STORAGE_ERROR"]


def poll(partitions: list[Any], missing: int, wait_ms: int, answers: list[float]) -> Poll:
    loop = asyncio.get_running_loop()

    def finish() -> float:
        answers.append(loop.time())
        return loop.time()

    return Poll(partitions, missing, wait_ms, finish)


def test_enough_bytes_end_a_poll() -> None:
    async def main() -> None:
        one, two, answers = Growing(), Growing(), []
        waiting = poll([one, two], 100, 500, answers)
        one.grow(60)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        two.grow(40)
        two.grow(40)
        assert await waiting == 0.1
        assert answers == [0.1] and not one.callbacks and not two.callbacks

    run(main())


def test_time_ends_a_poll() -> None:
    async def main() -> None:
        one, answers = Growing(), []
        assert await poll([one], 100, 500, answers) == 0.5
        one.grow(1000)
        await asyncio.sleep(1)
        assert answers == [0.5] and not one.callbacks

    run(main())


def test_something_to_tell_ends_a_poll() -> None:
    async def main() -> None:
        one, answers = Growing(), []
        waiting = poll([one], 10**9, 500, answers)
        one.grow(-1)
        assert await waiting == 0.0

    run(main())


def test_a_client_that_hangs_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        one, answers = Growing(), []
        waiting = poll([one], 100, 500, answers)
        waiting.cancel()
        await asyncio.sleep(1)
        assert answers == [] and not one.callbacks

    run(main())


def test_an_answer_that_fails_fails_the_poll() -> None:
    async def main() -> None:
        def finish() -> None:
            raise ValueError("broken")

        waiting = Poll([], 1, 10, finish)
        try:
            await waiting
        except ValueError as error:
            assert str(error) == "broken"
        else:
            raise AssertionError

    run(main())
