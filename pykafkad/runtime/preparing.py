"""A produced batch that isn't as batches usually are: judged in Kafka's order, and changed where the topic wants that.

``state/acceptance.py`` says what may be; ``runtime/rewriting.py`` looks into records and makes batches anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.batches import crc_ok, header_at
from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state import acceptance
from pykafkad.state.acceptance import LOG_APPEND_TIME, TRANSACTIONAL

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader
    from pykafkad.runtime.partition import Partition

Buffer = bytes | bytearray | memoryview

CORRUPT = Refused(ErrorCode.CORRUPT_MESSAGE, "the record batch fails its CRC")
NO_TRANSACTIONAL_ID = Refused(
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "a transactional batch in a request without a transactional id"
)


def prepare(
    partition: Partition, records: Buffer, acks: int, now: int, zstd: bool, kind: int
) -> tuple[bytearray, BatchHeader] | Refused:
    """What is to be stamped and written, or why it isn't. ``kind`` as for ``Partition.append``."""
    limits, cells = partition.limits, partition.cells
    if kind != TRANSACTIONAL and acceptance.begins_transactional(records):
        return NO_TRANSACTIONAL_ID  # before anything else that may be wrong
    header = acceptance.entry(records, zstd=zstd)
    if isinstance(header, Refused):
        cells.wrong_magic.value += "magic" in header.detail
        return header
    refused = partition.may_append(acks) or acceptance.judge_size(header, limits)
    if refused is not None:
        if refused.code == ErrorCode.MESSAGE_TOO_LARGE:
            cells.bytes_rejected.value += header.length
        return refused
    if not crc_ok(records, header):
        cells.wrong_crc.value += 1
        return CORRUPT
    refused = acceptance.judge_shape(header)
    if refused is not None:
        cells.wrong_sequence.value += 1
        return refused
    doubtful = acceptance.doubtful_times(header, limits, now)
    batch: Buffer = records[: header.length]
    claims = header.attributes & LOG_APPEND_TIME
    if doubtful or claims or not limits.plain:
        from pykafkad.runtime import rewriting  # only topics that ask for it load the codecs

        if doubtful or rewriting.needs_look(limits):
            newest = rewriting.look_into(batch, header, limits, now, f"{partition.topic}-{partition.index}")
            if isinstance(newest, Refused):
                cells.wrong_key.value += newest.code == ErrorCode.INVALID_RECORD
                return newest
            if newest != header.max_timestamp:
                batch = rewriting.restamp(batch, newest)
                header = header_at(batch, 0)
        if limits.append_time or claims or (limits.codec is not None and limits.codec != header.codec):
            rewritten = rewriting.rewrite(batch, header, limits, now)
            if isinstance(rewritten, Refused):
                return rewritten
            cells.conversions.value += 1
            batch, header = rewritten, header_at(rewritten, 0)
    if header.length > limits.segment_max:
        return acceptance.too_large_for_segment(header, limits)
    if not isinstance(batch, bytearray):
        batch = bytearray(batch)
    return batch, header
