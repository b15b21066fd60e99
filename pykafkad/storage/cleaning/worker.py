"""The process that cleans: takes a job on its standard input, tells on its standard output how it goes.

A process and not a thread, because records are looked at one by one and a thread would take the interpreter away from
who serves. It has no secret knowledge: whatever it needs comes with the job, so it may be killed at any moment. It ends
when its input does, which is what the broker's death looks like, however that came about; it looks for that between
two pieces of work and while it waits for its turn at the disk. It runs from within the partition's folder, so a folder
that is renamed because its topic was deleted takes the work with it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator

from pykafkad.clock import stopwatch
from pykafkad.storage.cleaning.clean import Spend, clean
from pykafkad.storage.cleaning.job import Cleaned, Failed, Finished, Job, decode, encode
from pykafkad.storage.disk import Disk, RealDisk
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.segment import CorruptSegment

_NICER = 10
_LONGEST_MS = 60_000


class _Budget:
    """Bytes per second, and whether anybody still wants them."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._begun = stopwatch()
        self._spent = 0
        self._input = select.poll()
        self._input.register(0, select.POLLIN | select.POLLHUP)

    def spend(self, count: int) -> None:
        self._spent += count
        while True:
            early_ms = (self._spent / self._rate - (stopwatch() - self._begun)) * 1000
            if self._input.poll(min(max(early_ms, 0), _LONGEST_MS)):
                sys.exit(0)  # nothing is ever said during a job: the broker is gone, or has changed its mind
            if early_ms <= 0:
                return


def round_over(
    disk: Disk, directory: str, job: Job, spend: Spend, now: Callable[[], float]
) -> Iterator[Cleaned | Finished | Failed]:
    """A round whose failure is something that it tells, too."""
    try:
        yield from clean(disk, directory, job, spend, now)
    except (CorruptSegment, CorruptIndex, ValueError) as error:
        yield Failed(True, str(error))
    except OSError as error:
        yield Failed(False, str(error))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the broker decides
    os.nice(_NICER)
    for line in iter(sys.stdin.buffer.readline, b""):
        job = decode(line)
        assert isinstance(job, Job)
        try:
            os.chdir(job.directory)
        except OSError as error:
            _tell(Failed(False, str(error)))
            continue
        for told in round_over(RealDisk(), ".", job, _Budget(job.bytes_per_second).spend, stopwatch):
            _tell(told)


def _tell(message: Cleaned | Finished | Failed) -> None:
    try:
        os.write(1, encode(message))
    except BrokenPipeError:
        sys.exit(0)  # the broker has died since we looked
