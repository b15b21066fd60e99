"""What a program is given to do, and what must come out of it whatever happens to it on the way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from conformance.peers.program import Program

Found = Mapping[bytes | None, Sequence[bytes]]
"""The values of each key, in the order in which they lie in the log."""

Send = Callable[[str, int, bytes | None, bytes], None]
"""Topic, partition, key, value."""


class Job:
    """A job names its topics, feeds them burst by burst, and knows what is due.

    ``inputs`` and ``outputs`` give each topic's number of partitions; ``programs`` do the work, all of them at once.
    """

    inputs: dict[str, int]
    outputs: dict[str, int]
    programs: list[Program]
    actions: tuple[str, ...] = ("kill", "kill", "leave", "wipe", "freeze", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        self.bootstrap = bootstrap
        self.directory = directory
        self.chance = chance
        self.programs = []

    def begin(self, send: Send) -> None:
        """What has to be there before the first program starts."""

    def started(self) -> None:
        """What has to be asked of the programs once they run."""

    def burst(self, send: Send) -> None:
        """A moment's work."""
        raise NotImplementedError

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        """For each output topic what a batch computation of the whole input says."""
        raise NotImplementedError

    def complete(self) -> bool:
        """Whether what leaves by other ways than the output topics is all there."""
        return True

    def difference(self, found: Mapping[str, Found]) -> str | None:
        """What is otherwise than is due, in a line, or None."""
        for topic, due in self.due().items():
            there = found.get(topic, {})
            for key in due.keys() | there.keys():
                one, two = list(there.get(key, ())), due.get(key, [])
                if one == two or (not self.in_order(topic) and sorted(one) == sorted(two)):
                    continue
                missing, more = Counter(two) - Counter(one), Counter(one) - Counter(two)
                return (
                    f"{topic}, key {key!r}: {len(one)} records, {len(two)} are due; "
                    f"missing {len(missing)} {sorted(missing)[:5]}, too many {len(more)} {sorted(more)[:5]}"
                    + ("" if missing or more else ", in another order")
                )
        return None

    def in_order(self, topic: str) -> bool:
        """Whether the order of a key's values in this topic is determined."""
        return True
