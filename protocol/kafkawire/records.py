"""Records inside a batch: iterate and build. For coordinators, rewriting, compaction and tools; never between socket
and disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from kafkawire.batches import HEADER_SIZE, MAGIC, PREFIX_SIZE, BatchHeader, header_at, seal
from kafkawire.codec import Buffer
from kafkawire.compression import compress, decompress
from kafkawire.errors import WireError
from kafkawire.varint import longer_uvarint
from kafkawire.varint import read_varlong as read_signed
from kafkawire.varint import varint as signed

_HEADER = Struct(">qiibIhiqqqhii")
DECOMPRESSED_MAX = 256 * 1024 * 1024


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = []


def iterate(batch: Buffer, limit: int = DECOMPRESSED_MAX) -> Iterator[Record]:
    """The records of one whole batch; WireError if they aren't what the header says."""
    header = header_at(batch, 0)
    body: Buffer = memoryview(batch)[HEADER_SIZE : header.length]
    if header.codec:
        body = memoryview(decompress(header.codec, body, limit))
    position = 0
    append_time = header.max_timestamp if header.log_append_time else None
    try:
        for _ in range(header.count):
            length, start = read_signed(body, position)
            position = start + length
            if length < 0 or position > len(body):
                raise WireError("a record is cut short")
            yield _record(body, start, position, header.base_offset, header.base_timestamp, append_time)
    except (IndexError, StructError, UnicodeDecodeError) as error:
        raise WireError(f"record: {error}") from error
    if position != len(body):
        raise WireError("bytes after the last record")


def _record(body: Buffer, p: int, end: int, base_offset: int, base_timestamp: int, append_time: int | None) -> Record:
    p += 1  # attributes: unused
    timestamp, p = read_signed(body, p)
    offset, p = read_signed(body, p)
    key, p = _sized(body, p, end)
    value, p = _sized(body, p, end)
    count, p = read_signed(body, p)
    if count < 0 or count > end - p:
        raise WireError("a record's header count is out of bounds")
    headers = []
    for _ in range(count):
        name, p = _sized(body, p, end)
        if name is None:
            raise WireError("a record header has no key")
        content, p = _sized(body, p, end)
        headers.append((str(name, "utf-8"), content))
    if p != end:
        raise WireError("a record doesn't fill its length")
    stamp = base_timestamp + timestamp if append_time is None else append_time
    return Record(base_offset + offset, stamp, key, value, headers)


def _sized(body: Buffer, p: int, end: int) -> tuple[bytes | None, int]:
    length, p = read_signed(body, p)
    if length < 0:
        if length != -1:
            raise WireError("a record has a negative length")
        return None, p
    stop = p + length
    if stop > end:
        raise WireError("a record is cut short")
    return bytes(body[p:stop]), stop


Outline = tuple[int, int, int, int, bytes | None, bool]
"""Where a record lies in the unpacked body of its batch, and the little of it that compaction asks about: (start, end,
timestamp delta, offset delta, key, whether it has a value). A plain tuple, taken apart by who gets it, for speed.
"""


def unpacked(batch: Buffer, header: BatchHeader, limit: int = DECOMPRESSED_MAX) -> bytes:
    """The records of the batch at ``header.position``, without compression; WireError if they can't be had."""
    start, end = header.position + HEADER_SIZE, header.position + header.length
    if not header.codec and type(batch) is bytes:
        return batch[start:end]
    with memoryview(batch) as view:
        return decompress(header.codec, view[start:end], limit)


def outlines(body: bytes, count: int) -> Iterator[Outline]:
    """The ``count`` records of an unpacked body, without their values and headers: compaction's inner loop, so the
    varints that occur most are read in place. WireError if they don't fill the body exactly.
    """
    p = 0
    size = len(body)
    try:
        for _ in range(count):
            start = p
            length = body[p]
            p += 1
            if length > 127:
                high = body[p]
                if high < 128:
                    length = length & 127 | high << 7
                    p += 1
                else:
                    length, p = longer_uvarint(body, p, length)
            end = p + (length >> 1)
            if length & 1 or end > size:
                raise WireError("a record is cut short")
            time = body[p + 1]  # behind the attributes, which nobody uses
            if time < 128:
                p += 2
                time = time >> 1 ^ -(time & 1)
            else:
                time, p = read_signed(body, p + 1)
            delta = body[p]
            if delta < 128:
                p += 1
                delta = delta >> 1 ^ -(delta & 1)
            else:
                delta, p = read_signed(body, p)
            length = body[p]
            if length < 128:
                p += 1
                length = length >> 1 ^ -(length & 1)
            else:
                length, p = read_signed(body, p)
            if length >= 0:
                key = body[p : p + length]
                p += length
            elif length == -1:
                key = None
            else:
                raise WireError("a record has a negative length")
            if p >= end:
                raise WireError("a record is cut short")
            yield start, end, time, delta, key, body[p] & 1 == 0
            p = end
    except IndexError as error:
        raise WireError(f"record: {error}") from error
    if p != size:
        raise WireError("bytes after the last record")


def retimed(body: bytes, start: int, end: int, timestamp_delta: int) -> bytes:
    """The record that lies there, under another base timestamp."""
    _, p = read_signed(body, start)
    _, rest = read_signed(body, p + 1)
    one = body[p : p + 1] + signed(timestamp_delta) + body[rest:end]
    return signed(len(one)) + one


def build(
    records: Iterable[Record | tuple[bytes | None, bytes | None]],
    *,
    base_offset: int = 0,
    timestamp: int = -1,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    codec: int = 0,
    level: int | None = None,
    transactional: bool = False,
    control: bool = False,
    append_time: bool = False,
    last_offset_delta: int | None = None,
) -> bytearray:
    """One batch with its checksum. A pair (key, value) takes ``timestamp`` and the next offset; a Record its own."""
    body = bytearray()
    count = 0
    base_timestamp: int | None = None
    newest = timestamp
    delta = -1
    for record in records:
        if len(record) == 2:
            key, value = record
            stamp, extra, delta = timestamp, _NO_HEADERS, delta + 1
        else:
            delta = record.offset - base_offset
            stamp, key, value, extra = record.timestamp, record.key, record.value, record.headers
        if base_timestamp is None:
            base_timestamp = newest = stamp
        elif stamp > newest:
            newest = stamp
        parts = [b"\0", signed(stamp - base_timestamp), signed(delta)]
        _put(parts, key)
        _put(parts, value)
        parts.append(signed(len(extra)))
        for name, content in extra:
            _put(parts, name.encode())
            _put(parts, content)
        one = b"".join(parts)
        body += signed(len(one))
        body += one
        count += 1
    packed = compress(codec, body, level) if codec else body
    attributes = codec | 0x08 * append_time | 0x10 * transactional | 0x20 * control
    batch = bytearray(
        _HEADER.pack(
            base_offset,
            HEADER_SIZE - PREFIX_SIZE + len(packed),
            leader_epoch,
            MAGIC,
            0,
            attributes,
            delta if last_offset_delta is None else last_offset_delta,
            timestamp if base_timestamp is None else base_timestamp,
            timestamp if append_time else newest,
            producer_id,
            producer_epoch,
            base_sequence,
            count,
        )
    )
    batch += packed
    seal(batch, 0, len(batch))
    return batch


_NO_HEADERS: Sequence[tuple[str, bytes | None]] = ()


def _put(parts: list[bytes], data: bytes | None) -> None:
    if data is None:
        parts.append(b"\x01")
    else:
        parts.append(signed(len(data)))
        parts.append(data)
