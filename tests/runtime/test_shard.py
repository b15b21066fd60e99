"""A shard over a real partition on a memory disk, with a machine small enough to see through."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from kafkawire.errors import ErrorCode, WireError
from pykafkad.errors import Refused
from pykafkad.runtime import shard as shard_module
from pykafkad.runtime.refusals import LOADING, MOVED, TOO_FEW, TOO_LARGE, TOO_LATE
from pykafkad.runtime.shard import Shard, StoredCodec
from pykafkad.state.decisions import NOTHING, Decision, Reply, Write
from pykafkad.storage.disk import FileSlice
from tests.kit.broker import Broker
from tests.kit.loop import run


class Register:
    """Keys and values. ``hold`` keeps its caller waiting until a deadline or a later ``put``."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.held: list[int] = []
        self.wake_at: int | None = None
        self.loaded_at: int | None = None

    @property
    def deadline(self) -> int | None:
        return self.wake_at

    def on_time(self, now: int) -> Decision:
        if self.wake_at is None or now < self.wake_at:
            return NOTHING
        self.wake_at = None
        return Decision((Write("woken", str(now)),), self._let_go("time"))

    def put(self, ticket: int, key: str, value: str, now: int) -> Decision:
        assert key != "forbidden"
        return Decision((Write(key, value),), (*self._let_go("put"), Reply(ticket, f"put {key}")))

    def many(self, ticket: int, count: int, now: int) -> Decision:
        return Decision(tuple(Write(f"k{n}", "v" * 100) for n in range(count)), (Reply(ticket, "many"),))

    def get(self, ticket: int, key: str, now: int) -> Decision:
        return Decision((), (Reply(ticket, self.values.get(key)),))

    def hold(self, ticket: int, now: int, after: int = 1000) -> Decision:
        self.held.append(ticket)
        self.wake_at = now + after
        return NOTHING

    def put_and_hold(self, ticket: int, key: str, now: int) -> Decision:
        self.held.append(ticket)
        return Decision((Write(key, "x"),))

    def bury(self, key: str) -> Decision:
        return Decision((Write(key, None),))

    def _let_go(self, why: str) -> tuple[Reply, ...]:
        held, self.held = self.held, []
        return tuple(Reply(ticket, why) for ticket in held)

    def replay(self, key: Any, value: Any) -> None:
        assert key != "poison" or value is None
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def loaded(self, now: int) -> None:
        self.loaded_at = now

    def waiting(self) -> Iterable[int]:
        return self.held


def _write(key: str, value: str | None, version: int) -> tuple[bytes, bytes | None]:
    return key.encode(), None if value is None else value.encode()


def _read(key: bytes, value: bytes | None) -> tuple[str, str | None]:
    if key == b"unknown":
        raise WireError("a record of tomorrow")
    return key.decode(), None if value is None else value.decode()


CODEC = StoredCodec(_write, _read)


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.broker = Broker()
        self.broker.add("log", **settings)
        self.partition = self.broker.partition("log")
        self.shard = self.open()

    def open(self) -> Shard[Register]:
        return Shard(self.partition, Register, CODEC, self.broker.clock, write_timeout_ms=5000)

    def ask(self, command: str, *args: Any, **kwargs: Any) -> Any:
        machine = self.shard.machine
        return self.shard.ask(self.broker.clock.now_ms(), _same, getattr(machine, command), *args, **kwargs)


def _same(body: Any) -> Any:
    return body


def test_what_is_committed_at_once_is_answered_at_once() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.ask("put", "a", "1") == "put a"
        assert bench.ask("get", "a") == "1"
        assert bench.partition.log.end_offset == 1

    run(main())


def test_a_caller_who_must_wait_is_answered_by_somebody_elses_command() -> None:
    async def main() -> None:
        bench = Bench()
        waiting = bench.ask("hold")
        assert not waiting.done()
        assert bench.ask("put", "a", "1") == "put a"
        assert await waiting == "put"

    run(main())


