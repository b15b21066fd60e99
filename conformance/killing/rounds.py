"""Rounds: load, kill, start, compare."""

from __future__ import annotations

import pathlib
import random
import time
from dataclasses import dataclass, field

from confluent_kafka.admin import AdminClient

from conformance.brokers import NotStarted, Pykafkad
from conformance.killing.load import Lost, Stream
from conformance.killing.streams import STREAMS

SETTINGS = {
    "offsets.topic.num.partitions": "3",
    "offsets.topic.segment.bytes": "1048576",
    "log.retention.check.interval.ms": "100",
    "log.flush.offset.checkpoint.interval.ms": "150",
    "log.flush.start.offset.checkpoint.interval.ms": "150",
    "log.initial.task.delay.ms": "100",
    "replica.high.watermark.checkpoint.interval.ms": "150",
    "log.cleaner.backoff.ms": "100",
    "log.segment.delete.delay.ms": "100",
}
ROUNDS_OF_ONE = 15
"""So many rounds a data directory lives: old enough to have been through everything, young enough to be read whole."""


@dataclass
class Tally:
    rounds: int = 0
    kills: int = 0
    records: int = 0
    starts: list[float] = field(default_factory=list)


class Trial:
    """One data directory and the clients of its broker, for some rounds."""

    def __init__(self, directory: pathlib.Path, chance: random.Random, tally: Tally) -> None:
        self.chance = chance
        self.tally = tally
        self.broker = Pykafkad(directory, SETTINGS)
        self.broker.patience = 120  # on a busy machine
        self.broker.start()
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        self.streams: list[Stream] = [
            stream(self.broker.bootstrap, random.Random(chance.random()), admin) for stream in STREAMS
        ]

    def round(self) -> None:
        for stream in self.streams:
            stream.go()
        time.sleep(self.chance.uniform(0.05, 1.2))
        if self.chance.random() < 0.15:  # in the middle of a clean stop
            assert self.broker.process is not None
            self.broker.process.terminate()
            time.sleep(self.chance.uniform(0, 0.15))
        self._kill()
        while self.chance.random() < 0.3:  # and again, in the middle of a start
            self.broker.spawn()
            time.sleep(self.chance.uniform(0.05, 0.6))
            self._kill()
        self.tally.starts.append(self.broker.start())
        if self.chance.random() < 0.5:
            time.sleep(self.chance.uniform(0, 0.3))
        for stream in self.streams:
            stream.rest()
        for stream in self.streams:
            self.tally.records += stream.check()
        self.tally.rounds += 1
        print(f"round {self.tally.rounds}: {self.tally.kills} kills, {self.tally.records} records", flush=True)
        log = self.broker.log()
        if "Traceback" in log:
            raise Lost("the broker's log has a traceback:\n" + log[log.index("Traceback") - 500 :][:3_000])

    def _kill(self) -> None:
        self.broker.kill()
        self.tally.kills += 1

    def close(self) -> None:
        for stream in self.streams:
            stream.end()
        self.broker.kill()


def run(directory: pathlib.Path, rounds: int, seed: int, tally: Tally) -> str | None:
    """So many rounds; what was lost, or None."""
    chance = random.Random(seed)
    while tally.rounds < rounds:
        trial = Trial(directory / f"trial-{tally.rounds}", chance, tally)
        try:
            for _ in range(min(ROUNDS_OF_ONE, rounds - tally.rounds)):
                trial.round()
        except (Lost, NotStarted) as loss:
            return f"round {tally.rounds + 1}, in {trial.broker.directory}: {loss}"
        finally:
            trial.close()
    return None
