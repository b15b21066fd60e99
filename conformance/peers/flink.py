"""Flink's exactly-once KafkaSink: a copy whose transactions end with Flink's checkpoints, and begin again from them."""

from __future__ import annotations

import random
from pathlib import Path

from conformance.peers.copying import Copying
from conformance.peers.program import Program, java

PREFIX = "flink-"
PARTITIONS = 3


class Flink(Copying):
    """Each transaction has a name of its own, counted on; what was left open is found by trying the next."""

    naming = "INCREMENTING"
    inputs = {f"{PREFIX}in": PARTITIONS}
    outputs = {f"{PREFIX}out": PARTITIONS}
    at_once = 4
    actions = ("kill", "kill", "leave", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        state = directory / "flink" / "checkpoints"
        self.programs.append(
            Program("flink", [*java("flink", "Copy"), bootstrap, PREFIX, str(state), self.naming], directory)
        )


class FlinkPooling(Flink):
    """Names are used again, and what was left open is found by ListTransactions."""

    naming = "POOLING"
