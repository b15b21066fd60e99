"""One partition over a memory disk: what enters, what the marks do, who is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkawire.batches import headers
from kafkawire.errors import ErrorCode
from kafkawire.records import iterate
from pykafkad.errors import Refused
from pykafkad.runtime.lineage import end_of_epoch, parting
from pykafkad.runtime.partition import TRANSACTIONAL, Appended, Partition
from pykafkad.storage.disk import FileSlice
from tests.kit.broker import Broker, batch, records_of
from tests.kit.loop import run


def code(result: Any) -> ErrorCode:
    assert isinstance(result, Refused), result
    return result.code


def everything(partition: Partition) -> list[tuple[int, bytes | None]]:
    found: list[tuple[int, bytes | None]] = []
    offset = partition.log.start_offset
    while True:
        piece = partition.read(offset, 1 << 20, partition.high_watermark, True)
        if piece is None:
            return found
        assert isinstance(piece, FileSlice)
        found += records_of(piece)
        offset = found[-1][0] + 1


def test_batches_get_their_offsets_and_epoch() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", epoch=7)
        assert broker.write("t", b"a", b"b") == Appended(0, 1, -1, 0)
        assert broker.write("t", b"c") == Appended(2, 2, -1, 0)
        partition = broker.partition("t")
        assert (partition.log.end_offset, partition.high_watermark, partition.last_stable_offset) == (3, 3, 3)
        assert everything(partition) == [(0, b"a"), (1, b"b"), (2, b"c")]
        piece = partition.read(0, 1 << 20, 3, True)
        assert isinstance(piece, FileSlice)
        assert [header.leader_epoch for header in headers(piece.read())] == [7, 7]

    run(main())


def test_what_stands_behind_a_batch_is_left_out() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        raw = batch(b"x")
        assert broker.partition("t").append(raw + b"junk", 1, broker.clock.now_ms()) == Appended(0, 0, -1, 0)
        assert broker.partition("t").log.size == len(raw)
        assert broker.write("t", b"y") == Appended(1, 1, -1, 0)
        assert everything(broker.partition("t")) == [(0, b"x"), (1, b"y")]

    run(main())


def test_a_claimed_append_time_becomes_a_create_time() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        assert broker.write("t", b"x", append_time=True) == Appended(0, 0, -1, 0)
        piece = broker.partition("t").read(0, 1 << 20, 1, True)
        assert isinstance(piece, FileSlice)
        header = headers(piece.read())[0]
        assert not header.log_append_time and header.max_timestamp == broker.clock.now_ms()

    run(main())


def test_read_only_bytes_are_copied_before_they_are_stamped() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        raw = bytes(batch(b"x"))
        partition = broker.partition("t")
        for base in range(3):
            assert partition.append(memoryview(raw), 1, broker.clock.now_ms()) == Appended(base, base, -1, 0)
        assert everything(partition) == [(0, b"x"), (1, b"x"), (2, b"x")]

    run(main())


def test_a_wrong_crc_and_half_a_batch() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition, now = broker.partition("t"), broker.clock.now_ms()
        flipped = batch(b"hello")
        flipped[-1] ^= 1
        assert code(partition.append(flipped, 1, now)) == ErrorCode.CORRUPT_MESSAGE
        for length in (0, 5, 17, 60, len(flipped) - 1):
            assert code(partition.append(flipped[:length], 1, now)) == ErrorCode.INVALID_RECORD
        assert code(partition.append(batch(b"a") + batch(b"b"), 1, now)) == ErrorCode.INVALID_RECORD
        assert partition.log.end_offset == 0

    run(main())


@pytest.mark.parametrize(
    ("settings", "made", "expected"),
    [
        ({"max_message_bytes": "100"}, {}, ErrorCode.MESSAGE_TOO_LARGE),
        ({}, {"producer_id": 5, "producer_epoch": 0, "base_sequence": -1}, ErrorCode.INVALID_RECORD),
        ({}, {"timestamp": 10**15}, ErrorCode.INVALID_TIMESTAMP),
        ({"message_timestamp_before_max_ms": "1000"}, {"timestamp": 5}, ErrorCode.INVALID_TIMESTAMP),
        ({"cleanup_policy": "compact"}, {"key": None}, ErrorCode.INVALID_RECORD),
    ],
)
def test_refusals(settings: dict[str, str], made: dict[str, Any], expected: ErrorCode) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", **settings)
        assert code(broker.write("t", b"x" * 100, **made)) == expected
        assert broker.partition("t").log.end_offset == 0

    run(main())


def test_refused_records_are_named() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", cleanup_policy="compact")
        from kafkawire.records import build

        raw = build([(b"k", b"1"), (None, b"2"), (b"k", b"3"), (None, b"4")], timestamp=broker.clock.now_ms())
        refused = broker.partition("t").append(raw, 1, broker.clock.now_ms())
        assert code(refused) == ErrorCode.INVALID_RECORD
        assert [at for at, _ in refused.errors] == [1, 3]  # type: ignore[union-attr]
        assert "without key" in refused.errors[0][1]  # type: ignore[union-attr]

    run(main())


def test_append_time_is_the_brokers_and_needs_no_look_at_the_records() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", message_timestamp_type="LogAppendTime")
        await asyncio.sleep(1)
        now = broker.clock.now_ms()
        assert broker.write("t", b"a", b"b", timestamp=5) == Appended(0, 1, now, 0)
        piece = broker.partition("t").read(0, 1 << 20, 2, True)
        assert isinstance(piece, FileSlice)
        raw = piece.read()
        header = headers(raw)[0]
        assert header.max_timestamp == now and header.attributes & 8
        assert [record.timestamp for record in iterate(raw)] == [now, now]

    run(main())


@pytest.mark.parametrize("source", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(("kind", "target"), [("uncompressed", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)])
def test_topics_choose_their_codec(source: int, kind: str, target: int) -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", compression_type=kind)
        assert broker.write("t", b"a" * 500, b"b", codec=source) == Appended(0, 1, -1, 0)
        partition = broker.partition("t")
        assert everything(partition) == [(0, b"a" * 500), (1, b"b")]
        piece = partition.read(0, 1 << 20, 2, True)
        assert isinstance(piece, FileSlice)
        assert headers(piece.read())[0].attributes & 7 == target

    run(main())


def test_a_batch_that_grows_too_large_when_unpacked() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", compression_type="uncompressed", max_message_bytes="2000")
        assert code(broker.write("t", b"a" * 5000, codec=4)) == ErrorCode.MESSAGE_TOO_LARGE

    run(main())


def test_settings_change_while_it_runs() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        assert isinstance(broker.write("t", b"x" * 300), Appended)
        broker.add("t", max_message_bytes="200")
        assert code(broker.write("t", b"x" * 300)) == ErrorCode.MESSAGE_TOO_LARGE
        broker.add("t")
        broker.set_broker(message_max_bytes="150")
        assert code(broker.write("t", b"x" * 300)) == ErrorCode.MESSAGE_TOO_LARGE
        broker.set_broker()
        assert isinstance(broker.write("t", b"x" * 300), Appended)

    run(main())


def test_a_retry_is_answered_as_the_first_time() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        producer = {"producer_id": 9, "producer_epoch": 0}
        assert broker.write("t", b"a", b"b", base_sequence=0, **producer) == Appended(0, 1, -1, 0)
        assert broker.write("t", b"c", base_sequence=2, **producer) == Appended(2, 2, -1, 0)
        again = broker.write("t", b"a", b"b", base_sequence=0, **producer)
        assert again[:2] == (0, 1)
        assert code(broker.write("t", b"d", base_sequence=5, **producer)) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert broker.partition("t").log.end_offset == 3

    run(main())


def test_sequences_survive_a_crash_and_a_clean_restart() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        producer = {"producer_id": 9, "producer_epoch": 0}
        broker.write("t", b"a", base_sequence=0, **producer)
        broker = broker.crashed()
        assert broker.write("t", b"a", base_sequence=0, **producer)[:2] == (0, 0)
        broker.write("t", b"b", base_sequence=1, **producer)
        broker = await broker.restarted()
        assert broker.write("t", b"b", base_sequence=1, **producer)[:2] == (1, 1)
        assert broker.write("t", b"c", base_sequence=2, **producer)[:2] == (2, 2)
        assert [value for _, value in everything(broker.partition("t"))] == [b"a", b"b", b"c"]

    run(main())


def test_not_the_leader() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        broker.add("t", leader=2, replicas=(1, 2), epoch=1)
        assert code(partition.append(batch(b"x"), 1, 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert code(broker.partitions.get("t", 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
        broker.add("t", leader=1, replicas=(1, 2), epoch=2)
        assert isinstance(broker.write("t", b"x"), Appended)

    run(main())


def test_the_watermark_waits_for_the_other_replica() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        partition, told = broker.partition("t"), []
        assert broker.write("t", b"a", acks=-1) == Appended(0, 0, -1, 0)
        partition.committed(1, lambda: told.append("committed"))
        partition.durable(1, lambda: told.append("durable"))
        assert partition.high_watermark == 0 and partition.durable_end == 1 and told == ["durable"]
        assert partition.read(0, 1000, partition.high_watermark, True) is None
        assert partition.replica_asks(2, -1, 0, 0, 1000) is None
        assert partition.high_watermark == 0
        assert partition.replica_asks(2, -1, 1, 0, 1000) is None
        assert partition.high_watermark == 1 and told == ["durable", "committed"]
        assert code(partition.replica_asks(3, -1, 1, 0, 0)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert code(partition.replica_asks(3, 0, 1, 0, 0)) == ErrorCode.UNKNOWN_LEADER_EPOCH

    run(main())


def test_too_few_in_sync_replicas() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2), isr=(1,), min_insync_replicas="2")
        assert code(broker.write("t", b"a", acks=-1)) == ErrorCode.NOT_ENOUGH_REPLICAS
        assert isinstance(broker.write("t", b"a", acks=1), Appended)
        assert broker.partition("t").high_watermark == 0
        broker.add("t", replicas=(1, 2), isr=(1,))
        assert broker.partition("t").high_watermark == 1, "the setting went, and with it the reason to wait"

    run(main())


def test_those_who_wait_are_told_when_the_leader_changes() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        partition, told = broker.partition("t"), []
        broker.write("t", b"a")
        partition.committed(1, lambda: told.append("committed"), lambda refused: told.append(refused.code.name))
        partition.on_grow(told.append)
        broker.add("t", replicas=(1, 2), leader=2, epoch=1)
        assert told == ["NOT_LEADER_OR_FOLLOWER", -1]

    run(main())


def test_readers_are_told_of_new_bytes() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition, told = broker.partition("t"), []
        partition.on_grow(told.append)
        raw = batch(b"x")
        partition.append(raw, 1, broker.clock.now_ms())
        partition.off_grow(told.append)
        assert told == [len(raw)]

    run(main())


def test_who_waits_for_a_sync_is_answered_though_the_settings_change_meanwhile() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", flush_messages="1")
        partition, safe = broker.partition("t"), []
        broker.write("t", b"a")
        partition.durable(1, lambda: safe.append(1))
        partition.committed(1, lambda: safe.append(-1))
        broker.add("t")
        broker.write("t", b"b")
        assert safe == []
        await asyncio.sleep(1)
        assert sorted(safe) == [-1, 1] and marks(partition) == (2, 2) and partition.answers_at_once

    run(main())


def test_a_disk_that_heals_is_told_though_the_settings_change_meanwhile() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.write("t", b"a")
        broker.disk.capacity = 0
        broker.write("t", b"b")
        health = broker.partition("t").log.place.health
        assert health.refusal
        broker.add("t", max_message_bytes="1000")
        broker.disk.capacity = None
        broker.write("t", b"c")
        assert not health.refusal and broker.partition("t").answers_at_once

    run(main())


def test_readers_are_told_nothing_of_a_closed_segment() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition, told = broker.partition("t"), []
        broker.write("t", b"a")
        partition.on_grow(told.append)
        partition.log.roll(broker.clock.now_ms())
        await asyncio.sleep(1)
        assert partition.log.recovery_point == 1 and told == []

    run(main())


def test_a_coordinators_own_records() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        assert partition.append_own(bytes(batch(b"a", b"b")), broker.clock.now_ms()) == 0
        assert partition.append_own(batch(b"c"), broker.clock.now_ms()) == 2
        assert partition.high_watermark == 3
        assert everything(partition) == [(0, b"a"), (1, b"b"), (2, b"c")]

    run(main())


def test_offsets_outside_the_log() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        for _ in range(5):
            broker.write("t", b"x")
        assert partition.delete_records(2) == 2
        assert code(partition.read(1, 1000, 5, True)) == ErrorCode.OFFSET_OUT_OF_RANGE
        assert code(partition.read(6, 1000, 5, True)) == ErrorCode.OFFSET_OUT_OF_RANGE
        assert partition.read(5, 1000, 5, True) is None

    run(main())


def test_delete_records() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.add("c", cleanup_policy="compact")
        for topic in ("t", "c"):
            broker.write(topic, b"a", b"b", b"c")
        partition = broker.partition("t")
        assert partition.delete_records(1) == 1
        assert partition.delete_records(0) == 1, "a start never moves back"
        assert partition.delete_records(-1) == 3
        assert code(partition.delete_records(4)) == ErrorCode.OFFSET_OUT_OF_RANGE
        assert code(partition.delete_records(-2)) == ErrorCode.OFFSET_OUT_OF_RANGE
        assert code(broker.partition("c").delete_records(1)) == ErrorCode.POLICY_VIOLATION

    run(main())


def test_leader_epochs() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", epoch=3)
        partition = broker.partition("t")
        assert end_of_epoch(partition, -1, 3) == (3, 0), "the epoch has begun though nothing was written"
        broker.write("t", b"a", b"b")
        broker.add("t", epoch=5)
        assert end_of_epoch(partition, 5, 3) == (3, 2)
        assert end_of_epoch(partition, -1, 5) == (5, 2)
        broker.write("t", b"c")
        assert end_of_epoch(partition, 5, 3) == (3, 2)
        assert end_of_epoch(partition, 5, 4) == (3, 2)
        assert end_of_epoch(partition, 5, 5) == (5, 3)
        assert end_of_epoch(partition, 5, 6) == (-1, -1)
        assert end_of_epoch(partition, 5, 2) == (2, 0)
        assert code(end_of_epoch(partition, 4, 3)) == ErrorCode.FENCED_LEADER_EPOCH
        assert code(end_of_epoch(partition, 6, 3)) == ErrorCode.UNKNOWN_LEADER_EPOCH
        assert parting(partition, 3, 2) is None
        assert parting(partition, 3, 3) == (3, 2)
        assert parting(partition, 4, 2) == (3, 2)
        assert parting(partition, 5, 3) is None

    run(main())


def test_a_full_disk_refuses_writes_serves_reads_and_heals() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.write("t", b"a")
        broker.disk.capacity = 0
        assert code(broker.write("t", b"b")) == ErrorCode.KAFKA_STORAGE_ERROR
        assert everything(broker.partition("t")) == [(0, b"a")]
        broker.disk.capacity = None
        assert broker.write("t", b"c") == Appended(1, 1, -1, 0)
        assert everything(broker.partition("t")) == [(0, b"a"), (1, b"c")]

    run(main())


def test_a_failed_write_leaves_no_trace_of_its_sequence() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        producer = {"producer_id": 9, "producer_epoch": 0}
        broker.write("t", b"a", base_sequence=0, **producer)
        broker.disk.capacity = 0
        assert code(broker.write("t", b"b", base_sequence=1, **producer)) == ErrorCode.KAFKA_STORAGE_ERROR
        broker.disk.capacity = None
        assert broker.write("t", b"b", base_sequence=1, **producer) == Appended(1, 1, -1, 0)

    run(main())


def test_metrics_count_what_enters() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        raw = batch(b"a", b"b")
        size = len(raw)
        broker.partition("t").append(raw, 1, broker.clock.now_ms())
        cells = broker.partition("t").cells
        assert (cells.messages_in.value, cells.bytes_in.value) == (2, size)
        broken = batch(b"a")
        broken[-1] ^= 1
        broker.partition("t").append(broken, 1, broker.clock.now_ms())
        assert cells.wrong_crc.value == 1

    run(main())


# -- transactions -----------------------------------------------------------------------------------------------------


def marks(partition: Partition) -> tuple[int, int]:
    return partition.last_stable_offset, partition.high_watermark


def test_the_stable_offset_waits_for_the_oldest_open_transaction() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        broker.write("t", b"plain")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        broker.write_in_transaction("t", b"b", producer=(2, 0, 0))
        broker.write("t", b"plain")
        assert marks(partition) == (1, 4)
        broker.end("t", 2, 0, commit=True)
        assert marks(partition) == (1, 5)
        broker.end("t", 1, 0, commit=False)
        assert marks(partition) == (6, 6)
        broker.write("t", b"plain")
        assert marks(partition) == (7, 7)

    run(main())


def test_the_first_transaction_of_a_partition_may_begin_in_a_run() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition, now = broker.partition("t"), broker.clock.now_ms()
        guard = partition.vouch(1, 0, 0, now, epoch_bumps=True)
        assert guard is not None and not isinstance(guard, Refused)
        who = {"producer_id": 1, "producer_epoch": 0, "transactional": True}
        run = [memoryview(batch(b"x", base_sequence=sequence, **who)) for sequence in (0, 1)]
        assert partition.append_run(run, -1, now, True, TRANSACTIONAL, guard) == [(0, 0, -1, 0), (1, 1, -1, 0)]
        assert marks(partition) == (0, 2)
        broker.end("t", 1, 1, commit=True)
        assert marks(partition) == (3, 3)

    run(main())


def test_the_stable_offset_waits_for_the_markers_replicas() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", replicas=(1, 2))
        partition = broker.partition("t")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        partition.replica_asks(2, -1, 1, 0, 0)
        broker.end("t", 1, 0, commit=True)
        assert marks(partition) == (0, 1)
        partition.replica_asks(2, -1, 2, 0, 0)
        assert marks(partition) == (2, 2)

    run(main())


def test_open_transactions_are_known_after_a_restart() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        broker.write("t", b"plain")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        broker = await broker.restarted()
        assert marks(broker.partition("t")) == (1, 2)
        broker = broker.crashed()
        assert marks(broker.partition("t")) == (1, 2)
        assert broker.write_in_transaction("t", b"b", producer=(1, 0, 1), vouched=False) == Appended(2, 2, -1, 0)
        broker.end("t", 1, 0, commit=True)
        assert marks(broker.partition("t")) == (4, 4)

    run(main())


def test_deleting_records_of_an_open_transaction_moves_the_stable_offset_with_the_start() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        broker.write("t", b"b", b"c")
        assert partition.delete_records(2) == 2
        assert (partition.last_stable_offset, partition.high_watermark) == (2, 3)

    run(main())


def test_retention_that_takes_an_open_transaction_moves_the_stable_offset_with_the_start() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", segment_ms="1000", retention_ms="5000")
        partition = broker.partition("t")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        await asyncio.sleep(4)
        broker.write("t", b"b")
        await asyncio.sleep(4)
        assert marks(partition) == (0, 2)
        assert partition.retain(broker.clock.now_ms()) == 1
        assert (partition.log.start_offset, *marks(partition)) == (1, 1, 2)

    run(main())


def test_a_full_disk_refuses_a_marker_and_heals() -> None:
    async def main() -> None:
        broker = Broker(t=1)
        partition = broker.partition("t")
        broker.write_in_transaction("t", b"a", producer=(1, 0, 0))
        for suffix in (".txnindex", ".log"):
            broker.disk.failing["append", suffix] = OSError("full")
            assert code(broker.end("t", 1, 0, commit=False)) == ErrorCode.KAFKA_STORAGE_ERROR
            broker.disk.failing.clear()
            assert marks(partition) == (0, 1)
        assert broker.end("t", 1, 0, commit=False) == Appended(1, 1, -1, 0)
        assert marks(partition) == (2, 2)

    run(main())
