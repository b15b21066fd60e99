"""Two brokers of equal rights on one machine: each started, warmed and asked in the same way, one after the other.

Both stay up while figures are taken in turn, so that the JVM stays warm and a pair of runs lies seconds apart; what
the one at rest costs meanwhile is measured too.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.brokers import API_VERSIONS, Apache, Broker, Pykafkad
from kafkawire.compression import NAMES as CODECS
from tests.bench import frames, meter
from tests.bench.figure import Run
from tests.bench.frames import KB, MB
from tests.bench.raw import Order, Outcome, apart, ask

WARM_REQUESTS = 150_000
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # Files of a deleted topic go at once: a run shouldn't pay for the one before.
    "log.segment.delete.delay.ms": "100",
}
GB = meter.GB


def new_broker(kind: str, directory: Path) -> Broker:
    """Not started, but formatted where there is such a thing. 1 GB of heap is what Kafka's own scripts give."""
    if kind == "apache":
        broker = Apache(directory, SETTINGS, heap="1G")
        broker.command()
        return broker
    return Pykafkad(directory, SETTINGS)


class Stand:
    """One running broker and what runs need of it."""

    def __init__(self, kind: str, directory: Path, scale: float, touch: int | None) -> None:
        self.kind, self.directory, self.scale, self.touched = kind, directory, scale, touch
        self.rival: Stand | None = None
        self.broker: Broker | None = None
        self._serial = itertools.count()
        self._kept: dict[str, Any] = {}

    @property
    def port(self) -> int:
        assert self.broker is not None
        return self.broker.port

    @property
    def pid(self) -> int:
        assert self.broker is not None
        return self.broker.pid

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def up(self) -> bool:
        return self.broker is not None and self.broker.running()

    def start(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self._kept.clear()
        self.broker = new_broker(self.kind, self.directory)
        self.broker.start()

    def close(self) -> None:
        if self.broker is not None:
            self.broker.kill()
            self.broker = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def scaled(self, count: int, least: int = 20) -> int:
        """So many, or a fraction of it when nothing but whether it works is asked."""
        return max(least, int(count * self.scale))

    # -- what runs need

    def topic(self, partitions: int = 1) -> str:
        name = f"bench-{next(self._serial):04}"
        frames.create_topics_of(self.port, [name], partitions)
        return name

    def drop(self, *topics: str) -> None:
        """Returns when their files are gone (or after 20 seconds): the next run shouldn't pay for this one."""
        frames.delete_topics_of(self.port, topics)
        assert self.broker is not None
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if not any(path.name.startswith(topics) for path in self.broker.data.iterdir()):
                return
            time.sleep(0.02)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What is prepared at the first run and kept for the next ones."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def filled(self, total: int, batch: bytes) -> str:
        """A topic of about so many bytes, made of this batch."""
        topic = self.topic()
        count = max(1, total // len(batch))
        done = self.drive([[frames.produce_frame(topic, batch)]], count)
        frames.check(frames.PRODUCE, done.first)
        return topic

    def files(self, topic: str) -> list[str]:
        assert self.broker is not None
        return [str(path) for path in self.broker.data.glob(f"{topic}-*/*.log")]

    def drive(self, plans: Sequence[Sequence[bytes]], count: int, in_flight: int = 5) -> Outcome:
        return apart(Order(self.port, plans, count, in_flight))

    def touch(self, size: int) -> None:
        """Before a measured write of so many bytes: half as much again of fresh pages, and never less than 256 MB."""
        if self.touched is None:
            meter.touch_and_free(min(3 * GB, max(GB // 4, size * 3 // 2)))
        elif self.touched:
            meter.touch_and_free(self.touched)

    @contextlib.contextmanager
    def spent(self) -> Iterator[meter.Spent]:
        rival = self.rival.pid if self.rival is not None and self.rival.up() else None
        with meter.spent(self.pid, rival) as outcome:
            yield outcome

    def measured(
        self, key: int, plans: Sequence[Sequence[bytes]], count: int, in_flight: int = 5, payload: int = 0
    ) -> Run:
        """One run of raw requests, `count` on each connection; `payload` is what the records of one request weigh."""
        with self.spent() as spent:
            outcome = self.drive(plans, count, in_flight)
        frames.check(key, outcome.first)
        moved = payload * outcome.requests or outcome.received
        return {
            "cpu_us": spent.cpu / outcome.requests * 1e6,
            "cpu_s_gb": spent.cpu / moved * GB,
            "rate": outcome.requests / outcome.seconds,
            "mb_s": moved / outcome.seconds / 1e6,
            "client": outcome.cpu / outcome.seconds * 100,
        } | spent.noise()

    # -- before anything is compared

    def warm(self, say: Callable[[str], None]) -> None:
        """A JVM needs about 150,000 requests to be itself; both get the same ones, over every path that is measured."""
        requests = self.scaled(WARM_REQUESTS)
        topic = self.topic(16)
        small, large = frames.batch(KB), frames.batch(256 * KB)
        say(f"{self.kind}: warming up with {requests:,} requests of 1 KB, then the other paths")
        self.drive([[frames.produce_frame(topic, small)]], requests, 50)
        some = max(200, requests // 10)
        for in_flight in (1, 5):
            self.drive([[frames.produce_frame(topic, small, acks=-1)]], some, in_flight)
        self.drive([[frames.produce_frame(topic, frames.batch(16 * KB, KB))]], some, 5)
        for codec in CODECS[1:]:
            self.drive([[frames.produce_frame(topic, frames.batch(16 * KB, KB, codec))]], max(50, some // 5), 5)
        plans = [[frames.produce_frame(topic, large, [i])] for i in range(16)]
        self.drive(plans, max(4, some // 100), 5)
        self.drive([[frames.produce_frame(topic, frames.batch(MB - KB))]], max(4, some // 20), 5)
        self.drive([[frames.metadata_frame(topic)]], requests // 3, 5)
        self.drive([[frames.fetch_frame(topic, 0, KB, 0, 0)]], requests // 5, 5)
        self.drive([[frames.fetch_frame(topic, i, MB) for i in range(1000)]], max(20, some // 5), 5)
        ready_to_commit(self.port, topic)
        self.drive([[frames.commit_frame(topic, topic)]], requests // 5, 5)
        self.drop(topic)


def ready_to_commit(port: int, group: str) -> None:
    """Commit until it is taken: the first one makes __consumer_offsets, and its coordinator has to load."""
    from kafkawire.api import find_coordinator

    request = find_coordinator.Request(coordinator_keys=[group])
    commit = frames.commit_frame(group, group)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = frames.call(port, frames.FIND_COORDINATOR, request)
        if found.coordinators[0].error_code == 0:
            said = frames.answer(frames.OFFSET_COMMIT, ask(port, commit))
            if said.topics[0].partitions[0].error_code == 0:
                return
        time.sleep(0.02)
    raise TimeoutError("no commit was taken within a minute")


__all__ = ["API_VERSIONS", "Stand", "new_broker", "ready_to_commit"]
