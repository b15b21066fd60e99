"""python -m conformance.peers JOB: so many rounds of one job, and the account of them."""

from __future__ import annotations

import argparse
import math
import pathlib
import shutil
import sys
import tempfile
import time

from conformance.peers.jobs import JOBS
from conformance.peers.rounds import Tally, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.peers", description=__doc__)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--broker", choices=("pykafkad", "apache"), default="pykafkad")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no round later than that")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything but the timing")
    parser.add_argument("--spare", default="", help="what isn't done, with commas: broker,all leaves the broker alone")
    asked = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"peers-{asked.job}-"))
    tally = Tally()
    began = time.monotonic()
    spared = asked.spare.split(",")
    otherwise = run(
        asked.broker, JOBS[asked.job], directory, asked.rounds, asked.seed, tally, asked.minutes * 60, spared
    )
    print(f"{asked.job} on {asked.broker}: {tally}, {time.monotonic() - began:.0f} s, seed {asked.seed}")
    if otherwise is None:
        shutil.rmtree(directory)
        return 0
    print(f"NOT AS IT SHOULD BE: {otherwise}\n(the files are left in {directory})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
