"""What is due where records are only moved: each once, in its partition and in order."""

from __future__ import annotations

import random
from pathlib import Path

from conformance.peers.job import Job, Send


class Copying(Job):
    """From its one input to its one output; a record's key is its partition, its value counts from 0."""

    at_once: int
    """Records in one burst."""

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        (partitions,) = self.inputs.values()
        self.sent: dict[bytes | None, list[bytes]] = {b"%d" % n: [] for n in range(partitions)}

    def burst(self, send: Send) -> None:
        (topic,) = self.inputs
        for _ in range(self.at_once):
            partition = self.chance.randrange(len(self.sent))
            key = b"%d" % partition
            value = b"%d" % len(self.sent[key])
            send(topic, partition, key, value)
            self.sent[key].append(value)

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        (topic,) = self.outputs
        return {topic: self.sent}
