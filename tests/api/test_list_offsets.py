"""ListOffsets: every special time in every version that has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.api import list_offsets
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from tests.kit.broker import Broker
from tests.kit.loop import EPOCH_MS, run

KEY = 2
VERSIONS = range(1, 12)
NOWHERE = (0, -1, -1, -1)


async def listed(
    broker: Broker, *timestamps: int, version: int = 11, topic: str = "t", index: int = 0, epoch: int = -1, **more: Any
) -> Any:
    """(error, timestamp, offset, leader epoch) for each time; one request each, for a partition may be named once."""
    found = []
    for timestamp in timestamps:
        asked = list_offsets.Partition(partition_index=index, timestamp=timestamp, current_leader_epoch=epoch)
        more.setdefault("replica_id", -1)
        request = list_offsets.Request(topics=[list_offsets.Topic(name=topic, partitions=[asked])], **more)
        response = await broker.answer(request, version, key=KEY)
        assert response_frame(1, response, version)
        (answer,) = response.topics[0].partitions
        found.append((answer.error_code, answer.timestamp, answer.offset, answer.leader_epoch))
    return found[0] if len(found) == 1 else found


def filled() -> Broker:
    """Offsets 0–1 at +0, 2 at +200, 3 at +100, under epochs 1, 1, 2."""
    broker = Broker()
    broker.add("t", epoch=1)
    broker.write("t", b"a", b"b", timestamp=EPOCH_MS)
    broker.write("t", b"c", timestamp=EPOCH_MS + 200)
    broker.add("t", epoch=2)
    broker.write("t", b"d", timestamp=EPOCH_MS + 100)
    return broker


@pytest.mark.parametrize("version", VERSIONS)
def test_ends_and_times_in_every_version(version: int) -> None:
    async def main() -> None:
        broker = filled()
        old = version < 4

        def epoch(number: int) -> int:
            return -1 if old else number

        assert await listed(broker, -1, version=version) == (0, -1, 4, epoch(2))
        assert await listed(broker, -2, version=version) == (0, -1, 0, epoch(1))
        assert await listed(broker, 0, version=version) == (0, EPOCH_MS, 0, epoch(1))
        assert await listed(broker, EPOCH_MS + 1, version=version) == (0, EPOCH_MS + 200, 2, epoch(1))
        assert await listed(broker, EPOCH_MS + 201, version=version) == NOWHERE

    run(main())


@pytest.mark.parametrize(
    ("timestamp", "since", "expected"),
    [
        (-3, 7, (0, EPOCH_MS + 200, 2, 1)),
        (-4, 8, (0, -1, 0, 1)),
        (-5, 9, NOWHERE),
        (-6, 11, NOWHERE),
        (-7, 99, None),
        (-(2**63), 99, None),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_special_times_have_their_version(timestamp: int, since: int, expected: Any, version: int) -> None:
    async def main() -> None:
        answer = await listed(filled(), timestamp, version=version)
        if version >= since:
            assert answer == expected
        else:
            assert answer == (ErrorCode.UNSUPPORTED_VERSION, -1, -1, -1)

    run(main())


def test_an_empty_log() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", epoch=5)
        assert await listed(broker, -1, -2, -3, 0) == [(0, -1, 0, 5), (0, -1, 0, 5), NOWHERE, NOWHERE]

    run(main())


def test_what_was_deleted_is_not_found() -> None:
    async def main() -> None:
        broker = filled()
        broker.partition("t").delete_records(3)
        assert await listed(broker, -2, 0) == [(0, -1, 3, 2), (0, EPOCH_MS + 100, 3, 2)]
        broker.partition("t").delete_records(4)
        assert await listed(broker, -2, -1, 0) == [(0, -1, 4, 2), (0, -1, 4, 2), NOWHERE]

    run(main())


def test_isolation_and_replicas() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        broker.write("t", b"a")
        assert await listed(broker, -1) == (0, -1, 0, 0), "not committed yet"
        assert await listed(broker, EPOCH_MS) == NOWHERE
        assert await listed(broker, -1, replica_id=2) == (0, -1, 1, 0)
        assert await listed(broker, -1, replica_id=-2) == (0, -1, 1, 0)
        broker.partition("t").replica_asks(2, -1, 1, 0, 0)
        broker.write_in_transaction("t", b"tx", producer=(1, 0, 0))
        broker.partition("t").replica_asks(2, -1, 2, 0, 0)
        assert await listed(broker, -1) == (0, -1, 2, 0)
        assert await listed(broker, -1, isolation_level=1) == (0, -1, 1, 0)

    run(main())


@pytest.mark.parametrize(
    ("version", "expected"), [(4, ErrorCode.LEADER_NOT_AVAILABLE), (5, ErrorCode.OFFSET_NOT_AVAILABLE)]
)
def test_a_new_leader_does_not_know_the_latest_yet(version: int, expected: ErrorCode) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        broker.write("t", b"a", timestamp=EPOCH_MS)
        broker.add("t", replicas=(1, 2), epoch=1)
        assert (await listed(broker, -1, version=version))[0] == expected
        assert (await listed(broker, EPOCH_MS, version=version))[0] == expected
        assert await listed(broker, -2, version=version) == (0, -1, 0, 0)
        broker.partition("t").replica_asks(2, -1, 1, 0, 0)
        assert (await listed(broker, -1, version=version)) == (0, -1, 1, 1)

    run(main())


def test_errors() -> None:
    async def main() -> None:
        broker = filled()
        assert (await listed(broker, -1, topic="u"))[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert (await listed(broker, -1, index=1))[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert (await listed(broker, -1, epoch=1))[0] == ErrorCode.FENCED_LEADER_EPOCH
        assert (await listed(broker, -1, epoch=3))[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
        twice = [list_offsets.Partition(partition_index=0, timestamp=timestamp) for timestamp in (-1, -2)]
        request = list_offsets.Request(topics=[list_offsets.Topic(name="t", partitions=twice)])
        response = await broker.answer(request, 5, key=KEY)
        assert [answer.error_code for answer in response.topics[0].partitions] == [ErrorCode.INVALID_REQUEST]

    run(main())


def test_a_topic_named_twice_is_answered_once_and_without_partitions_not_at_all() -> None:
    async def main() -> None:
        broker = filled()
        at_end, unknown = (list_offsets.Partition(partition_index=index, timestamp=-1) for index in (0, 9))
        named = [("t", [at_end]), ("none", []), ("t", [unknown])]
        topics = [list_offsets.Topic(name=name, partitions=partitions) for name, partitions in named]
        response = await broker.answer(list_offsets.Request(replica_id=-1, topics=topics), 11, key=KEY)
        (topic,) = response.topics
        codes = {one.partition_index: one.error_code for one in topic.partitions}
        assert codes == {0: 0, 9: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}

    run(main())


def test_a_time_in_a_cold_segment_is_looked_up_beside_the_loop() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", internal_segment_bytes="300", index_interval_bytes="0")
        for number in range(20):
            broker.write("t", b"x" * 50, timestamp=EPOCH_MS + number)
        assert await listed(broker, EPOCH_MS + 3) == (0, EPOCH_MS + 3, 3, 0)
        again = await broker.restarted()
        asked = list_offsets.Partition(partition_index=0, timestamp=EPOCH_MS + 3, current_leader_epoch=-1)
        request = list_offsets.Request(replica_id=-1, topics=[list_offsets.Topic(name="t", partitions=[asked])])
        waiting = again.ask(request, 11, key=KEY)
        assert asyncio.iscoroutine(waiting), "after a start nobody knows yet which times are where"
        assert (await waiting).topics[0].partitions[0].offset == 3
        assert not asyncio.iscoroutine(again.ask(request, 11, key=KEY))
        assert await listed(again, -3) == (0, EPOCH_MS + 19, 19, 0)

    run(main())
