"""python -m conformance.differential: start two brokers, ask both the same, say what differs."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence

from conformance import brokers
from conformance.differential import report
from conformance.differential.meant import MEANT, Meant
from conformance.differential.running import Pair, Tally
from conformance.differential.scripts import FAMILIES, Script, collect
from conformance.differential.settings import settings
from conformance.differential.side import Versions
from pykafkad.api import RANGES


def served() -> dict[str, Versions]:
    """What our broker serves: the scope, also when it takes no part."""
    return {found.module: Versions(found.min_version, found.max_version) for found in RANGES.values()}


def differential(
    a: str, b: str, *, only: list[str] | None = None, seed: int = 0, scripts: Sequence[str] = (), quiet: bool = False
) -> tuple[Tally, tuple[Meant, ...]]:
    """Run the families against two addresses or kinds of broker (started here and ended again)."""
    meant: tuple[Meant, ...] = () if a == b else MEANT
    with contextlib.ExitStack() as stack:
        temporary = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="differential-")))
        addresses = []
        for kind, side in ((a, "a"), (b, "b")):
            if kind in brokers.KINDS:
                started = stack.enter_context(brokers.running(kind, temporary / side, settings(kind)))
                addresses.append(started.bootstrap)
            else:
                addresses.append(kind)
        tag = "" if {a, b} <= brokers.KINDS.keys() else f"-{int(time.time()) % 100_000}"  # theirs may have seen runs
        pair = Pair(*addresses, allowed=served(), seed=seed, meant=meant, tag=tag)
        chosen: list[Script] = [
            s for s in collect(pair.served, only) if not scripts or any(part in s.name for part in scripts)
        ]
        return pair.run(chosen, (lambda *_: None) if quiet else report.progress), meant


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.differential", description=__doc__)
    parser.add_argument("--a", default="apache", help="apache, pykafkad or HOST:PORT of a fresh broker (apache)")
    parser.add_argument("--b", default="pykafkad", help="the same, judged against the first (pykafkad)")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--script", nargs="+", default=(), help="only scripts whose name contains one of these")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (0)")
    parser.add_argument("--json", type=pathlib.Path, help="where the results go (conformance/results/)")
    parser.add_argument("--show", type=int, default=60, help="how many kinds of differences to print (60)")
    parser.add_argument("--self", action="store_true", help="both are the same kind of broker: nothing may differ")
    parser.add_argument("--page", action="store_true", help="write conformance/DIFFERENCES.md and end")
    asked = parser.parse_args()
    if asked.page:
        report.PAGE.write_text(report.page())
        return 0
    if "apache" in (asked.a, asked.b) and (missing := brokers.apache_missing()):
        print(missing)
        return 2
    tally, meant = differential(asked.a, asked.b, only=asked.only, seed=asked.seed, scripts=asked.script)
    if asked.self:
        meant = ()
    result = report.as_json(tally, asked.a, asked.b, meant)
    whole = not asked.only and not asked.script
    name = "differential-self.json" if asked.a == asked.b else "differential.json"
    where = asked.json or (report.RESULTS / name if whole else None)
    if where:
        report.write_json(where, result)
    report.summary(result, asked.show)
    return 1 if result["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
