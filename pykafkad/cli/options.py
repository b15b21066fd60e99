"""What the commands' options have in common: where the cluster is, and how values are written in Kafka's tools."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from pykafkad.cli.failures import Misused

DEFAULT_SERVER = "127.0.0.1:9092"
_DURATION = re.compile(
    r"(?P<sign>[-+]?)P(?:(?P<days>[-+]?\d+)D)?"
    r"(?P<time>T(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?(?:(?P<seconds>[-+]?\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)


def add_connection(parser: argparse.ArgumentParser) -> None:
    """``--bootstrap-server``, as every one of Kafka's tools has it."""
    parser.add_argument(
        "--bootstrap-server",
        metavar="HOST:PORT,…",
        default=DEFAULT_SERVER,
        help=f"brokers to ask first (default {DEFAULT_SERVER})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def merge(positional: Iterable[str], options: Iterable[str] | None) -> list[str]:
    """Names given as words and as ``--topic``/``--group``, commas split, in order, each once."""
    names = [name for item in [*positional, *(options or ())] for name in item.split(",") if name]
    return list(dict.fromkeys(names))


def pairs(items: Iterable[str], option: str) -> dict[str, str]:
    """``key=value`` items of a repeatable option."""
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise Misused(f"{option}: {item!r} is not key=value")
        found[key] = value
    return found


def split_configs(text: str) -> list[str]:
    """``a=1,b=[x,y]`` as ``a=1`` and ``b=x,y``: square brackets keep a list's commas, as in kafka-configs."""
    items: list[str] = []
    depth, item = 0, ""
    for char in text:
        if char == "," and not depth:
            items.append(item)
            item = ""
            continue
        if char in "[]":
            depth += 1 if char == "[" else -1
            continue
        item += char
    return [entry.strip() for entry in [*items, item] if entry.strip()]


def milliseconds_of_datetime(text: str) -> int:
    """``YYYY-MM-DDTHH:mm:SS.sss`` with or without a zone; without one it is UTC, as in kafka-consumer-groups."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date and time like 2026-01-31T12:00:00.000") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def milliseconds_of_duration(text: str) -> int:
    """An ISO duration of days, hours, minutes and seconds: ``P1DT2H30M``, ``PT10S``."""
    match = _DURATION.fullmatch(text)
    parts = {name: match[name] for name in ("days", "hours", "minutes", "seconds")} if match else {}
    if match is None or not any(parts.values()) or match["time"] in ("T", "t"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration like P1DT2H30M")
    unit = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}
    total = sum(round(float(value) * unit[name]) for name, value in parts.items() if value)
    return -total if match["sign"] == "-" else total


def topic_partitions(text: str) -> tuple[str, list[int] | None]:
    """``topic`` or ``topic:0,1``."""
    topic, colon, partitions = text.partition(":")
    if not colon:
        return topic, None
    try:
        return topic, [int(partition) for partition in partitions.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not TOPIC or TOPIC:0,1") from None
