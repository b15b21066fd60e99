"""Batches and records: against kafka-python's and aiokafka's own builders, in every codec, and against damage."""

from __future__ import annotations

import warnings
import zlib
from random import Random
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AiokafkaBuilder

from kafkawire import batches
from kafkawire.batches import HEADER_SIZE, crc_ok, header_at, headers, stamp
from kafkawire.errors import WireError
from kafkawire.records import Record, build, iterate
from kafkawire.varint import varint

with warnings.catch_warnings():  # kafka-python reads its own resources in a way that is going out of fashion
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

RECORDS = [
    Record(0, 1_700_000_000_000, b"key", b"value"),
    Record(1, 1_700_000_000_005, None, b"no key", [("trace", b"1"), ("nothing", None), ("grüße", b"")]),
    Record(2, 1_699_999_999_000, b"", None),
    Record(3, 1_700_000_000_001, b"long" * 50, b"value " * 500),
]
CODECS = range(5)


@pytest.mark.parametrize("codec", CODECS)
def test_what_we_build_others_read(codec: int) -> None:
    (batch,) = MemoryRecords(bytes(build(RECORDS, codec=codec)))  # its reader gives batches
    assert batch.validate_crc()
    read = [(each.offset, each.timestamp, each.key, each.value, list(each.headers)) for each in batch]
    assert read == [tuple(each) for each in RECORDS]


@pytest.mark.parametrize("codec", CODECS)
def test_what_kafka_python_builds_we_read(codec: int) -> None:
    builder = MemoryRecordsBuilder(magic=2, compression_type=codec, batch_size=1 << 20)
    for record in RECORDS:
        builder.append(record.timestamp, record.key, record.value, record.headers)
    builder.close()
    _we_read(builder.buffer(), codec)


@pytest.mark.parametrize("codec", CODECS)
def test_what_aiokafka_builds_we_read(codec: int) -> None:
    builder = AiokafkaBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for index, record in enumerate(RECORDS):
        builder.append(index, record.timestamp, record.key, record.value, record.headers)
    _we_read(bytes(builder.build()), codec)


def _we_read(data: bytes, codec: int) -> None:
    (header,) = headers(data)
    assert header.codec == codec
    assert crc_ok(data, header)
    assert (header.count, header.last_offset, header.length) == (4, 3, len(data))
    assert header.max_timestamp == 1_700_000_000_005
    assert list(iterate(data)) == RECORDS


def test_uncompressed_bytes_are_kafka_pythons() -> None:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for record in RECORDS:
        builder.append(record.timestamp, record.key, record.value, record.headers)
    builder.close()
    assert build(RECORDS, leader_epoch=header_at(builder.buffer(), 0).leader_epoch) == builder.buffer()


def test_pairs_take_the_time_given_and_offsets_in_turn() -> None:
    data = build(
        [(b"a", b"1"), (None, None)], base_offset=7, timestamp=5, producer_id=9, producer_epoch=2, base_sequence=4
    )
    header = header_at(data, 0)
    assert (header.base_offset, header.last_offset, header.next_offset) == (7, 8, 9)
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.last_sequence) == (9, 2, 4, 5)
    assert list(iterate(data)) == [Record(7, 5, b"a", b"1"), Record(8, 5, None, None)]


def test_flags() -> None:
    header = header_at(build([(b"k", b"v")], transactional=True, control=True, append_time=True, timestamp=8), 0)
    assert header.is_transactional and header.is_control and header.log_append_time
    assert header_at(build([(b"k", b"v")]), 0)[6] == 0


def test_append_time_is_every_records_time() -> None:
    data = build([Record(0, 5, None, b"x"), Record(1, 6, None, b"y")], append_time=True, timestamp=99)
    assert [record.timestamp for record in iterate(data)] == [99, 99]


def test_sequences_wrap() -> None:
    header = header_at(build([(None, b"")] * 3, producer_id=1, producer_epoch=0, base_sequence=2**31 - 2), 0)
    assert header.last_sequence == 0
    assert header_at(build([(None, b"")]), 0).last_sequence == -1


