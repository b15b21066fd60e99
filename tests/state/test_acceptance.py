"""What may enter a log: each of Kafka's checks, its error and its place in the order."""

from __future__ import annotations

from typing import Any

import pytest

from kafkawire.batches import BatchHeader
from kafkawire.errors import ErrorCode
from pykafkad.config import TopicConfig
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
    assert acceptance.entry([FINE], zstd=True) is None
    assert acceptance.judge_size(FINE, limits) is None
    assert acceptance.judge_shape(FINE) is None
    assert acceptance.judge_times(FINE, limits, NOW) is None


@pytest.mark.parametrize(
    ("headers", "zstd", "expected"),
    [
        ([], True, ErrorCode.INVALID_RECORD),
        ([FINE, FINE], True, ErrorCode.INVALID_RECORD),
        ([FINE._replace(magic=1)], True, ErrorCode.INVALID_RECORD),
        ([FINE._replace(attributes=4)], False, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        ([FINE._replace(attributes=4)], True, None),
        ([FINE._replace(attributes=3)], False, None),
    ],
)
def test_a_request_carries_one_batch(headers: list[BatchHeader], zstd: bool, expected: ErrorCode | None) -> None:
    assert code(acceptance.entry(headers, zstd=zstd)) == expected


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


def test_create_time_lies_within_bounds() -> None:
    limits = limits_of(TopicConfig(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=500))

    def verdict(timestamp: int) -> ErrorCode | None:
        return code(acceptance.judge_times(FINE._replace(max_timestamp=timestamp), limits, NOW))

    assert verdict(NOW + 500) is None
    assert verdict(NOW + 501) == ErrorCode.INVALID_TIMESTAMP
    assert verdict(NOW - 1000) is None
    assert verdict(NOW - 1001) == ErrorCode.INVALID_TIMESTAMP
    assert verdict(-1) is None, "no timestamp is no offence"


def test_only_the_broker_gives_the_append_time() -> None:
    claims = FINE._replace(attributes=0x08)
    for kind in ("CreateTime", "LogAppendTime"):
        limits = limits_of(TopicConfig(message_timestamp_type=kind))
        assert code(acceptance.judge_times(claims, limits, NOW)) == ErrorCode.INVALID_TIMESTAMP


def test_append_time_topics_take_any_create_time() -> None:
    limits = limits_of(TopicConfig(message_timestamp_type="LogAppendTime"))
    assert acceptance.judge_times(FINE._replace(max_timestamp=NOW + 10**10), limits, NOW) is None


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
