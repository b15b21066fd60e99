"""What would be lost if the power failed now: records that a running broker has written and not synced yet.

It is an upper bound, read from the broker's metrics: the kernel writes by itself what has been in memory for half a
minute or so, and doesn't tell. docs/durability.md says how to make it less.
"""

from __future__ import annotations

import argparse
import re

from pykafkad.cli import http
from pykafkad.cli.failures import CommandFailed
from pykafkad.cli.tables import show

_SAMPLE = re.compile(
    r'^kafka_log_log_unsynced(records|bytes)\{topic="([^"]*)",partition="(\d+)"\} (\S+)$', re.MULTILINE
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    http.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    status, text = http.get(args, "/metrics")
    if status != 200:
        raise CommandFailed(f"no metrics at {args.http}: {text}")
    found: dict[tuple[str, int], dict[str, object]] = {}
    for what, topic, partition, value in _SAMPLE.findall(text):
        row = found.setdefault((topic, int(partition)), {"topic": topic, "partition": int(partition)})
        row[what] = int(float(value))
    rows = [row for _, row in sorted(found.items()) if row.get("records")]
    show(
        rows,
        as_json=args.json,
        columns=("topic", "partition", "records", "bytes"),
        empty="nothing: all that was written is synced",
    )
    return 0
