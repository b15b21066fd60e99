"""What may enter a log: each of Kafka's checks, its error and its place in the order."""

from __future__ import annotations

from typing import Any

import pytest

from kafkawire.batches import BatchHeader, header_at
from kafkawire.errors import ErrorCode
from kafkawire.records import build
from pykafkad.config import TopicConfig
from pykafkad.errors import Refused
from pykafkad.state import acceptance
from pykafkad.state.acceptance import NEVER, limits_of

NOW = 1_700_000_000_000
FINE = BatchHeader(
    position=0,
    base_offset=0,
    length=200,
    leader_epoch=-1,
    magic=2,
    crc=0,
    attributes=0,
    last_offset_delta=9,
    base_timestamp=NOW,
    max_timestamp=NOW,
    producer_id=-1,
    producer_epoch=-1,
    base_sequence=-1,
    count=10,
)


def code(refused: object) -> ErrorCode | None:
    return None if refused is None else refused.code  # type: ignore[attr-defined, no-any-return]


def test_a_usual_batch_passes_everything() -> None:
    limits = limits_of(TopicConfig())
    assert limits.plain
    assert acceptance.judge_size(FINE, limits) is None
    assert acceptance.judge_shape(FINE) is None
    assert not acceptance.doubtful_times(FINE, limits, NOW)


ONE = bytes(build([(b"k", b"v")], timestamp=NOW))


def patched(position: int, data: bytes, batch: bytes = ONE) -> bytes:
    return batch[:position] + data + batch[position + len(data) :]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (b"", ErrorCode.INVALID_RECORD),
        (ONE[:16], ErrorCode.INVALID_RECORD),
        (ONE[:17], ErrorCode.INVALID_RECORD),
        (ONE[:-1], ErrorCode.INVALID_RECORD),
        (ONE, None),
        (ONE + b"\0" * 16, None),
        (ONE + ONE[:-1], None),
        (ONE + ONE, ErrorCode.INVALID_RECORD),
        (ONE + b"\0" * 17, ErrorCode.CORRUPT_MESSAGE),
        (patched(16, b"\1"), ErrorCode.INVALID_RECORD),
        (patched(16, b"\0"), ErrorCode.INVALID_RECORD),
        (patched(16, b"\3"), ErrorCode.CORRUPT_MESSAGE),
        (patched(16, b"\xff"), ErrorCode.CORRUPT_MESSAGE),
        (patched(8, b"\xff\xff\xff\xff"), ErrorCode.CORRUPT_MESSAGE),
        (patched(8, b"\0\0\0\x0d"), ErrorCode.CORRUPT_MESSAGE),
        (patched(8, b"\0\0\0\x28") + b"\0" * 8, ErrorCode.CORRUPT_MESSAGE),
        (patched(8, b"\x7f\xff\xff\xff"), ErrorCode.INVALID_RECORD),
    ],
)
def test_a_request_carries_one_batch(records: bytes, expected: ErrorCode | None) -> None:
    found = acceptance.entry(records, zstd=True)
    assert (found.code if isinstance(found, Refused) else None) == expected
    if isinstance(found, Refused):
        assert isinstance(found, acceptance.Unreadable)
    else:
        assert found == header_at(ONE, 0)


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("zstd", [True, False])
def test_zstd_is_for_those_who_may(codec: int, zstd: bool) -> None:
    found = acceptance.entry(build([(b"k", b"v")], timestamp=NOW, codec=codec), zstd=zstd)
    refused = isinstance(found, Refused) and found.code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert refused == (codec == 4 and not zstd)


def test_unknown_codecs() -> None:
    for codec in (5, 6, 7):
        assert code(acceptance.judge_shape(FINE._replace(attributes=codec))) == ErrorCode.UNKNOWN_SERVER_ERROR


def test_size_and_base_offset() -> None:
    limits = limits_of(TopicConfig(max_message_bytes=200))
    assert acceptance.judge_size(FINE, limits) is None
    assert code(acceptance.judge_size(FINE._replace(length=201), limits)) == ErrorCode.MESSAGE_TOO_LARGE
    assert code(acceptance.judge_size(FINE._replace(base_offset=1), limits)) == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize(
    "wrong",
    [
        {"last_offset_delta": -1},
        {"count": 0},
        {"count": -1},
        {"count": 9},
        {"last_offset_delta": 8},
        {"attributes": 0x20},
        {"producer_id": 1, "base_sequence": -1},
    ],
)
def test_a_batch_that_contradicts_itself(wrong: dict[str, Any]) -> None:
    assert code(acceptance.judge_shape(FINE._replace(**wrong))) == ErrorCode.INVALID_RECORD


def doubtful(first: int, newest: int, **settings: Any) -> bool:
    header = FINE._replace(base_timestamp=first, max_timestamp=newest)
    return acceptance.doubtful_times(header, limits_of(TopicConfig(**settings)), NOW)


def test_create_time_lies_within_bounds_or_the_records_are_asked() -> None:
    bounds = {"message_timestamp_before_max_ms": 1000, "message_timestamp_after_max_ms": 500}
    assert not doubtful(NOW, NOW + 500, **bounds)
    assert doubtful(NOW, NOW + 501, **bounds)
    assert not doubtful(NOW - 1000, NOW - 1000, **bounds)
    assert doubtful(NOW - 1001, NOW - 1001, **bounds)
    assert not doubtful(-1, -1, **bounds), "no timestamp is no offence"


@pytest.mark.parametrize(("first", "newest"), [(NOW, NOW - 1), (NOW, 0), (NOW, -1), (-1, NOW), (-5, 0)])
def test_times_that_contradict_each_other_are_doubtful(first: int, newest: int) -> None:
    assert doubtful(first, newest)


def test_a_claimed_append_time_is_a_create_time_or_doubtful() -> None:
    claims = FINE._replace(attributes=0x08)
    limits = limits_of(TopicConfig())
    assert not acceptance.doubtful_times(claims, limits, NOW)
    assert acceptance.doubtful_times(claims._replace(base_timestamp=-1, max_timestamp=-1), limits, NOW)
    limits = limits_of(TopicConfig(message_timestamp_type="LogAppendTime"))
    assert acceptance.doubtful_times(claims, limits, NOW)


def test_append_time_topics_take_any_create_time() -> None:
    assert not doubtful(NOW, NOW + 10**10, message_timestamp_type="LogAppendTime")


@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        ({}, True),
        ({"compression_type": "producer"}, True),
        ({"compression_type": "uncompressed"}, False),
        ({"message_timestamp_type": "LogAppendTime"}, False),
        ({"cleanup_policy": ("compact",)}, False),
        ({"cleanup_policy": ("delete",)}, True),
        ({"message_timestamp_before_max_ms": 1000}, False),
    ],
)
def test_what_makes_a_topic_slower(settings: dict[str, Any], plain: bool) -> None:
    assert limits_of(TopicConfig(**settings)).plain is plain


def test_limits_carry_codec_and_level() -> None:
    assert limits_of(TopicConfig(compression_type="zstd", compression_zstd_level=9))[5:8] == (4, False, 9)
    assert limits_of(TopicConfig(compression_type="snappy")).level is None
    assert limits_of(TopicConfig()).codec is None
    assert limits_of(TopicConfig()).before_ms > NEVER
