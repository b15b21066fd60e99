"""May this batch enter the log? Kafka's checks on a produced batch, from its header alone.

A topic's settings become one ``Limits`` value, made when they change and not when a batch comes; a batch is judged by
its 61 header bytes. What needs a look at the records (keys on a compacted topic, a lower bound on timestamps) or a
change to the batch (append time, another codec) is announced by ``Limits.plain`` being false, and done by
``runtime/rewriting.py``. The order of the checks is Kafka's, since the first failure is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.batches import HEADER_SIZE, MAGIC, PREFIX_SIZE, header_at
from kafkawire.errors import ErrorCode, WireError
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader
    from kafkawire.codec import Buffer
    from pykafkad.config import TopicConfig

NO_TIMESTAMP = -1
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
CODECS = {"uncompressed": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ZSTD = 4
_UP_TO_MAGIC = 17
_ATTRIBUTES = 22  # their lower byte
_LEAST = 14  # what follows the length in the smallest batch of any magic
_LENGTH = Struct(">i").unpack_from
_MAGIC = Struct(">b").unpack_from
NEVER = 1 << 62  # a bound this far away is no bound


class Limits(NamedTuple):
    """What a topic's configuration demands of a batch."""

    size_max: int  # max.message.bytes, the whole batch
    segment_max: int  # segment.bytes: a batch must fit a segment
    before_ms: int  # CreateTime may lie so far in the past …
    after_ms: int  # … and so far in the future
    append_time: bool  # message.timestamp.type = LogAppendTime
    codec: int | None  # the codec to store; None keeps the producer's
    keyed: bool  # a compacted topic: every record needs a key
    level: int | None  # compression level for ``codec``

    @property
    def plain(self) -> bool:
        """Batches can be stored as they came, judged by the header alone."""
        return not (self.append_time or self.keyed or self.codec is not None or self.before_ms < NEVER)


def limits_of(config: TopicConfig) -> Limits:
    """The limits that a topic's settings mean."""
    codec = CODECS.get(config.compression_type)
    level = None
    if config.compression_type in ("gzip", "lz4", "zstd"):
        level = getattr(config, f"compression_{config.compression_type}_level")
    append_time = config.message_timestamp_type == "LogAppendTime"
    return Limits(
        size_max=config.max_message_bytes,
        segment_max=config.internal_segment_bytes or config.segment_bytes,
        before_ms=NEVER if append_time else config.message_timestamp_before_max_ms,
        after_ms=NEVER if append_time else config.message_timestamp_after_max_ms,
        append_time=append_time,
        codec=codec,
        keyed="compact" in config.cleanup_policy,
        level=level,
    )


@dataclass(frozen=True, slots=True)
class Unreadable(Refused):
    """Refused before any partition was looked at: the request itself is not as it must be."""


def entry(records: Buffer, *, zstd: bool) -> BatchHeader | Unreadable:
    """What a Produce request may carry for one partition: exactly one batch, magic 2.

    As Kafka reads it, what is too short to be a batch isn't one: half a batch is none, and bytes behind a batch are
    nothing, unless they begin like a batch.
    """
    found: list[tuple[int, int]] = []  # position, magic
    position, end = 0, len(records)
    while end - position >= _UP_TO_MAGIC:
        (length,) = _LENGTH(records, position + 8)
        (magic,) = _MAGIC(records, position + 16)
        if length < _LEAST or not 0 <= magic <= MAGIC:
            what = (
                f"Record size {length} is less than the minimum record overhead ({_LEAST})"
                if length < _LEAST
                else f"Invalid magic found in record: {magic}"
            )
            return Unreadable(ErrorCode.CORRUPT_MESSAGE, what if position == 0 else "")
        if end - position < length + PREFIX_SIZE:
            break
        found.append((position, magic))
        position += length + PREFIX_SIZE
    if len(found) != 1:
        return Unreadable(
            ErrorCode.INVALID_RECORD, "a produce request must have exactly one record batch per partition"
        )
    if found[0][1] != MAGIC:
        return Unreadable(ErrorCode.INVALID_RECORD, "only record batches with magic version 2 are accepted")
    try:
        header = header_at(records, 0)
    except WireError as error:
        return Unreadable(ErrorCode.CORRUPT_MESSAGE, str(error))
    if not zstd and header.codec == ZSTD:
        return Unreadable(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7 or newer")
    return header


def begins_transactional(records: Buffer) -> bool:
    """Whether the first batch says that it belongs to a transaction; what can't be a batch says nothing."""
    if len(records) < HEADER_SIZE or not records[_ATTRIBUTES] & TRANSACTIONAL or records[_UP_TO_MAGIC - 1] != MAGIC:
        return False
    (length,) = _LENGTH(records, 8)
    return bool(_LEAST <= length <= len(records) - PREFIX_SIZE)


def judge_size(header: BatchHeader, limits: Limits) -> Refused | None:
    """Before the checksum: where the batch begins, and whether it is too large."""
    if header.base_offset != 0:
        return Refused(
            ErrorCode.INVALID_RECORD,
            f"The baseOffset of the record batch in the append should be 0, but it is {header.base_offset}",
        )
    if header.length > limits.size_max:
        return Refused(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The record batch has {header.length} bytes, max.message.bytes allows {limits.size_max}",
        )
    return None


def too_large_for_segment(header: BatchHeader, limits: Limits) -> Refused:
    return Refused(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        f"Message batch size is {header.length} bytes, a segment holds at most {limits.segment_max}",
    )


def judge_shape(header: BatchHeader) -> Refused | None:
    """A batch from a client describes itself consistently and is no control batch."""
    count = header.last_offset_delta + 1
    if count <= 0:
        return Refused(ErrorCode.INVALID_RECORD, f"Batch has an invalid offset range: [0, {header.last_offset_delta}]")
    if header.count <= 0:
        return Refused(ErrorCode.INVALID_RECORD, f"Invalid reported count for record batch: {header.count}")
    if count != header.count:
        return Refused(
            ErrorCode.INVALID_RECORD,
            f"Inconsistent batch offset range [0, {header.last_offset_delta}] and count of records {header.count}",
        )
    if header.attributes & CONTROL:
        return Refused(ErrorCode.INVALID_RECORD, "Clients are not allowed to write control records")
    if header.codec > ZSTD:
        return Refused(ErrorCode.UNKNOWN_SERVER_ERROR, f"Unknown compression type id: {header.codec}")
    if header.producer_id >= 0 and header.base_sequence < 0:
        return Refused(
            ErrorCode.INVALID_RECORD,
            f"Invalid sequence number {header.base_sequence} in record batch with producerId {header.producer_id}",
        )
    return None


def doubtful_times(header: BatchHeader, limits: Limits, now: int) -> bool:
    """Whether the records must be asked, as Kafka asks them always: the newest time that the header tells isn't near
    enough to now, or can't be that of any record. A batch that claims an append time of its own passes for one of that
    CreateTime, but not where the broker gives the append time.
    """
    first, newest = header.base_timestamp, header.max_timestamp
    return (
        untimely(newest, limits, now)
        or first > newest
        or first < 0 <= newest
        or bool(header.attributes & LOG_APPEND_TIME and (limits.append_time or newest == NO_TIMESTAMP))
    )


def untimely(timestamp: int, limits: Limits, now: int) -> bool:
    return timestamp != NO_TIMESTAMP and (timestamp - now > limits.after_ms or now - timestamp > limits.before_ms)


INVALID_TIMESTAMPS = "One or more records have been rejected due to invalid timestamp"
