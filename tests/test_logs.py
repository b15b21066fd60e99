"""The log as processes write it: lines whole, whoever writes the first one."""

from __future__ import annotations

import subprocess
import sys

FIRST_LINES = """
import threading
from pykafkad.logs import log
barrier = threading.Barrier(8)
def write(number):
    barrier.wait()
    log.info("first line", number=number)
threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_several_threads_may_write_the_first_line() -> None:
    """The serving loop complains of a peer while a worker thread still loads structlog."""
    done = subprocess.run([sys.executable, "-c", FIRST_LINES], capture_output=True, text=True, timeout=60, check=True)
    assert "Traceback" not in done.stderr
    assert sorted(line.rpartition("=")[2] for line in done.stderr.splitlines()) == [str(n) for n in range(8)]
