"""The slow door into a log: batches that can't be stored as they came, or that must be looked into first.

- LogAppendTime: the broker's time goes into the header, and the CRC is made anew. No record is touched.
- ``compression.type`` other than ``producer``: the block of records is unpacked and packed again as one piece.
- A compacted topic: every record needs a key. A topic with ``message.timestamp.before.max.ms``: every timestamp is
  looked at, since a header tells only the newest. A header whose times contradict each other or the limits is held
  against the records, which count. These are the only loops over records on the way to the disk, and only topics
  configured so and batches of such headers pay for them. A refusal names the records that caused it, as Kafka's does.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from kafkawire.batches import seal
from kafkawire.checksum import crc32c
from kafkawire.compression import compress, decompress
from kafkawire.errors import ErrorCode, WireError
from kafkawire.records import iterate
from pykafkad.errors import Refused
from pykafkad.state.acceptance import INVALID_TIMESTAMPS, LOG_APPEND_TIME, NEVER, NO_TIMESTAMP, Limits, untimely

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader

Buffer = bytes | bytearray | memoryview

_RECORDS_AT = 61
_INT32 = Struct(">i")
_UINT32 = Struct(">I")
_INT16 = Struct(">h")
_INT64 = Struct(">q")
UNPACKED_MAX = 104_857_600  # a batch may not unpack to more than the largest request (socket.request.max.bytes)
SHOWN_ERRORS = 3  # Kafka's message shows so many, the response's list has all


@dataclass(frozen=True, slots=True)
class RefusedRecords(Refused):
    """A batch refused because of some of its records: (index in the batch, what is wrong with it)."""

    errors: tuple[tuple[int, str], ...] = ()


def look_into(records: Buffer, header: BatchHeader, limits: Limits, now: int, partition: str) -> int | Refused:
    """Look at the records where the topic's settings demand it, or to say which ones have a wrong timestamp; the newest
    timestamp of them all.
    """
    newest = NO_TIMESTAMP
    keyless: list[tuple[int, str]] = []
    late: list[tuple[int, str]] = []
    claims_append_time = bool(header.attributes & LOG_APPEND_TIME)
    try:
        for index, record in enumerate(iterate(records, UNPACKED_MAX)):
            newest = max(newest, record.timestamp)
            if limits.keyed and record.key is None:
                keyless.append(
                    (index, f"Compacted topic cannot accept message without key in topic partition {partition}")
                )
            elif claims_append_time and (limits.append_time or record.timestamp == NO_TIMESTAMP):
                late.append(
                    (
                        index,
                        "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime.",
                    )
                )
            elif untimely(record.timestamp, limits, now):
                late.append(
                    (
                        index,
                        f"Timestamp {record.timestamp} of message with offset {index} is out of range. The timestamp "
                        f"should be within [{now - limits.before_ms}, {now + limits.after_ms}]",
                    )
                )
    except WireError as error:
        return Refused(ErrorCode.INVALID_RECORD, str(error))
    errors = tuple(sorted(keyless + late))
    if late:
        return RefusedRecords(ErrorCode.INVALID_TIMESTAMP, INVALID_TIMESTAMPS, errors)
    if keyless:
        shown = ", ".join(f"RecordError(batchIndex={at}, message='{text}')" for at, text in errors[:SHOWN_ERRORS])
        return RefusedRecords(
            ErrorCode.INVALID_RECORD,
            f"One or more records have been rejected due to {len(errors)} record errors in total, and only showing the "
            f"first three errors at most: [{shown}]",
            errors,
        )
    return newest


def restamp(records: Buffer, newest: int) -> bytearray:
    """The batch with the time of its newest record in the header, which said something else."""
    batch = bytearray(records)
    _INT64.pack_into(batch, 35, newest)
    seal(batch, 0, len(batch))
    return batch


def needs_look(limits: Limits) -> bool:
    return limits.keyed or limits.before_ms < NEVER


def rewrite(records: Buffer, header: BatchHeader, limits: Limits, now: int) -> bytearray | Refused:
    """The batch as it is to be stored: another codec, the broker's time, a new CRC."""
    batch = bytearray(records)
    if limits.codec is not None and limits.codec != header.attributes & 7:
        packed = _repack(batch, header, limits)
        if isinstance(packed, Refused):
            return packed
        batch = packed
        if len(batch) > limits.size_max:
            return Refused(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"the batch takes {len(batch)} bytes when it is stored, the topic allows {limits.size_max}",
            )
    (attributes,) = _INT16.unpack_from(batch, 21)
    if limits.append_time:
        _INT16.pack_into(batch, 21, attributes | LOG_APPEND_TIME)
        _INT64.pack_into(batch, 35, now)
    else:
        _INT16.pack_into(batch, 21, attributes & ~LOG_APPEND_TIME)
    with memoryview(batch) as view:
        _UINT32.pack_into(batch, 17, crc32c(view[21:]))
    return batch


def _repack(batch: bytearray, header: BatchHeader, limits: Limits) -> bytearray | Refused:
    codec = limits.codec
    assert codec is not None
    source = header.attributes & 7
    try:
        with memoryview(batch) as view:
            plain: Buffer = (
                decompress(source, view[_RECORDS_AT:], UNPACKED_MAX) if source else bytes(view[_RECORDS_AT:])
            )
    except WireError as error:
        return Refused(ErrorCode.UNKNOWN_SERVER_ERROR, str(error))  # Kafka's answer to a block that it can't unpack
    block = compress(codec, plain, limits.level) if codec else plain
    packed = batch[:_RECORDS_AT] + block
    _INT32.pack_into(packed, 8, len(packed) - 12)
    _INT16.pack_into(packed, 21, (header.attributes & ~7) | codec)
    return packed
