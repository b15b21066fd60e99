"""Messages made from their declarations: hypothesis strategies, and samples from a seed where hypothesis is too slow.

Both fill every field that a version has and leave the others at their defaults, which is what an encoder accepts.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from kafkawire.compiler.fields import Array, Field, fields_of, is_struct
from tests.kit.obvious import default_of

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "Bool": st.booleans(),
    "Int8": st.integers(-(2**7), 2**7 - 1),
    "Int16": st.integers(-(2**15), 2**15 - 1),
    "Uint16": st.integers(0, 2**16 - 1),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Uint32": st.integers(0, 2**32 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(allow_nan=False),
    "Uuid": st.binary(min_size=16, max_size=16),
    "String": _TEXT | st.text("x", min_size=126, max_size=130),  # where a varint gets its second byte
    "Bytes": st.binary(max_size=20) | st.binary(min_size=126, max_size=130),
    "Records": st.binary(max_size=200),
}


@cache
def messages(cls: type[Any], version: int) -> st.SearchStrategy[Any]:
    """Any message of a class that a version can say."""
    said = {field.name: _field(field, version) for field in fields_of(cls) if version in field.versions}
    return st.builds(cls, **said)


def _field(field: Field, version: int) -> st.SearchStrategy[Any]:
    strategy = _kind(field.type, version)
    if field.nullable(version):
        strategy = st.none() | strategy
    if field.tag is not None:
        strategy = st.builds(default_of, st.just(field)) | strategy
    return strategy


def _kind(kind: Any, version: int) -> st.SearchStrategy[Any]:
    if is_struct(kind):
        return messages(kind, version)
    if isinstance(kind, Array):
        return st.lists(_kind(kind.element, version), max_size=3)
    return _PRIMITIVES[kind.name]


def sample(cls: type[Any], version: int, random: Random, *, calm: bool = False) -> Any:
    """One message, different in every field where it can be. ``calm`` keeps to values that mean something in Kafka:
    error codes that exist, times that are dates."""
    values: dict[str, Any] = {}
    for field in fields_of(cls):
        if version not in field.versions:
            continue
        roll = random.random()
        if field.nullable(version) and roll < 0.2:
            values[field.name] = None
        elif field.tag is not None and roll < 0.4:
            values[field.name] = default_of(field)
        else:
            values[field.name] = _sample(field.name, field.type, version, random, calm)
    return cls(**values)


def _sample(name: str, kind: Any, version: int, random: Random, calm: bool) -> Any:
    if is_struct(kind):
        return sample(kind, version, random, calm=calm)
    if isinstance(kind, Array):
        count = random.choice((0, 1, 2, 3)) if is_struct(kind.element) else random.choice((0, 1, 3, 40))
        return [_sample(name, kind.element, version, random, calm) for _ in range(count)]
    if calm and "error_code" in name:
        return random.randrange(-1, 100)
    if calm and kind.code in ("i", "q") and ("time" in name or name.endswith("_ms")):
        return random.randrange(0, 2**31)
    match kind.name:
        case "Bool":
            return random.random() < 0.5
        case "Float64":
            return random.uniform(-1e9, 1e9)
        case "Uuid":
            return random.randbytes(16)
        case "String":
            return random.choice(("", "topic", "grüße", "長い", "y" * random.choice((126, 127, 128, 300))))
        case "Bytes" | "Records":
            return random.randbytes(random.choice((0, 1, 126, 127, 128, 300)))
        case "Uint16" | "Uint32":
            return random.getrandbits(kind.size * 8)
        case _:
            bits = kind.size * 8
            return random.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1)) >> random.choice((0, bits // 2))
