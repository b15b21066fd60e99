"""python -m conformance.killing: kill -9 under load, round after round."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from conformance.killing.rounds import Tally, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.killing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything but the timing")
    asked = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="killing-"))
    tally = Tally()
    began = time.monotonic()
    lost = run(directory, asked.rounds, asked.seed, tally)
    print(
        f"{tally.rounds} rounds, {tally.kills} kills, {tally.records} records compared, "
        f"start to first answer {statistics.median(tally.starts or [0]) * 1000:.0f} ms at the median "
        f"and {max(tally.starts or [0]) * 1000:.0f} ms at most, {time.monotonic() - began:.0f} s, seed {asked.seed}"
    )
    if lost is None:
        shutil.rmtree(directory)
        return 0
    print(f"LOST in {lost}\n(the files are left in {directory})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
