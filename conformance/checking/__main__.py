"""python -m conformance.checking: transactions under faults, and what the judge says of them."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from conformance.checking import history
from conformance.checking.judging import judge, told
from conformance.checking.plants import PLANTS
from conformance.checking.rounds import FAULTS, STUCK, Found, Tally, faults_of, run

ENOUGH = 8
"""Rounds within which a planted bug must be found."""
CLEAN = 3
"""Rounds in which nothing may be found where nothing is planted."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.checking", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, help="instead of minutes")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything but the timing")
    parser.add_argument("--broker", choices=("pykafkad", "apache"), default="pykafkad")
    parser.add_argument("--faults", choices=FAULTS, action="append", help="of these kinds only; all if none is named")
    parser.add_argument("--plant", choices=PLANTS, action="append", default=[], help="a bug to be found")
    parser.add_argument("--plants", action="store_true", help="one after the other; fails if one isn't found")
    parser.add_argument("--judge", type=pathlib.Path, metavar="history.jsonl", help="judge what an earlier run left")
    asked = parser.parse_args()
    if asked.judge is not None:
        with asked.judge.open() as lines:
            anomalies = judge(history.read(lines))
        print(told(anomalies) or "nothing is wrong")
        return bool(anomalies)
    if asked.plants:
        return all_plants(asked.seed)
    more = limit(asked.minutes, asked.rounds)
    ran = trial(asked.broker, asked.plant, asked.seed, more, asked.faults or tuple(FAULTS))
    if ran.found is None:
        shutil.rmtree(ran.directory)
        return 0
    print(f"FOUND in {ran.found}\n(the files are left in {ran.directory})")
    return 1


def limit(minutes: float, rounds: int | None) -> Callable[[Tally], bool]:
    until = time.monotonic() + minutes * 60
    return lambda tally: tally.rounds < rounds if rounds is not None else time.monotonic() < until


class Run(NamedTuple):
    found: Found | None
    rounds: int
    seconds: float
    directory: pathlib.Path

    def row(self, planted: str) -> str:
        return f"| {planted} | {self.rounds} | {self.seconds:.0f} | {self.found.counted if self.found else 'nothing'} |"


def trial(
    broker: str, plants: list[str], seed: int, more: Callable[[Tally], bool], faults: Sequence[str] = tuple(FAULTS)
) -> Run:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="checking-"))
    tally = Tally()
    began = time.monotonic()
    found = run(directory, seed, tally, lambda: more(tally), kind=broker, plants=plants, faults=faults_of(faults))
    seconds = time.monotonic() - began
    print(f"{tally.told()}; {seconds:.0f} s, seed {seed}", flush=True)
    return Run(found, tally.rounds, seconds, directory)


def all_plants(seed: int) -> int:
    """Each under the faults that bring it to light, then none of them under all faults."""
    rows = []
    missed = []
    for name, plant in PLANTS.items():
        print(f"── {name}", flush=True)
        ran = trial("pykafkad", [name], seed, limit(0, ENOUGH), plant.faults)
        print(ran.found or "NOT FOUND", flush=True)
        shutil.rmtree(ran.directory)
        rows.append(ran.row(name))
        if ran.found is None or ran.found.kinds == {STUCK}:
            missed.append(name)
    print("── no bug", flush=True)
    ran = trial("pykafkad", [], seed, limit(0, CLEAN))
    rows.append(ran.row("nothing"))
    if ran.found is None:
        shutil.rmtree(ran.directory)
    else:
        print(f"FOUND in {ran.found}\n(the files are left in {ran.directory})")
    print("\n| planted | rounds | seconds | found |\n|---|---|---|---|", *rows, "", sep="\n")
    print(f"{len(PLANTS) - len(missed)} of {len(PLANTS)} planted bugs were found", *missed, sep="\n    missed: ")
    return bool(missed or ran.found)


if __name__ == "__main__":
    sys.exit(main())
