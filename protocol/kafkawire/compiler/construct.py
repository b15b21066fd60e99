"""Constructors, and the default values of fields.

A default that is a struct of plain values is one shared object that refuses to be written to: nearly every Fetch and
Produce answer carries such structs only to leave them out of its bytes.
"""

from __future__ import annotations

from typing import Any, NoReturn

from kafkawire.compiler.fields import Array, Field, declaration, fields_of, is_struct
from kafkawire.compiler.source import Source
from kafkawire.schema import Message

_ABSENT: Any = object()


def _refuse(self: Any, name: str, value: Any) -> NoReturn:
    struct = type(self).__wire__.name
    raise AttributeError(f"this {struct} is a shared default: assign a struct of your own, then set {name}")


def shared_default(cls: type[Any]) -> Any:
    """The one read-only instance with all defaults of a struct of plain values; None if it holds lists or structs."""
    wire = declaration(cls)
    if wire.shared is None:
        fields = fields_of(cls)
        if any(isinstance(field.type, Array) or is_struct(field.type) for field in fields):
            return None
        frozen = type(cls.__name__, (cls,), {"__slots__": (), "__module__": cls.__module__, "__setattr__": _refuse})
        instance: Any = object.__new__(frozen)
        for field in fields:
            object.__setattr__(instance, field.name, field.default)
        wire.shared = instance
    return wire.shared


def default_text(field: Field, source: Source) -> str:
    """An expression for a field's default that may be stored in a message: fresh where it can be changed."""
    if field.default is None:
        return "None"
    if isinstance(field.type, Array):
        return "[]"
    if is_struct(field.type):
        shared = shared_default(field.type)
        if shared is not None:
            return source.constant("DEFAULT", shared)
        return f"{source.constant('NEW', field.type)}()"
    if field.default == bytes(16) and field.type.name == "Uuid":
        return source.constant("ZERO", field.default)
    return repr(field.default)


def install_constructor(cls: type[Any]) -> None:
    """Write ``cls.__init__``: keywords only, every field with its default."""
    source = Source(f"kafkawire {cls.__module__}.{cls.__name__} constructor")
    names = ["self"]
    body = []
    for field in fields_of(cls):
        if field.default is not None and (isinstance(field.type, Array) or is_struct(field.type)):
            absent = source.constant("ABSENT", _ABSENT)
            names.append(f"{field.name}={absent}")
            fresh = default_text(field, source)
            body.append(f"self.{field.name} = {fresh} if {field.name} is {absent} else {field.name}")
        else:
            names.append(f"{field.name}={default_text(field, source)}")
            body.append(f"self.{field.name} = {field.name}")
    if len(names) > 1:
        names.insert(1, "*")
    with source.block(f"def __init__({', '.join(names)}):"):
        for line in body or ["pass"]:
            source.line(line)
    home = cls if "__wire__" in cls.__dict__ else cls.__mro__[1]
    type.__setattr__(home, "__init__", source.function("__init__"))
    assert home is not Message
