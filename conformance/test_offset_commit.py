"""Offsets administration: what a group has committed is read, moved and removed, but not behind its members' backs."""

from __future__ import annotations

from collections.abc import Callable

from conformance.arrange import Arranger
from conformance.clients import Admin, Client, Message, Unanswered, eventually, gather, produce, refused

Needs = Callable[[Client, str], None]


def filled(client: Client, admin: Arranger, topic: str, partitions: int = 1, each: int = 20) -> str:
    """A topic with records and a group name."""
    admin.create(topic, partitions)
    produce(
        client, topic, [Message(b"%d" % (i // partitions), partition=i % partitions) for i in range(each * partitions)]
    )
    return f"group-{topic}"


def next_offsets(client: Client, group: str, topic: str, n: int, **options: object) -> list[int]:
    consumer = client.consumer(group, [topic], limit=n, **options)
    try:
        return [r.offset for r in gather(consumer, n)][:n]
    finally:
        consumer.close()


def emptied(admin: Arranger, group: str) -> None:
    eventually(lambda: admin.group_state(group) == "Empty", "the group is empty")


def test_an_empty_group_is_moved(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic])
    gather(consumer, 20)
    consumer.commit()
    consumer.close()
    emptied(admin, group)
    own.alter_offsets(group, topic, {0: 7})
    assert own.committed(group, topic) == {0: 7}
    assert next_offsets(client, group, topic, 3) == [7, 8, 9]


def test_moving_makes_a_group(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    own.alter_offsets(group, topic, {0: 11})
    assert own.group_state(group) == "Empty"
    assert group in own.groups()
    assert next_offsets(client, group, topic, 2) == [11, 12]


def test_an_active_group_is_not_moved(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic])
    try:
        gather(consumer, 20)
        consumer.commit()
        with refused(client, 25):  # UNKNOWN_MEMBER_ID
            own.alter_offsets(group, topic, {0: 7})
        assert own.committed(group, topic) == {0: 20}
    finally:
        consumer.close()


def test_moving_in_an_unknown_topic(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    with refused(client, 3):
        own.alter_offsets(f"group-{topic}", topic, {0: 7})


def test_deleted_offsets_start_anew(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic, 2)
    admin.alter_offsets(group, topic, {0: 7, 1: 9})
    own.delete_offsets(group, topic, [0])
    assert own.committed(group, topic) == {1: 9}
    own.delete_offsets(group, topic, [1])
    assert own.committed(group, topic) == {}
    assert sorted(next_offsets(client, group, topic, 40)) == sorted([*range(20)] * 2)


def test_offsets_of_a_subscribed_topic_stay(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic])
    try:
        gather(consumer, 20)
        consumer.commit()
        with refused(client, 86):  # GROUP_SUBSCRIBED_TO_TOPIC
            own.delete_offsets(group, topic, [0])
        assert own.committed(group, topic) == {0: 20}
    finally:
        consumer.close()


def test_offsets_of_an_unknown_group(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    admin.create(topic, 1)
    assert own.committed(f"group-{topic}", topic) == {}
    with refused(client, 69):  # GROUP_ID_NOT_FOUND
        own.delete_offsets(f"group-{topic}", topic, [0])


def test_committed_of_each_partition(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic, 5)
    admin.alter_offsets(group, topic, {0: 3, 2: 0, 4: 20})
    assert own.committed(group, topic) == {0: 3, 2: 0, 4: 20}


def test_groups_dont_share_offsets(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    admin.alter_offsets(f"{group}-a", topic, {0: 3})
    admin.alter_offsets(f"{group}-b", topic, {0: 5})
    own.delete_group(f"{group}-a")
    assert own.committed(f"{group}-b", topic) == {0: 5}
    assert own.committed(f"{group}-a", topic) == {}


def test_a_deleted_topic_takes_its_offsets_along(client: Client, own: Admin, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    admin.create(f"{topic}-stays", 1)
    admin.alter_offsets(group, topic, {0: 3})
    admin.alter_offsets(group, f"{topic}-stays", {0: 0})
    admin.delete(topic)
    admin.await_gone(topic)
    admin.create(topic, 1)
    eventually(lambda: own.committed(group, topic) == {}, "nothing is committed in the new topic")
    assert own.committed(group, f"{topic}-stays") == {0: 0}


def test_starting_where_an_admin_said(client: Client, admin: Arranger, topic: str) -> None:
    """For every client that can join a group, whoever moved it."""
    group = filled(client, admin, topic, 2)
    admin.alter_offsets(group, topic, {0: 15, 1: 18})
    assert sorted(next_offsets(client, group, topic, 7)) == [15, 16, 17, 18, 18, 19, 19]


def test_committed_beyond_the_end(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    """Kafka takes the commit; a fetch from there is out of range, and the client's reset policy decides."""
    needs(client, "out of range", "reset")
    group = filled(client, admin, topic)
    admin.alter_offsets(group, topic, {0: 1000})
    assert admin.committed(group, topic) == {0: 1000}
    assert next_offsets(client, group, topic, 2) == [0, 1]


def test_committed_before_the_start(client: Client, admin: Arranger, topic: str, needs: Needs) -> None:
    needs(client, "out of range", "reset")
    group = filled(client, admin, topic)
    admin.alter_offsets(group, topic, {0: 2})
    admin.delete_records(topic, 0, 8)
    assert next_offsets(client, group, topic, 2) == [8, 9]


def test_latest_sees_only_what_comes(client: Client, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic], reset="latest")
    try:
        for _ in range(30):  # until it has found its place
            produce(client, topic, [Message(b"new", partition=0)])
            try:
                got = gather(consumer, 1, 1)
                break
            except Unanswered:
                continue
        assert got[0].value == b"new"
        assert got[0].offset >= 20
    finally:
        consumer.close()


def test_commit_backwards(client: Client, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic])
    gather(consumer, 20)
    consumer.commit()
    consumer.commit({(topic, 0): 4})
    consumer.close()
    assert admin.committed(group, topic) == {0: 4}


def test_commit_of_one_partition_leaves_the_others(client: Client, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic, 3)
    admin.alter_offsets(group, topic, {0: 1, 1: 2, 2: 3})
    consumer = client.consumer(group, [topic])
    gather(consumer, 19 + 18 + 17)
    consumer.commit({(topic, 1): 9})
    consumer.close()
    assert admin.committed(group, topic) == {0: 1, 1: 9, 2: 3}


def test_commit_after_seek(client: Client, admin: Arranger, topic: str) -> None:
    group = filled(client, admin, topic)
    consumer = client.consumer(group, [topic])
    gather(consumer, 20)
    consumer.seek(topic, 0, 10)
    assert gather(consumer, 10)[0].offset == 10
    consumer.commit()
    consumer.close()
    assert admin.committed(group, topic) == {0: 20}
