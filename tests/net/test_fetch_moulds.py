"""Fetches that come again take a shorter way: nobody may be able to tell, neither by the answers nor by the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkawire import codec
from kafkawire.api import fetch
from kafkawire.headers import read_response_header, request_frame
from pykafkad import api
from pykafkad.net import plain
from pykafkad.net.dispatch import Dispatcher
from tests.kit.broker import Broker, topic_id
from tests.kit.disk import MemoryDisk
from tests.kit.loop import run
from tests.kit.net import Harness, received

OPEN, GO_ON, NONE = "open", "go on", "none"  # what a request says about a session


class Ask(NamedTuple):
    """One Fetch; ``harm`` says what is odd about it."""

    offset: int = 0
    version: int = 12
    topics: tuple[str, ...] = ("t",)
    index: int = 0
    session: str = NONE
    min_bytes: int = 1
    wait_ms: int = 0
    max_bytes: int = 400
    committed: bool = False
    leader_epoch: int = -1
    client: str | None = "tester"
    harm: str = ""

    def frame(self, correlation: int, session: tuple[int, int]) -> bytes:
        by_id = self.version >= 13
        session_id, epoch = {NONE: (0, -1), OPEN: (0, 0), GO_ON: session}[self.session]
        topics = [
            fetch.Topic(
                topic="" if by_id else name,
                topic_id=topic_id(name) if by_id else bytes(16),
                partitions=[
                    fetch.Partition(
                        partition=self.index,
                        fetch_offset=self.offset,
                        partition_max_bytes=self.max_bytes,
                        current_leader_epoch=self.leader_epoch,
                        last_fetched_epoch=0 if self.harm == "diverging" and self.version >= 12 else -1,
                    )
                ],
            )
            for name in self.topics
        ]
        asked = fetch.Request(
            max_wait_ms=self.wait_ms,
            min_bytes=self.min_bytes,
            isolation_level=int(self.committed),
            session_id=session_id if self.version >= 7 else 0,
            session_epoch=epoch + 5 * (self.harm == "epoch") if self.version >= 7 else -1,
            topics=topics,
        )
        if self.harm == "replica" and self.version < 15:
            asked.replica_id = 2
        if self.harm == "rack" and self.version >= 11:
            asked.rack_id = "north"
        made = b"".join(map(bytes, request_frame(1, self.version, correlation, self.client, asked)))  # type: ignore[arg-type]
        if self.harm == "tag" and self.version >= 12:
            made = made[:-1] + b"\x01\x63\x00"
        elif self.harm == "trailing":
            made += b"\0"
        return (len(made) - 4).to_bytes(4, "big") + made[4:]


class Do(NamedTuple):
    """What happens to the broker between requests."""

    what: str
    size: int = 0


class Side:
    """A broker behind a socket, with the shorter way or without."""

    def __init__(self) -> None:
        self.broker = Broker(disk=MemoryDisk(), t=2, u=1)
        self.harness = Harness()
        dispatcher = Dispatcher(asyncio.get_running_loop(), self.broker.node, self.broker.metrics)
        dispatcher._defects._write = self.fail  # type: ignore[method-assign]
        self.harness.server.dispatcher = dispatcher
        self.client, self.connection = self.harness.connect()
        self.session = (0, -1)
        self.writes = self.sequence = 0

    @staticmethod
    def fail(event: str, **fields: Any) -> None:
        raise AssertionError(event) from fields.get("exc_info")

    def do(self, step: Do) -> None:
        broker, self.writes = self.broker, self.writes + 1
        if step.what == "write":
            broker.write("t", b"%d" % self.writes + b"v" * step.size, now=self.writes)
        elif step.what == "begin":
            broker.write_in_transaction("t", b"v" * step.size, producer=(7, 0, self.sequence), now=self.writes)
            self.sequence += 1
        elif step.what in ("commit", "abort"):
            broker.end("t", 7, 0, commit=step.what == "commit")
        elif step.what == "forget":
            partition = broker.partition("t")
            partition.delete_records(partition.high_watermark)
        elif step.what == "roll":
            broker.partition("t").log.roll(self.writes)
        elif step.what in ("leave", "return"):
            leader = 2 if step.what == "leave" else 1
            broker.add("t", 2, leader=leader, replicas=(1, 2), isr=(leader,), epoch=self.writes)
        elif step.what == "again":
            broker.drop("t")
            broker.add("t", 2, generation=self.writes)

    async def say(self, step: Ask | Do, correlation: int) -> bytes:
        if isinstance(step, Do):
            if step.what != "pass":
                try:
                    self.do(step)
                except AssertionError:  # led by somebody else at the time
                    pass
            await asyncio.sleep(
                0.27 if step.what == "pass" else 0
            )  # no multiple of a wait: nothing ends at the same time
        elif not self.connection.closed:
            if step.session == OPEN:
                self.session = (0, 0)
            self.client.send(step.frame(correlation, self.session))
            self.harness.loop.settle()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.harness.loop.settle()
        heard = received(self.client)
        if isinstance(step, Ask) and heard and step.session != NONE and step.version >= 7:
            self.learn(step.version, heard)
        return heard

    def learn(self, version: int, heard: bytes) -> None:
        """What the answer says about the session."""
        _, at = read_response_header(1, version, memoryview(heard)[4:])
        size = int.from_bytes(heard[:4], "big")
        said: Any = codec.decode(fetch.Response, version, memoryview(heard)[4 + at : 4 + size])
        if not said.error_code and said.session_id:
            self.session = said.session_id, self.session[1] + 1 if said.session_id == self.session[0] else 1

    def counted(self) -> dict[str, float]:
        names = ("bytesout", "totalfetchrequests", "failedfetchrequests")
        counter = self.broker.metrics.counter
        found: dict[str, float] = {
            f"{name} {topic}": counter(f"kafka_server_brokertopicmetrics_{name}_total", topic).value
            for name in names
            for topic in ("t", "u")
        }
        for route in self.harness.server.dispatcher._routes.values():
            found[f"requests {route.version}"] = route.requests.value
        return found

    def state(self) -> list[Any]:
        sessions = self.broker.node.fetch_sessions._sessions.values()
        return [
            (one.id, one.epoch, [(w.index, w.fetch_offset, w.high_watermark) for w in one.partitions.values()])
            for one in sessions
        ]


class Told(NamedTuple):
    heard: list[bytes]  # at every step
    waiting: list[int]
    counted: dict[str, float]
    state: list[Any]
    closed: bool


def tell(steps: Sequence[Ask | Do], *, repeat: bool) -> tuple[Told, Side]:
    load = api.load

    def loaded(key: int) -> api.Handler | None:
        handler = load(key)
        return handler if repeat or handler is None else handler._replace(repeat=None)

    async def main() -> tuple[Told, Side]:
        side, heard, waiting = Side(), [], []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api, "load", loaded)
            patch.setattr(plain, "TURN_SECONDS", 1e9)  # how busy the machine is may not decide which step hears what
            try:
                for number, step in enumerate([*steps, Do("pass"), Do("pass"), Do("pass")]):
                    heard.append(await side.say(step, number))
                    waiting.append(side.harness.server.waiting)
                told = Told(heard, waiting, side.counted(), side.state(), side.connection.closed)
            finally:
                side.harness.close()
        return told, side

    found: tuple[Told, Side] = run(main())
    return found


def both(*steps: Ask | Do) -> Side:
    """Ask both; what they say at every step must be the same. The one with the shorter way."""
    (short, side), (long, ordinary) = tell(steps, repeat=True), tell(steps, repeat=False)
    for number, (heard, expected) in enumerate(zip(short.heard, long.heard, strict=True)):
        assert heard == expected, (number, (*steps, Do("pass"))[number : number + 1])
    assert short == long
    assert ordinary.connection.repeated is None
    return side


asks = st.builds(
    Ask,
    offset=st.sampled_from([0, 0, 1, 2, 3, 4, 5, 8, -1, 100]),
    version=st.sampled_from([12, 12, 12, 4, 7, 11, 13, 16, 17]),
    topics=st.sampled_from([("t",)] * 6 + [("u",), ("t", "u"), ("nobody",)]),
    index=st.sampled_from([0, 0, 0, 1, 9]),
    session=st.sampled_from([NONE, NONE, OPEN, GO_ON, GO_ON]),
    min_bytes=st.sampled_from([0, 1, 1, 300, 10_000]),
    wait_ms=st.sampled_from([0, 100, 500]),
    max_bytes=st.sampled_from([400, 400, 1, 0, -5, 100_000]),
    committed=st.booleans(),
    leader_epoch=st.sampled_from([-1, -1, -1, 0, 3]),
    client=st.sampled_from(["tester", "tester", "", None]),
    harm=st.sampled_from([""] * 12 + ["diverging", "epoch", "replica", "rack", "tag", "trailing"]),
)


def turned(ask: Ask, offsets: list[int]) -> list[Ask | Do]:
    """The same at these offsets; the first one that goes on with a session has one opened before."""
    first = [ask._replace(session=OPEN)] if ask.session == GO_ON else []
    return [*first, *(ask._replace(offset=offset) for offset in offsets)]


repeated = st.builds(turned, asks, st.lists(st.sampled_from([0, 1, 2, 3, 4, 6]), min_size=1, max_size=5))
deeds = st.builds(
    Do,
    st.sampled_from(["write"] * 8 + ["begin", "commit", "abort", "forget", "roll", "leave", "return", "again", "pass"]),
    st.sampled_from([1, 90, 200, 20_000]),
).map(lambda deed: [deed])
stories = st.lists(st.one_of(repeated, deeds, deeds), min_size=1, max_size=14).map(
    lambda lists: [step for some in lists for step in some]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_answers_metrics_and_sessions_are_those_of_the_ordinary_way(steps: list[Ask | Do]) -> None:
    both(*steps)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("session", [NONE, GO_ON])
@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_with_and_without_sessions(version: int, session: str, committed: bool) -> None:
    wrote = [Do("write", size) for size in (1, 50, 90, 20_000, 1)]
    ask = Ask(version=version, session=session, committed=committed, max_bytes=150)
    side = both(*wrote, *turned(ask, [0, 1, 2, 3, 4, 0]), *turned(ask._replace(min_bytes=10_000), [0, 3]))
    assert (side.connection.repeated is not None and side.connection.repeated.used) == (version >= 7)


def test_a_poll_that_repeats_is_ended_by_the_append_that_it_waits_for() -> None:
    steps: list[Ask | Do] = []
    for offset in range(4):
        steps += [Ask(offset, wait_ms=500), Do("write", 10)]
    side = both(*steps)
    assert side.connection.repeated is not None and side.connection.repeated.used
    assert side.broker.partition("t").growers() == []


def test_a_reader_whose_requests_never_repeat_is_not_studied_for_ever() -> None:
    first, second = Ask(topics=("t",)), Ask(topics=("u",))
    side = both(first, second, first._replace(index=1), second)
    assert side.connection.repeated is not None
    assert (side.connection.repeated.topic, side.connection.repeated.used) == ("t", False)


def test_names_without_end_are_not_remembered() -> None:
    side = both(*[Ask(client="x" * 5000)] * 3)
    assert side.connection.repeated is None


@pytest.mark.parametrize("times", [1, 2])
def test_bytes_are_counted_when_they_leave_and_not_when_a_poll_finds_too_few(times: int) -> None:
    side = both(Do("write", 1), *[Ask(min_bytes=300, wait_ms=100)] * times)
    assert side.counted()["bytesout t"] == times * side.broker.partition("t").log.size


@pytest.mark.parametrize("session", [NONE, GO_ON])
@pytest.mark.parametrize("version", [12, 16])
def test_a_topic_that_is_made_anew_during_a_wait(version: int, session: str) -> None:
    ask = Ask(version=version, session=session, wait_ms=500)
    side = both(Do("write", 1), *turned(ask, [0, 0, 1]), Do("again"), Do("pass"))
    assert side.connection.repeated is not None and side.connection.repeated.used
