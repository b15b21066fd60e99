"""What a run cost: the broker's CPU time and memory, the clock, and how much of it the machine was somebody else's."""

from __future__ import annotations

import contextlib
import mmap
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

GB = 1_000_000_000
POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, Linux 5.14; the mmap module doesn't name it


def cpu(pid: int) -> float:
    """Seconds of user and system time of all threads, those that have ended too.

    It is the process's own CPU clock (see clock_getcpuclockid), which Python has no name for: utime + stime of
    /proc/PID/stat, but to the nanosecond instead of to the tick of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def ticks() -> tuple[int, int, int]:
    """Of all CPUs since the boot: stolen by the hypervisor, idle, in total."""
    fields = [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    return fields[7], fields[3] + fields[4], sum(fields)


def touch_and_free(size: int) -> None:
    """Let the hypervisor hand out its pages now: one that is new to the guest costs some 10 µs at its first use."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        try:
            pages.madvise(POPULATE_WRITE)
        except OSError:
            zeros = bytes(16 << 20)
            for at in range(0, size - len(zeros), len(zeros)):
                pages[at : at + len(zeros)] = zeros


@dataclass
class Spent:
    """What passed between two looks; filled when the block that it covers ends."""

    cpu: float = 0.0  # the broker's seconds
    seconds: float = 0.0
    steal: float = 0.0  # percent of all CPUs' time that the hypervisor took
    idle: float = 0.0  # percent of all CPUs' time that nobody wanted
    other: float = 0.0  # the other broker's CPU in percent of one core: it should do nothing
    children: float = 0.0  # seconds of the client processes that ended in between
    rss_mb: float = 0.0

    def noise(self) -> dict[str, float]:
        return {"steal": self.steal, "idle": self.idle, "other": self.other, "rss_mb": self.rss_mb}


@contextlib.contextmanager
def spent(pid: int, other: int | None) -> Iterator[Spent]:
    outcome = Spent()
    stolen, idle, total = ticks()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = cpu(other) if other else 0.0
    ours, began = cpu(pid), time.perf_counter()
    yield outcome
    outcome.seconds, outcome.cpu = time.perf_counter() - began, cpu(pid) - ours
    after = ticks()
    passed = max(1, after[2] - total)
    outcome.steal, outcome.idle = (after[0] - stolen) / passed * 100, (after[1] - idle) / passed * 100
    if other:
        outcome.other = (cpu(other) - theirs) / outcome.seconds * 100
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome.children = used.ru_utime + used.ru_stime - children.ru_utime - children.ru_stime
    outcome.rss_mb = rss_mb(pid)
