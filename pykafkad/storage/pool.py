"""A bounded set of things that are dear to keep and cheap to get again: open segment files, loaded indexes.

Second chance rather than strict least-recently-used: a use only sets a flag on the holder, so the hot path pays one
attribute store and no dictionary. Logs that are recovered in threads draw on the same pools.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol


class Holder(Protocol):
    used: bool

    def let_go(self) -> None:
        """Give the resource back; it will be fetched again at the next use."""


class Pool:
    __slots__ = ("_holders", "_lock", "limit", "weight")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.weight = 0
        self._holders: OrderedDict[Holder, int] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, holder: Holder, weight: int = 1) -> None:
        """The holder has just taken its resource; others may have to let theirs go."""
        with self._lock:
            self.weight += weight - self._holders.pop(holder, 0)
            self._holders[holder] = weight
            while self.weight > self.limit and len(self._holders) > 1:
                oldest = next(iter(self._holders))
                if oldest is holder:
                    self._holders.move_to_end(oldest)
                elif oldest.used:
                    oldest.used = False
                    self._holders.move_to_end(oldest)
                else:
                    self.weight -= self._holders.pop(oldest)
                    oldest.let_go()

    def dismiss(self, holder: Holder) -> None:
        """The holder has given its resource up by itself."""
        with self._lock:
            self.weight -= self._holders.pop(holder, 0)

    def __len__(self) -> int:
        return len(self._holders)
