"""The words in which messages are declared; about a dozen, and they are the whole language.

A message file is Python that people and type checkers read as plain annotated classes: ``Int32`` is ``int``, ``String``
is ``str``. The compiler reads the same annotations, still text because of ``from __future__ import annotations``, and
gives the words their wire meaning (``compiler/fields.py``). Nothing is compiled here: a declaration costs microseconds
to import, and a codec is written when a (class, version) pair is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, NamedTuple, TypeAlias, TypeVar, dataclass_transform

Bool: TypeAlias = bool
Int8: TypeAlias = int
Int16: TypeAlias = int
Uint16: TypeAlias = int
Int32: TypeAlias = int
Uint32: TypeAlias = int
Int64: TypeAlias = int
Float64: TypeAlias = float
String: TypeAlias = str
Bytes: TypeAlias = bytes
Uuid: TypeAlias = bytes  # always 16
Piece: TypeAlias = bytes | bytearray | memoryview | Sized  # Sized: a slice of a file, which only its sender opens
Records: TypeAlias = bytes | bytearray | memoryview | Sized | list[Piece]  # decoded as memoryview, never copied

ZERO_UUID = bytes(16)
FOREVER = 32767


class Versions(NamedTuple):
    """A closed range of versions."""

    first: int
    last: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.first <= version <= self.last


class Tag(NamedTuple):
    number: int


class Nullable(NamedTuple):
    """From which version on null may be said; before it, the field is there but never null."""

    since: int


class Ignorable(NamedTuple):
    """An encoder may leave the field out where the version lacks it, whatever its value."""


def since(version: int) -> Versions:
    return Versions(version, FOREVER)


def until(version: int) -> Versions:
    return Versions(0, version)


def between(first: int, last: int) -> Versions:
    return Versions(first, last)


def tag(number: int) -> Tag:
    return Tag(number)


def nullable(*, since: int) -> Nullable:
    return Nullable(since)


ignorable = Ignorable()


class DefaultStruct:
    """Stands in a declaration for "the struct with all its defaults"."""


def array() -> list[Any]:
    """The default of an array: a fresh empty one."""
    return []


def default() -> Any:
    """The default of a struct: all of its own defaults."""
    return DefaultStruct()


class Declaration:
    """What a decorated class says about itself, under ``__wire__``; filled in by the compiler as it is used."""

    __slots__ = ("decoders", "defaults", "encoders", "fields", "flexible", "key", "name", "shared", "texts", "versions")

    def __init__(
        self,
        name: str,
        texts: dict[str, str],
        defaults: dict[str, Any],
        key: int,
        versions: Versions,
        flexible: int | None,
    ) -> None:
        self.name = name
        self.texts = texts  # field name -> annotation, as written
        self.defaults = defaults
        self.key = key
        self.versions = versions
        self.flexible = flexible
        self.fields: tuple[Any, ...] | None = None
        self.shared: Any = None
        self.decoders: dict[int, Callable[..., Any]] = {}
        self.encoders: dict[int, Callable[..., Any]] = {}


class Message:
    """What all message classes can do: compare, print. They hold their fields and nothing else."""

    __slots__ = ()
    __wire__: Declaration

    def __init__(self, **values: Any) -> None:
        # The real constructor is written when it is first needed; most declared classes are never built by hand.
        from kafkawire.compiler.construct import install_constructor

        install_constructor(type(self))
        self.__init__(**values)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        wire = self.__wire__
        if not isinstance(other, Message) or other.__wire__ is not wire:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in wire.texts)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        wire = self.__wire__
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in wire.texts)
        return f"{wire.name}({values})"


T = TypeVar("T")
_ALL = Versions(0, FOREVER)


def _declare(cls: type[T], key: int, versions: Versions, flexible: int | None) -> type[T]:
    namespace = vars(cls)
    texts: dict[str, str] = namespace.get("__annotations__", {})
    defaults = {name: namespace[name] for name in texts}
    body = {
        "__slots__": tuple(texts),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__annotations__": texts,
        "__match_args__": (),
        "__wire__": Declaration(cls.__name__, texts, defaults, key, versions, flexible),
    }
    return type(cls.__name__, (Message,), body)


@dataclass_transform(kw_only_default=True, eq_default=True)
def message(*, versions: Versions, flexible: Versions | None = None, api_key: int = -1) -> Callable[[type[T]], type[T]]:
    """Declare an outermost message: one that stands in a frame or in a record of its own."""
    first_flexible = None if flexible is None else flexible.first

    def decorate(cls: type[T]) -> type[T]:
        return _declare(cls, api_key, versions, first_flexible)

    return decorate


@dataclass_transform(kw_only_default=True, eq_default=True)
def struct(cls: type[T]) -> type[T]:
    """Declare a struct inside messages; it takes its version and its flexibility from the message around it."""
    return _declare(cls, -1, _ALL, None)
