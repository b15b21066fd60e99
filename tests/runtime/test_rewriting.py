"""Batches that are looked into or changed on their way in."""

from __future__ import annotations

from typing import Any

import pytest

from kafkawire.batches import crc_ok, header_at
from kafkawire.errors import ErrorCode
from kafkawire.records import Record, build, iterate
from pykafkad.config import TopicConfig
from pykafkad.errors import Refused
from pykafkad.runtime.rewriting import RefusedRecords, look_into, rewrite
from pykafkad.state.acceptance import limits_of

NOW = 1_700_000_000_000
RECORDS = [
    Record(0, NOW, b"k", b"v" * 300, [("h", b"1"), ("h", None)]),
    Record(1, NOW + 5, None, None, []),
    Record(2, NOW - 5, b"", b"", []),
]


def rewritten(batch: bytes | bytearray, **settings: Any) -> bytearray:
    out = rewrite(batch, header_at(batch, 0), limits_of(TopicConfig(**settings)), NOW + 1000)
    assert isinstance(out, bytearray), out
    header = header_at(out, 0)
    assert header.length == len(out) and crc_ok(out, header)
    return out


@pytest.mark.parametrize("source", range(5))
@pytest.mark.parametrize("target", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_any_codec_becomes_any_other_and_the_records_stay(source: int, target: str) -> None:
    batch = build(RECORDS, codec=source, producer_id=7, producer_epoch=1, base_sequence=3)
    out = rewritten(batch, compression_type=target)
    assert list(iterate(out)) == RECORDS
    before, after = header_at(batch, 0), header_at(out, 0)
    assert after[6:] != () and after.codec == ["uncompressed", "gzip", "snappy", "lz4", "zstd"].index(target)
    assert after[7:] == before[7:], "offsets, times, producer and count are as they were"


@pytest.mark.parametrize("source", range(5))
def test_append_time_changes_the_header_only(source: int) -> None:
    batch = build(RECORDS, codec=source)
    out = rewritten(batch, message_timestamp_type="LogAppendTime")
    assert out[61:] == batch[61:]
    header = header_at(out, 0)
    assert header.max_timestamp == NOW + 1000 and header.log_append_time
    assert header.base_timestamp == header_at(batch, 0).base_timestamp
    assert [record.timestamp for record in iterate(out)] == [NOW + 1000] * 3


def test_codec_and_append_time_together() -> None:
    out = rewritten(build(RECORDS), compression_type="gzip", message_timestamp_type="LogAppendTime")
    header = header_at(out, 0)
    assert (
        header.codec == 1 and header.log_append_time and [r.value for r in iterate(out)] == [r.value for r in RECORDS]
    )


def test_garbage_inside_a_compressed_batch_is_refused_where_it_is_unpacked() -> None:
    batch = build(RECORDS, codec=1)
    batch[61:] = b"\0" * (len(batch) - 61)
    out = rewrite(batch, header_at(batch, 0), limits_of(TopicConfig(compression_type="lz4")), NOW)
    assert isinstance(out, Refused) and out.code == ErrorCode.UNKNOWN_SERVER_ERROR
    found = look_into(batch, header_at(batch, 0), limits_of(TopicConfig(cleanup_policy=("compact",))), NOW, "t-0")
    assert isinstance(found, Refused) and found.code == ErrorCode.INVALID_RECORD


def test_a_compressed_bomb_is_refused() -> None:
    bomb = build([(b"k", b"\0" * (120 << 20))], timestamp=NOW, codec=4)
    assert len(bomb) < 1 << 20
    limits = limits_of(TopicConfig(compression_type="gzip"))
    out = rewrite(bomb, header_at(bomb, 0), limits, NOW)
    assert isinstance(out, Refused)


def look(*records: Record, codec: int = 0, **settings: Any) -> RefusedRecords | None:
    batch = build(list(records), codec=codec)
    found = look_into(batch, header_at(batch, 0), limits_of(TopicConfig(**settings)), NOW, "t-0")
    if isinstance(found, int):
        assert found == max(record.timestamp for record in records)
        return None
    assert isinstance(found, RefusedRecords)
    return found


@pytest.mark.parametrize("codec", range(5))
def test_all_records_without_a_key_are_named(codec: int) -> None:
    found = look(*RECORDS, codec=codec, cleanup_policy=("compact",))
    assert found is not None and found.code == ErrorCode.INVALID_RECORD
    assert found.errors == ((1, "Compacted topic cannot accept message without key in topic partition t-0"),)


def test_an_empty_key_is_a_key() -> None:
    assert look(RECORDS[0], cleanup_policy=("compact",)) is None
    assert look(Record(0, NOW, b"", b"", []), cleanup_policy=("compact",)) is None


def test_records_out_of_time_are_named() -> None:
    found = look(*RECORDS, message_timestamp_before_max_ms=0, message_timestamp_after_max_ms=2)
    assert found is not None and found.code == ErrorCode.INVALID_TIMESTAMP
    assert [at for at, _ in found.errors] == [1, 2]
    assert look(*RECORDS, message_timestamp_before_max_ms=5, message_timestamp_after_max_ms=5) is None


def test_a_wrong_time_outweighs_a_missing_key() -> None:
    found = look(*RECORDS, cleanup_policy=("compact",), message_timestamp_before_max_ms=0)
    assert found is not None and found.code == ErrorCode.INVALID_TIMESTAMP
    assert [at for at, _ in found.errors] == [1, 2]
