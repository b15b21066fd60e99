"""A setting is declared once: name, type, default, bounds, one sentence, and whether it may change at run time.

A declaration is an attribute of a ``Settings`` class, and its key is the attribute's name with dots:

    num_partitions = integer(1, "Partitions of a topic that is created without a count.", at_least(1))

The functions below return a ``Setting`` but are typed as the value it stands for, so ``config.num_partitions`` is an
``int`` to the type checker. When the class is complete its attributes are replaced by their defaults: an instance
holds only what differs, and a thousand topics with default configs cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Self, cast, overload

from pykafkad.errors import ConfigError


class Kind(IntEnum):
    """Types of values, numbered as DescribeConfigs reports them."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class Update(StrEnum):
    """How far a broker setting can be changed while the broker runs."""

    READ_ONLY = "read-only"
    PER_BROKER = "per-broker"
    CLUSTER_WIDE = "cluster-wide"


READ_ONLY, PER_BROKER, CLUSTER_WIDE = Update.READ_ONLY, Update.PER_BROKER, Update.CLUSTER_WIDE


class Secret:
    """A password: it can be asked for, but never prints itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "[hidden]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Rule:
    """What a value must satisfy beyond its type: ``refuse`` returns the reason or None; ``text`` documents it."""

    __slots__ = ("refuse", "text")

    def __init__(self, text: str, refuse: Callable[[Any], str | None]) -> None:
        self.text = text
        self.refuse = refuse


def at_least(low: int) -> Rule:
    return Rule(f"[{low},...]", lambda value: f"Value must be at least {low}" if value < low else None)


def between(low: float, high: float) -> Rule:
    def refuse(value: float) -> str | None:
        if value < low:
            return f"Value must be at least {low}"
        return f"Value must be no more than {high}" if value > high else None

    return Rule(f"[{low},...,{high}]", refuse)


def one_of(*choices: str) -> Rule:
    listed = ", ".join(choices)
    return Rule(f"[{listed}]", lambda value: None if value in choices else f"String must be one of: {listed}")


def any_case_of(*choices: str) -> Rule:
    listed = ", ".join(choices)
    upper = {choice.upper() for choice in choices}
    return Rule(
        f"(case insensitive) [{listed}]",
        lambda value: None if value.upper() in upper else f"String must be one of (case insensitive): {listed}",
    )


def each_of(*choices: str) -> Rule:
    """For lists: known values only, each at most once."""
    listed = ", ".join(choices)

    def refuse(values: tuple[str, ...]) -> str | None:
        if any(value not in choices for value in values):
            return f"String must be one of: {listed}"
        return "values must not be duplicated" if len(set(values)) != len(values) else None

    return Rule(f"[{listed}]", refuse)


def accepted_by(text: str, refuse: Callable[[Any], str | None]) -> Rule:
    return Rule(text, refuse)


NOT_EMPTY = Rule("non-empty string", lambda value: None if value else "String must be non-empty")

_WHOLE = {Kind.SHORT: 1 << 15, Kind.INT: 1 << 31, Kind.LONG: 1 << 63}


class Setting:
    """One declared setting."""

    __slots__ = ("default", "internal", "key", "kind", "meaning", "name", "rule", "server", "update")

    def __init__(
        self,
        kind: Kind,
        default: Any,
        meaning: str,
        rule: Rule | None,
        update: Update = READ_ONLY,
        internal: bool = False,
        server: tuple[str, ...] = (),
    ) -> None:
        self.name = self.key = ""  # told by the class that holds it
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.rule = rule
        self.update = update
        self.internal = internal
        self.server = server  # broker keys a topic or group setting takes its default from; the first one set wins

    @property
    def sensitive(self) -> bool:
        return self.kind is Kind.PASSWORD

    def parse(self, text: str) -> Any:
        """The typed value of ``text``; ValueError with the reason when it can't be."""
        value = self._typed(text)
        if self.rule is not None and (reason := self.rule.refuse(value)) is not None:
            raise ValueError(reason)
        return value

    def _typed(self, text: str) -> Any:
        kind = self.kind
        if kind is Kind.STRING or kind is Kind.CLASS:
            return text.strip()
        if kind is Kind.LIST:
            return tuple(item for part in text.split(",") if (item := part.strip()))
        text = text.strip()
        if kind is Kind.BOOLEAN:
            lowered = text.lower()
            if lowered not in ("true", "false"):
                raise ValueError("Expected value to be either true or false")
            return lowered == "true"
        if kind is Kind.PASSWORD:
            return Secret(text)
        if kind is Kind.DOUBLE:
            try:
                return float(text)
            except ValueError:
                raise ValueError("Not a number of type DOUBLE") from None
        limit = _WHOLE[kind]
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20 or not -limit <= int(text) < limit:
            raise ValueError(f"Not a number of type {kind.name}")
        return int(text)

    def text(self, value: Any) -> str | None:
        """A typed value as Kafka writes it; secrets have no text."""
        if value is None or self.kind is Kind.PASSWORD:
            return None
        if self.kind is Kind.BOOLEAN:
            return "true" if value else "false"
        if self.kind is Kind.LIST:
            return ",".join(value)
        if self.kind is Kind.DOUBLE:
            return double_text(value)
        return str(value)


