"""`make bench`: pykafkad beside Apache Kafka, the figures of docs/performance.md, measured on this machine.

    python -m tests.bench [--quick] [--only produce latency/500 …] [--broker both|pykafkad|apache] [--pairs N]

Runs are taken in turn, ours and theirs, after both brokers got 150,000 requests: a cold JVM would flatter whoever
stands beside it. What is measured replaces the same figure of earlier runs, so that figures can be repeated one by one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

from conformance.brokers import APACHE_VERSION, apache_missing
from tests.bench import figures, life, page, plots
from tests.bench.meter import GB
from tests.bench.ratios import OURS, THEIRS
from tests.bench.runner import Runner

QUICK = 0.02  # of the requests, bytes and seconds


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def about(kinds: list[str]) -> dict[str, str]:
    from importlib.metadata import version

    import confluent_kafka

    model, virtual = "unknown processor", ""
    with contextlib.suppress(OSError, StopIteration):
        text = Path("/proc/cpuinfo").read_text()
        virtual = "virtual machine, " if "hypervisor" in text else ""
        model = next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    found = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{virtual}{os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()}",
        "pykafkad": f"{version('pykafkad')} on CPython {platform.python_version()}, uvloop {version('uvloop')}",
    }
    if THEIRS in kinds:
        found["Apache Kafka"] = f"{APACHE_VERSION}, KRaft, 1 GB of heap, G1"
    found["clients"] = (
        f"raw sockets; librdkafka {confluent_kafka.libversion()[0]}; Java's of Apache Kafka {APACHE_VERSION}"
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--broker", choices=["both", OURS, THEIRS], default="both")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="figures or families, by name")
    parser.add_argument("--list", action="store_true", help="name all figures")
    parser.add_argument("--pairs", type=int, help="at most so many runs of each broker")
    parser.add_argument("--minutes", type=float, default=38, help="fewer pairs when it would take longer")
    parser.add_argument("--quick", action="store_true", help="one run, a fraction of the load: does it work?")
    parser.add_argument("--touch", type=float, metavar="GB", help="memory to touch and free before each measured write")
    parser.add_argument("--out", type=Path, help="write performance.md, .json and img/ here instead of docs/")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the page from the JSON")
    asked = parser.parse_args()
    wanted = figures.chosen(asked.only)
    if asked.list:
        for figure in figures.FIGURES:
            print(f"{figure.name:<32} {figure.turns()} pairs of some {figure.weight:.0f} s  {figure.text}")
        return 0
    if not wanted:
        parser.error("no figure has such a name; --list names them")
    docs = asked.out or page.DOCS
    docs.mkdir(parents=True, exist_ok=True)
    results = page.load(docs)
    if asked.render:
        plots.draw(results, docs / "img")
        page.write(results, docs)
        return 0
    kinds = [OURS, THEIRS] if asked.broker == "both" else [asked.broker]
    if THEIRS in kinds and (missing := apache_missing()):
        say(missing)
        say("pykafkad is measured alone: there are no ratios, and nothing is said about goals")
        kinds.remove(THEIRS)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's broker compiles itself anew at every start
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    life.allow_many_files()
    facts = about(kinds)
    began = time.monotonic()
    kept = asked.out is not None or not asked.quick
    touch = None if asked.touch is None else int(asked.touch * GB)
    with tempfile.TemporaryDirectory(prefix="pykafkad-bench-") as directory:
        scale, pairs = (QUICK, 1) if asked.quick else (1.0, asked.pairs)
        runner = Runner(kinds, Path(directory), scale=scale, pairs=pairs, touch=touch, seconds=asked.minutes * 60)
        for figure, runs in runner.all(wanted):
            if not page.merge(results, figure, runs, facts):
                say(f"{figure.name}: measured alone, so that the page keeps what was measured side by side")
            elif kept:
                page.write(results, docs)  # a figure that is taken isn't lost when a later one breaks
    if kept:
        plots.draw(results, docs / "img")
        page.write(results, docs)
    for line in runner.broken:
        say(f"broke: {line}")
    say(f"{(time.monotonic() - began) / 60:.1f} minutes")
    return 1 if runner.broken else 0


if __name__ == "__main__":
    sys.exit(main())
