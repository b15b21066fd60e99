"""Fetch: positions, limits, epochs, replicas; and the lives of fetch sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.side import Side

Part = tuple[str, int, int]  # topic, partition, offset


def fetch(
    side: Side,
    version: int,
    what: str,
    parts: Sequence[Part] = (),
    session: int = 0,
    epoch: int = -1,
    *,
    forget: Sequence[tuple[str, int]] = (),
    on: str = "a",
    partition: dict[str, int] | None = None,
    **more: Any,
) -> Any:
    topics: dict[str, list[dict[str, int]]] = {}
    for name, index, offset in parts:
        wanted = {"partition": index, "fetch_offset": offset, "partition_max_bytes": 1 << 20} | (partition or {})
        topics.setdefault(name, []).append(wanted)
    gone = [{"topic": name, "topic_id": _id(side, name), "partitions": [index]} for name, index in forget]
    tree = {
        "max_wait_ms": 300,
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "session_id": session,
        "session_epoch": epoch,
        "topics": [{"topic": n, "topic_id": _id(side, n), "partitions": p} for n, p in topics.items()],
        "forgotten_topics_data": gone,
    }
    return side.ask("fetch", version, what, on=on, **(tree | more))


def _id(side: Side, name: str) -> bytes:
    return bytes(16) if name == "zero" else side.topic_ids.get(name, b"\7" * 16)


@each_version("fetch")
def plain(side: Side, version: int) -> None:
    one, two = side.own, side.own + "-two"
    side.topic(one, 2)
    side.topic(two)
    side.fill(one, batches=3)
    side.fill(two, batches=2)

    def ask(what: str, *parts: Part, **more: Any) -> None:
        fetch(side, version, what, parts, **more)

    ask("nothing")
    ask("three", (one, 0, 0), (one, 1, 0), (two, 0, 0))
    for offset in (1, 2, 3, 4, -1, -2, 1 << 62):
        ask(f"offset {offset}", (one, 0, offset))
    for index in (2, 9, -1):
        ask(f"partition {index}", (one, index, 0))
    ask("unknown topic", ("nope", 0, 0))
    ask("id zero", ("zero", 0, 0))
    ask("mixed", (one, 0, 0), ("nope", 0, 0), (two, 5, 0), (two, 0, 0))
    ask("a partition twice", (one, 0, 0), (one, 0, 1))
    for limit in (1, 0, -1, 100):
        ask(f"{limit} bytes", (one, 0, 0), (two, 0, 0), max_bytes=limit)
        ask(f"{limit} bytes of a partition", (one, 0, 0), (two, 0, 0), partition={"partition_max_bytes": limit})
    ask("min bytes -1", (one, 0, 3), min_bytes=-1)
    ask("wait -1", (one, 0, 3), max_wait_ms=-1)
    ask("wait 0", (one, 0, 3), max_wait_ms=0)
    ask("wait in vain", (one, 0, 3))
    for level in (1, 2, -1):
        ask(f"isolation {level}", (one, 0, 0), isolation_level=level)
    for epoch in (0, 1, -2):
        ask(f"leader epoch {epoch}", (one, 0, 0), partition={"current_leader_epoch": epoch})
        ask(f"last fetched epoch {epoch}", (one, 0, 0), partition={"last_fetched_epoch": epoch})
        ask(
            f"last fetched epoch {epoch}, at the end",
            (one, 0, 3),
            partition={"last_fetched_epoch": epoch},
            max_wait_ms=0,
        )
    for replica in (0, 1, 5, -2, -3) if version < 15 else ():
        ask(f"replica {replica}", (one, 0, 0), replica_id=replica, max_wait_ms=0)
    for replica, epoch in ((0, -1), (1, -1), (1, 5), (5, 0)) if version >= 15 else ():
        state = {"replica_id": replica, "replica_epoch": epoch}
        ask(f"replica {replica} {epoch}", (one, 0, 0), replica_state=state, max_wait_ms=0)
    ask("a rack", (one, 0, 0), rack_id="r")
    ask("another cluster", (one, 0, 0), cluster_id="nope")
    deleted = [{"name": one, "partitions": [{"partition_index": 0, "offset": 2}]}]
    side.tell("delete_records", 2, topics=deleted, timeout_ms=5000)
    for offset in (0, 1, 2):
        ask(f"offset {offset} of a log that starts at 2", (one, 0, offset))


@each_version("fetch", since=7)
def session(side: Side, version: int) -> None:
    """Born, used, misused, changed, closed."""
    one, two = side.own, side.own + "-two"
    side.topic(one, 2)
    side.topic(two)
    side.fill(one, batches=3)

    def ask(what: str, *parts: Part, at: int, **more: Any) -> Any:
        return fetch(side, version, what, parts, number, at, **more)

    number = 0
    ask("born with an unknown topic", (one, 0, 0), (one, 1, 0), ("nope", 0, 0), at=0)
    born = ask("born", (one, 0, 0), (one, 1, 0), (two, 0, 0), at=0)
    number = born.session_id
    ask("what wasn't read", at=1)
    ask("advance", (one, 0, 3), at=2)
    ask("idle", at=3)
    side.fill(two)
    ask("new records", at=4)
    side.fill(one)
    ask("in two", at=5)
    ask("advance both", (one, 0, 4), (two, 0, 1), at=6)
    for epoch in (6, 99, -2):
        ask(f"epoch {epoch}", at=epoch)
    fetch(side, version, "another session", (), number + 1, 7)
    fetch(side, version, "no session, epoch 7", (), 0, 7)
    ask("another connection", at=7, on="b")
    ask("out of range", (one, 0, 99), at=8)
    ask("still out of range", at=9)
    ask("back", (one, 0, 4), at=10)
    ask("idle again", at=11)
    ask("unknown partition", (one, 7, 0), at=12)
    ask("forget it", at=13, forget=[(one, 7)])
    ask("unknown topic", ("nope", 0, 0), at=14)
    ask("still unknown", at=15)
    ask("forget that", at=16, forget=[("nope", 0)])
    ask("add and forget", (one, 1, 0), at=17, forget=[(one, 1)])
    side.fill(one, 1)
    ask("added or forgotten", at=18)
    ask("forget what isn't there", at=19, forget=[(one, 55), ("nope", 3)])
    ask("committed only", (one, 0, 4), at=20, isolation_level=1)
    ask("a leader epoch", (one, 0, 4), at=21, partition={"current_leader_epoch": 5})
    ask("a last fetched epoch", (one, 0, 4), at=22, partition={"last_fetched_epoch": 7})
    if version >= 12:
        other = 12 if version >= 13 else 13
        fetch(side, other, "names for ids", [(one, 0, 4)], number, 23)
        fetch(side, other, "names for ids, empty", (), number, 23)
        ask("after that", at=23)
    ask("forget all", at=24 if version >= 12 else 23, forget=[(one, 0), (one, 1), (two, 0)])
    for epoch in (24, 25, 26):
        ask(f"then {epoch}", at=epoch)
    number = ask_new(side, version, "born empty")
    ask("empty", at=1)
    number = ask_new(side, version, "reborn", (one, 0, 0))
    again = ask("born again over it", (one, 0, 0), at=0)
    ask("the old one", at=1)
    number = again.session_id
    ask("closed", (one, 0, 0), at=-1)
    ask("after it was closed", at=1)
    fetch(side, version, "unknown session, epoch 0", [(one, 0, 0)], 12345, 0)
    fetch(side, version, "unknown session, closed", [(one, 0, 0)], 12345, -1)


def ask_new(side: Side, version: int, what: str, *parts: Part) -> int:
    answer = fetch(side, version, what, parts, 0, 0)
    return int(answer.session_id) if answer else 0


@each_version("fetch", since=7)
def session_and_topics(side: Side, version: int) -> None:
    """A session that outlives its topic."""
    one, two = side.own, side.own + "-goes"
    side.topic(one)
    side.topic(two)
    side.fill(one)
    side.fill(two)
    number = ask_new(side, version, "born", (one, 0, 1), (two, 0, 1))
    side.delete_topic(two)
    fetch(side, version, "deleted", (), number, 1)
    fetch(side, version, "deleted, again", (), number, 2)
    side.topic(two)
    side.fill(two)
    fetch(side, version, "another of its name", (), number, 3)
    fetch(side, version, "added again", [(two, 0, 0)], number, 4)
    fetch(side, version, "idle", (), number, 5)


@script(alone=True)
def eviction(side: Side) -> None:
    """More sessions than there are slots, then room again."""
    side.topic(side.own)
    numbers = []
    for _ in range(450):
        parts = [{"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}]
        topics = [{"topic": side.own, "partitions": parts}]
        made = side.tell("fetch", 12, max_wait_ms=0, min_bytes=0, max_bytes=1000, session_epoch=0, topics=topics)
        if made and made.session_id:
            numbers.append(made.session_id)
    fetch(side, 12, "when all slots are taken", [(side.own, 0, 0)], 0, 0)
    for number in numbers:
        side.tell("fetch", 12, max_wait_ms=0, min_bytes=0, max_bytes=1000, session_id=number, session_epoch=-1)
    fetch(side, 12, "when they are free", [(side.own, 0, 0)], 0, 0)
