"""One log line per kind of trouble and interval, with a count of those left out.

A peer that sends rubbish chooses how often it does so; it must not choose how much we write. The first of a kind is
logged at once, further ones are counted, and the count is told with the next line of that kind, or by the sweep when
the attack is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

INTERVAL_SECONDS = 10.0
KINDS_MAX = 256  # kinds are chosen by us, but some carry an API name or an exception's type


class Complaints:
    """Rate-limits ``write(event, **fields)`` by kind."""

    __slots__ = ("_kinds", "_now", "_write")

    def __init__(self, write: Callable[..., None], now: Callable[[], float]) -> None:
        self._write = write
        self._now = now
        self._kinds: dict[str, list[Any]] = {}  # kind -> [when its next line may be written, left out, last event]

    def say(self, kind: str, event: str, **fields: Any) -> None:
        now = self._now()
        entry = self._kinds.get(kind)
        if entry is None:
            if len(self._kinds) >= KINDS_MAX:
                kind, entry = "others", self._kinds.get("others")
            if entry is None:
                self._kinds[kind] = [now + INTERVAL_SECONDS, 0, event]
                self._write(event, **fields)
                return
        if now < entry[0]:
            entry[1] += 1
            return
        if entry[1]:
            fields["left_out"] = entry[1]
        entry[0], entry[1], entry[2] = now + INTERVAL_SECONDS, 0, event
        self._write(event, **fields)

    def sweep(self) -> None:
        """Tell the counts of kinds that fell silent."""
        now = self._now()
        for kind, (until, left_out, event) in list(self._kinds.items()):
            if now >= until:
                if left_out:
                    self._write(event, left_out=left_out)
                del self._kinds[kind]
