"""Committed offsets without members: written, read, filtered, deleted, and what becomes of them when a topic goes."""

from __future__ import annotations

from conformance.differential.scripts import each_version, script
from conformance.differential.scripts.members import Group
from conformance.differential.side import Side


@each_version("offset_fetch")
def offsets(side: Side, version: int) -> None:
    topic = side.own
    side.topic(topic, 3)
    g = Group(side, 9, topic=topic)
    g.fetch_version, g.commit_version = version, max(2, version)
    g.describe_version = min(version, 6)
    asked = {topic: [0, 1, 2]}
    if version >= 2:
        g.committed("unknown group, all", None)
    g.committed("unknown group", asked)
    g.committed("no group", asked, group="")
    g.committed("unknown topic", {"nope": [0]})
    g.committed("unknown partition", {topic: [99]})
    g.committed("known and unknown", {topic: [0], "nope": [1]})
    g.committed("stable", asked, stable=True)
    for member, epoch in (("m", 3), ("m", -1), (None, 3), ("", 0)) if version >= 9 else ():
        g.committed(f"member {member} {epoch}", asked, member=member, epoch=epoch)
    if version >= 8:
        side.ask("offset_fetch", version, "no groups", groups=[])
        twice = [{"group_id": g.id, "topics": None}, {"group_id": g.id, "topics": None}, {"group_id": "", "topics": []}]
        side.ask("offset_fetch", version, "groups twice", groups=twice)
    g.commit("generation 0, no group yet", 0)
    g.commit("generation 5, no group yet", 5, "m")
    g.commit("a member, no group yet", -1, "m")
    g.describe("no group yet")
    g.commit("unknown topic", topic="nope")
    g.commit("no partitions", parts=())
    g.commit("unknown partition", parts=((44, 1, ""),), group=f"{g.id}-x")
    g.describe("after an unknown partition", f"{g.id}-x")
    g.commit("no group", group="")
    g.commit("long metadata", parts=((0, 1, "x" * 100), (1, 2, "x" * 101), (2, (1 << 63) - 1, "")))
    g.committed("after long metadata", asked)
    g.commit("long metadata, two bytes each", parts=((0, 1, "é" * 100), (1, 1, "é" * 51)))
    g.commit("a partition twice", parts=((0, 4, "a"), (0, 3, "b")))
    g.committed("after twice", asked)
    g.commit("generation -2", -2)
    g.commit("an instance", instance="i")
    side.ask("offset_commit", g.commit_version, "no topics", group_id=g.id, topics=[])
    g.commit("retention", retention_time_ms=1_000_000)
    g.commit("topic id zero", topic_id=bytes(16))
    g.commit("unknown topic id", topic_id=b"\7" * 16)
    g.commit("leader epoch")
    g.describe("simple")
    for states in ([], ["empty"], ["Stable", "nonsense"], ["Unknown", "EMPTY"]):
        g.listed(f"{states}", states_filter=states)
    for types in (["CLASSIC"], ["consumer"], ["bogus"], ["Classic", "share"]):
        g.listed(f"{types}", types_filter=types)
    for listed in range(6):
        g.listed(f"v{listed}", listed)
    g.forget("no group", topic, 0, group="")
    g.forget("unknown group", topic, 0, group="nowhere")
    g.forget("known and unknown partition", topic, 0, 7)
    g.forget("unknown topic", "nope", 0)
    g.forget("a partition twice", topic, 2, 2)
    side.ask("offset_delete", 0, "no topics", group_id=g.id, topics=[])
    side.ask("offset_delete", 0, "no topics, unknown group", group_id="nowhere", topics=[])
    g.committed("what is left", {topic: [0, 1, 2]})
    g.join("who joins a simple group")
    g.describe("joined")
    g.delete("twice, and another", g.id, g.id, f"{g.id}-x")


@script()
def deletions(side: Side) -> None:
    side.ask("delete_groups", 2, "none", groups_names=[])
    side.ask("delete_groups", 2, "no name", groups_names=[""])
    side.ask("describe_groups", 6, "none", groups=[])
    for version in range(7):
        side.ask("describe_groups", version, "unknown", groups=["nowhere", "neverwhere"])
        side.ask("describe_groups", version, "unknown twice", groups=["nowhere", "nowhere"])
    topic, kept = f"{side.own}-goes", f"{side.own}-stays"
    side.topic(topic, 2)
    side.topic(kept, 2)
    g = Group(side, 7, "a", topic=kept)
    g.commit("")
    g.delete("")
    g.describe("deleted")
    g.committed("deleted", None)
    g.committed("deleted", {kept: [0]})
    g.delete("again")
    g.listed("deleted")
    g.commit("of a topic that stays")
    g.commit("of a topic that goes", topic=topic, parts=((0, 5, ""), (1, 6, "")))
    lone = Group(side, 7, "lone", topic=topic)
    lone.commit("of nothing else")
    side.delete_topic(topic)
    both = {topic: [0, 1], kept: [0]}
    for version in (1, 5, 9):
        g.committed(f"the topic is gone v{version}", both, version=version)
    g.committed("the topic is gone, all", None, version=9)
    g.committed("the topic is gone, all, by id", None, version=10)
    lone.describe("the only topic is gone")
    lone.committed("the only topic is gone", None, version=9)
    side.topic(topic, 2)
    g.committed("another of that name", both, version=9)
    g.committed("another of that name, by id", both, version=10)
    g.committed("another of that name, all", None, version=9)
    g.delete("both", g.id, lone.id)


@each_version("find_coordinator")
def coordinators(side: Side, version: int) -> None:
    for kind in (0, 2, 3, -1) if version else (0,):
        for key in ("g1", "", "é"):
            side.ask(
                "find_coordinator", version, f"type {kind} {key!r}", key=key, coordinator_keys=[key], key_type=kind
            )
    if version >= 4:
        side.ask("find_coordinator", version, "no keys", coordinator_keys=[], key_type=0)
        side.ask("find_coordinator", version, "a key twice", coordinator_keys=["a", "b", "a"], key_type=0)
    share = (
        "g:AAAAAAAAAAAAAAAAAAAAAQ:0",
        "g:x:0",
        "g:AAAAAAAAAAAAAAAAAAAAAQ:-1",
        "g:AAAAAAAAAAAAAAAAAAAAAQ:x",
        "a:b:c:d",
    )
    for key in share if version >= 6 else ():
        side.ask("find_coordinator", version, f"share {key}", coordinator_keys=[key], key_type=2)
    if version >= 1:
        side.ask("find_coordinator", version, "of a transaction", key="t", coordinator_keys=["t"], key_type=1)
