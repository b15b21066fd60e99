"""The lives of group members: joining, syncing, beating, rebalancing, leaving, being replaced, fenced and forgotten."""

from __future__ import annotations

import time

from conformance.differential.scripts import each_version, script
from conformance.differential.scripts.members import Group, protocols
from conformance.differential.side import Side

_ENDLESS = b"\0\0\0\0\0\5"
SETTLE = 0.4
"""Seconds for a request to arrive and begin to wait, before another connection's is sent."""


@each_version("join_group")
def life(side: Side, version: int) -> None:
    """Two members, from the first JoinGroup to the last LeaveGroup, and in each state what doesn't belong there."""
    topic = side.own
    side.topic(topic, 3)
    g = Group(side, version, topic=topic)
    one = g.joined("first")
    g.describe("completing")
    g.beat("completing", one.generation_id, one.member_id)
    g.commit("completing", one.generation_id, one.member_id)
    g.listed("completing")
    g.sync("another generation", one.generation_id + 1, one.member_id)
    g.sync("unknown member", one.generation_id, "nobody")
    g.sync("no member", one.generation_id, "")
    g.sync("another type", one.generation_id, one.member_id, kind="connect")
    g.sync("another protocol", one.generation_id, one.member_id, protocol="roundrobin")
    g.sync("null type", one.generation_id, one.member_id, kind=None)
    g.sync("null protocol", one.generation_id, one.member_id, protocol=None)
    g.sync("", one.generation_id, one.member_id, {one.member_id: b"A1", "stranger": b"X"})
    g.describe("stable")
    _unwelcome(g, one.member_id)
    for generation, member in ((-1, ""), (1, one.member_id), (0, one.member_id), (2, one.member_id), (1, "")):
        parts = ((0, 7, "meta"), (1, 3, None), (9, 1, ""), (2, 1, "x" * 101), (-1, 5, ""))
        g.commit(f"generation {generation} {bool(member)}", generation, member, parts)
    for generation, member in ((1, "nobody"), (-1, one.member_id), (-1, "nobody"), (5, "")):
        g.commit(f"generation {generation} member {member[:3]}", generation, member)
    g.commit("negative offsets", 1, one.member_id, ((0, -1, ""), (1, -5, "")))
    for asked in ({topic: [0, 1, 2]}, {topic: []}, {"nope": [0, 1]}, {topic: [17, -1, 0, 0]}, {}):
        g.committed(f"{asked}".replace(side.own, "own"), asked)
    if g.fetch_version >= 2:
        g.committed("all", None)
    _two_members(g, one.member_id)


def _unwelcome(g: Group, member: str) -> None:
    """What a stable group of one, generation 1, doesn't want to hear."""
    for generation in (-1, 0, 1, 2):
        g.beat(f"generation {generation}", generation, member)
    g.beat("nobody", 1, "nobody")
    g.beat("no member", 1, "")
    g.beat("no group", 1, "x", group="")
    g.beat("unknown group", 1, "x", group="nowhere")
    if g.heartbeat_version >= 3:
        g.beat("unknown instance", 1, member, instance="i")
    g.sync("again", 1, member)
    g.sync("again, another generation", 5, member)
    g.sync("no group", 1, "x", group="")
    g.sync("unknown group", 1, "x", group="nowhere")


