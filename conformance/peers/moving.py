"""Consume, transform, produce: records and their group's offsets in one transaction, by clients of three makers."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.peers.copying import Copying
from conformance.peers.program import Program, go, java

PREFIX = "moving-"
PARTITIONS = 4
INSTANCES = 2


class Moving(Copying):
    """By Java's client: two members of a group."""

    inputs = {f"{PREFIX}in": PARTITIONS}
    outputs = {f"{PREFIX}out": PARTITIONS}
    at_once = 8
    actions = ("kill", "kill", "kill", "leave", "freeze", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        for n in range(INSTANCES):
            name = f"mover-{n}"
            words = [*self.mover(), bootstrap, PREFIX, f"{PREFIX}{n}", *self.more(n)]
            self.programs.append(Program(name, words, directory))

    def mover(self) -> list[str]:
        """What starts the program."""
        return java("streams", "Mover")

    def more(self, n: int) -> Sequence[str]:
        """What the n-th instance is told besides."""
        return ()


class MovingByFranzGo(Moving):
    """By franz-go: two members of a group."""

    def mover(self) -> list[str]:
        return go("mover")


class MovingByAiokafka(Moving):
    """By aiokafka: two producers, each with partitions of its own."""

    def mover(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("aiokafka_mover.py"))]

    def more(self, n: int) -> Sequence[str]:
        return [str(partition) for partition in range(n, PARTITIONS, INSTANCES)]
