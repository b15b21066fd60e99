"""Kafka Connect, distributed, with exactly-once sources: lines of a file go to a topic, and from there to a file."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from conformance.brokers import free_ports
from conformance.patience import Patience
from conformance.peers.job import Found, Job, Send
from conformance.peers.program import Program, java

TOPIC = "connect-lines"
WORKERS = 1  # a worker's start is the dearest of all: it takes ten seconds of a core
START_SECONDS = 300
SETTINGS = {
    "group.id": "connect",
    "config.storage.topic": "connect-configs",
    "offset.storage.topic": "connect-offsets",
    "status.storage.topic": "connect-status",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.storage.partitions": "2",
    "status.storage.partitions": "1",
    "exactly.once.source.support": "enabled",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "plugin.discovery": "service_load",
    "session.timeout.ms": "4000",
    "heartbeat.interval.ms": "1000",
    "scheduled.rebalance.max.delay.ms": "0",
    "task.shutdown.graceful.timeout.ms": "2000",
    "offset.flush.interval.ms": "500",
    "consumer.isolation.level": "read_committed",
    "consumer.session.timeout.ms": "4000",
    "consumer.heartbeat.interval.ms": "1000",
    "producer.transaction.timeout.ms": "10000",
}


class Connect(Job):
    inputs: dict[str, int] = {}
    outputs = {TOPIC: 1}
    actions = ("kill", "kill", "leave", "freeze", "broker", "all")

    def __init__(self, bootstrap: str, directory: Path, chance: random.Random) -> None:
        super().__init__(bootstrap, directory, chance)
        words = java("connect", "org.apache.kafka.connect.cli.ConnectDistributed")
        self.source, self.sink = directory / "source.txt", directory / "sink.txt"
        self.source.touch()
        self.lines: list[bytes] = []
        self.ports = free_ports(WORKERS)
        for n, port in enumerate(self.ports):
            settings = SETTINGS | {"bootstrap.servers": bootstrap, "listeners": f"http://127.0.0.1:{port}"}
            where = directory / f"worker-{n}.properties"
            where.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
            self.programs.append(Program(f"worker-{n}", [*words, str(where)], directory))

    def started(self) -> None:
        file = "org.apache.kafka.connect.file.FileStream"
        self._ask("source", {"connector.class": f"{file}SourceConnector", "file": str(self.source), "topic": TOPIC})
        self._ask("sink", {"connector.class": f"{file}SinkConnector", "file": str(self.sink), "topics": TOPIC})

    def _ask(self, name: str, config: dict[str, str]) -> None:
        """A worker takes a connector when it has found its group, and not before."""
        patience = Patience(START_SECONDS)
        while True:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.ports[0]}/connectors/{name}/config",
                json.dumps(config | {"tasks.max": "1"}).encode(),
                {"Content-Type": "application/json"},
                method="PUT",
            )
            try:
                with urllib.request.urlopen(request, timeout=30):
                    return
            except OSError as error:
                if patience.ended():
                    raise AssertionError(f"no worker takes {name}: {error}\n{self.programs[0].last_words()}") from None
                time.sleep(0.5)

    def burst(self, send: Send) -> None:
        fresh = [b"line %d" % n for n in range(len(self.lines), len(self.lines) + 3)]
        with self.source.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in fresh))
        self.lines += fresh

    def due(self) -> dict[str, dict[bytes | None, list[bytes]]]:
        return {TOPIC: {None: self.lines}}

    def _sunk(self) -> list[bytes]:
        return self.sink.read_bytes().splitlines() if self.sink.exists() else []

    def complete(self) -> bool:
        return len(set(self._sunk())) >= len(self.lines)

    def difference(self, found: Mapping[str, Found]) -> str | None:
        """The sink's file has each line too, at least once: all that it knows of transactions is which to read."""
        if otherwise := super().difference(found):
            return otherwise
        if list(dict.fromkeys(self._sunk())) != self.lines:
            return f"{self.sink} has other lines than {self.source}, or in another order"
        return None
