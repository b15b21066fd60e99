"""Where settings come from: Java properties files, ``--override key=value``, and the environment.

Each source yields a ``Properties``: texts by key, with the place of each, so that an error can say where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pykafkad.errors import ConfigError

_SIMPLE = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANK = " \t\f"

# Variables of the official image that are for its scripts and not for the broker.
_NOT_SETTINGS = (
    r"KAFKA_(HEAP_OPTS|OPTS|JMX_.*|GC_LOG_OPTS|JVM_PERFORMANCE_OPTS|(TOOLS_)?LOG4J_.*|DEBUG|VERSION|HOME|CLASSPATH)"
)


class Properties(dict[str, str]):
    """Texts by key; ``where`` tells the place of those that have one."""

    def __init__(self) -> None:
        super().__init__()
        self.where: dict[str, str] = {}

    def take(self, key: str, text: str, where: str) -> None:
        self[key] = text
        self.where[key] = where

    def update_from(self, other: Properties) -> None:
        """Later sources go before earlier ones."""
        self.update(other)
        self.where.update(other.where)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that says something, continuations joined."""
    joined: list[str] = []
    first = 0
    for number, natural in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line = natural.lstrip(_BLANK)
        if not joined:
            if not line or line[0] in "#!":
                continue
            first = number
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            joined.append(line[:-1])
            continue
        yield first, "".join([*joined, line])
        joined = []
    if joined:
        yield first, "".join(joined)


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        if match[1] is not None:
            return chr(int(match[1], 16))
        return _SIMPLE.get(match[2], match[2])

    if re.search(r"(?<!\\)(?:\\\\)*\\u(?![0-9a-fA-F]{4})", text):
        raise ValueError("malformed \\uxxxx escape")
    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", one, text, flags=re.DOTALL)


def _split(line: str) -> tuple[str, str]:
    """Key and value: the key ends at the first blank, ``=`` or ``:`` that isn't escaped."""
    end = 0
    while end < len(line) and line[end] not in "=: \t\f":
        end += 2 if line[end] == "\\" else 1
    key, rest = line[:end], line[end:].lstrip(_BLANK)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANK)
    return key, rest


def parse_properties(text: str, name: str = "") -> Properties:
    found = Properties()
    for number, line in _logical_lines(text):
        try:
            key, value = (_unescape(part) for part in _split(line))
        except ValueError as error:
            raise ConfigError(f"{name}:{number}: {error}") from None
        found.take(key, value, f"{name}:{number}" if name else f"line {number}")
    return found


def read_properties(path: str) -> Properties:
    """A properties file; UTF-8, or Latin-1 as Java once wanted it."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return parse_properties(text, path)


def parse_overrides(arguments: Iterable[str]) -> Properties:
    """The values of repeated ``--override key=value`` options."""
    found = Properties()
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--override {argument}: expected key=value")
        found.take(key.strip(), value.strip(), "--override")
    return found


def from_environment(environment: Mapping[str, str]) -> Properties:
    """``KAFKA_LOG_RETENTION_MS`` is log.retention.ms; ``__`` an underscore, ``___`` a dash, as in Kafka's image."""
    found = Properties()
    for variable in sorted(environment):
        if variable.startswith("KAFKA_") and not re.fullmatch(_NOT_SETTINGS, variable):
            key = re.sub("_+", _underscores, variable[len("KAFKA_") :].lower())
            if key:
                found.take(key, environment[variable], variable)
    return found


def _underscores(match: re.Match[str]) -> str:
    whole, rest = divmod(len(match[0]), 3)
    return "-" * whole + ("", ".", "_")[rest]
