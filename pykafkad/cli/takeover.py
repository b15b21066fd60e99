"""Take over a stopped single-node Kafka's data: topics, records, offsets, settings.

KAFKA_LOG_DIR is what log.dirs names in Kafka's server.properties; several with commas, and metadata.log.dir among them
if there is one. DATA_DIR is the log.dirs of the broker to come: a directory that is new or empty, or one for each of
the others. Kafka's files are only read. On the same volume closed segments become hard links, so that most of the data
needs no second place.
"""

from __future__ import annotations

import argparse
import sys

from pykafkad.cli.failures import Misused
from pykafkad.clock import stopwatch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", metavar="KAFKA_LOG_DIR… DATA_DIR", nargs="+", help="from where, and to where")
    parser.add_argument("--copy", action="store_true", help="copy closed segments too, instead of linking them")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(args: argparse.Namespace) -> int:
    if len(args.directories) < 2:
        raise Misused("say from where and to where: KAFKA_LOG_DIR DATA_DIR")
    *sources, target = args.directories
    from pykafkad.api.api_versions import FEATURES
    from pykafkad.runtime.takeover import carry_out, survey

    targets = _split([target])
    made = survey(_split(sources), targets, FEATURES)
    try:
        meter = _Meter(made.bytes, len(made.plan))
        if not args.dry_run:
            carry_out(made, not args.copy, meter)
            meter.end()
    finally:
        made.close()
    for note in made.notes:
        print(f"note: {note}")
    topics, partitions = len(made.kraft.topics), sum(len(topic.partitions) for topic in made.kraft.topics.values())
    verb = "would import" if args.dry_run else "imported"
    shared = f", {in_units(meter.shared)} of it linked" if meter.shared else ""
    print(f"{verb} node {made.node_id} of cluster {made.cluster_id}: ", end="")
    print(f"{topics} topics, {partitions} partitions, {in_units(made.bytes)}{shared}")
    if not made.clean:
        print("Kafka was not stopped cleanly: the first start checks and recovers what it had not synced")
    if not args.dry_run:
        print(f"start it: pykafkad serve --override node.id={made.node_id} --override log.dirs={','.join(targets)}")
    return 0


def _split(words: list[str]) -> list[str]:
    return [path.strip() for word in words for path in word.split(",") if path.strip()]


class _Meter:
    """How far it is, on a terminal; silent elsewhere."""

    def __init__(self, size: int, partitions: int) -> None:
        self.shared = 0
        self._size, self._partitions = size, partitions
        self._brought = self._done = 0
        self._shown = sys.stderr.isatty()
        self._last = 0.0

    def brought(self, size: int, shared: bool) -> None:
        self._brought += size
        self.shared += size if shared else 0
        self._tell()

    def partition_done(self) -> None:
        self._done += 1
        self._tell()

    def end(self) -> None:
        if self._shown:
            self._say("")

    def _tell(self) -> None:
        if self._shown and stopwatch() - self._last > 0.1:
            self._last = stopwatch()
            brought, whole = in_units(self._brought), in_units(self._size)
            self._say(f"{self._done} of {self._partitions} partitions, {brought} of {whole}")

    def _say(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def in_units(count: int) -> str:
    """Bytes in the unit that keeps the number short."""
    amount, unit = float(count), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
