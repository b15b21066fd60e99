"""python -m conformance.checking: transactions under faults, and what the judge says of them."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable

from conformance.checking import history
from conformance.checking.judging import judge, told
from conformance.checking.plants import PLANTS
from conformance.checking.rounds import STUCK, Found, Tally, run

ENOUGH = 8
"""Rounds within which a planted bug must be found."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.checking", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, help="instead of minutes")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything but the timing")
    parser.add_argument("--broker", choices=("pykafkad", "apache"), default="pykafkad")
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
    found, directory = trial(asked.broker, asked.plant, asked.seed, limit(asked.minutes, asked.rounds))
    if found is None:
        shutil.rmtree(directory)
        return 0
    print(f"FOUND in {found}\n(the files are left in {directory})")
    return 1


def limit(minutes: float, rounds: int | None) -> Callable[[Tally], bool]:
    until = time.monotonic() + minutes * 60
    return lambda tally: tally.rounds < rounds if rounds is not None else time.monotonic() < until


def trial(
    broker: str, plants: list[str], seed: int, more: Callable[[Tally], bool]
) -> tuple[Found | None, pathlib.Path]:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="checking-"))
    tally = Tally()
    began = time.monotonic()
    found = run(directory, seed, tally, lambda: more(tally), kind=broker, plants=plants)
    print(f"{tally.told()}; {time.monotonic() - began:.0f} s, seed {seed}", flush=True)
    return found, directory


def all_plants(seed: int) -> int:
    missed = []
    for plant in PLANTS:
        print(f"── {plant}", flush=True)
        found, directory = trial("pykafkad", [plant], seed, limit(0, ENOUGH))
        print(found or "NOT FOUND", flush=True)
        shutil.rmtree(directory)
        if found is None or found.kinds == {STUCK}:
            missed.append(plant)
    print(
        f"{len(PLANTS) - len(missed)} of {len(PLANTS)} planted bugs were found"
        + "".join(f"\nmissed: {m}" for m in missed)
    )
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
