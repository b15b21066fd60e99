"""The five codecs behind two functions. Libraries are loaded when a codec is first met; output is bounded, so that a
few bytes can't claim gigabytes."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Any

from kafkawire.codec import Buffer
from kafkawire.errors import WireError

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
NAMES = ("none", "gzip", "snappy", "lz4", "zstd")
# The framing that Java's snappy library writes: magic, version, compatible version, then length-prefixed blocks.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = _XERIAL_MAGIC + b"\0\0\0\1\0\0\0\1"
_XERIAL_BLOCK = 32 * 1024
_LENGTH = Struct(">i")
_CHUNK = 64 * 1024
_REPEATED = 1  # a zstd block that is one byte, many times


def compress(codec: int, data: Buffer, level: int | None = None) -> bytes:
    """``data`` under a codec's Kafka framing."""
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        deflate = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, 31)
        return deflate.compress(data) + deflate.flush()
    if codec == SNAPPY:
        import snappy

        out = bytearray(_XERIAL_HEADER)
        for start in range(0, len(data), _XERIAL_BLOCK):
            block = snappy.compress(bytes(data[start : start + _XERIAL_BLOCK]))
            out += _LENGTH.pack(len(block)) + block
        return bytes(out)
    if codec == LZ4:
        import lz4.frame

        made: bytes = lz4.frame.compress(
            bytes(data),
            compression_level=0 if level is None else level,
            block_size=lz4.frame.BLOCKSIZE_MAX64KB,
            block_linked=False,
            store_size=False,
        )
        return made
    if codec == ZSTD:
        import zstandard

        return zstandard.ZstdCompressor(level=3 if level is None else level).compress(bytes(data))
    raise WireError(f"unknown compression codec {codec}")


def decompress(codec: int, data: Buffer, limit: int) -> bytes:
    """The bytes behind ``data``; WireError for garbage and for more than ``limit`` bytes."""
    if codec == NONE:
        return bytes(data)
    try:
        if codec == GZIP:
            out = _gzip(data, limit)
        elif codec == SNAPPY:
            out = _snappy(bytes(data), limit)
        elif codec == LZ4:
            out = _lz4(data, limit)
        elif codec == ZSTD:
            out = _zstd(data, limit)
        else:
            raise WireError(f"unknown compression codec {codec}")
    except WireError:
        raise
    except Exception as error:  # each library has errors of its own: to us they all say that the bytes are bad
        raise WireError(f"{NAMES[codec]}: {error}") from error
    return out


def _bounded(out: bytearray | bytes, limit: int) -> None:
    if len(out) > limit:
        raise WireError(f"decompresses to more than {limit} bytes")


def _gzip(data: Buffer, limit: int) -> bytes:
    out = bytearray()
    rest: Any = data
    while rest:
        inflate = zlib.decompressobj(31)
        out += inflate.decompress(rest, limit - len(out) + 1)
        _bounded(out, limit)
        if not inflate.eof:
            raise WireError("gzip: cut short")
        rest = inflate.unused_data
    return bytes(out)


def _snappy(data: bytes, limit: int) -> bytes:
    import snappy

    def block(part: bytes, room: int) -> bytes:
        size = shift = 0
        for byte in part[:5]:  # the raw format begins with its length as a varint
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if size > room:
            raise WireError(f"decompresses to more than {limit} bytes")
        plain: bytes = snappy.decompress(part)
        return plain

    if not data.startswith(_XERIAL_MAGIC):
        return block(data, limit)
    out = bytearray()
    position = len(_XERIAL_HEADER)
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += 4
        if length < 0 or position + length > len(data):
            raise WireError("snappy: a block is cut short")
        out += block(data[position : position + length], limit - len(out))
        position += length
    return bytes(out)


def _lz4(data: Buffer, limit: int) -> bytes:
    import lz4.frame

    out = bytearray()
    rest = bytes(data)
    while rest:
        inflate = lz4.frame.LZ4FrameDecompressor()
        out += inflate.decompress(rest, max_length=limit - len(out) + 1)
        _bounded(out, limit)
        if not inflate.eof:
            raise WireError("lz4: cut short")
        rest = inflate.unused_data or b""
    return bytes(out)


def _zstd(data: Buffer, limit: int) -> bytes:
    import zstandard

    whole = bytes(data)
    _check_zstd_frames(whole, zstandard)
    out = bytearray()
    with zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True) as reader:
        while part := reader.read(min(_CHUNK, limit - len(out) + 1)):
            out += part
            _bounded(out, limit)
    return bytes(out)


def _check_zstd_frames(data: bytes, zstandard: Any) -> None:
    """WireError unless the frames are whole: the library's reader, the only one whose output can be bounded, ends
    without a word where its input does. Walks from block to block by their headers."""
    position = 0
    while position < len(data):
        if data[position + 1 : position + 4] == b"\x2a\x4d\x18" and data[position] >> 4 == 5:  # a frame to skip
            position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        else:
            checksum = zstandard.get_frame_parameters(data[position : position + 18]).has_checksum
            position += zstandard.frame_header_size(data[position : position + 18])
            last = False
            while not last:
                head = int.from_bytes(data[position : position + 3], "little")
                if position + 3 > len(data):
                    raise WireError("zstd: cut short")
                last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
                position += 3 + (1 if kind == _REPEATED else size)
            position += 4 * checksum
    if position != len(data):
        raise WireError("zstd: cut short")
