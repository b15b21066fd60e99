"""Key -> last offset of that key, in a fixed number of bytes: what compaction must know about the records it has read.

An open-addressing table in one block of memory: 24 bytes for each slot, as Kafka's has, so the same
``log.cleaner.dedupe.buffer.size`` reaches equally far. A key is known by 128 bits of it (two SipHashes under this
process's secret), never by itself. There is no way to remove: when the table is full, whoever fills it cleans as far as
he got.

Why not a dict: it is two to three times as fast and needs six to seven times the memory for each key, and a log with
more keys than fit must be read as a whole once more for every map full of them.
"""

from __future__ import annotations

ENTRY_BYTES = 24
_WORDS = 3


class OffsetMap:
    __slots__ = ("_entries", "_most", "_slots", "_words", "capacity", "latest")

    def __init__(self, memory: int, load_factor: float, expected: int) -> None:
        """At most ``memory`` bytes; fewer when ``expected`` keys, an upper bound, need fewer."""
        self._most = memory // ENTRY_BYTES
        slots = min(self._most, int(expected / max(load_factor, 0.01)) + 2)
        self.capacity = int(slots * load_factor)
        """So many keys may be put in: the table gets slow before it gets full."""
        if self.capacity < 1:
            raise ValueError("log.cleaner.dedupe.buffer.size has no room for a single key")
        self._slots = slots
        self._words = memoryview(bytearray(slots * ENTRY_BYTES)).cast("q")
        self._entries = 0
        self.latest = -1
        """The last offset that the map knows about: what lies behind it must stay, whatever its key."""

    def __len__(self) -> int:
        return self._entries

    @property
    def utilisation(self) -> float:
        """Of the memory that it might have taken."""
        return self._entries / self._most

    # At a collision the search goes on elsewhere, first by leaps that the key's other half decides, then by ever
    # smaller ones, at last from slot to slot, so that it must find the empty slots that the load factor leaves.

    def put(self, key: bytes, offset: int) -> bool:
        """Remember the offset, which is greater than all before it; False when the map is full."""
        if self._entries >= self.capacity:
            return False
        words = self._words
        one = hash(key)
        other = hash(b"+" + key)
        slots = self._slots
        slot = one % slots
        step = 0
        while True:
            at = slot * _WORDS
            taken = words[at + 2]
            if not taken:
                words[at] = one
                words[at + 1] = other
                self._entries += 1
                break
            if words[at] == one and words[at + 1] == other:
                break
            step = step >> 1 | 1 if step else other % slots | 1
            slot = (slot + step) % slots
        words[at + 2] = offset + 1  # 0 is an empty slot
        self.latest = offset
        return True

    def get(self, key: bytes) -> int:
        """The last offset of the key, -1 if the map doesn't know it."""
        words = self._words
        one = hash(key)
        slots = self._slots
        slot = one % slots
        other = step = 0
        while True:
            at = slot * _WORDS
            taken = words[at + 2]
            if not taken:
                return -1
            other = other or hash(b"+" + key)
            if words[at] == one and words[at + 1] == other:
                return taken - 1
            step = step >> 1 | 1 if step else other % slots | 1
            slot = (slot + step) % slots
