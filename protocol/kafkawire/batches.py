"""Record batches (format v2, magic 2) by their headers alone: view, check, stamp, checksum. Never a record.

::

    0  baseOffset int64          17 crc uint32 (CRC-32C of byte 21 to the end)   43 producerId int64
    8  batchLength int32         21 attributes int16                            51 producerEpoch int16
    12 leaderEpoch int32         23 lastOffsetDelta int32                       53 baseSequence int32
    16 magic int8                27 baseTimestamp int64   35 maxTimestamp int64  57 count int32   61 records

Attributes: bits 0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon. A hot file.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from kafkawire.checksum import crc32c
from kafkawire.codec import Buffer
from kafkawire.errors import WireError

HEADER_SIZE = 61
PREFIX_SIZE = 12  # base offset and batch length; the length counts what follows
MAGIC = 2
_HEADER = Struct(">qiibIhiqqqhii")
unpack = _HEADER.unpack_from  # (buffer, position) -> the fields in their order, the length without its prefix
_new = tuple.__new__  # a NamedTuple's own constructor takes twice as long
_PREFIX = Struct(">qi")
_OFFSET = Struct(">q")
_EPOCH = Struct(">i")
_CRC = Struct(">I")
CRC_FROM = 21
CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40  # the base timestamp says when tombstones and markers of this batch may go (KIP-534)
NO_TIMESTAMP = -1


class BatchHeader(NamedTuple):
    """A batch's header; ``length`` is the whole batch in bytes, ``position`` where it begins in its buffer."""

    position: int
    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int  # type: ignore[assignment]  # shadows tuple.count, which nobody counts with

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """After 2147483647 comes 0; −1 for a batch without a producer."""
        if self.base_sequence < 0:
            return -1
        last = self.base_sequence + self.last_offset_delta
        return last if last <= 0x7FFFFFFF else last - 0x80000000

    @property
    def codec(self) -> int:
        return self.attributes & CODEC_MASK

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @property
    def log_append_time(self) -> bool:
        return bool(self.attributes & LOG_APPEND_TIME)

    @property
    def delete_horizon(self) -> int | None:
        """When tombstones and markers in here may go; None until compaction has set it."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None


def header_at(buffer: Buffer, position: int) -> BatchHeader:
    """The header at ``position``; the batch may reach beyond the buffer. WireError if there is none."""
    try:
        fields = unpack(buffer, position)
    except StructError as error:
        raise WireError("a batch header is cut short") from error
    length = fields[1]
    if length < HEADER_SIZE - PREFIX_SIZE:
        raise WireError(f"a batch of {length} bytes is shorter than its header")
    return _new(BatchHeader, (position, fields[0], length + PREFIX_SIZE, *fields[2:]))


def headers(buffer: Buffer) -> list[BatchHeader]:
    """The headers of the batches that fill the buffer exactly; WireError for anything else."""
    found = []
    position, end = 0, len(buffer)
    while position < end:
        header = header_at(buffer, position)
        position += header.length
        if position > end:
            raise WireError("a batch is cut short")
        found.append(header)
    return found


def stamp(buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int) -> None:
    """What the leader writes into a batch; neither field is under the checksum."""
    _OFFSET.pack_into(buffer, position, base_offset)
    _EPOCH.pack_into(buffer, position + PREFIX_SIZE, leader_epoch)


def crc_of(buffer: Buffer, header: BatchHeader) -> int:
    """CRC-32C over attributes to the end of the batch."""
    view = memoryview(buffer)
    return int(crc32c(view[header.position + CRC_FROM : header.position + header.length]))


def crc_ok(buffer: Buffer, header: BatchHeader) -> bool:
    return crc_of(buffer, header) == header.crc


def seal(batch: bytearray, position: int, length: int) -> None:
    """Write the checksum of a batch whose other bytes are final."""
    view = memoryview(batch)
    _CRC.pack_into(batch, position + 17, crc32c(view[position + CRC_FROM : position + length]))


def assemble(header: BatchHeader, body: Buffer) -> bytearray:
    """A batch of the header's fields and ``body``, packed as its attributes say; length and checksum are made anew."""
    batch = bytearray(_HEADER.pack(header.base_offset, HEADER_SIZE - PREFIX_SIZE + len(body), *header[3:]))
    batch += body
    seal(batch, 0, len(batch))
    return batch


def emptied(header: BatchHeader) -> bytearray:
    """What stays of a batch when its records have gone and its offsets and sequences must not."""
    attributes = header.attributes & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL)
    return assemble(header._replace(attributes=attributes, base_timestamp=NO_TIMESTAMP, count=0), b"")
