"""Groups: members that come, go and die; cooperative and static ones; offsets that outlive them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from conformance.clients import Admin, Client, Message, eventually, gather, produce
from conformance.members import Member

Needs = Callable[[Client, str], None]


@pytest.fixture
def member(client: Client, topic: str, needs: Needs) -> Iterator[Callable[..., Member]]:
    """Another member of the scenario's group, in its own process; all end with the scenario."""
    needs(client, "groups")
    with contextlib.ExitStack() as stack:

        def start(**options: object) -> Member:
            made = Member(client.name, client.bootstrap, f"group-{topic}", topic, **options)
            stack.callback(made.stop)
            return made

        yield start


def shared(topic: str, partitions: int, members: list[Member]) -> bool:
    """Every partition has one owner, and everyone has about the same."""
    owned = [p for m in members for p in m.assigned]
    everything = {(topic, p) for p in range(partitions)}
    fair = partitions // len(members)
    return len(owned) == partitions and set(owned) == everything and all(len(m.assigned) >= fair for m in members)


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_three_join_and_one_is_killed(
    client: Client, admin: Admin, topic: str, member: Callable[..., Member], strategy: str, needs: Needs
) -> None:
    needs(client, strategy)
    admin.create(topic, 6)
    options = {"strategy": strategy, "session_ms": 2000}
    members = [member(**options)]
    eventually(lambda: shared(topic, 6, members), "one has all")
    members += [member(**options), member(**options)]
    eventually(lambda: shared(topic, 6, members), "three share")
    assert len(admin.members(f"group-{topic}")) == 3
    first_of = {m: m.assigned for m in members}
    members.pop(1).kill()
    eventually(lambda: shared(topic, 6, members), "two have what the third had", timeout=40)
    if strategy == "cooperative-sticky":
        for m in members:
            assert first_of[m] <= m.assigned, "a cooperative member keeps what it has"
    produce(client, topic, [Message(b"%d" % i, partition=i % 6) for i in range(60)])
    eventually(lambda: sum(len(m.records) for m in members) == 60, "all records arrive")
    members.pop().leave()
    eventually(lambda: shared(topic, 6, members), "the last one has all")


def test_cooperative_members_never_pause(
    client: Client, admin: Admin, topic: str, member: Callable[..., Member], needs: Needs
) -> None:
    needs(client, "cooperative-sticky")
    admin.create(topic, 4)
    one = member(strategy="cooperative-sticky")
    eventually(lambda: shared(topic, 4, [one]), "one has all")
    seen = len(one.history)
    two = member(strategy="cooperative-sticky")
    eventually(lambda: shared(topic, 4, [one, two]), "two share")
    assert all(len(a) >= 2 for a in one.history[seen:]), "the first never gave up what it was to keep"


def test_static_member_comes_back(
    client: Client, admin: Admin, topic: str, member: Callable[..., Member], needs: Needs
) -> None:
    needs(client, "static")
    admin.create(topic, 4)
    first = member(instance="first", session_ms=30_000)
    eventually(lambda: shared(topic, 4, [first]), "one has all")
    second = member(instance="second", session_ms=30_000)
    eventually(lambda: shared(topic, 4, [first, second]), "two share")
    group = f"group-{topic}"
    assert sorted(instance or "" for _, instance in admin.members(group)) == ["first", "second"]
    before, undisturbed = first.assigned, len(second.history)
    first.kill()
    again = member(instance="first", session_ms=30_000)
    eventually(lambda: again.assigned == before, "the same partitions for the same instance")
    assert len(second.history) == undisturbed, "the other member saw no rebalance"
    assert len(admin.members(group)) == 2


def test_static_member_is_fenced(
    client: Client, admin: Admin, topic: str, member: Callable[..., Member], needs: Needs
) -> None:
    """Two processes with one instance id: the later one wins, the earlier one is told to go."""
    needs(client, "static")
    admin.create(topic, 2)
    first = member(instance="same", session_ms=30_000)
    eventually(lambda: shared(topic, 2, [first]), "one has all")
    later = member(instance="same", session_ms=30_000)
    eventually(lambda: shared(topic, 2, [later]), "the later one has all")
    assert len(admin.members(f"group-{topic}")) == 1


