"""Requests as plain dicts and lists: what a script says, without naming classes or minding versions.

``build`` makes the message of one version from a tree; what that version can't say is left out, so one tree serves all
versions. ``variations`` turns one valid tree into many questionable ones, from the declaration alone: every field, at
every depth, with each of the values that its type makes interesting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafkawire.compiler.fields import Array, Field, fields_of, is_struct

Tree = dict[str, Any]

NUMBERS = {"Int8": 7, "Int16": 15, "Int32": 31, "Int64": 63}
TEXTS = ("", "nope", "a b", "..", "é", "x" * 250)
NOWHERE = b"\x07" * 16


def build(cls: type[Any], tree: Tree, version: int) -> Any:
    known = {field.name: field for field in fields_of(cls)}
    unknown = tree.keys() - known.keys()
    if unknown:
        raise KeyError(f"{cls.__module__} {cls.__name__} has no {sorted(unknown)}")
    return cls(**{k: _value(known[k].type, v, version) for k, v in tree.items() if version in known[k].versions})


def _value(kind: Any, value: Any, version: int) -> Any:
    if isinstance(kind, Array) and isinstance(value, list):
        return [_value(kind.element, item, version) for item in value]
    if is_struct(kind) and isinstance(value, dict):
        return build(kind, value, version)
    return value


def variations(cls: type[Any], tree: Tree, version: int) -> Iterator[tuple[str, Tree]]:
    """(what was changed, the changed tree), one change each."""
    for field in fields_of(cls):
        if version not in field.versions:
            continue
        for what, value in _values(field, tree.get(field.name, _absent), version):
            yield f"{field.name}{what}", {**tree, field.name: value}


_absent = object()


def _values(field: Field, now: Any, version: int) -> Iterator[tuple[str, Any]]:
    kind = field.type
    if field.nullable(version) and now is not None:
        yield "=null", None
    if isinstance(kind, Array):
        yield from _arrays(kind, now, version)
    elif is_struct(kind):
        if isinstance(now, dict):
            for what, tree in variations(kind, now, version):
                yield f".{what}", tree
    elif kind.name in NUMBERS:
        top = (1 << NUMBERS[kind.name]) - 1
        for number in (-1, 0, 1, 2, -2, top, -top - 1):
            if number != now:
                yield f"={number}", number
    elif kind.name == "Bool":
        yield f"={not now}", not now
    elif kind.name == "String":
        for text in TEXTS:
            if text != now:
                yield f"={text[:4]!r}{'…' * (len(text) > 4)}", text
    elif kind.name == "Uuid":
        yield "=zero", bytes(16)
        yield "=nowhere", NOWHERE
    elif kind.name == "Bytes":
        yield "=empty", b""
        yield "=junk", b"\x00\x01\xff"


def _arrays(kind: Array, now: Any, version: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(now, list):
        return
    if now:
        yield "=[]", []
        yield " twice", now + now
        element = now[0]
        if is_struct(kind.element) and isinstance(element, dict):
            for what, changed in variations(kind.element, element, version):
                yield f"[0].{what}", [changed, *now[1:]]
                if what.endswith(("='nope'", "=nowhere", "=-1")):
                    yield f" and one with {what}", [*now, changed]
        else:
            imitation = Field("", kind.element, None, None, None, False, None)  # type: ignore[arg-type]
            for what, changed in _values(imitation, element, version):
                yield f"[0]{what}", [changed, *now[1:]]