def _two_members(g: Group, first: str) -> None:
    side = g.side
    second = ""
    if g.join_version >= 4:
        second = g.join("second", on="c").member_id
    g.describe("with a pending member")
    g.join("second", second, on="c", waiting=False)
    time.sleep(SETTLE)
    g.describe("preparing")
    g.listed("preparing")
    g.beat("preparing", 1, first)
    g.sync("preparing", 1, first)
    g.commit("preparing", 1, first)
    g.commit("preparing, another generation", 0, first)
    one = g.join("again", first)
    two = side.receive("c")
    g.describe("completing, two")
    g.sync("follower", 2, two.member_id, on="c", waiting=False)
    time.sleep(SETTLE)
    g.commit("completing, two", 2, one.member_id)
    g.sync("leader", 2, one.member_id, {one.member_id: b"A1"})
    side.receive("c")
    g.join("follower, the same again", two.member_id, on="c")
    g.beat("follower", 2, two.member_id)
    g.describe("stable, two")
    for version in (0, 1, 2):
        g.delete("living", g.id, "", "nowhere", version=version)
    g.forget("living", g.topic, 0, 9)
    g.forget("living, unknown topic", "nope", 0)
    changed = protocols("range", "roundrobin", metadata=b"\0\0\0\0\0\0\0\0\0\1n")
    g.join("follower, changed", two.member_id, on="c", asked=changed, waiting=False)
    time.sleep(SETTLE)
    g.join("leader, changed", first, asked=protocols("roundrobin", "range"))
    two = side.receive("c")
    g.leave("nobody", "nobody")
    g.leave("no member", "")
    g.leave("no group", "x", group="")
    g.leave("unknown group", "x", group="nowhere")
    if g.leave_version >= 3:
        g.leave("three who aren't there", ("", "i"), ("nobody", "i"), ("nobody", None))
        g.leave("nobody at all")
    g.leave("second", two.member_id)
    g.describe("one left")
    g.beat("of who left", 3, two.member_id)
    g.beat("of who stayed", 3, first)
    g.leave("last", first)
    g.describe("empty")
    g.listed("empty")
    g.beat("empty", 3, first)
    g.sync("empty", 3, first)
    g.leave("empty", first)
    g.join("an old id", first, on="d")
    g.commit("empty, generation 3", 3, first)
    g.commit("empty, simple", parts=((0, 11, ""), (1, 12, "é" * 60)))
    g.commit("empty, a member", -1, "who")
    g.commit("empty, a generation", 4, "")
    g.join("another type", on="d", kind="connect")
    g.committed("at the end", {g.topic: [0, 1, 2]})
    g.delete("at the end")


@each_version("join_group")
def refusals(side: Side, version: int) -> None:
    """All that JoinGroup refuses."""
    g = Group(side, version)
    g.join("no group", group="")
    g.join("no group, a member", "x", group="")
    for session in (999, 0, -1, 1_800_001, 2_147_483_647):
        g.join(f"session {session}", session=session)
    g.join("unknown member", "nobody")
    g.describe("after an unknown member")
    g.join("no protocols", asked=[])  # whether the group is there from now on differs from run to run
    g.join("no type", kind="")
    g.join("neither", kind="", asked=[])
    if version >= 5:
        g.join("unknown member, static", "nobody", instance="i")
    g = Group(side, version, "second")
    one = g.joined("founder", asked=protocols("range", metadata=b"m"), kind="other")
    common = {"kind": "other", "on": "b"}
    g.join("no protocol in common", asked=protocols("roundrobin"), **common)
    g.join("no protocols, living", asked=[], **common)
    g.join("another type, living", kind="connect", on="b")
    g.join("no type, living", kind="", on="b")
    g.join("own, another protocol", one.member_id, asked=protocols("roundrobin"), **common)
    g.join("own, no protocols", one.member_id, asked=[], **common)
    g.join("own, another type", one.member_id, kind="connect", on="b")
    g.join("nobody, living", "nobody", **common)
    g.join("nobody, bad session", "nobody", session=5, **common)
    g.describe("at the end")


