"""The embedded engine keeps the contract, and what only concerns a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pykafkad.cluster.sqlite import SqliteStore
from pykafkad.cluster.store import StoreUnavailable, Transaction
from tests.cluster.contract import StoreContract
from tests.kit.loop import LoopClock, run


class TestSqlite(StoreContract):
    def make(self, tmp_path: Path, clock: LoopClock) -> SqliteStore:
        return SqliteStore(str(tmp_path / "cluster.sqlite"), clock)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "cluster.sqlite"
        path.write_bytes(b"this is no database" * 100)
        with pytest.raises(StoreUnavailable, match=r"cluster\.sqlite"):
            await SqliteStore(str(path), LoopClock(asyncio.get_running_loop())).open()

    run(main())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(str(tmp_path / "s"), LoopClock(asyncio.get_running_loop()))
        await store.open()
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.commit(Transaction(puts={"a": b""}))

    run(main())


async def test_real_threads_and_two_writers(tmp_path: Path) -> None:
    """On an ordinary loop with its worker threads: no commit is lost, none is told twice."""
    clock = LoopClock(asyncio.get_running_loop())
    stores = [SqliteStore(str(tmp_path / "s"), clock, poll_ms=5) for _ in range(2)]
    for store in stores:
        await store.open()
    told: list[int] = []
    everything = asyncio.Event()

    def on_changes(changes: object) -> None:
        told.append(changes.revision)  # type: ignore[attr-defined]
        if told[-1] == 40:
            everything.set()

    stores[0].watch(0, on_changes)
    jobs = [store.commit(Transaction(puts={f"{n}/{i}": b""})) for n, store in enumerate(stores) for i in range(20)]
    revisions = await asyncio.gather(*jobs)
    assert sorted(r for r in revisions if r is not None) == list(range(1, 41))
    await everything.wait()
    assert told == sorted(set(told))
    assert len((await stores[1].range()).entries) == 40
    for store in stores:
        await store.close()
