"""How every internal topic frames its records: a key is its type (int16) and fields, a value its version and fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from kafkawire.codec import decode, encode_into
from kafkawire.errors import WireError

Types: TypeAlias = Mapping[int, tuple[type[Any], type[Any]]]  # record type -> classes of its key and its value


def read_record(types: Types, key: bytes, value: bytes | None) -> tuple[Any, Any]:
    """A record's key and value; an unknown type gives (None, None), a tombstone (key, None). WireError on garbage."""
    found = types.get(int.from_bytes(key[:2], "big", signed=True)) if len(key) >= 2 else None
    if found is None:
        return None, None
    key_class, value_class = found
    made = decode(key_class, key_class.__wire__.versions.first, key, 2)
    if value is None:
        return made, None
    if len(value) < 2:
        raise WireError("a stored value has no version")
    return made, decode(value_class, int.from_bytes(value[:2], "big", signed=True), value, 2)


def write(key: Any, value: Any, version: int) -> tuple[bytes, bytes | None]:
    """The bytes of a record: ``version`` is the value's; no value makes a tombstone."""
    out = bytearray(key.__wire__.key.to_bytes(2, "big"))
    encode_into(key, key.__wire__.versions.first, out)
    return bytes(out), None if value is None else write_value(value, version)


def write_value(value: Any, version: int) -> bytes:
    """The bytes of a record's value alone."""
    out = bytearray(version.to_bytes(2, "big"))
    encode_into(value, version, out)
    return bytes(out)
