"""The slow half of varints. Generated codecs inline the one-byte case; longer ones come here.

Kafka has two kinds: unsigned (lengths and tags of flexible versions, at most 32 bits) and zig-zag (inside records, 32
or 64 bits).
"""

from __future__ import annotations

from collections.abc import Sequence

from kafkawire.errors import WireError

# Varints of one byte, ready to be appended.
SMALL = tuple(bytes((n,)) for n in range(128))


def uvarint(value: int) -> bytes:
    """An unsigned varint."""
    if value < 128:
        return SMALL[value]
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_uvarint(buffer: Sequence[int], position: int) -> tuple[int, int]:
    """An unsigned varint of at most 32 bits, and the position behind it."""
    value = buffer[position]
    if value < 128:
        return value, position + 1
    return longer_uvarint(buffer, position + 1, value)


def longer_uvarint(buffer: Sequence[int], position: int, value: int) -> tuple[int, int]:
    """Go on with an unsigned varint whose first byte was ``value`` (over 127)."""
    value &= 127
    shift = 7
    while shift < 35:
        byte = buffer[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value > 0xFFFFFFFF:
                break
            return value, position
        shift += 7
    raise WireError("a varint is longer than 32 bits")


def varint(value: int) -> bytes:
    """A zig-zag varint of up to 64 bits."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    return SMALL[value] if value < 128 else uvarint(value)


def read_varint(buffer: Sequence[int], position: int) -> tuple[int, int]:
    """A zig-zag varint of at most 32 bits, and the position behind it."""
    value = buffer[position]
    position += 1
    if value > 127:
        value, position = longer_uvarint(buffer, position, value)
    return (value >> 1) ^ -(value & 1), position


def read_varlong(buffer: Sequence[int], position: int) -> tuple[int, int]:
    """A zig-zag varint of at most 64 bits, and the position behind it."""
    value = buffer[position]
    position += 1
    if value > 127:
        value &= 127
        shift = 7
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 63:
                raise WireError("a varint is longer than 64 bits")
        if value > 0xFFFFFFFFFFFFFFFF:
            raise WireError("a varint is longer than 64 bits")
    return (value >> 1) ^ -(value & 1), position


def skip_tags(buffer: Sequence[int], position: int, end: int) -> int:
    """Step over a section of tagged fields none of which is known, in whatever order they come."""
    count, position = read_uvarint(buffer, position)
    for _ in range(count):
        _, position = read_uvarint(buffer, position)
        size, position = read_uvarint(buffer, position)
        position += size
        if position > end:
            raise WireError("a tagged field reaches beyond the end")
    return position
