"""No way through the broker may be told from another: any story of clients, with the short ways and without them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.asking import (
    CLOSE,
    GO_ON,
    IDEMPOTENT,
    NONE,
    ONE,
    OPEN,
    PLAIN,
    SLOW,
    TRANSACTIONAL,
    TWO,
    WRAPPING,
    Ask,
    Fetch,
    Other,
    Produce,
)  # fmt: skip
from tests.kit.ways import CHANGES, CONNECTIONS, KINDS, Do, Read, Step, compare

PLACES = (
    [("t", 0)] * 10
    + [("t", 1), ("small", 0)] * 2
    + [(name, 0) for name in KINDS] * 2
    + [("t", 5), ("elsewhere", 0), ("nobody", 0)]
)
places = st.sampled_from(PLACES)
CLIENTS = st.sampled_from(["tester"] * 6 + ["other", "", None])
HARMS = [
    "crc", "short", "two", "magic", "base", "codec", "count", "control", "append time", "time", "no key", "null",
    "more", "other kind", "other id", "no id", "tag", "trailing", "length", "cut",
]  # fmt: skip
TURNS = ["next"] * 12 + ["again", "again", "same", "same", "gap", "old", "begin", "newer", "older"]

produces = st.builds(
    lambda place, **how: Produce(topic=place[0], index=place[1], **how),
    places,
    who=st.sampled_from([PLAIN, IDEMPOTENT, IDEMPOTENT, WRAPPING, ONE, ONE, TWO, TWO, SLOW]),
    version=st.sampled_from([9, 9, 9, 12, 12, 3, 5, 7, 8, 10, 11, 13]),
    acks=st.sampled_from([1] * 5 + [-1] * 5 + [0, 2]),
    count=st.integers(1, 3),
    size=st.sampled_from([1, 10, 11, 60, 200]),
    codec=st.sampled_from([0] * 6 + [1, 2, 3, 4]),
    client=CLIENTS,
    turn=st.just("next"),
    harm=st.just(""),
)


def varied(first: Produce, changes: list[tuple[str, str, int]]) -> list[Ask]:
    """A producer that goes on as it began, or nearly so."""
    begun: list[Ask] = [Other("add", ONE, first.topic, first.index)] if first.who == ONE else []
    return [*begun, *(first._replace(turn=turn, harm=harm, age=age) for turn, harm, age in changes)]


hot_producers = st.builds(
    varied,
    produces,
    st.lists(
        st.tuples(
            st.sampled_from(TURNS), st.sampled_from([""] * 60 + HARMS), st.sampled_from([0] * 8 + [1, 4_000, 100_000])
        ),
        min_size=1,
        max_size=8,
    ),
)
large = st.builds(lambda one: [one._replace(size=30_000, topic="t")] * 2, produces)
too_large = st.builds(lambda one: [one, one._replace(size=60_000)], produces)

fetches = st.builds(
    Fetch,
    where=st.sampled_from(
        ["end"] * 5 + ["stable", "start", "start", "middle", "behind", "far behind", "beyond", "below"]
    ),
    version=st.sampled_from([12] * 6 + [4, 7, 11, 13, 13, 15, 16, 17]),
    topics=st.one_of(
        st.tuples(places),
        st.tuples(places),
        st.just((("t", 0),)),
        st.just((("t", 0), ("t", 1), ("small", 0))),
    ),
    session=st.sampled_from([NONE] * 3 + [GO_ON] * 6 + [OPEN, CLOSE]),
    committed=st.booleans(),
    min_bytes=st.sampled_from([0, 1, 1, 1, 300, 10_000]),
    wait_ms=st.sampled_from([0, 100, 500, 500]),
    max_bytes=st.sampled_from([400, 400, 1, 0, 100_000]),
    leader_epoch=st.sampled_from([-1, -1, -1, 0, 3]),
    client=CLIENTS,
    harm=st.sampled_from([""] * 20 + ["diverging", "epoch", "nothing", "rack", "tag", "trailing", "cut"]),
)


wheres = st.lists(
    st.sampled_from(["end"] * 3 + ["start", "behind", "far behind", "stable", "middle"]), min_size=1, max_size=4
)
hot_readers = st.builds(lambda first, wheres: [first._replace(where=where) for where in wheres], fetches, wheres)
others = st.lists(
    st.builds(
        lambda what, place, **how: Other(what, topic=place[0], index=place[1], **how),
        st.sampled_from(
            ["end"] * 4
            + ["abort"] * 4
            + ["add"] * 5
            + ["init", "marker", "abort marker", "delete", "offsets", "versions"]
        ),
        places,
        who=st.sampled_from(TRANSACTIONAL),
        number=st.integers(0, 5),
    ),
    min_size=1,
    max_size=2,
)


def transaction(one: Produce, who: str, runs: list[int], commit: bool) -> list[Ask]:
    """As a client's library has it, from the first batch to the end."""
    one = one._replace(who=who, turn="next", harm="", acks=-1)
    begun: list[Ask] = [Other("add", who, one.topic, one.index)] if who == ONE else []
    ended = Other("end" if commit else "abort", who)
    return [*begun, *[one] * sum(runs), ended]


