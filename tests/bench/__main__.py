"""`make bench`: the figures of docs/performance.md, measured on this machine.

    python -m tests.bench [--broker pykafkad|apache|both] [--runs 5] [--quick] [--only NAME…] [--no-page]

Apache Kafka gets 150,000 requests before anything of it is measured: a cold JVM would flatter whoever stands beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from conformance.brokers import APACHE_VERSION, apache_missing
from tests.bench import frames, measure, page
from tests.bench.measure import Bench
from tests.bench.raw import apart

WARM_REQUESTS = 150_000


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, str]:
    model = "unknown processor"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    virtual = "virtual machine, " if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    return {
        "machine": f"{virtual}{os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()}",
        "python": f"CPython {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def run(kind: str, runs: int, count: int, only: list[str]) -> dict[str, object]:
    """All figures of one broker: name → runs."""
    figures: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    moved: dict[str, int] | None = None

    def wanted(name: str) -> bool:
        return not only or any(part in name for part in only)

    def series(name: str, one: Callable[[], float], times: int = runs) -> None:
        if not wanted(name):
            return
        for i in range(times):
            say(f"{kind}: {name}: run {i + 1} of {times} …")
            figures.setdefault(name, []).append(one())
        say(f"{kind}: {name}: {statistics.median(figures[name]):.4g} {page.UNITS[name]}")

    with tempfile.TemporaryDirectory() as directory:
        if wanted("start"):
            measure.start_to_api_versions(kind)  # what the first start of all reads from disk isn't a broker's figure
        series("start to ApiVersions", lambda: measure.start_to_api_versions(kind))
        series("start to first record", lambda: measure.start_to_consumed(kind))
        broker = measure.new_broker(kind, Path(directory))
        try:
            broker.start()
            bench = Bench(broker, count=count)
            series("idle memory", bench.memory, 1)
            series("memory per idle connection", bench.memory_per_connection, 1)
            if kind == "apache":
                say(f"{kind}: warming up with {WARM_REQUESTS} requests …")
                frames.create_topic(broker.port, "warm")
                apart(broker.port, [frames.produce_frame("warm", 1024)], WARM_REQUESTS)
                apart(broker.port, [frames.metadata_frame("warm")], WARM_REQUESTS // 3)
                frames.delete_topic(broker.port, "warm")
            series("produce 1 KB", bench.produce_1k)
            series("produce 16 KB", bench.produce_16k)
            series("produce per GB", bench.produce_gb)
            series("fetch per GB", bench.fetch_gb)
            series("metadata", bench.metadata)
            series("offset commit", bench.offset_commit)
            series("memory after load", bench.memory, 1)
            if wanted("where bytes go"):
                say(f"{kind}: strace while 1 GB is fetched …")
                moved = measure.where_bytes_go(bench)
            rates = bench.rates
        finally:
            broker.kill()
    return {"figures": figures, "rates": rates, "moved": moved, **machine()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--broker", choices=["pykafkad", "apache", "both"], default="pykafkad")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000, help="requests per run")
    parser.add_argument("--quick", action="store_true", help="one run of 5,000: does it work, not how fast is it")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="figures whose name contains this")
    parser.add_argument("--no-page", action="store_true", help="print, and leave docs/performance.md alone")
    asked = parser.parse_args()
    runs, count = (1, 5_000) if asked.quick else (asked.runs, asked.count)
    kinds = ["pykafkad", "apache"] if asked.broker == "both" else [asked.broker]
    results = page.load()
    for kind in kinds:
        if kind == "apache" and (missing := apache_missing()):
            say(missing)
            continue
        found = run(kind, runs, count, asked.only)
        if kind == "apache":
            found["version"] = APACHE_VERSION
        results[kind] = page.merged(results.get(kind, {}), found)
    if asked.no_page or asked.quick:
        print(page.table(results))
        print(json.dumps({k: v for k, v in results.items() if k in kinds}, indent=1))
    else:
        page.write(results)
        print(page.table(results))


main()
