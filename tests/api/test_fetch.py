"""Fetch in every version: limits, isolation, sessions, long polls, errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.api import fetch
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker, batch, records_of, topic_id
from tests.kit.loop import run

KEY = 1
VERSIONS = range(4, 19)
LARGE = 1 << 20


def request(*partitions: Any, version: int = 12, wait: int = 0, forgotten: Any = (), **more: Any) -> fetch.Request:
    """Partitions are (topic, index, offset) or with a fourth element: a dict of further fields."""
    topics: dict[str, list[Any]] = {}
    for name, index, offset, *fields in partitions:
        asked = fetch.Partition(partition=index, fetch_offset=offset, partition_max_bytes=LARGE)
        for field, value in (fields[0] if fields else {}).items():
            setattr(asked, field, value)
        topics.setdefault(name, []).append(asked)
    more.setdefault("min_bytes", 1)
    return fetch.Request(
        max_wait_ms=wait,
        topics=[
            fetch.Topic(
                topic=name if version < 13 else "",
                topic_id=topic_id(name) if version >= 13 else bytes(16),
                partitions=asked,
            )
            for name, asked in topics.items()
        ],
        forgotten_topics_data=[
            fetch.ForgottenTopic(
                topic=name if version < 13 else "",
                topic_id=topic_id(name) if version >= 13 else bytes(16),
                partitions=[index],
            )
            for name, index in forgotten
        ],
        **more,
    )


async def fetched(broker: Broker, *partitions: Any, version: int = 12, **more: Any) -> Any:
    response = await broker.answer(request(*partitions, version=version, **more), version, key=KEY)
    assert response_frame(1, response, version)
    return response


def flat(response: Any) -> list[Any]:
    return [data for topic in response.responses for data in topic.partitions]


def values(data: Any) -> list[bytes | None]:
    return [value for _, value in records_of(data.records)]


def filled(**topics: int) -> Broker:
    broker = Broker(**topics)
    for name, count in topics.items():
        for index in range(count):
            broker.write(name, b"a", b"b", index=index)
            broker.write(name, b"c", index=index)
    return broker


@pytest.mark.parametrize("version", VERSIONS)
def test_records_leave_in_every_version(version: int) -> None:
    async def main() -> None:
        broker = filled(t=2, u=1)
        answer = await fetched(broker, ("t", 0, 0), ("t", 1, 2), ("u", 0, 3), version=version)
        one, two, three = flat(answer)
        assert [(d.partition_index, d.error_code, d.high_watermark, d.last_stable_offset) for d in flat(answer)] == [
            (0, 0, 3, 3),
            (1, 0, 3, 3),
            (0, 0, 3, 3),
        ]
        assert values(one) == [b"a", b"b", b"c"] and values(two) == [b"c"]
        assert three.records == b"" and three.aborted_transactions is None and three.preferred_read_replica == -1
        assert [topic.topic_id if version >= 13 else topic.topic for topic in answer.responses] == (
            [topic_id("t"), topic_id("u")] if version >= 13 else ["t", "u"]
        )

    run(main())


def test_a_batch_is_given_whole_to_whoever_asks_inside_it() -> None:
    async def main() -> None:
        (data,) = flat(await fetched(filled(t=1), ("t", 0, 1)))
        assert values(data) == [b"a", b"b", b"c"]

    run(main())


def test_the_first_batch_comes_whole_even_if_it_is_too_large() -> None:
    async def main() -> None:
        broker = filled(t=2)
        small = {"partition_max_bytes": 10}
        one, two = flat(await fetched(broker, ("t", 0, 0, small), ("t", 1, 0, small)))
        assert values(one) == [b"a", b"b"], "the first batch of the first partition"
        assert two.records == b"" and two.error_code == 0 and two.high_watermark == 3

    run(main())


def test_the_whole_answer_has_a_limit_too() -> None:
    async def main() -> None:
        broker = filled(t=3)
        size = len(batch(b"a", b"b")) + len(batch(b"c"))
        one, two, three = flat(await fetched(broker, ("t", 0, 0), ("t", 1, 0), ("t", 2, 0), max_bytes=size + 5))
        assert len(one.records) == size and two.records == b"" and three.records == b""

    run(main())


def test_a_batch_further_on_may_be_cut() -> None:
    async def main() -> None:
        broker = filled(t=1)
        size = len(batch(b"a", b"b"))
        (data,) = flat(await fetched(broker, ("t", 0, 0, {"partition_max_bytes": size + 5})))
        assert len(data.records) == size + 5

    run(main())


def test_read_committed_has_a_list_of_aborted_transactions() -> None:
    async def main() -> None:
        (data,) = flat(await fetched(filled(t=1), ("t", 0, 0), isolation_level=1))
        assert data.aborted_transactions == [] and values(data) == [b"a", b"b", b"c"]

    run(main())


def test_read_committed_stops_at_the_last_stable_offset() -> None:
    async def main() -> None:
        broker = filled(t=1)
        broker.write_in_transaction("t", b"tx", producer=(1, 0, 0))
        (data,) = flat(await fetched(broker, ("t", 0, 0), isolation_level=1))
        assert values(data) == [b"a", b"b", b"c"] and (data.high_watermark, data.last_stable_offset) == (4, 3)
        (data,) = flat(await fetched(broker, ("t", 0, 0)))
        assert values(data) == [b"a", b"b", b"c", b"tx"]

    run(main())


def aborted(data: Any) -> list[tuple[int, int]] | None:
    listed = data.aborted_transactions
    return None if listed is None else [(one.producer_id, one.first_offset) for one in listed]


def test_read_committed_is_told_what_was_aborted_in_the_order_of_the_markers() -> None:
    async def main() -> None:
        broker = filled(t=1)  # 0..2
        broker.write_in_transaction("t", b"x", producer=(1, 0, 0))  # 3
        broker.write_in_transaction("t", b"y", producer=(2, 0, 0))  # 4
        broker.end("t", 2, 0, commit=False)  # 5
        broker.end("t", 1, 0, commit=False)  # 6
        broker.write_in_transaction("t", b"z", producer=(1, 0, 1))  # 7
        broker.end("t", 1, 0, commit=True)  # 8
        for version in (4, 12, 18):
            (data,) = flat(await fetched(broker, ("t", 0, 0), isolation_level=1, version=version))
            assert aborted(data) == [(2, 4), (1, 3)]
            (data,) = flat(await fetched(broker, ("t", 0, 0), version=version))
            assert aborted(data) is None
        (data,) = flat(await fetched(broker, ("t", 0, 6), isolation_level=1))
        assert aborted(data) == [(1, 3)], "its marker is still to come"
        (data,) = flat(await fetched(broker, ("t", 0, 7), isolation_level=1))
        assert aborted(data) == []
        (data,) = flat(await fetched(broker, ("t", 0, 9), isolation_level=1))
        assert aborted(data) == []

    run(main())


def test_a_long_poll_of_read_committed_waits_for_what_is_stable() -> None:
    async def main() -> None:
        broker = filled(t=1)
        both = [
            asyncio.ensure_future(broker.answer(request(("t", 0, 3), wait=10_000, isolation_level=level), 12, key=KEY))
            for level in (0, 1)
        ]
        await asyncio.sleep(0)
        broker.write_in_transaction("t", b"x", producer=(1, 0, 0))
        await asyncio.sleep(1)
        assert [one.done() for one in both] == [True, False], "nobody was told before that there would be transactions"
        broker.write("t", b"plain")
        await asyncio.sleep(1)
        assert not both[1].done()
        broker.end("t", 1, 0, commit=True)
        await asyncio.sleep(0)
        (data,) = flat(await both[1])
        assert [value for _, value in records_of(data.records)][:2] == [b"x", b"plain"]

    run(main())


def test_a_long_poll_of_read_committed_counts_stable_bytes() -> None:
    async def main() -> None:
        broker = filled(t=1)
        for producer in (1, 2):
            broker.write_in_transaction("t", b"x" * 500, producer=(producer, 0, 0))
        wanted = request(("t", 0, 3), wait=10_000, isolation_level=1, min_bytes=700)
        poll = asyncio.ensure_future(broker.answer(wanted, 12, key=KEY))
        await asyncio.sleep(0)
        broker.end("t", 1, 0, commit=True)
        await asyncio.sleep(1)
        assert not poll.done(), "the first transaction is less than was asked for"
        broker.end("t", 2, 0, commit=True)
        await asyncio.sleep(0)
        (data,) = flat(await poll)
        assert len(records_of(data.records)) == 4

    run(main())


# -- errors -----------------------------------------------------------------------------------------------------------


def test_what_was_aborted_is_told_even_where_no_room_is_left_for_records() -> None:
    async def main() -> None:
        broker = filled(t=1, u=1)
        broker.write_in_transaction("u", b"x", producer=(1, 0, 0))
        broker.end("u", 1, 0, commit=False)
        first, second = flat(await fetched(broker, ("t", 0, 0), ("u", 0, 0), isolation_level=1, max_bytes=1))
        assert values(first) == [b"a", b"b"] and second.records == b""
        assert (aborted(first), aborted(second)) == ([], [(1, 3)])

    run(main())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("t", 0, 4), ErrorCode.OFFSET_OUT_OF_RANGE),
        (("t", 0, -1), ErrorCode.OFFSET_OUT_OF_RANGE),
        (("t", 7, 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (("nowhere", 0, 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (("t", 0, 0, {"current_leader_epoch": 1}), ErrorCode.FENCED_LEADER_EPOCH),
        (("t", 0, 0, {"current_leader_epoch": 3}), ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_errors_come_at_once_and_without_marks(asked: Any, expected: ErrorCode) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", epoch=2)
        for _ in range(3):
            broker.write("t", b"x")
        (data,) = flat(await fetched(broker, asked, wait=60_000, min_bytes=LARGE))
        assert broker.loop.time() == 0
        marks = (data.high_watermark, data.last_stable_offset, data.log_start_offset, data.records)
        assert data.error_code == expected and marks == (-1, -1, -1, b"")

    run(main())


def test_unknown_topic_ids() -> None:
    async def main() -> None:
        answer = await fetched(filled(t=1), ("u", 0, 0), ("t", 0, 0), version=13)
        assert [data.error_code for data in flat(answer)] == [0, ErrorCode.UNKNOWN_TOPIC_ID], (
            "strangers come last, as in Kafka"
        )

    run(main())


def test_a_session_reads_the_topic_it_began_with() -> None:
    """As in Kafka, whose sessions keep the name: it is gone, or another topic has it."""

    async def main() -> None:
        broker = filled(t=1, u=1)
        born = await fetched(broker, ("t", 0, 3), ("u", 0, 3), version=13, session_epoch=0)

        async def next_code(epoch: int) -> list[int]:
            answer = await fetched(broker, version=13, session_id=born.session_id, session_epoch=epoch)
            return [data.error_code for data in flat(answer)]

        assert await next_code(1) == []
        broker.drop("t")
        assert await next_code(2) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
        broker.add("t", generation=1)
        assert await next_code(3) == [ErrorCode.INCONSISTENT_TOPIC_ID]

    run(main())


@pytest.mark.parametrize("session_id", [2147483640, 2147483647, -268435455, -2147483648])
@pytest.mark.parametrize("epoch", [-1, 0, 5])
def test_ids_that_no_session_can_have(session_id: int, epoch: int) -> None:
    """Kafka stumbles over them, and says so in the shape of each version."""

    async def main() -> None:
        for version, parts in ((7, 1), (12, 1), (13, 0)):
            answer = await fetched(
                filled(t=1), ("t", 0, 0), version=version, session_id=session_id, session_epoch=epoch
            )
            assert (answer.error_code, answer.session_id) == (ErrorCode.UNKNOWN_SERVER_ERROR, session_id)
            assert [data.error_code for data in flat(answer)] == [ErrorCode.UNKNOWN_SERVER_ERROR] * parts

    run(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wrong_broker_names_the_right_one(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", leader=2, replicas=(2,), epoch=4)
        answer = await fetched(broker, ("t", 0, 0), version=version)
        (data,) = flat(answer)
        assert data.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        leader = (data.current_leader.leader_id, data.current_leader.leader_epoch)
        named = [(node.node_id, node.host, node.port) for node in answer.node_endpoints]
        assert (leader, named) == (((2, 4), [(2, "two", 9092)]) if version >= 16 else ((-1, -1), []))

    run(main())


def test_old_versions_do_not_know_storage_errors() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.disk.capacity = 0
        for version, expected in ((5, ErrorCode.NOT_LEADER_OR_FOLLOWER), (6, ErrorCode.KAFKA_STORAGE_ERROR)):
            (data,) = flat(await fetched(broker, ("t", 0, 0), version=version))
            assert data.error_code == expected

    run(main())


def test_limits_below_zero() -> None:
    async def main() -> None:
        broker = filled(t=1)
        (data,) = flat(await fetched(broker, ("t", 0, 0, {"partition_max_bytes": -1})))
        assert data.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
        (data,) = flat(await fetched(broker, ("t", 0, 0), max_bytes=-1))
        assert data.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
        (data,) = flat(await fetched(broker, ("t", 0, 3, {"partition_max_bytes": -1})))
        assert data.error_code == 0, "nothing to read there"

    run(main())


def test_an_isolation_level_that_does_not_exist() -> None:
    async def main() -> None:
        answer = await fetched(filled(t=1), ("t", 0, 0), isolation_level=7)
        assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
        assert [data.error_code for data in flat(answer)] == [ErrorCode.UNKNOWN_SERVER_ERROR]
        answer = await fetched(filled(t=1), ("t", 0, 0), isolation_level=7, version=13)
        assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR and answer.responses == []
        assert (await fetched(filled(t=1), isolation_level=-1)).error_code == 0, "nothing asked, nothing looked at"

    run(main())


@pytest.mark.parametrize("epochs", [{"current_leader_epoch": -2}, {"last_fetched_epoch": -2}])
def test_any_epoch_below_zero_is_none(epochs: dict[str, int]) -> None:
    async def main() -> None:
        (data,) = flat(await fetched(filled(t=1), ("t", 0, 0, epochs)))
        assert data.error_code == 0 and values(data) == [b"a", b"b", b"c"]

    run(main())


def test_a_reader_whose_log_parts_from_ours() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", epoch=1)
        broker.write("t", b"a", b"b")
        broker.add("t", epoch=3)
        broker.write("t", b"c")

        async def at(offset: int, epoch: int) -> tuple[int, int, int]:
            (data,) = flat(await fetched(broker, ("t", 0, offset, {"last_fetched_epoch": epoch}), wait=1000))
            return data.error_code, data.diverging_epoch.epoch, data.diverging_epoch.end_offset

        assert await at(2, 1) == (0, -1, -1)
        assert await at(3, 1) == (0, 1, 2)
        assert await at(3, 2) == (0, 1, 2)
        assert await at(1, 3) == (0, -1, -1)
        assert (await at(1, 4))[0] == ErrorCode.OFFSET_OUT_OF_RANGE

    run(main())


# -- long polls -------------------------------------------------------------------------------------------------------


def test_an_empty_partition_makes_the_reader_wait() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        (data,) = flat(await fetched(broker, ("t", 0, 0), wait=500))
        assert broker.loop.time() == 0.5 and data.records == b"" and data.error_code == 0

    run(main())


def test_new_records_end_the_wait() -> None:
    async def main() -> None:
        broker = Broker(t=2)
        waiting = broker.ask(request(("t", 0, 0), ("t", 1, 0), wait=60_000), 12, key=KEY)
        await asyncio.sleep(1)
        broker.write("t", b"x", index=1)
        one, two = flat(await waiting)
        assert broker.loop.time() == 1 and one.records == b"" and values(two) == [b"x"]

    run(main())


def test_min_bytes_are_counted_over_all_partitions() -> None:
    async def main() -> None:
        broker = Broker(t=2)
        size = len(batch(b"x"))
        waiting = broker.ask(request(("t", 0, 0), ("t", 1, 0), wait=60_000, min_bytes=3 * size), 12, key=KEY)
        for index in (0, 1):
            broker.write("t", b"x", index=index)
            await asyncio.sleep(1)
            assert not waiting.done()
        broker.write("t", b"x")
        one, two = flat(await waiting)
        assert len(one.records) + len(two.records) == 3 * size

    run(main())


def test_what_is_there_already_counts() -> None:
    async def main() -> None:
        broker = filled(t=1)
        size = len(batch(b"a", b"b")) + len(batch(b"c"))
        await fetched(broker, ("t", 0, 0), wait=60_000, min_bytes=size)
        assert broker.loop.time() == 0
        waiting = broker.ask(request(("t", 0, 0), wait=60_000, min_bytes=size + 1), 12, key=KEY)
        broker.write("t", b"d")
        (data,) = flat(await waiting)
        assert values(data) == [b"a", b"b", b"c", b"d"] and broker.loop.time() == 0

    run(main())


def test_min_bytes_beyond_max_bytes_cannot_be_waited_for() -> None:
    async def main() -> None:
        broker = filled(t=1)
        await fetched(broker, ("t", 0, 0), wait=60_000, min_bytes=LARGE, max_bytes=20)
        assert broker.loop.time() == 0

    run(main())


def test_a_topic_that_goes_ends_the_wait() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        waiting = broker.ask(request(("t", 0, 0), wait=60_000), 12, key=KEY)
        await asyncio.sleep(1)
        broker.drop("t")
        (data,) = flat(await waiting)
        assert data.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and broker.loop.time() == 1

    run(main())


def test_nothing_asked_nothing_waited_for() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        assert flat(await fetched(broker, wait=60_000)) == [] and broker.loop.time() == 0

    run(main())


def test_a_client_that_hangs_up_is_forgotten() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        waiting = broker.ask(request(("t", 0, 0), wait=60_000), 12, key=KEY)
        assert len(broker.partition("t").growers()) == 1
        waiting.cancel()
        await asyncio.sleep(0)
        assert broker.partition("t").growers() == []

    run(main())


# -- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_a_session_names_only_what_changed(version: int) -> None:
    async def main() -> None:
        broker = filled(t=2)
        first = await fetched(broker, ("t", 0, 0), ("t", 1, 3), version=version, session_epoch=0)
        session = first.session_id
        assert session > 0 and len(flat(first)) == 2

        async def again(*asked: Any, epoch: int, **more: Any) -> Any:
            return await fetched(broker, *asked, version=version, session_id=session, session_epoch=epoch, **more)

        second = await again(("t", 0, 3), epoch=1)
        assert second.session_id == session and flat(second) == []
        broker.write("t", b"new", index=1)
        (data,) = flat(await again(epoch=2))
        assert data.partition_index == 1 and values(data) == [b"new"]
        third = await again(("t", 1, 4), epoch=3, forgotten=[("t", 0)])
        assert flat(third) == []
        broker.write("t", b"unseen", index=0)
        assert flat(await again(epoch=4)) == []
        assert (await again(epoch=4)).error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
        last = await again(epoch=5, forgotten=[("t", 1)])
        assert last.session_id == 0 and flat(last) == []
        assert (await again(epoch=6)).error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND

    run(main())


def test_sessions_do_not_change_between_names_and_ids() -> None:
    async def main() -> None:
        broker = filled(t=1)
        session = (await fetched(broker, ("t", 0, 3), session_epoch=0)).session_id
        answer = await fetched(broker, ("t", 0, 3), version=13, session_id=session, session_epoch=1)
        assert answer.error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR

    run(main())


def test_an_error_is_news_and_so_is_its_end() -> None:
    async def main() -> None:
        broker = filled(t=1)
        session = (await fetched(broker, ("t", 0, 3), session_epoch=0)).session_id
        broker.add("t", leader=2, replicas=(1, 2), epoch=1)
        (data,) = flat(await fetched(broker, session_id=session, session_epoch=1))
        assert data.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        broker.add("t", replicas=(1, 2), isr=(1,), epoch=2)
        (data,) = flat(await fetched(broker, session_id=session, session_epoch=2))
        assert data.error_code == 0 and data.high_watermark == 3
        assert flat(await fetched(broker, session_id=session, session_epoch=3)) == []

    run(main())


def test_long_polls_of_a_session() -> None:
    async def main() -> None:
        broker = filled(t=2)
        session = (await fetched(broker, ("t", 0, 3), ("t", 1, 3), session_epoch=0)).session_id
        waiting = broker.ask(request(wait=60_000, session_id=session, session_epoch=1), 12, key=KEY)
        await asyncio.sleep(1)
        broker.write("t", b"x", index=1)
        (data,) = flat(await waiting)
        assert values(data) == [b"x"]

    run(main())


def test_partitions_of_a_session_take_turns() -> None:
    async def main() -> None:
        broker = filled(t=3)
        one_batch = {"partition_max_bytes": 10}
        asked = [("t", index, 0, one_batch) for index in range(3)]
        session = (await fetched(broker, *asked, session_epoch=0)).session_id
        seen = []
        for epoch in range(1, 5):
            data = next(d for d in flat(await fetched(broker, session_id=session, session_epoch=epoch)) if d.records)
            seen.append(data.partition_index)
        assert seen == [0, 1, 2, 0]

    run(main())


# -- replicas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [11, 14, 15, 18])
def test_a_followers_fetch_moves_the_watermark(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        broker.write("t", b"a")

        async def follow(replica: int, offset: int) -> Any:
            who = {"replica_id": replica} if version < 15 else {"replica_state": fetch.ReplicaState(replica_id=replica)}
            (data,) = flat(await fetched(broker, ("t", 0, offset), version=version, **who))
            return data

        data = await follow(2, 0)
        assert values(data) == [b"a"] and data.high_watermark == 0
        assert (await follow(2, 1)).high_watermark == 1
        assert (await follow(3, 1)).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER

    run(main())


def test_what_is_not_in_memory_is_brought_in_by_a_thread_and_served() -> None:
    """An old segment's index and first batches: the loop asks for them only when they are there."""

    async def main() -> None:
        broker = Broker()
        broker.add("t", 2, internal_segment_bytes="300", index_interval_bytes="0")
        for number in range(9):
            broker.write("t", b"%d" % number, b"x" * 50)
        old = broker.partition("t").log.segments[1]
        cold = {f"/data/t-0/{old.base_offset:020d}{suffix}" for suffix in (".log", ".index")}
        broker.disk.cold |= cold
        asked = request(("t", 0, old.base_offset + 1), ("t", 1, 0), wait=1000)
        waiting = broker.ask(asked, 12, key=KEY)
        assert asyncio.iscoroutine(waiting) and broker.disk.cold == cold, "nothing was read on the loop"
        response = await waiting
        assert records_of(flat(response)[0].records)[0][0] == old.base_offset
        assert [data.partition_index for data in flat(response)] == [0, 1]
        assert not broker.disk.cold
        assert not asyncio.iscoroutine(broker.ask(asked, 12, key=KEY)), "and now it is there"

    run(main())


def test_cold_data_and_nothing_new_still_waits_for_more() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", internal_segment_bytes="300", index_interval_bytes="0")
        for _ in range(4):
            broker.write("t", b"x" * 100)
        old = broker.partition("t").log.segments[0]
        broker.disk.cold.add(f"/data/t-0/{old.base_offset:020d}.log")
        begun = broker.loop.time()
        response = await fetched(broker, ("t", 0, old.base_offset + 1), wait=500, min_bytes=LARGE)
        assert broker.loop.time() - begun == pytest.approx(0.5)
        assert flat(response)[0].records

    run(main())