transactions = st.builds(
    transaction, produces, st.sampled_from([ONE, TWO]), st.lists(st.integers(1, 4), max_size=2), st.booleans()
)
asks = st.one_of(*[hot_producers] * 3, *[hot_readers] * 3, others, transactions, large, too_large)
connections = st.integers(0, CONNECTIONS - 1)
reads = st.builds(
    lambda number, lists, held, turns: Read(number, tuple(ask for some in lists for ask in some), held, turns),
    connections,
    st.lists(asks, min_size=1, max_size=2),
    st.sampled_from([0] * 5 + [1, 3, 30, 90, 400, 1000]),
    st.sampled_from([None] * 8 + [0, 1, 2, 3]),
)
deeds = st.builds(
    Do,
    st.sampled_from(
        ["pass"] * 6
        + ["overdue", "drop", "again", "again", "settings", "settings", "roll", "leave", "return", "return"]
        + ["shrink", "grow", "hang up", "trust", "doubt", "chill", "chill", "retain"]
    ),
    st.sampled_from(["t"] * 6 + [*KINDS]),
    st.integers(0, len(CHANGES) * CONNECTIONS - 1),
)


def opened(connection: int, first: Fetch) -> list[Step]:
    """Before it is gone on with, a session is opened, and that is answered."""
    first = first._replace(session=OPEN, wait_ms=0, harm="")
    return [Read(connection, (first,))]


def tail(reader: Fetch, writer: list[Ask], number: int, times: int) -> list[Step]:
    """One reads what another writes, as it comes."""
    steps = opened(number, reader) if reader.session == GO_ON else []
    for _ in range(times):
        steps += [Read(number, (reader._replace(where="end"),)), Read((number + 1) % CONNECTIONS, tuple(writer))]
    return steps


def scan(number: int, reader: Fetch, asks: list[Ask]) -> list[Step]:
    """One reads here and there, each time with the answer of the time before."""
    steps = opened(number, reader) if reader.session == GO_ON else []
    return steps + [Read(number, (one,)) for one in asks]


def no_room(step: Read, chance: int) -> list[Step]:
    """One request: a run that can't be written is refused as a whole, where of requests that come one by one those
    behind the first would be out of sequence.
    """
    if chance:
        return [step]
    return [Do("full"), Read(CONNECTIONS, step.asks[:1]), Do("room")]


scenes = st.one_of(
    reads.map(lambda one: [one]),
    st.builds(lambda step, times: [step] * times, reads, st.integers(2, 3)),
    st.builds(no_room, reads, st.integers(0, 15)),
    st.builds(tail, fetches, st.one_of(hot_producers, transactions), connections, st.integers(2, 4)),
    fetches.flatmap(
        lambda first: st.builds(
            scan, connections, st.just(first), wheres.map(lambda those: [first._replace(where=one) for one in those])
        )
    ),
    deeds.map(lambda one: [one]),
    deeds.map(lambda one: [one]),
)
stories = st.lists(scenes, min_size=1, max_size=10).map(lambda lists: [step for some in lists for step in some])


@pytest.fixture(scope="module")
def taken() -> Iterator[Counter[str]]:
    counted: Counter[str] = Counter()
    yield counted
    print(dict(counted))
    if counted["stories"] >= 100:
        for way in ("produce of several", "produce in transactions", "fetch", "fetch in a session", "fetch that waits"):
            assert counted[way] >= counted["stories"] / 40, (way, counted)


@settings(max_examples=200, derandomize="FUZZ" not in os.environ)
@given(steps=stories)
def test_no_way_can_be_told_from_another(taken: Counter[str], steps: list[Step]) -> None:
    taken["stories"] += 1
    compare(steps, taken)


_ONCE = Produce(IDEMPOTENT)
_FIRST = Read(0, (_ONCE, _ONCE))
_IN_TRANSACTION = Produce(TWO, version=12, acks=-1)
_TRIED = Produce(ONE, acks=-1)
_COMMITTED = Fetch("start", committed=True, max_bytes=100_000)

