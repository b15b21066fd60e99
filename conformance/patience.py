"""How long to wait for what must come, when whoever waits may be stopped itself.

A suspended laptop, a paused container, a machine on which everything is frozen for a while: the clock has gone on, and
nobody else could do anything meanwhile. What was slept through is not held against them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_SECONDS = 5.0
"""What may pass between two looks; more than that was sleep."""


class Patience:
    """Runs out after ``seconds`` in which its owner was there to look."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self.again()

    def again(self) -> None:
        """Something has come: wait as long for the next."""
        self._left, self._looked = self.seconds, self._clock()

    def ended(self) -> bool:
        now = self._clock()
        self._left -= min(now - self._looked, LOOK_SECONDS)
        self._looked = now
        return self._left < 0
