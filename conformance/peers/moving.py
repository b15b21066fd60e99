"""Java's consume-transform-produce: two members of a group move records and their own offsets in one transaction."""

from __future__ import annotations

import random
from pathlib import Path

from conformance.peers.copying import Copying
from conformance.peers.program import Program, java

PREFIX = "moving-"
PARTITIONS = 4
INSTANCES = 2


class Moving(Copying):
    inputs = {f"{PREFIX}in": PARTITIONS}
    outputs = {f"{PREFIX}out": PARTITIONS}
    at_once = 8
    actions = ("kill", "kill", "kill", "leave", "freeze", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        words = java("streams", "Mover")
        for n in range(INSTANCES):
            self.programs.append(Program(f"mover-{n}", [*words, bootstrap, PREFIX, f"{PREFIX}{n}"], directory))