STORIES: dict[str, list[Step]] = {
    "a sequence comes twice in a run": [_FIRST, Read(0, (_ONCE, _ONCE, _ONCE._replace(turn="same"), _ONCE))],
    "an old batch comes again in a run": [_FIRST, Read(0, (_ONCE, _ONCE._replace(turn="again"), _ONCE))],
    "a batch in a run is damaged": [_FIRST, Read(0, (_ONCE, _ONCE._replace(harm="crc"), _ONCE))],
    "a batch in a run is too large": [
        Read(0, (Produce(topic="narrow"),) * 2),
        Read(0, (Produce(topic="narrow"), Produce(topic="narrow", size=200), Produce(topic="narrow"))),
    ],
    "a run needs several segments": [Read(0, (Produce(topic="small", size=100),) * number) for number in (2, 9, 20)],
    "more requests than one turn serves": [Read(0, (Produce(), _ONCE) * 20 + (_ONCE,) * 150 + (Produce(),) * 30)],
    "a run of old and new records": [
        Read(0, tuple(Produce(topic="narrow", age=age) for age in (90_000, 80_000, 80_000, 20_000, 1_000, 0)))
    ]
    * 2,
    "somebody waits for a run": [
        _FIRST, Read(1, (Fetch(),) * 2), Read(1, (Fetch("end", wait_ms=500, min_bytes=200),) * 2),
        Read(0, (_ONCE,)), Read(0, (_ONCE, _ONCE, _ONCE)),
    ],
    "nothing to read comes of a roll": [_FIRST, Read(1, (Fetch(wait_ms=500),)), Do("roll")],
    "answers wait for one that waits": [
        Read(0, (Produce(), Produce())),
        Read(0, (Produce(topic="copied", acks=-1), Produce(), Produce(), Fetch("start"))),
    ],
    "a partition's first transaction begins in a run": [
        Read(1, (_IN_TRANSACTION._replace(turn="newer"), *(_IN_TRANSACTION,) * 3)), Read(0, (_COMMITTED,) * 2),
        Read(1, (Other("abort", TWO),)), Read(0, (_COMMITTED,) * 2),
    ],
    "transactions follow each other": [
        step
        for ended in ("end", "abort", "end")
        for step in (
            Read(1, (_IN_TRANSACTION,) * 4), Read(0, (_COMMITTED,) * 3),
            Read(1, (Other(ended, TWO),)), Read(0, (_COMMITTED,)),
        )
    ],
    "a transaction waits for the end of the one before, while others write": [
        Read(1, (_IN_TRANSACTION, _IN_TRANSACTION, _IN_TRANSACTION._replace(topic="small"))), Do("leave", "small"),
        Read(1, (Other("end", TWO),)), Read(1, (_IN_TRANSACTION,) * 4), Read(0, (Produce(size=30),) * 9),
        Do("return", "small"), Do("pass"), Read(0, (_COMMITTED,) * 2),
    ],
    "a producer whose coordinator says no": [
        Read(0, (Produce(who, turn=turn, version=11, acks=-1),) * number)
        for who in (ONE, TWO) for turn in ("next", "newer") for number in (3, 2)
    ],
    "a transaction that can't begin yet, in the wrong order": [
        Read(0, (Other("add", ONE), *[_TRIED._replace(turn=turn, harm="crc") for turn in ("gap", "gap", "next")])),
        Read(0, (_TRIED._replace(turn="gap"),)),
    ],
    "a transaction never began, and plain batches follow": [
        Read(1, (_ONCE._replace(harm="other kind"), _ONCE)), Read(1, (_ONCE, _ONCE, _ONCE)),
    ],
    "a session is asked in a wrong epoch": [
        _FIRST, Read(1, (Fetch(session=OPEN),)),
        *[Read(1, (Fetch("start", session=GO_ON, harm=harm),)) for harm in ("", "", "", "epoch", "", "")],
    ],
    **{
        f"{deed} during a wait, version {version}, session: {session}": [
            _FIRST, Read(1, (Fetch(version=version, session=OPEN),)),
            Read(1, (Fetch("start", version, session=session),) * 2),
            Read(1, (Fetch("end", version, session=session, wait_ms=500), _ONCE, _ONCE, Fetch("start", version))),
            Do(deed, number=1), _FIRST, Do("pass", number=1),
        ]
        for deed in ("again", "drop", "leave", "hang up") for version in (12, 16) for session in (NONE, GO_ON)
    },
    "a session is asked for more during a wait, on another connection": [
        Read(2, (Fetch(session=OPEN),)), *[Read(2, (Fetch(session=GO_ON, wait_ms=100),)), Do("pass")] * 2,
        Read(2, (Fetch(session=GO_ON, wait_ms=100),)),
        Read(0, (Fetch(topics=(("t", 0), ("t", 1), ("small", 0)), session=GO_ON),)),
    ],
    "a leader epoch that isn't ours": [
        _FIRST, Read(1, (Fetch("start", leader_epoch=0),) * 3), Do("leave"), Do("return"), _FIRST,
        Read(1, (Fetch("start", leader_epoch=0), Fetch("start", leader_epoch=2), Fetch("start", leader_epoch=2))),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_story(name: str) -> None:
    compare(STORIES[name], Counter())


def test_large_requests_are_received_on_trays_and_recognised() -> None:
    large = Produce(IDEMPOTENT, size=600_000)
    taken: Counter[str] = Counter()
    compare([_FIRST, *[Read(0, (large, large, _ONCE))] * 3, Read(1, (large, _ONCE, large))], taken, request_max=1 << 21)
    assert taken["produce"] > 5
