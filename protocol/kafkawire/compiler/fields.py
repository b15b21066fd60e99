"""The one reader of annotations: a declared class becomes a tuple of ``Field``.

Annotations are text until now. They are evaluated here with a vocabulary of our own in front of the module's names, so
that ``String`` means the wire's string, ``list[X]`` an array and ``Annotated`` a plain tuple. That keeps ``typing`` out
of the way, which would take longer than all the rest of a compilation.
"""

from __future__ import annotations

import sys
from types import UnionType
from typing import Any, NamedTuple

from kafkawire.schema import FOREVER, Declaration, Ignorable, Message, Nullable, Tag, Versions


class _Type:
    """What an annotation says about the bytes, before the versions come in."""

    __slots__ = ()

    def __or__(self, other: None) -> _Optional:
        return _Optional(self)


class Primitive(_Type):
    """A wire type: its name, and its ``struct`` code if its width is fixed."""

    __slots__ = ("code", "name", "size")

    def __init__(self, name: str, code: str = "", size: int = 0) -> None:
        self.name = name
        self.code = code
        self.size = size


class Array(_Type):
    __slots__ = ("element",)

    def __init__(self, element: Any) -> None:
        self.element = element


class _Optional(NamedTuple):
    inner: Any


class _ListWord:
    def __getitem__(self, element: Any) -> Array:
        return Array(element)


class _AnnotatedWord:
    def __getitem__(self, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return parts


_VOCABULARY: dict[str, Any] = {
    primitive.name: primitive
    for primitive in (
        Primitive("Bool", "?", 1),
        Primitive("Int8", "b", 1),
        Primitive("Int16", "h", 2),
        Primitive("Uint16", "H", 2),
        Primitive("Int32", "i", 4),
        Primitive("Uint32", "I", 4),
        Primitive("Int64", "q", 8),
        Primitive("Float64", "d", 8),
        Primitive("Uuid", "16s", 16),
        Primitive("String"),
        Primitive("Bytes"),
        Primitive("Records"),
    )
}
_VOCABULARY["list"] = _ListWord()
_VOCABULARY["Annotated"] = _AnnotatedWord()


class Field(NamedTuple):
    """One field in all its versions."""

    name: str
    type: Any  # Primitive, Array or a declared class
    versions: Versions
    nullable_since: int | None
    tag: int | None
    ignorable: bool
    default: Any  # as declared: a plain value, a list for arrays, a DefaultStruct for structs

    def nullable(self, version: int) -> bool:
        return self.nullable_since is not None and version >= self.nullable_since


def declaration(cls: type[Any]) -> Declaration:
    wire: Declaration = cls.__wire__
    return wire


def fields_of(cls: type[Any]) -> tuple[Field, ...]:
    """The fields of a declared class in wire order; read once."""
    wire = declaration(cls)
    if wire.fields is None:
        wire.fields = _read(cls, wire)
    return wire.fields


def _read(cls: type[Any], wire: Declaration) -> tuple[Field, ...]:
    if not wire.texts:
        return ()
    # One tuple for the whole class: one evaluation instead of one per field.
    expression = f"({','.join(wire.texts.values())},)"
    meanings = eval(expression, vars(sys.modules[cls.__module__]), _VOCABULARY)
    return tuple(_field(name, meaning, wire.defaults[name]) for name, meaning in zip(wire.texts, meanings, strict=True))


def _field(name: str, meaning: Any, default: Any) -> Field:
    versions, nullable_since, tag, ignorable = Versions(0, FOREVER), None, None, False
    what: Any = meaning
    notes: list[Any] = []
    if type(meaning) is tuple:
        what, *notes = meaning
    if isinstance(what, _Optional):
        what, nullable_since = what.inner, 0
    elif isinstance(what, UnionType):  # a declared class | None
        what, nullable_since = what.__args__[0], 0
    for note in notes:
        if isinstance(note, Versions):
            versions = note
        elif isinstance(note, Nullable):
            nullable_since = note.since
        elif isinstance(note, Tag):
            tag = note.number
        elif isinstance(note, Ignorable):
            ignorable = True
    return Field(name, what, versions, nullable_since, tag, ignorable, default)


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Message)


def has_records(cls: type[Any], version: int) -> bool:
    """Whether a message carries record batches in this version: then its bytes come and go in pieces."""
    for field in fields_of(cls):
        if version not in field.versions:
            continue
        kind = field.type.element if isinstance(field.type, Array) else field.type
        if is_struct(kind):
            if has_records(kind, version):
                return True
        elif kind.name == "Records":
            return True
    return False


def least_size(kind: Any, version: int, flexible: bool, nullable: bool = False) -> int:
    """The fewest bytes a value can take: what bounds an array's count by the bytes that are left."""
    if is_struct(kind):
        if nullable:
            return 1
        size = 1 if flexible else 0
        for field in fields_of(kind):
            if version in field.versions and field.tag is None:
                size += least_size(field.type, version, flexible, field.nullable(version))
        return size
    if isinstance(kind, Array):
        return 1 if flexible else 4
    if kind.code:
        return int(kind.size)
    if flexible:
        return 1
    return 2 if kind.name == "String" else 4
