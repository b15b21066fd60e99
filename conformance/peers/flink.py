"""Flink's exactly-once KafkaSink: a copy whose transactions end with Flink's checkpoints, and begin again from them."""

from __future__ import annotations

import random
from pathlib import Path

from conformance.peers.job import Job, Send
from conformance.peers.program import Program, java

PREFIX = "flink-"
PARTITIONS = 3


class Flink(Job):
    inputs = {f"{PREFIX}in": PARTITIONS}
    outputs = {f"{PREFIX}out": PARTITIONS}
    actions = ("kill", "kill", "leave", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        naming = chance.choice(("INCREMENTING", "POOLING"))
        state = directory / "flink" / "checkpoints"
        self.programs.append(
            Program("flink", [*java("flink", "Copy"), bootstrap, PREFIX, str(state), naming], directory)
        )
        self.sent: dict[bytes | None, list[bytes]] = {b"%d" % n: [] for n in range(PARTITIONS)}

    def burst(self, send: Send) -> None:
        for _ in range(4):
            partition = self.chance.randrange(PARTITIONS)
            key = b"%d" % partition
            value = b"%d" % len(self.sent[key])
            send(f"{PREFIX}in", partition, key, value)
            self.sent[key].append(value)

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        return {f"{PREFIX}out": self.sent}
