"""Java's consume-transform-produce: two members of a group move records and their own offsets in one transaction."""

from __future__ import annotations

import random
from pathlib import Path

from conformance.peers.job import Job, Send
from conformance.peers.program import Program, java

PREFIX = "moving-"
PARTITIONS = 4
INSTANCES = 2


class Moving(Job):
    inputs = {f"{PREFIX}in": PARTITIONS}
    outputs = {f"{PREFIX}out": PARTITIONS}
    actions = ("kill", "kill", "kill", "leave", "freeze", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        words = java("streams", "Mover")
        for n in range(INSTANCES):
            self.programs.append(Program(f"mover-{n}", [*words, bootstrap, PREFIX, f"{PREFIX}{n}"], directory))
        self.sent: dict[bytes | None, list[bytes]] = {b"%d" % n: [] for n in range(PARTITIONS)}

    def burst(self, send: Send) -> None:
        for _ in range(8):
            partition = self.chance.randrange(PARTITIONS)
            key = b"%d" % partition
            value = b"%d" % len(self.sent[key])
            send(f"{PREFIX}in", partition, key, value)
            self.sent[key].append(value)

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        return {f"{PREFIX}out": self.sent}
