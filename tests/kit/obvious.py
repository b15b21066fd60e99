"""A second codec, slow and obvious: it walks a declaration field by field, with no cleverness to go wrong.

The compiled codecs are held against it in every version; what the two share is only the reading of annotations.
"""

from __future__ import annotations

import io
import struct
from typing import Any

from kafkawire.compiler.fields import Array, Field, fields_of, is_struct
from kafkawire.schema import DefaultStruct


def is_flexible(cls: type[Any], version: int) -> bool:
    flexible = cls.__wire__.flexible
    return flexible is not None and version >= flexible


def default_of(field: Field) -> Any:
    if isinstance(field.default, DefaultStruct):
        return field.type()
    return [] if field.default == [] else field.default


def encode(message: Any, version: int) -> bytes:
    out = bytearray()
    _write_struct(out, message, type(message), version, is_flexible(type(message), version))
    return bytes(out)


def decode(cls: type[Any], version: int, data: bytes) -> Any:
    source = io.BytesIO(data)
    message = _read_struct(source, cls, version, is_flexible(cls, version))
    assert not source.read(), "trailing bytes"
    return message


# -- writing


def _write_struct(out: bytearray, message: Any, cls: type[Any], version: int, flexible: bool) -> None:
    tagged: list[tuple[int, bytes]] = []
    for field in fields_of(cls):
        value = getattr(message, field.name)
        if version not in field.versions:
            assert field.ignorable or value == default_of(field), f"{field.name} can't be said in version {version}"
        elif field.tag is None:
            _write(out, value, field.type, field.nullable(version), version, flexible)
        elif value != default_of(field):
            part = bytearray()
            _write(part, value, field.type, field.nullable(version), version, flexible)
            tagged.append((field.tag, bytes(part)))
    if flexible:
        _write_uvarint(out, len(tagged))
        for tag, data in sorted(tagged):
            _write_uvarint(out, tag)
            _write_uvarint(out, len(data))
            out += data


def _write(out: bytearray, value: Any, kind: Any, nullable: bool, version: int, flexible: bool) -> None:
    if is_struct(kind):
        if nullable:
            out += b"\xff" if value is None else b"\x01"
        if value is not None:
            _write_struct(out, value, kind, version, flexible)
    elif isinstance(kind, Array):
        _write_length(out, value, "i", flexible)
        for item in value or ():
            _write(out, item, kind.element, False, version, flexible)
    elif kind.code:
        out += struct.pack(">" + kind.code, value)
    else:
        data = value.encode() if isinstance(value, str) else value
        _write_length(out, data, "h" if kind.name == "String" else "i", flexible)
        out += data or b""


def _write_length(out: bytearray, value: Any, code: str, flexible: bool) -> None:
    length = -1 if value is None else len(value)
    if flexible:
        _write_uvarint(out, length + 1)
    else:
        out += struct.pack(">" + code, length)


def _write_uvarint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)


# -- reading


def _read_struct(source: io.BytesIO, cls: type[Any], version: int, flexible: bool) -> Any:
    message = cls()
    tagged = {}
    for field in fields_of(cls):
        setattr(message, field.name, default_of(field))
        if version in field.versions and field.tag is None:
            setattr(message, field.name, _read(source, field.type, version, flexible, field.nullable(version)))
        elif version in field.versions:
            tagged[field.tag] = field
    if flexible:
        for _ in range(_read_uvarint(source)):
            tag, data = _read_uvarint(source), io.BytesIO(source.read(_read_uvarint(source)))
            if tag in tagged:
                field = tagged[tag]
                setattr(message, field.name, _read(data, field.type, version, flexible, field.nullable(version)))
                assert not data.read()
    return message


def _read(source: io.BytesIO, kind: Any, version: int, flexible: bool, nullable: bool) -> Any:
    if is_struct(kind):
        if nullable and struct.unpack(">b", source.read(1))[0] < 0:
            return None
        return _read_struct(source, kind, version, flexible)
    if isinstance(kind, Array):
        count = _read_length(source, "i", flexible)
        return None if count < 0 else [_read(source, kind.element, version, flexible, False) for _ in range(count)]
    if kind.code:
        return struct.unpack(">" + kind.code, source.read(kind.size))[0]
    length = _read_length(source, "h" if kind.name == "String" else "i", flexible)
    if length < 0:
        return None
    data = source.read(length)
    return data.decode() if kind.name == "String" else data


def _read_length(source: io.BytesIO, code: str, flexible: bool) -> int:
    if flexible:
        return _read_uvarint(source) - 1
    return int(struct.unpack(">" + code, source.read(struct.calcsize(code)))[0])


def _read_uvarint(source: io.BytesIO) -> int:
    value, shift = 0, 0
    while True:
        byte = source.read(1)[0]
        value += (byte % 128) << shift
        if byte < 128:
            return value
        shift += 7