@each_version("join_group", since=5)
def static(side: Side, version: int) -> None:
    """Static members: replaced in every state, fenced afterwards, removed by name."""
    topic = side.own
    side.topic(topic, 2)
    g = Group(side, version, topic=topic)
    old = g.join("one", instance="one")
    new = g.join("one replaced while completing", instance="one", on="b")
    if new is None:
        return
    generation = new.generation_id
    g.describe("replaced")
    g.beat("old id", generation, old.member_id, "one")
    g.beat("old id, no instance", generation, old.member_id)
    g.beat("new id", generation, new.member_id, "one")
    g.beat("new id, no instance", generation, new.member_id)
    g.beat("no id", generation, "", "one")
    g.sync("new id", generation, new.member_id, {new.member_id: b"A1"}, instance="one", on="b")
    g.sync("old id", generation, old.member_id, instance="one")
    g.commit("old id", generation, old.member_id, instance="one")
    g.commit("unknown instance", generation, new.member_id, instance="two")
    g.commit("new id", generation, new.member_id, instance="one")
    g.commit("simple, with an instance", instance="one")
    g.join("old id", old.member_id, instance="one", on="c")
    g.join("unknown instance", new.member_id, instance="two", on="c")
    g.describe("stable")
    leader = g.join("leader replaced while stable", instance="one", on="b")
    g.describe("leader replaced")
    g.sync("after being replaced", leader.generation_id, leader.member_id, instance="one", on="b")
    g.join("two", instance="two", on="c", waiting=False)
    time.sleep(SETTLE)
    g.describe("preparing")
    g.join("two replaced while waiting", instance="two", on="e", waiting=False)
    time.sleep(SETTLE)
    side.receive("c")
    leader = g.join("again", leader.member_id, instance="one", on="b")
    two = side.receive("e")
    g.describe("both")
    assigned = {leader.member_id: b"L", two.member_id: b"F"}
    g.sync("follower", two.generation_id, two.member_id, instance="two", on="e", waiting=False)
    time.sleep(SETTLE)
    g.sync("leader", leader.generation_id, leader.member_id, assigned, instance="one", on="b")
    side.receive("e")
    two = g.join("follower replaced, nothing changed", instance="two", on="c")
    g.describe("follower replaced")
    g.sync("follower replaced", two.generation_id, two.member_id, instance="two", on="c")
    g.join("no protocol in common", instance="two", on="d", asked=protocols("none of them"))
    g.leave("two, by name", ("", "two"))
    g.describe("two left")
    g.leave("another id", ("nobody", "one"))
    g.leave("one, twice", ("", "one"), ("", "one"))
    g.describe("one left")


@script()
def full(side: Side) -> None:
    """More members than group.max.size."""
    g = Group(side, 5)
    ids = [g.join(f"id {i}", on=f"m{i}").member_id for i in range(6)]
    g.join("founder", ids[0], on="m0")
    for i in (1, 2, 3, 4, 5):
        g.join(f"member {i}", ids[i], on=f"m{i}", waiting=False)
        time.sleep(SETTLE)
    g.join("founder again", ids[0], on="m0")
    for i in range(1, 6):
        side.receive(f"m{i}", 8)
    g.describe("full")
    g.join("one more", on="x")


@script()
def timeouts(side: Side) -> None:
    """Members who fall silent."""
    topic = side.own
    side.topic(topic, 2)
    g = Group(side, 5, topic=topic)
    one = g.joined("", session=1500, rebalance=1500)
    g.sync("", 1, one.member_id, {one.member_id: b"A"})
    time.sleep(0.8)
    g.beat("in time", 1, one.member_id)
    time.sleep(0.9)
    g.beat("in time again", 1, one.member_id)
    g.commit("in time", 1, one.member_id)
    time.sleep(2.5)
    g.beat("too late", 1, one.member_id)
    g.describe("expired")
    g.commit("too late", 1, one.member_id)
    pending = g.join("pending", session=1500)
    g.join("pending, bad session", pending.member_id, session=500)
    time.sleep(2.5)
    g.join("pending too long", pending.member_id, session=1500)
    pending = g.join("pending again", session=1500)
    g.leave("pending", pending.member_id)
    g.join("who left while pending", pending.member_id)
    pending = g.join("pending once more", session=5000)
    g.beat("pending", 2, pending.member_id)
    g.sync("pending", 2, pending.member_id)
    g.commit("pending", 2, pending.member_id)
    g.describe("with a pending member")
    g.delete("with a pending member")
    g.join("pending in a deleted group", pending.member_id)


