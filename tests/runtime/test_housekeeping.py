"""The calendar: intervals, slices, failures, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from pykafkad.runtime.housekeeping import Calendar
from tests.kit.loop import run


def test_every_so_often() -> None:
    async def main() -> None:
        loop, calendar, times = asyncio.get_running_loop(), Calendar(), []
        calendar.every(1000, lambda: times.append(loop.time()), first_ms=300)
        await asyncio.sleep(3)
        assert times == [0.3, 1.3, 2.3]

    run(main())


def test_a_failure_comes_round_again() -> None:
    async def main() -> None:
        calendar, calls = Calendar(), []

        def fail() -> None:
            calls.append(1)
            raise ValueError

        calendar.every(1000, fail)
        await asyncio.sleep(3.5)
        assert len(calls) == 3

    run(main())


def test_slices_let_others_run() -> None:
    async def main() -> None:
        calendar, order = Calendar(), []

        def work() -> Iterator[None]:
            for number in range(3):
                order.append(f"slice {number}")
                yield

        async def other() -> None:
            await asyncio.sleep(1)
            for number in range(3):
                order.append(f"other {number}")
                await asyncio.sleep(0)

        calendar.every(1000, work)
        await other()
        await asyncio.sleep(0)
        assert len(order) == 6
        assert order.index("other 0") < order.index("slice 2") and order.index("slice 0") < order.index("other 2")

    run(main())


def test_cancelled_and_stopped_entries_are_silent() -> None:
    async def main() -> None:
        calendar, calls = Calendar(), []
        cancel = calendar.every(1000, lambda: calls.append("a"))
        calendar.every(1000, lambda: calls.append("b"))
        await asyncio.sleep(1.5)
        cancel()
        await asyncio.sleep(1)
        calendar.stop()
        await asyncio.sleep(5)
        assert calls == ["a", "b", "b"]

    run(main())


def test_an_entry_may_take_itself_out() -> None:
    async def main() -> None:
        calendar, calls = Calendar(), []

        def once() -> None:
            calls.append(1)
            cancel()

        cancel = calendar.every(10, once)
        await asyncio.sleep(1)
        assert calls == [1]

    run(main())