def test_the_timer_wakes_the_machine_at_its_deadline_and_its_records_are_written() -> None:
    async def main() -> None:
        bench = Bench()
        started = bench.broker.clock.now_ms()
        assert await bench.ask("hold", after=1234) == "time"
        assert bench.broker.clock.now_ms() - started >= 1234
        assert int(bench.shard.machine.values["woken"]) - started in (1234, 1235)

    run(main())


def test_a_deadline_of_now_needs_no_timer() -> None:
    async def main() -> None:
        bench = Bench()
        assert await bench.ask("hold", after=0) == "time"
        assert bench.broker.loop.time() == 0

    run(main())


def test_what_is_due_happens_before_a_question_that_waits_for_it_even_if_the_timer_is_late() -> None:
    async def main() -> None:
        bench = Bench()
        waiting = bench.ask("hold", after=1000)
        due = bench.shard.machine.deadline
        assert due is not None
        bench.shard.catch_up(due - 1)
        assert not waiting.done()
        bench.shard.catch_up(due)
        assert await waiting == "time"
        assert bench.shard.machine.values == {"woken": str(due)}

    run(main())


def test_replies_wait_for_the_other_replicas_and_reads_behind_them_too() -> None:
    async def main() -> None:
        bench = Bench(replicas=(1, 2))
        written = bench.ask("put", "a", "1")
        seen = bench.ask("get", "a")
        assert not written.done() and not seen.done()
        bench.partition.replica_asks(2, -1, 1, 0, bench.broker.clock.now_ms())
        assert (written.result(), seen.result()) == ("put a", "1")

    run(main())


def test_replicas_that_never_confirm_cost_the_caller_a_retriable_refusal() -> None:
    async def main() -> None:
        bench = Bench(replicas=(1, 2))
        assert await bench.ask("put", "a", "1") is TOO_LATE
        assert bench.broker.loop.time() >= 5

    run(main())


def test_too_few_replicas_in_sync_write_nothing() -> None:
    async def main() -> None:
        bench = Bench(replicas=(1, 2), isr=(1,), min_insync_replicas="2")
        assert bench.ask("put", "a", "1") is TOO_FEW
        assert bench.shard.machine.values == {} and bench.partition.log.end_offset == 0

    run(main())


def test_a_full_disk_refuses_and_heals() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.ask("put", "a", "1") == "put a"
        waiting = bench.ask("put_and_hold", "w")
        assert not waiting.done()
        bench.broker.disk.failing["append", ".log"] = OSError(28, "no space")
        assert bench.ask("put", "b", "2") is MOVED
        # The command had let the waiting one go: it hears of the failure, and nothing was replayed.
        assert waiting.result() is MOVED
        bench.broker.disk.failing.clear()
        assert "b" not in bench.shard.machine.values
        assert bench.ask("put", "b", "2") == "put b"

    run(main())


def test_a_record_larger_than_the_topic_takes_is_refused_and_many_small_ones_are_split() -> None:
    async def main() -> None:
        bench = Bench(max_message_bytes="2000")
        assert bench.ask("put", "a", "x" * 3000) is TOO_LARGE
        assert bench.ask("many", 100) == "many"
        assert len(bench.shard.machine.values) == 100
        assert bench.partition.log.end_offset == 100

    run(main())


def test_a_machine_is_what_its_log_says() -> None:
    async def main() -> None:
        bench = Bench()
        bench.ask("put", "a", "1")
        bench.ask("put", "b", "2")
        bench.shard.tell(0, bench.shard.machine.bury, "a")
        other = bench.open()
        assert other.refusal is None and other.machine.values == {"b": "2"}
        assert other.machine.loaded_at == bench.broker.clock.now_ms()

    run(main())


