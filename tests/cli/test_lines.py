"""Lines to records and back."""

from __future__ import annotations

import pytest

from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.lines import LineParser, LinePrinter
from pykafkad.cli.reading import Message


def test_a_line_is_a_value() -> None:
    assert LineParser({}).parse(b"a\tb", 1) == (None, b"a\tb", [])


def test_keys() -> None:
    parser = LineParser({"parse.key": "true", "key.separator": ":"})
    assert parser.parse(b"k:v:w", 1) == (b"k", b"v:w", [])
    with pytest.raises(CommandFailed, match="line 7 has no ':' after a key"):
        parser.parse(b"v", 7)


def test_a_line_without_a_key_is_a_value_if_errors_are_ignored() -> None:
    parser = LineParser({"parse.key": "true", "ignore.error": "true"})
    assert parser.parse(b"v", 1) == (None, b"v", [])


def test_headers_come_first() -> None:
    parser = LineParser({"parse.key": "true", "parse.headers": "true"})
    assert parser.parse(b"h1:v1,h2:v2\tk\tv", 1) == (b"k", b"v", [("h1", b"v1"), ("h2", b"v2")])
    assert parser.parse(b"\tk\tv", 1) == (b"k", b"v", [])


def test_null() -> None:
    parser = LineParser({"parse.key": "true", "null.marker": "NULL"})
    assert parser.parse(b"k\tNULL", 1) == (b"k", None, [])
    assert parser.parse(b"NULL\tv", 1) == (None, b"v", [])


def test_a_property_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Misused, match=r"there is no parse\.keys"):
        LineParser({"parse.keys": "true"})
    with pytest.raises(Misused, match="neither true nor false"):
        LineParser({"parse.key": "yes"})


def message(**changes: object) -> Message:
    whole = Message("t", 2, 41, 1700000000000, False, 0, b"k", b"v", [("h", b"x"), ("n", None)])
    return whole._replace(**changes)  # type: ignore[arg-type]


def test_a_value_is_a_line() -> None:
    assert LinePrinter.of({}).line(message()) == b"v\n"


def test_all_parts_in_kafkas_order() -> None:
    parts = ("timestamp", "partition", "offset", "headers", "key")
    printer = LinePrinter.of({f"print.{part}": "true" for part in parts})
    assert printer.line(message()) == b"CreateTime:1700000000000\tPartition:2\tOffset:41\th:x,n:null\tk\tv\n"
    assert printer.line(message(append_time=True, headers=[], key=None)) == (
        b"LogAppendTime:1700000000000\tPartition:2\tOffset:41\tNO_HEADERS\tnull\tv\n"
    )