def test_stamping_leaves_the_checksum_alone() -> None:
    data = build(RECORDS)
    stamp(data, 0, 1234, 9)
    (header,) = headers(data)
    assert (header.base_offset, header.leader_epoch) == (1234, 9)
    assert crc_ok(data, header)
    assert [record.offset for record in iterate(data)] == [1234, 1235, 1236, 1237]


def test_several_batches_in_one_buffer() -> None:
    one, two = build(RECORDS), build([(b"k", b"v")], base_offset=4)
    first, second = headers(one + two)
    assert (first.position, second.position, second.base_offset) == (0, len(one), 4)
    assert crc_ok(one + two, second)
    for size in range(1, len(two)):
        with pytest.raises(WireError):
            headers(one + two[:size])
    assert headers(b"") == []


@pytest.mark.parametrize("length", [-1, 0, 48, -(2**31)])
def test_impossible_batch_lengths(length: int) -> None:
    data = build(RECORDS)
    data[8:12] = length.to_bytes(4, "big", signed=True)
    with pytest.raises(WireError):
        headers(data)


def test_any_flipped_bit_under_the_checksum_is_seen() -> None:
    data = build(RECORDS)
    for position in range(batches.CRC_FROM, len(data), 7):
        spoilt = bytearray(data)
        spoilt[position] ^= 0x10
        assert not crc_ok(spoilt, header_at(spoilt, 0))


@pytest.mark.parametrize("codec", CODECS)
def test_damaged_records_are_wire_errors(codec: int) -> None:
    random = Random(codec)
    data = build(RECORDS, codec=codec)
    for _ in range(1500):
        spoilt = bytearray(data)
        for _ in range(random.choice((1, 1, 3))):
            spoilt[random.randrange(HEADER_SIZE, len(data))] = random.choice(
                (0, 1, 0x7F, 0x80, 0xFF, random.randrange(256))
            )
        try:
            list(iterate(spoilt, 1 << 20))
        except WireError:
            pass


def _batch_of(body: bytes, count: int) -> bytearray:
    data = build([])
    data[57:61] = count.to_bytes(4, "big", signed=True)
    data += body
    data[8:12] = (len(data) - 12).to_bytes(4, "big")
    return data


def _record(fields: bytes) -> bytes:
    return varint(len(fields)) + fields


@pytest.mark.parametrize(
    "body",
    [
        _record(b"\0\0\0\1\1\0") + b"\0",  # a byte behind the last record
        _record(b"\0\0\0\1\1\0\0"),  # a byte behind the last field
        _record(b"\0\0\0\3\1\0"),  # a key of length -2
        _record(b"\0\0\0" + varint(2**31 - 1) + b"\1\0"),  # a key that isn't there
        _record(b"\0\0\0\1\1" + varint(2**31 - 1)),  # headers that aren't there
        _record(b"\0\0\0\1\1\1"),  # a negative number of headers
        _record(b"\0\0\0\1\1\2\1\1"),  # a header without a key
        _record(b"\0\0\0\1\1\2\4\xff\xfe\1"),  # a header's key is no text
        varint(-1) + b"\0\0\0\1\1\0",
        varint(2**40) + b"\0\0\0\1\1\0",
        b"\xff" * 11,
        b"",
    ],
    ids=range(12),
)
def test_malformed_records(body: bytes) -> None:
    with pytest.raises(WireError):
        list(iterate(_batch_of(body, 1)))


def test_counts_that_are_wrong() -> None:
    good = _record(b"\0\0\0\1\1\0")
    assert len(list(iterate(_batch_of(good, 1)))) == 1
    for count in (0, 2, -1, 2**31 - 1):
        with pytest.raises(WireError):
            list(iterate(_batch_of(good, count)))


def test_a_bomb_in_a_batch_is_stopped_at_the_limit() -> None:
    data = build([(None, bytes(10_000_000))], codec=1)
    assert len(data) < 20_000
    with pytest.raises(WireError):
        list(iterate(data, 1_000_000))


def test_samples_of_all_sizes() -> None:
    random = Random(zlib.crc32(b"records"))
    made: list[Any] = []
    for offset in range(300):
        size = random.choice((0, 1, 63, 64, 100, 8191, 8192))
        made.append(Record(offset, random.randrange(2**41), None if size == 1 else random.randbytes(size), bytes(size)))
    assert list(iterate(build(made))) == made
