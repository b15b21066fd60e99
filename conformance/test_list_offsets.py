"""ListOffsets: both ends, a time, a time after everything, and a partition that isn't there."""

from __future__ import annotations

import time
from collections.abc import Callable

from conformance.clients import Admin, Client, Message, fails, produce, refused

Needs = Callable[[Client, str], None]


def test_ends(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 2)
    assert (client.offset_at(topic, 0, -2), client.offset_at(topic, 0, -1)) == (0, 0)
    produce(client, topic, [Message(b"x", partition=0)] * 7)
    assert (client.offset_at(topic, 0, -2), client.offset_at(topic, 0, -1)) == (0, 7)
    assert client.offset_at(topic, 1, -1) == 0


def test_offsets_for_times(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    writer = client if "timestamps" not in client.cannot else None
    start = int(time.time()) * 1000 - 3_600_000
    times = [start + i * 1000 for i in range(50)]
    if writer is None:  # the client under test only asks
        from conformance.clients import client as make

        writer = make("confluent", client.bootstrap)
    produce(writer, topic, [Message(b"x", partition=0, timestamp=t) for t in times], codec="lz4")
    assert client.offset_at(topic, 0, start - 1) == 0
    for i in (0, 1, 17, 49):
        assert client.offset_at(topic, 0, times[i]) == i
        assert client.offset_at(topic, 0, times[i] - 1) == i
    assert client.offset_at(topic, 0, times[-1] + 1) in (None, 50)  # librdkafka of some ages gives the end instead


def test_times_out_of_order(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    needs(client, "timestamps")
    admin.create(topic, 1)
    start = int(time.time()) * 1000 - 3_600_000
    for delta in (5, 1, 9, 3):
        produce(client, topic, [Message(b"x", partition=0, timestamp=start + delta)])
    assert client.offset_at(topic, 0, start + 1) == 0
    assert client.offset_at(topic, 0, start + 6) == 2


def test_start_after_delete_records(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(10)])
    assert admin.delete_records(topic, 0, 4) == 4
    assert client.offset_at(topic, 0, -2) == 4
    assert [r.value for r in client.read(topic, 6, start=4)] == [b"%d" % i for i in range(4, 10)]


def test_delete_records(client: Client, admin: Admin, topic: str, needs: Needs) -> None:
    needs(client, "admin")
    admin.create(topic, 1)
    produce(client, topic, [Message(b"%d" % i, partition=0) for i in range(10)])
    own = client.admin()
    try:
        assert own.delete_records(topic, 0, 3) == 3
        assert own.delete_records(topic, 0, 2) == 3
        with refused(client, 1):  # OFFSET_OUT_OF_RANGE
            own.delete_records(topic, 0, 11)
        assert own.delete_records(topic, 0, -1) == 10
    finally:
        own.close()
    assert client.offset_at(topic, 0, -2) == 10


def test_times_of_arrival(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1, {"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    produce(client, topic, [Message(b"x", partition=0)] * 5)
    assert client.offset_at(topic, 0, before - 1000) == 0
    assert client.offset_at(topic, 0, int(time.time() * 1000) + 60_000) in (None, 5)


def test_times_across_segments(client: Client, admin: Admin, topic: str) -> None:
    from conformance.clients import client as make

    admin.create(topic, 1, {"segment.bytes": "1048576"})
    start = int(time.time()) * 1000 - 3_600_000
    messages = [Message(bytes(100_000), partition=0, timestamp=start + i * 1000) for i in range(30)]
    produce(make("confluent", client.bootstrap), topic, messages)
    for i in (0, 9, 10, 11, 25, 29):
        assert client.offset_at(topic, 0, start + i * 1000) == i


def test_a_time_before_the_start(client: Client, admin: Admin, topic: str) -> None:
    """Deleted records are not found, however well their time fits."""
    from conformance.clients import client as make

    admin.create(topic, 1)
    start = int(time.time()) * 1000 - 3_600_000
    messages = [Message(b"x", partition=0, timestamp=start + i * 1000) for i in range(10)]
    produce(make("confluent", client.bootstrap), topic, messages)
    admin.delete_records(topic, 0, 6)
    assert client.offset_at(topic, 0, start) == 6


def test_an_empty_partition_has_no_time(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    assert client.offset_at(topic, 0, int(time.time() * 1000) - 1000) in (None, 0)


def test_an_unknown_partition(client: Client, admin: Admin, topic: str) -> None:
    admin.create(topic, 1)
    with fails(client, 3):
        client.offset_at(topic, 5, -1)
