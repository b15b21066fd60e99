"""Keyed deadlines: set, move, cancel, and ask what is due. One heap instead of one timer per member.

A deadline that is pushed back (every heartbeat does it) only changes a dict; the heap learns of it when its stale
entry comes to the top. So the common case costs one dict write, and a member has at most one heap entry that matters.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import Generic, TypeVar

K = TypeVar("K")


class Deadlines(Generic[K]):
    __slots__ = ("_at", "_heap", "_order")

    def __init__(self) -> None:
        self._at: dict[K, tuple[int, int]] = {}  # key -> (deadline, when its heap entry fires)
        self._heap: list[tuple[int, int, K]] = []  # (fires at, order of entry, key); may be stale
        self._order = 0

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: K) -> bool:
        return key in self._at

    def get(self, key: K) -> int | None:
        found = self._at.get(key)
        return None if found is None else found[0]

    def set(self, key: K, at: int) -> None:
        """Set or move a key's deadline."""
        known = self._at.get(key)
        if known is not None and known[1] <= at:
            self._at[key] = (at, known[1])
            return
        self._at[key] = (at, at)
        self._push(at, key)

    def cancel(self, key: K) -> None:
        """Forget a key; unknown ones are fine."""
        self._at.pop(key, None)
        if not self._at:
            self._heap.clear()

    @property
    def earliest(self) -> int | None:
        """The next deadline, exact: stale heap entries at the top are put right first."""
        heap = self._heap
        while heap:
            fires, order, key = heap[0]
            known = self._at.get(key)
            if known is None or known[1] != fires:
                heappop(heap)  # cancelled, or moved forward and entered anew
            elif known[0] > fires:
                self._at[key] = (known[0], known[0])
                heapreplace(heap, (known[0], order, key))
            else:
                return fires
        return None

    def pop_due(self, now: int) -> K | None:
        """One key whose deadline has come, forgotten at once; None when nothing is due."""
        earliest = self.earliest
        if earliest is None or earliest > now:
            return None
        key = heappop(self._heap)[2]
        del self._at[key]
        return key

    def _push(self, at: int, key: K) -> None:
        self._order += 1
        heappush(self._heap, (at, self._order, key))
