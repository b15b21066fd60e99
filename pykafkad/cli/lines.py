"""Lines to records and back, with the properties of Kafka's console tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykafkad.cli.failures import CommandFailed, Misused

if TYPE_CHECKING:
    from pykafkad.cli.reading import Message

Headers = list[tuple[str, bytes | None]]
Parsed = tuple[bytes | None, bytes | None, Headers]

PARSER_PROPERTIES = {
    "parse.key": "false",
    "key.separator": "\t",
    "parse.headers": "false",
    "headers.delimiter": "\t",
    "headers.separator": ",",
    "headers.key.separator": ":",
    "null.marker": "",
    "ignore.error": "false",
}
PRINTER_PROPERTIES = {
    "print.timestamp": "false",
    "print.partition": "false",
    "print.offset": "false",
    "print.epoch": "false",
    "print.headers": "false",
    "print.key": "false",
    "print.value": "true",
    "key.separator": "\t",
    "line.separator": "\n",
    "headers.separator": ",",
    "null.literal": "null",
}


def known(given: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Defaults with what was given; a property that doesn't exist would silently do nothing, so it is refused."""
    for name in given:
        if name not in defaults:
            raise Misused(f"--property: there is no {name} ({', '.join(defaults)})")
    return {**defaults, **given}


class LineParser:
    """``headers<tab>key<tab>value`` lines, or fewer parts, to records."""

    def __init__(self, given: Mapping[str, str]) -> None:
        properties = known(given, PARSER_PROPERTIES)
        self._parse_key = _flag(properties, "parse.key")
        self._parse_headers = _flag(properties, "parse.headers")
        self._ignore_error = _flag(properties, "ignore.error")
        self._key_separator = properties["key.separator"].encode()
        self._headers_delimiter = properties["headers.delimiter"].encode()
        self._headers_separator = properties["headers.separator"].encode()
        self._headers_key_separator = properties["headers.key.separator"].encode()
        self._null_marker = properties["null.marker"].encode() or None

    def parse(self, line: bytes, number: int) -> Parsed:
        headers: Headers = []
        key: bytes | None = None
        if self._parse_headers:
            text, line = self._split(line, self._headers_delimiter, "headers", number)
            headers = self._headers(text, number) if text else []
        if self._parse_key:
            key, line = self._split(line, self._key_separator, "a key", number)
        return self._or_null(key), self._or_null(line), headers

    def _split(self, line: bytes, separator: bytes, what: str, number: int) -> tuple[bytes | None, bytes]:
        before, found, after = line.partition(separator)
        if found:
            return before, after
        if self._ignore_error:
            return None, line
        raise CommandFailed(f"line {number} has no {separator.decode()!r} after {what}")

    def _headers(self, text: bytes, number: int) -> Headers:
        headers: Headers = []
        for item in text.split(self._headers_separator):
            name, found, value = item.partition(self._headers_key_separator)
            if not found and not self._ignore_error:
                raise CommandFailed(f"line {number}: header {item.decode('utf-8', 'replace')!r} has no value")
            headers.append((name.decode("utf-8", "replace"), self._or_null(value)))
        return headers

    def _or_null(self, part: bytes | None) -> bytes | None:
        return None if part == self._null_marker else part


@dataclass(frozen=True, slots=True)
class LinePrinter:
    """Messages to lines; parts in the order of kafka-console-consumer."""

    properties: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, str]) -> LinePrinter:
        return cls(known(given, PRINTER_PROPERTIES))

    def line(self, message: Message) -> bytes:
        parts: list[bytes] = []
        if self._wants("timestamp"):
            parts.append(self._timestamp(message))
        if self._wants("partition"):
            parts.append(b"Partition:%d" % message.partition)
        if self._wants("offset"):
            parts.append(b"Offset:%d" % message.offset)
        if self._wants("epoch"):
            parts.append(b"Epoch:%d" % message.leader_epoch)
        if self._wants("headers"):
            parts.append(self._headers(message.headers))
        if self._wants("key"):
            parts.append(self._or_null(message.key))
        if self._wants("value"):
            parts.append(self._or_null(message.value))
        return self.properties["key.separator"].encode().join(parts) + self.properties["line.separator"].encode()

    def _wants(self, part: str) -> bool:
        return _flag(self.properties, f"print.{part}")

    def _timestamp(self, message: Message) -> bytes:
        if message.timestamp < 0:
            return b"NO_TIMESTAMP"
        return b"%s:%d" % (b"LogAppendTime" if message.append_time else b"CreateTime", message.timestamp)

    def _headers(self, headers: Headers) -> bytes:
        if not headers:
            return b"NO_HEADERS"
        shown = [name.encode() + b":" + self._or_null(value) for name, value in headers]
        return self.properties["headers.separator"].encode().join(shown)

    def _or_null(self, part: bytes | None) -> bytes:
        return self.properties["null.literal"].encode() if part is None else part


def _flag(properties: Mapping[str, str], name: str) -> bool:
    value = properties[name].strip().lower()
    if value not in ("true", "false"):
        raise Misused(f"--property {name}: {properties[name]!r} is neither true nor false")
    return value == "true"