def double_text(value: float) -> str:
    """A double as Java prints it: 0.5, 2.147483647E9, 1.7976931348623157E308."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    mantissa, exponent = f"{value:.17e}".split("e")
    for digits in range(17):  # the shortest form that reads back as the same double
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


# Each function says its kind; ``None`` as default makes the value optional. The keywords are Setting's.


@overload
def integer(default: int, meaning: str, rule: Rule | None = None, **how: Any) -> int: ...
@overload
def integer(default: None, meaning: str, rule: Rule | None = None, **how: Any) -> int | None: ...
def integer(default: int | None, meaning: str, rule: Rule | None = None, **how: Any) -> int | None:
    return cast(int, Setting(Kind.INT, default, meaning, rule, **how))


@overload
def long(default: int, meaning: str, rule: Rule | None = None, **how: Any) -> int: ...
@overload
def long(default: None, meaning: str, rule: Rule | None = None, **how: Any) -> int | None: ...
def long(default: int | None, meaning: str, rule: Rule | None = None, **how: Any) -> int | None:
    return cast(int, Setting(Kind.LONG, default, meaning, rule, **how))


def short(default: int, meaning: str, rule: Rule | None = None, **how: Any) -> int:
    return cast(int, Setting(Kind.SHORT, default, meaning, rule, **how))


def double(default: float, meaning: str, rule: Rule | None = None, **how: Any) -> float:
    return cast(float, Setting(Kind.DOUBLE, default, meaning, rule, **how))


def boolean(default: bool, meaning: str, **how: Any) -> bool:
    return cast(bool, Setting(Kind.BOOLEAN, default, meaning, None, **how))


@overload
def string(default: str, meaning: str, rule: Rule | None = None, **how: Any) -> str: ...
@overload
def string(default: None, meaning: str, rule: Rule | None = None, **how: Any) -> str | None: ...
def string(default: str | None, meaning: str, rule: Rule | None = None, **how: Any) -> str | None:
    return cast(str, Setting(Kind.STRING, default, meaning, rule, **how))


@overload
def items(default: tuple[str, ...], meaning: str, rule: Rule | None = None, **how: Any) -> tuple[str, ...]: ...
@overload
def items(default: None, meaning: str, rule: Rule | None = None, **how: Any) -> tuple[str, ...] | None: ...
def items(
    default: tuple[str, ...] | None, meaning: str, rule: Rule | None = None, **how: Any
) -> tuple[str, ...] | None:
    return cast("tuple[str, ...]", Setting(Kind.LIST, default, meaning, rule, **how))


def class_name(default: str | None, meaning: str, **how: Any) -> str | None:
    return cast(str, Setting(Kind.CLASS, default, meaning, None, **how))


def password(default: None, meaning: str, **how: Any) -> Secret | None:
    return cast(Secret, Setting(Kind.PASSWORD, default, meaning, None, **how))


class Settings:
    """Values of one declared table. Immutable; ``Settings(name=value)`` sets typed values, ``load`` reads texts."""

    SETTINGS: ClassVar[dict[str, Setting]] = {}  # by Kafka's key
    NAMES: ClassVar[frozenset[str]] = frozenset()  # by attribute

    def __init_subclass__(cls) -> None:
        cls.SETTINGS = {key: found for base in reversed(cls.__mro__[1:]) for key, found in _declared(base).items()}
        for name, declared in list(cls.__dict__.items()):
            if isinstance(declared, Setting):
                declared.name = name
                declared.key = name.replace("_", ".")
                cls.SETTINGS[declared.key] = declared
                setattr(cls, name, declared.default)
        cls.NAMES = frozenset(setting.name for setting in cls.SETTINGS.values())

    def __init__(self, **values: Any) -> None:
        if not values.keys() <= self.NAMES:
            raise TypeError(f"{type(self).__name__} has no setting {sorted(values.keys() - self.NAMES)[0]}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def replace(self, **values: Any) -> Self:
        return type(self)(**{name: value for name, value in self.__dict__.items() if name in self.NAMES} | values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        changed = (self.__dict__.keys() | other.__dict__.keys()) & self.NAMES
        return all(getattr(self, name) == getattr(other, name) for name in changed)

    def __repr__(self) -> str:
        """Only what was set; secrets hide themselves."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items() if name in self.NAMES)
        return f"{type(self).__name__}({shown})"


def _declared(base: type) -> Mapping[str, Setting]:
    return base.SETTINGS if issubclass(base, Settings) else {}


def parsed(settings: Mapping[str, Setting], texts: Mapping[str, str], where: Mapping[str, str]) -> dict[str, Any]:
    """Attribute name -> typed value for every known key of ``texts``; ConfigError names key, value and reason."""
    values = {}
    for key, text in texts.items():
        if (setting := settings.get(key)) is not None:
            try:
                values[setting.name] = setting.parse(text)
            except ValueError as error:
                shown = "[hidden]" if setting.sensitive else text
                place = f" ({where[key]})" if key in where else ""
                raise ConfigError(f"Invalid value {shown} for configuration {key}: {error}{place}") from None
    return values