@script()
def slow_leaders(side: Side) -> None:
    """A rebalance that one of its members doesn't finish."""
    g = Group(side, 5, "absent")
    one = g.joined("", rebalance=2000)
    g.sync("", 1, one.member_id, {one.member_id: b"A"})
    two = g.join("second", on="b", rebalance=2000)
    g.join("second", two.member_id, on="b", rebalance=2000, waiting=False)
    side.receive("b", 8)
    g.describe("the first never came back")
    g.beat("the first", 1, one.member_id)
    g = Group(side, 5, "gone")
    one = g.joined("", on="e")
    two = g.join("second", on="f")
    g.join("second", two.member_id, on="f", waiting=False)
    time.sleep(SETTLE)
    one = g.join("again", one.member_id, on="e")
    two = side.receive("f")
    g.sync("follower", 2, two.member_id, on="f", waiting=False)
    time.sleep(SETTLE)
    g.leave("the leader", one.member_id)
    side.receive("f", 8)
    g.describe("without a leader")
    g.join("the follower", two.member_id, on="f")
    g.describe("the follower leads")
    g = Group(side, 5, "hung-up")
    one = g.joined("", on="h", session=3000, rebalance=3000)
    g.sync("", 1, one.member_id, {one.member_id: b"A"}, on="h")
    two = g.join("second", on="i", session=3000, rebalance=3000)
    g.join("second", two.member_id, on="i", session=3000, rebalance=3000, waiting=False)
    time.sleep(SETTLE)
    side.drop("i")
    time.sleep(SETTLE)
    g.describe("hung up while joining")
    g.leave("who hung up", two.member_id)
    g.describe("who hung up left")


@script()
def metadata_of_members(side: Side) -> None:
    """Subscriptions in every shape; OffsetDelete asks what a living consumer group is subscribed to."""
    topic = side.own
    side.topic(topic, 2)
    g = Group(side, 5, topic=topic)
    name = topic.encode()
    good = b"\0\0\0\0\0\1" + len(name).to_bytes(2, "big") + name + b"\xff\xff\xff\xff"
    one = g.joined("", asked=protocols("range", metadata=good))
    g.sync("", 1, one.member_id, {one.member_id: b"A"})
    g.commit("", 1, one.member_id)
    g.forget("subscribed", topic, 0, 9)
    g.forget("unknown topic", "nope", 0)
    shapes = (
        b"",
        b"\0",
        b"\0\0",
        _ENDLESS,
        b"\0\x09" + good[2:],
        b"\0\1" + good[2:] + bytes(4),
        b"\xff\xff" + good[2:],
    )
    for n, metadata in enumerate(shapes):
        g = Group(side, 5, f"shape-{n}", topic=topic)
        one = g.joined(f"shape {n}", asked=protocols("range", metadata=metadata), on=f"shape {n}", wait=4)
        if one is None or one.error_code or metadata == _ENDLESS:  # to which Kafka has nothing to say
            continue
        g.sync(f"shape {n}", one.generation_id, one.member_id, {one.member_id: b"A"})
        g.commit(f"shape {n}", one.generation_id, one.member_id)
        g.forget(f"shape {n}", topic, 0)
        g.describe(f"shape {n}")
    g = Group(side, 5, "connect", topic=topic)
    one = g.joined("", kind="connect")
    g.sync("", 1, one.member_id, {one.member_id: b"A"}, kind="connect")
    g.commit("", 1, one.member_id)
    g.forget("connect", topic, 0)
    g.describe("connect")
    g.listed("connect", states_filter=["Empty", "Stable"])  # the endless one's group joins to this day
