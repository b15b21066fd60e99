"""Produce in every version: errors as Kafka gives them, acks, waiting."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from kafkawire.api import produce
from kafkawire.batches import headers, seal
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from pykafkad.api.call import CloseConnection
from tests.kit.broker import Broker, batch, topic_id
from tests.kit.loop import run

KEY = 0
VERSIONS = range(3, 14)


def request(
    *partitions: tuple[str, int, Any], acks: int = 1, timeout_ms: int = 1000, version: int = 9, **more: Any
) -> produce.Request:
    topics: dict[str, list[Any]] = {}
    for name, index, records in partitions:
        view = memoryview(records) if records is not None else None
        topics.setdefault(name, []).append(produce.PartitionProduceData(index=index, records=view))
    return produce.Request(
        acks=acks,
        timeout_ms=timeout_ms,
        topic_data=[
            produce.TopicProduceData(
                name=name if version < 13 else "",
                topic_id=topic_id(name) if version >= 13 else bytes(16),
                partition_data=data,
            )
            for name, data in topics.items()
        ],
        **more,
    )


async def produced(
    broker: Broker, *partitions: Any, version: int = 9, client_id: str = "test", **more: Any
) -> list[Any]:
    """The partitions of the answer, after a pass through the encoder."""
    response = await broker.answer(request(*partitions, version=version, **more), version, key=KEY, client_id=client_id)
    assert response_frame(1, response, version)
    return [partition for topic in response.responses for partition in topic.partition_responses]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("acks", [1, -1])
def test_batches_enter_in_every_version(version: int, acks: int) -> None:
    async def main() -> None:
        broker = Broker(t=2)
        answers = await produced(broker, ("t", 0, batch(b"a", b"b")), ("t", 1, batch(b"c")), version=version, acks=acks)
        assert [(a.index, a.error_code, a.base_offset, a.log_append_time_ms, a.log_start_offset) for a in answers] == [
            (0, 0, 0, -1, 0),
            (1, 0, 0, -1, 0),
        ]
        (again,) = await produced(broker, ("t", 0, batch(b"a")), version=version, acks=acks)
        assert again.base_offset == 2

    run(main())


def test_acks_zero_is_never_answered_and_hangs_up_on_errors() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        assert broker.ask(request(("t", 0, batch(b"a")), acks=0), 9, key=KEY) is None
        assert broker.partition("t").high_watermark == 1
        with pytest.raises(CloseConnection):
            broker.ask(request(("t", 0, batch(b"a")), ("t", 9, batch(b"a")), acks=0), 9, key=KEY)
        assert broker.partition("t").high_watermark == 2, "the good part of it went in"

    run(main())


def test_other_acks_are_refused() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        for acks in (2, -2):
            (answer,) = await produced(broker, ("t", 0, batch(b"a")), acks=acks)
            assert answer.error_code == ErrorCode.INVALID_REQUIRED_ACKS and answer.base_offset == -1
        assert broker.partition("t").log.end_offset == 0

    run(main())


def test_partitions_are_judged_one_by_one() -> None:
    async def main() -> None:
        broker = Broker(t=6)
        broken = batch(b"x")
        broken[-1] ^= 1
        answers = await produced(
            broker,
            ("t", 0, batch(b"a")),
            ("t", 6, batch(b"a")),
            ("nowhere", 0, batch(b"a")),
            ("t", 1, broken),
            ("t", 2, b""),
            ("t", 3, None),
            ("t", 4, batch(b"a") + batch(b"b")),
            ("t", 5, batch(b"a")),
        )
        assert [(a.index, a.error_code, a.base_offset) for a in answers] == [
            (0, 0, 0),
            (6, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
            (1, ErrorCode.CORRUPT_MESSAGE, -1),
            (2, ErrorCode.INVALID_RECORD, -1),
            (3, ErrorCode.INVALID_RECORD, -1),
            (4, ErrorCode.INVALID_RECORD, -1),
            (5, 0, 0),
            (0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        ]

    run(main())


@pytest.mark.parametrize("codec", [0, 1])
def test_a_header_that_tells_impossible_times_is_put_right_by_its_records(codec: int) -> None:
    """In the future, before the first record, or where the first record has none: as in Kafka the records count."""

    async def main() -> None:
        broker = Broker(t=1)
        now = broker.clock.now_ms()
        for at, (base, newest) in enumerate(((None, 1 << 60), (None, 0), (None, -1), (-1, None))):
            raw = batch(b"x", now=now, codec=codec)
            for position, value in ((27, base), (35, newest)):
                if value is not None:
                    struct.pack_into(">q", raw, position, value)
            seal(raw, 0, len(raw))
            (answer,) = await produced(broker, ("t", 0, raw))
            assert (answer.error_code, answer.base_offset) == (0, at)
        stored = headers(broker.partition("t").read(0, 1 << 20, 4, True).read())  # type: ignore[union-attr]
        assert [one.max_timestamp for one in stored] == [now, now, now, -1]

    run(main())


def test_a_header_in_the_future_whose_records_are_too_is_refused() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        (answer,) = await produced(broker, ("t", 0, batch(b"x", now=broker.clock.now_ms() + 10**10)))
        assert answer.error_code == ErrorCode.INVALID_TIMESTAMP

    run(main())


def test_what_is_no_batch_at_all() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        raw = batch(b"x")
        raw[16] = 3
        (answer,) = await produced(broker, ("t", 0, raw))
        assert (answer.error_code, answer.log_start_offset) == (ErrorCode.CORRUPT_MESSAGE, -1)
        assert answer.error_message == "Invalid magic found in record: 3"
        raw[16] = 1
        (answer,) = await produced(broker, ("t", 0, raw))
        assert (answer.error_code, answer.error_message) == (ErrorCode.INVALID_RECORD, None)

    run(main())


def test_a_transactional_batch_needs_a_transactional_id() -> None:
    async def main() -> None:
        raw = batch(b"a", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0)
        (answer,) = await produced(Broker(t=1), ("t", 0, raw))
        assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED

    run(main())


def test_a_transactional_batch_without_a_transactional_id_refuses_all_before_anything_else() -> None:
    """Before checksums and acks, and for partitions that would take theirs, as in Kafka."""

    async def main() -> None:
        broker = Broker(t=2)
        raw = batch(b"a", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0)
        raw[-1] ^= 1
        asked = ("t", 0, batch(b"b")), ("t", 1, raw), ("nowhere", 0, batch(b"c"))
        for acks in (1, 7):
            answers = await produced(broker, *asked, acks=acks)
            assert {one.error_code for one in answers} == {ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}
        assert broker.partition("t").log.end_offset == 0
        raw[16] = 3  # and so it is no batch at all
        (answer,) = await produced(broker, ("t", 1, raw))
        assert answer.error_code == ErrorCode.CORRUPT_MESSAGE

    run(main())


def test_a_partition_named_twice_counts_once() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        (answer,) = await produced(broker, ("t", 0, batch(b"a", b"b")), ("t", 0, batch(b"c")))
        assert answer.base_offset == 0 and broker.partition("t").log.end_offset == 1

    run(main())


@pytest.mark.parametrize("version", [9, 13])
def test_a_topic_named_twice_is_answered_once_and_without_partitions_not_at_all(version: int) -> None:
    async def main() -> None:
        broker = Broker(t=2, u=1)
        asked = request(("t", 0, batch(b"a")), ("u", 0, None), version=version)
        asked.topic_data[1].partition_data = []
        again = request(("t", 1, batch(b"b")), ("t", 0, batch(b"c", b"d")), version=version)
        asked.topic_data += again.topic_data
        response = await broker.answer(asked, version, key=KEY)
        (topic,) = response.responses
        assert [(one.index, one.error_code) for one in topic.partition_responses] == [(0, 0), (1, 0)]
        assert broker.partition("t", 0).log.end_offset == 2  # of a partition, what was said last

    run(main())


def test_unknown_topic_ids() -> None:
    async def main() -> None:
        (answer,) = await produced(Broker(t=1), ("u", 0, batch(b"a")), version=13)
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_ID

    run(main())


def test_zstd_needs_version_seven() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        (answer,) = await produced(broker, ("t", 0, batch(b"a", codec=4)), version=6)
        assert answer.error_code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
        (answer,) = await produced(broker, ("t", 0, batch(b"a", codec=4)), version=7)
        assert answer.error_code == 0

    run(main())


def test_internal_topics_are_for_kafkas_own_tools() -> None:
    async def main() -> None:
        broker = Broker(__consumer_offsets=1)
        (answer,) = await produced(broker, ("__consumer_offsets", 0, batch(b"a")))
        assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        (answer,) = await produced(broker, ("__consumer_offsets", 0, batch(b"a")), client_id="__admin_client")
        assert answer.error_code == 0

    run(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_keyless_records_are_named(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", cleanup_policy="compact")
        (answer,) = await produced(broker, ("t", 0, batch(b"a", b"b", key=None)), version=version)
        assert answer.error_code == ErrorCode.INVALID_RECORD
        assert answer.log_start_offset == 0, "the partition was reached"
        assert [error.batch_index for error in answer.record_errors] == ([0, 1] if version >= 8 else [])
        if version >= 8:
            assert answer.error_message.startswith("One or more records have been rejected due to 2 record errors")

    run(main())


def test_timestamps_out_of_range_are_named() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        (answer,) = await produced(broker, ("t", 0, batch(b"a", timestamp=10**15)))
        assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
        assert [error.batch_index for error in answer.record_errors] == [0]
        assert answer.error_message == "One or more records have been rejected due to invalid timestamp"

    run(main())


def test_append_time_is_answered() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", message_timestamp_type="LogAppendTime")
        (answer,) = await produced(broker, ("t", 0, batch(b"a", timestamp=5)))
        assert answer.log_append_time_ms == broker.clock.now_ms()

    run(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wrong_broker_names_the_right_one(version: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", leader=2, replicas=(2,), epoch=4)
        response = await broker.answer(request(("t", 0, batch(b"a")), version=version), version, key=KEY)
        assert response_frame(1, response, version)
        (answer,) = response.responses[0].partition_responses
        assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        leader = (answer.current_leader.leader_id, answer.current_leader.leader_epoch)
        named = [(node.node_id, node.host, node.port, node.rack) for node in response.node_endpoints]
        assert (leader, named) == (((2, 4), [(2, "two", 9092, "r2")]) if version >= 10 else ((-1, -1), []))

    run(main())


def test_an_empty_request_gets_an_empty_answer() -> None:
    async def main() -> None:
        assert await produced(Broker(t=1), acks=7) == []

    run(main())


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_acks_all_waits_for_the_replicas() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        waiting = broker.ask(request(("t", 0, batch(b"a")), acks=-1), 9, key=KEY)
        await asyncio.sleep(0.5)
        assert not waiting.done()
        assert not isinstance(broker.ask(request(("t", 0, batch(b"a")), acks=1), 9, key=KEY), asyncio.Future)
        broker.partition("t").replica_asks(2, -1, 1, 0, broker.clock.now_ms())
        (answer,) = (await waiting).responses[0].partition_responses
        assert (answer.error_code, answer.base_offset) == (0, 0)

    run(main())


def test_acks_all_waits_no_longer_than_asked() -> None:
    async def main() -> None:
        broker = Broker(fine=1)
        broker.add("t", replicas=(1, 2))
        begun = broker.loop.time()
        answers = await produced(broker, ("t", 0, batch(b"a")), ("fine", 0, batch(b"a")), acks=-1, timeout_ms=700)
        assert broker.loop.time() - begun == pytest.approx(0.7)
        assert [a.error_code for a in answers] == [ErrorCode.REQUEST_TIMED_OUT, 0]

    run(main())


def test_too_few_replicas_before_and_after_the_append() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2), min_insync_replicas="2", isr=(1,))
        (answer,) = await produced(broker, ("t", 0, batch(b"a")), acks=-1)
        assert answer.error_code == ErrorCode.NOT_ENOUGH_REPLICAS and answer.log_start_offset == 0
        broker.add("t", replicas=(1, 2), min_insync_replicas="2")
        waiting = broker.ask(request(("t", 0, batch(b"a")), acks=-1, timeout_ms=60_000), 9, key=KEY)
        broker.add("t", replicas=(1, 2), min_insync_replicas="2", isr=(1,))
        assert not waiting.done()

    run(main())


def test_a_topic_deleted_while_its_producer_waits() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        waiting = broker.ask(request(("t", 0, batch(b"a")), acks=-1), 9, key=KEY)
        broker.drop("t")
        (answer,) = (await waiting).responses[0].partition_responses
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    run(main())


@pytest.mark.parametrize("acks", [1, -1])
def test_with_flush_messages_answers_wait_for_the_disk(acks: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        synced = broker.disk.io["fsync"]
        waiting = broker.ask(request(("t", 0, batch(b"a")), acks=acks), 9, key=KEY)
        assert isinstance(waiting, asyncio.Future)
        (answer,) = (await waiting).responses[0].partition_responses
        assert answer.error_code == 0 and broker.disk.io["fsync"] > synced
        assert broker.partition("t").log.recovery_point == 1

    run(main())


def test_a_failing_disk_under_flush_messages() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        broker.disk.failing["fsync", ".log"] = OSError(5, "I/O error")
        (answer,) = await produced(broker, ("t", 0, batch(b"a")))
        assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR

    run(main())
