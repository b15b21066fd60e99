"""What every engine of the cluster store must do. A test module of an engine subclasses ``StoreContract``.

``make()`` returns a door to the same store each time: two of them stand for two broker processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from pykafkad.cluster.store import Changes, Store, Transaction
from tests.kit.loop import LoopClock, run

Scenario = Callable[[Store, Store], Awaitable[None]]


class Told:
    """A watcher that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self._more = asyncio.Event()

    def __call__(self, changes: Changes) -> None:
        self.changes.append(changes)
        self._more.set()

    async def until(self, revision: int) -> None:
        while not self.changes or self.changes[-1].revision < revision:
            self._more.clear()
            await self._more.wait()

    @property
    def puts(self) -> dict[str, bytes]:
        return {key: entry.value for changes in self.changes for key, entry in changes.puts.items()}


class StoreContract:
    def make(self, tmp_path: Path, clock: LoopClock) -> Store:
        raise NotImplementedError

    def play(self, tmp_path: Path, scenario: Scenario) -> None:
        async def main() -> None:
            clock = LoopClock(asyncio.get_running_loop())
            async with AsyncExitStack() as stack:
                stores = [self.make(tmp_path, clock), self.make(tmp_path, clock)]
                for store in stores:
                    await store.open()
                    stack.push_async_callback(store.close)
                await scenario(stores[0], stores[1])

        run(main())

    def test_a_new_store_is_empty(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            snapshot = await one.range()
            assert (snapshot.revision, dict(snapshot.entries)) == (0, {})

        self.play(tmp_path, scenario)

    def test_puts_and_deletes_happen_together_under_one_revision(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            assert await one.commit(Transaction(puts={"a": b"1", "b": b"2"})) == 1
            assert await one.commit(Transaction(puts={"c": b"3"}, deletes=("a",))) == 2
            snapshot = await two.range()
            assert snapshot.revision == 2
            assert {key: tuple(entry) for key, entry in snapshot.entries.items()} == {"b": (b"2", 1), "c": (b"3", 2)}

        self.play(tmp_path, scenario)

    def test_a_range_holds_what_is_under_its_prefix(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            await one.commit(Transaction(puts={"a/1": b"", "a/é": b"", "ab": b"", "b/1": b""}))
            assert sorted((await one.range("a/")).entries) == ["a/1", "a/é"]

        self.play(tmp_path, scenario)

    def test_a_condition_that_does_not_hold_stops_the_whole_transaction(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            first = await one.commit(Transaction({"a": 0}, {"a": b"1"}))
            assert first is not None
            assert await two.commit(Transaction({"a": 0}, {"a": b"2", "b": b"2"})) is None
            assert await two.commit(Transaction({"a": first + 1}, {"a": b"2"})) is None
            assert sorted((await two.range()).entries) == ["a"]
            second = await two.commit(Transaction({"a": first, "b": 0}, {"a": b"2"}))
            assert second == first + 1
            assert (await one.range()).entries["a"] == (b"2", second)

        self.play(tmp_path, scenario)

    def test_a_deleted_key_counts_as_absent(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            await one.commit(Transaction(puts={"a": b"1"}))
            await one.commit(Transaction(deletes=("a",)))
            assert await one.commit(Transaction({"a": 0}, {"a": b"2"})) is not None

        self.play(tmp_path, scenario)

    def test_of_two_writers_at_once_one_wins(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            outcomes = await asyncio.gather(
                one.commit(Transaction({"a": 0}, {"a": b"1"})), two.commit(Transaction({"a": 0}, {"a": b"2"}))
            )
            assert sorted(outcomes, key=str) == [1, None]

        self.play(tmp_path, scenario)

    def test_an_own_commit_is_told_before_it_returns(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            told = Told()
            one.watch(0, told)
            revision = await one.commit(Transaction(puts={"a": b"1"}))
            assert [changes.revision for changes in told.changes] == [revision]
            assert told.puts == {"a": b"1"}

        self.play(tmp_path, scenario)

    def test_others_commits_are_told_in_order(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            told = Told()
            two.watch(0, told)
            for number in range(5):
                await one.commit(
                    Transaction(puts={f"k{number}": b"", "last": b"%d" % number}, deletes=("k0",) * (number == 4))
                )
            await told.until(5)
            revisions = [changes.revision for changes in told.changes]
            assert revisions == sorted(set(revisions))
            assert told.puts["last"] == b"4"
            assert told.changes[-1].deletes == ("k0",) or "k0" not in told.changes[-1].puts

        self.play(tmp_path, scenario)

    def test_a_watch_begins_after_the_revision_it_names(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            await one.commit(Transaction(puts={"old": b""}))
            told = Told()
            watch = one.watch(1, told)
            await one.commit(Transaction(puts={"new": b""}))
            assert list(told.puts) == ["new"]
            watch.close()
            await one.commit(Transaction(puts={"newer": b""}))
            assert list(told.puts) == ["new"]

        self.play(tmp_path, scenario)

    def test_a_watcher_that_was_away_too_long_gets_the_whole_store(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            for number in range(1300):
                await one.commit(Transaction(puts={"k": b"%d" % number}, deletes=("gone",)))
            told = Told()
            one.watch(10, told)
            await one.commit(Transaction(puts={"l": b""}))
            (changes,) = told.changes
            assert changes.whole and sorted(changes.puts) == ["k", "l"]

        self.play(tmp_path, scenario)

    def test_a_key_goes_when_its_lease_ends(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            lease = await one.grant(1000)
            await one.commit(Transaction(puts={"stays": b""}, lease=lease, leased={"goes": b""}))
            told = Told()
            two.watch(1, told)
            await told.until(2)
            assert told.changes[-1].deletes == ("goes",)
            assert sorted((await one.range()).entries) == ["stays"]
            assert not await one.renew(lease)
            assert await one.commit(Transaction(lease=lease, leased={"goes": b""})) is None

        self.play(tmp_path, scenario)

    def test_a_renewed_lease_lives_on(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            lease = await one.grant(1000)
            await one.commit(Transaction(lease=lease, leased={"a": b""}))
            for _ in range(5):
                await asyncio.sleep(0.6)
                assert await one.renew(lease)
            assert sorted((await two.range()).entries) == ["a"]

        self.play(tmp_path, scenario)

    def test_a_revoked_lease_ends_at_once(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            lease, other = await one.grant(60_000), await two.grant(60_000)
            await one.commit(Transaction(lease=lease, leased={"a": b"", "b": b""}))
            await two.commit(Transaction(lease=other, leased={"b": b"taken over"}))
            await one.revoke(lease)
            assert sorted((await two.range()).entries) == ["b"]

        self.play(tmp_path, scenario)

    def test_everything_is_there_after_reopening(self, tmp_path: Path) -> None:
        async def scenario(one: Store, two: Store) -> None:
            await one.commit(Transaction(puts={"a": b"1"}))
            await one.close()
            await one.open()
            assert (await one.range()).entries["a"].value == b"1"
            assert await one.commit(Transaction(puts={"a": b"2"})) == 2

        self.play(tmp_path, scenario)
