"""Time enters here and nowhere else; machines get ``now`` as an argument."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall-clock milliseconds since the epoch."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


stopwatch = time.perf_counter  # for measuring how long something took; says nothing about when
pause = time.sleep  # for commands that ask again after a moment; a broker never sleeps
