"""The command line: run a suite against one broker or both, then write the findings anew."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator

from conformance import brokers
from conformance.thirdparty import findings, kafka_python, librdkafka, results
from conformance.thirdparty.suite import SETTINGS, Missing, Outcome, running

SCENARIOS = {"default": SETTINGS, "noautocreate": SETTINGS | {"auto.create.topics.enable": "false"}}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.thirdparty", description=__doc__)
    parser.add_argument("suite", choices=["librdkafka", "kafka-python", "findings"])
    parser.add_argument("--broker", choices=["pykafkad", "apache", "both"], default="both")
    parser.add_argument("--only", default="", help="librdkafka: numbers with commas; kafka-python: as pytest's -k")
    parser.add_argument("--failed", action="store_true", help="librdkafka: only what didn't pass here the last time")
    parser.add_argument("--jobs", type=int, default=2, help="librdkafka: how many tests at a time")
    parser.add_argument("--logs", type=pathlib.Path, help="keep the brokers' and the tests' logs here")
    options = parser.parse_args()
    try:
        for kind in ["apache", "pykafkad"] if options.broker == "both" else [options.broker]:
            if kind == "apache" and (lacking := brokers.apache_missing()):
                print(lacking)
            elif options.suite == "librdkafka":
                run_librdkafka(kind, options)
            elif options.suite == "kafka-python":
                run_kafka_python(kind, options)
    except Missing as missing:
        print(missing)
        return 0
    findings.write()
    return 0


@contextlib.contextmanager
def place(options: argparse.Namespace, kind: str) -> Iterator[pathlib.Path]:
    """Where a run leaves its files: kept where that was asked for, else gone with the run."""
    if options.logs is not None:
        where = options.logs / options.suite / kind
        where.mkdir(parents=True, exist_ok=True)
        yield where.resolve()
        for data in where.glob("broker*/data"):
            shutil.rmtree(data, ignore_errors=True)
    else:
        with tempfile.TemporaryDirectory(prefix="thirdparty-") as temporary:
            yield pathlib.Path(temporary)


def run_librdkafka(kind: str, options: argparse.Namespace) -> None:
    tests = librdkafka.prepare()
    only = set(filter(None, options.only.split(",")))
    rows = results.load("librdkafka")["tests"]
    failed = {name for name, row in rows.items() if row.get(kind) in ("failed", "timeout")}
    for scenario, settings in SCENARIOS.items():
        numbers = [n for n, by in tests.wanted.items() if scenario in by and (not only or n in only)]
        runs = [(n, scenario, part) for n in numbers for part in tests.parts(n)]
        runs = [each for each in runs if not options.failed or not failed.isdisjoint(tests.rows(*each))]
        if not runs:
            continue
        with (
            place(options, kind) as where,
            running(kind, where, settings) as broker,
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool,
        ):
            started = [pool.submit(tests.run, *each, broker.bootstrap, where / each[0]) for each in runs]
            try:
                for done in concurrent.futures.as_completed(started):
                    outcomes = done.result()
                    results.save("librdkafka", tests.version, kind, outcomes, left_out=tests.local)
                    show(kind, outcomes)
            except BaseException:  # an interrupt above all: what hasn't begun needn't
                pool.shutdown(cancel_futures=True)
                raise
    librdkafka.tidy(tests)


def run_kafka_python(kind: str, options: argparse.Namespace) -> None:
    tests = kafka_python.prepare()
    with (
        place(options, kind) as where,
        running(kind, where, SETTINGS | kafka_python.SETTINGS) as broker,
    ):
        outcomes = tests.run(options.only, broker.bootstrap, where)
    results.save("kafka-python", tests.version, kind, outcomes)
    show(kind, outcomes)


def show(kind: str, outcomes: dict[str, Outcome]) -> None:
    for name, outcome in outcomes.items():
        print(f"{kind:9} {outcome.state:8} {outcome.seconds:6.1f}s  {name}  {outcome.detail}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