def test_commit_and_resume(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    group = f"group-{topic}"
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(100)])
    first = client.consumer(group, [topic], limit=100)
    assert len(gather(first, 100)) == 100
    first.commit()
    first.close()
    eventually(lambda: admin.committed(group, topic) == {0: 100}, "the commit is there")
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(100, 120)])
    second = client.consumer(group, [topic], limit=20)
    got = gather(second, 20)
    second.close()
    assert [r.value for r in got] == [b"%d" % i for i in range(100, 120)]


def test_commit_in_the_middle(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    needs(client, "commit offsets")
    admin.create(topic, 2)
    group = f"group-{topic}"
    produce(client, topic, [Message(b"%d" % i, partition=i % 2) for i in range(40)])
    first = client.consumer(group, [topic])
    gather(first, 40)
    first.commit({(topic, 0): 5, (topic, 1): 12})
    first.close()
    assert admin.committed(group, topic) == {0: 5, 1: 12}
    second = client.consumer(group, [topic])
    got = gather(second, 15 + 8)
    second.close()
    assert sorted(r.offset for r in got if r.partition == 0) == list(range(5, 20))
    assert sorted(r.offset for r in got if r.partition == 1) == list(range(12, 20))


def test_reset_by_time(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    needs(client, "commit offsets")
    needs(client, "timestamps")
    import time

    admin.create(topic, 1)
    group = f"group-{topic}"
    start = int(time.time()) * 1000 - 3_600_000
    produce(client, topic, [Message(b"%d" % i, partition=0, timestamp=start + i * 1000) for i in range(30)])
    first = client.consumer(group, [topic])
    gather(first, 30)
    first.commit()
    target = client.offset_at(topic, 0, start + 20_000)
    assert target == 20
    first.commit({(topic, 0): target})
    first.close()
    second = client.consumer(group, [topic])
    got = gather(second, 10)
    second.close()
    assert [r.offset for r in got] == list(range(20, 30))


@pytest.mark.parametrize(("reset", "expected"), [("earliest", [b"old", b"new"]), ("latest", [b"new"])])
def test_where_a_new_group_begins(client: Client, admin: Admin, topic: str, reset: str, expected: list[bytes]) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"old", partition=0)])
    consumer = client.consumer(f"group-{topic}", [topic], reset=reset, limit=len(expected))
    try:
        if reset == "earliest":
            produce(client, topic, [Message(b"new", partition=0)])
            assert [r.value for r in gather(consumer, 2)] == expected
            return
        # "latest" is the end at the moment the consumer asks, and nobody says when that was: send until one arrives
        got: list[bytes | None] = []

        def arrived() -> bool:
            got.extend(r.value for r in consumer.poll(0.2))
            if not got:
                produce(client, topic, [Message(b"new", partition=0)])
            return bool(got)

        eventually(arrived, "a record sent after the group began")
        assert set(got) == {b"new"}
    finally:
        consumer.close()


def test_two_groups_each_get_all(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 2)
    produce(client, topic, [Message(b"%d" % i, partition=i % 2) for i in range(30)])
    for group in ("a", "b"):
        consumer = client.consumer(f"{group}-{topic}", [topic], limit=30)
        assert sorted(int(r.value or b"") for r in gather(consumer, 30)) == list(range(30))
        consumer.close()


def test_group_admin(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    needs(client, "admin")
    admin.create(topic, 1)
    group = f"group-{topic}"
    produce(client, topic, [Message(b"x", partition=0)] * 5)
    consumer = client.consumer(group, [topic])
    gather(consumer, 5)
    consumer.commit()
    own = client.admin()
    try:
        assert group in own.groups()
        assert own.group_state(group) == "Stable"
        assert len(own.members(group)) == 1
        assert own.committed(group, topic) == {0: 5}
        consumer.close()
        eventually(lambda: own.group_state(group) == "Empty", "the group is empty")
        assert own.committed(group, topic) == {0: 5}
    finally:
        own.close()


def test_delete_group(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    from conformance.clients import refused

    needs(client, "admin")
    needs(client, "delete_group")
    admin.create(topic, 1)
    group = f"group-{topic}"
    produce(client, topic, [Message(b"x", partition=0)] * 5)
    consumer = client.consumer(group, [topic])
    gather(consumer, 5)
    consumer.commit()
    own = client.admin()
    try:
        with refused(client, 68):  # NON_EMPTY_GROUP
            own.delete_group(group)
        consumer.close()
        eventually(lambda: own.group_state(group) == "Empty", "the group is empty")
        own.delete_group(group)
        assert group not in own.groups()
        with refused(client, 69):  # GROUP_ID_NOT_FOUND
            own.delete_group(group)
    finally:
        own.close()
