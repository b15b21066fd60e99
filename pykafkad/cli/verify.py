"""Say what is damaged in log directories: one line per finding, with file and byte; exit code 1 if there is any.

Files are only read. Beside a running broker this takes from the disk's bandwidth, and from nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from pykafkad.cli.failures import CommandFailed
from pykafkad.cli.options import add_json
from pykafkad.cli.tables import show
from pykafkad.clock import pause, stopwatch
from pykafkad.storage import names
from pykafkad.storage.disk import RealDisk
from pykafkad.storage.verify import Finding, Verifier

STORE = "cluster.sqlite"
_STEP_S = 0.2
_MB = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="DIR", nargs="+", help="log directories, or folders of single partitions")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    for path in args.paths:
        if not os.path.isdir(path):
            raise CommandFailed(f"{path} is no directory")
    progress = Progress(sum(map(_bytes_of_logs, args.paths)))
    rows = []
    for finding in verify(args.paths, progress):
        rows.append({"file": finding.path, "position": finding.position, "reason": finding.reason})
        if not args.json:
            progress.clear()
            print(finding, flush=True)
    progress.clear()
    if args.json:
        show(rows, as_json=True)
    else:
        said = f"{len(rows)} finding{'s' if len(rows) != 1 else ''}" if rows else "nothing is damaged"
        print(f"{said} in {progress.read / _MB:.1f} MB of records", file=sys.stderr)
    return 1 if rows else 0


def verify(paths: list[str], progress: Progress) -> Iterator[Finding]:
    verifier = Verifier(RealDisk(64), progress=progress.advance, wait=lambda: pause(0.1))
    for path in paths:
        yield from verifier.directory(path)
        store = os.path.join(path, STORE)
        if os.path.exists(store):
            from pykafkad.cluster.sqlite import damage

            yield from (Finding(store, None, reason) for reason in damage(store))


def _bytes_of_logs(path: str) -> int:
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, files in os.walk(path)
        for name in files
        if name.endswith(names.LOG) and os.path.exists(os.path.join(folder, name))
    )


class Progress:
    """A line on a terminal that says how far it is; silent elsewhere."""

    def __init__(self, total: int) -> None:
        self.read = 0
        self._total = total
        self._shown = stopwatch()
        self._terminal = sys.stderr.isatty()

    def advance(self, size: int) -> None:
        self.read += size
        if self._terminal and stopwatch() - self._shown >= _STEP_S:
            self._shown = stopwatch()
            share = 100 * self.read // max(self._total, 1)
            sys.stderr.write(f"\r{min(share, 100):3d} %  {self.read / _MB:.0f} of {self._total / _MB:.0f} MB")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