def test_a_long_log_is_loaded_in_steps_and_refuses_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(50):
            bench.ask("put", f"k{number}", "v" * 50)
        monkeypatch.setattr(shard_module, "LOAD_STEP_BYTES", 500)
        bench.shard = bench.open()
        told: list[str] = []
        bench.shard.loaded.append(lambda: told.append("loaded"))
        assert bench.ask("get", "k0") is LOADING
        for _ in range(100):
            await asyncio.sleep(0)
        assert told == ["loaded"] and bench.ask("get", "k49") == "v" * 50

    run(main())


def test_a_disk_that_takes_long_to_load_from_makes_nobody_else_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that never ends by itself: the loop that lets it go on is the one that would have to wait for it."""
    may_read = threading.Event()
    read = FileSlice.read

    def slow(piece: FileSlice) -> bytes:
        assert may_read.wait(10), "nobody was served meanwhile"
        return read(piece)

    async def main() -> None:
        bench = Bench()
        bench.ask("put", "a", "1")
        monkeypatch.setattr(FileSlice, "read", slow)
        bench.shard = bench.open()
        loaded = asyncio.Event()
        bench.shard.loaded.append(loaded.set)
        assert bench.ask("get", "a") is LOADING
        may_read.set()
        await loaded.wait()
        assert bench.ask("get", "a") == "1"

    asyncio.run(asyncio.wait_for(main(), 20))


def test_records_of_tomorrow_are_passed_by() -> None:
    async def main() -> None:
        bench = Bench()
        bench.ask("put", "unknown", "?")
        bench.ask("put", "a", "1")
        assert bench.open().machine.values == {"a": "1"}

    run(main())


def test_a_log_that_cannot_be_replayed_serves_nobody() -> None:
    async def main() -> None:
        bench = Bench()
        bench.broker.write("log", b"v", key=b"poison")
        assert bench.open().refusal is MOVED

    run(main())


def test_a_broken_invariant_drops_the_machine_and_rebuilds_it() -> None:
    async def main() -> None:
        bench = Bench()
        bench.ask("put", "a", "1")
        waiting = bench.ask("hold")
        before = bench.shard.machine
        assert bench.ask("put", "forbidden", "x") is MOVED
        assert await waiting is MOVED
        assert bench.shard.machine is not before
        assert bench.ask("get", "a") == "1"

    run(main())


def test_a_closed_shard_answers_all_who_wait_and_sends_away_all_who_come() -> None:
    async def main() -> None:
        bench = Bench()
        waiting = bench.ask("hold")
        bench.shard.close()
        assert await waiting is MOVED
        assert bench.ask("get", "a") is MOVED

    run(main())


def test_leadership_that_goes_answers_what_was_parked() -> None:
    async def main() -> None:
        bench = Bench(replicas=(1, 2))
        written = bench.ask("put", "a", "1")
        bench.broker.add("log", replicas=(1, 2), leader=2, epoch=1)
        assert written.result() is MOVED
        assert bench.ask("put", "b", "1") is MOVED

    run(main())


def test_a_caller_who_left_is_not_missed() -> None:
    async def main() -> None:
        bench = Bench()
        waiting = bench.ask("hold")
        waiting.cancel()
        assert bench.ask("put", "a", "1") == "put a"

    run(main())


def test_a_translation_that_fails_reaches_its_caller_alone() -> None:
    async def main() -> None:
        bench = Bench()

        def broken(body: Any) -> Any:
            raise RuntimeError("no such field")

        waiting = bench.shard.ask(0, broken, bench.shard.machine.hold, after=1)
        assert asyncio.isfuture(waiting)
        assert bench.ask("put", "a", "1") == "put a"
        with pytest.raises(RuntimeError):
            await waiting

    run(main())


def test_refusals_are_what_kafka_makes_of_failed_writes() -> None:
    assert MOVED.code is ErrorCode.NOT_COORDINATOR
    assert TOO_FEW.code is TOO_LATE.code is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert TOO_LARGE.code is ErrorCode.UNKNOWN_SERVER_ERROR
    assert Refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, LOADING.detail) == LOADING
