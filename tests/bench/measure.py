"""What is measured, one function per line of the table; each gives one number for one run."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from conformance.brokers import API_VERSIONS, Apache, Broker, Pykafkad
from tests.bench import frames
from tests.bench.raw import apart, ask

GB = 1_000_000_000
TICK = os.sysconf("SC_CLK_TCK")
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "auto.create.topics.enable": "false"}


def new_broker(kind: str, directory: Path) -> Broker:
    if kind == "apache":
        return Apache(directory, SETTINGS, heap="1G")
    return Pykafkad(directory, SETTINGS)


def cpu(pid: int) -> float:
    """Seconds of user and system time of all threads, those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def touch_and_free(size: int = 3 * GB) -> None:
    """Let the hypervisor hand out its pages now: one that is new to the guest costs some 10 µs at its first use."""
    zeros = bytes(16 << 20)
    with mmap.mmap(-1, size) as pages:
        for at in range(0, size - len(zeros), len(zeros)):
            pages[at : at + len(zeros)] = zeros


@dataclass
class Bench:
    """One running broker and the runs that need it."""

    broker: Broker
    count: int = 20_000
    serial: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))
    rates: dict[str, list[float]] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.broker.port

    def per_request(self, name: str, key: int, frame: bytes, count: int, *, writes: bool = False) -> float:
        """Microseconds of the broker's CPU per request with five in flight; a tenth as many go before, unmeasured."""
        apart(self.port, [frame], max(200, count // 10))
        if writes:
            touch_and_free()
        before = cpu(self.broker.pid)
        outcome = apart(self.port, [frame], count)
        spent = cpu(self.broker.pid) - before
        frames.check(key, outcome.first)
        self.rates.setdefault(name, []).append(count / outcome.seconds)
        return spent / count * 1e6

    def produce(self, name: str, size: int, count: int) -> float:
        topic = f"produce-{next(self.serial)}"
        frames.create_topic(self.port, topic)
        spent = self.per_request(name, frames.PRODUCE, frames.produce_frame(topic, size), count, writes=True)
        frames.delete_topic(self.port, topic)
        return spent

    def produce_1k(self) -> float:
        return self.produce("produce 1 KB", 1024, self.count)

    def produce_16k(self) -> float:
        return self.produce("produce 16 KB", 16 * 1024, self.count)

    def produce_gb(self) -> float:
        """Seconds of CPU per GB in 256 KB batches."""
        size = 256 * 1024
        return self.produce("produce 256 KB", size, GB // size) / 1e6 * (GB / size)

    def filled(self) -> str:
        """A topic with 1 GB in 256 KB batches of one record."""
        topic = f"fetch-{next(self.serial)}"
        frames.create_topic(self.port, topic)
        size = 256 * 1024
        frames.check(frames.PRODUCE, apart(self.port, [frames.produce_frame(topic, size)], GB // size).first)
        return topic

    def fetch_all(self, topic: str) -> int:
        """Read it once in answers of 1 MB; how many bytes came."""
        per_answer = 4  # batches
        steps = GB // (256 * 1024) // per_answer
        asks = [frames.fetch_frame(topic, i * per_answer, 1 << 20) for i in range(steps)]
        outcome = apart(self.port, asks, steps)
        self.rates.setdefault("fetch 1 MB", []).append(steps / outcome.seconds)
        return outcome.received

    def fetch_gb(self) -> float:
        """Seconds of CPU per GB fetched."""
        topic = self.filled()
        self.fetch_all(topic)
        before = cpu(self.broker.pid)
        received = self.fetch_all(topic)
        spent = cpu(self.broker.pid) - before
        assert received > 0.9 * GB, f"only {received} bytes came"
        frames.delete_topic(self.port, topic)
        return spent / received * GB

    def metadata(self) -> float:
        topic = f"metadata-{next(self.serial)}"
        frames.create_topic(self.port, topic)
        return self.per_request("metadata", frames.METADATA, frames.metadata_frame(topic), self.count)

    def offset_commit(self) -> float:
        topic = f"commit-{next(self.serial)}"
        frames.create_topic(self.port, topic)
        frame = frames.commit_frame(topic, topic)
        ready(self.port, topic)
        return self.per_request("offset commit", frames.OFFSET_COMMIT, frame, self.count)

    def memory(self) -> float:
        return rss(self.broker.pid) / 1e6

    def memory_per_connection(self, connections: int = 2000) -> float:
        """KB per idle connection, each of which has asked ApiVersions once."""
        ask(self.port, API_VERSIONS)
        before = rss(self.broker.pid)
        held = []
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", self.port), 30)
            sock.sendall(API_VERSIONS)
            held.append(sock)
        for sock in held:
            sock.recv(4096)
        after = rss(self.broker.pid)
        for sock in held:
            sock.close()
        return (after - before) / connections / 1024


def ready(port: int, group: str) -> None:
    """Ask until the group's coordinator is there."""
    from kafkawire.api import find_coordinator

    while True:
        said = frames.call(port, frames.FIND_COORDINATOR, find_coordinator.Request(coordinator_keys=[group]))
        if said.coordinators[0].error_code == 0:  # type: ignore[attr-defined]
            break
        time.sleep(0.02)
    commit = frames.commit_frame(group, group)
    while True:
        said = frames.answer(frames.OFFSET_COMMIT, ask(port, commit))
        if said.topics[0].partitions[0].error_code == 0:  # type: ignore[attr-defined]
            return
        time.sleep(0.02)


def start_to_api_versions(kind: str) -> float:
    """Milliseconds from fork to the first answer; the directory is formatted already where there is such a thing."""
    with tempfile.TemporaryDirectory() as directory:
        broker = new_broker(kind, Path(directory))
        if kind == "apache":  # its format command is not part of a start
            broker.command()
        try:
            return broker.start() * 1000
        finally:
            broker.kill()


def start_to_consumed(kind: str) -> float:
    """Milliseconds from fork to the first record of a new group: topic, produce, join and fetch by librdkafka."""
    from conformance.clients import Message, client, gather

    with tempfile.TemporaryDirectory() as directory:
        broker = new_broker(kind, Path(directory))
        if kind == "apache":
            broker.command()
        began = time.monotonic()
        try:
            broker.start()
            librdkafka = client("confluent", broker.bootstrap)
            admin = librdkafka.admin()
            admin.create("first", 1)
            consumer = librdkafka.consumer("group", ["first"])
            producer = librdkafka.producer(linger_ms=0)
            producer.start("first", Message(b"light"), lambda _: None)
            gather(consumer, 1)
            took = time.monotonic() - began
            producer.close()
            consumer.close()
            admin.close()
            return took * 1000
        finally:
            broker.kill()


SYSCALLS = "read,pread64,readv,preadv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwritev,pwrite64,sendfile,splice"
RETURNED = re.compile(r"(\w+)\(.* = (\d+)")


def where_bytes_go(bench: Bench) -> dict[str, int] | None:
    """Bytes by system call while 1 GB is fetched: what sendfile moves never enters user space. None without strace."""
    if shutil.which("strace") is None:
        return None
    topic = bench.filled()
    with tempfile.NamedTemporaryFile("r") as out:
        words = ["strace", "-f", "-e", f"trace={SYSCALLS}", "-s", "0", "-o", out.name, "-p", str(bench.broker.pid)]
        tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        tracer.stderr.readline()  # "attached"
        bench.fetch_all(topic)
        bench.rates["fetch 1 MB"].pop()  # traced, not measured
        tracer.terminate()
        tracer.wait()
        moved: dict[str, int] = {}
        for line in out:
            if found := RETURNED.search(line):
                moved[found[1]] = moved.get(found[1], 0) + int(found[2])
    frames.delete_topic(bench.port, topic)
    return moved


def median_of(runs: int, measure: Callable[[], float]) -> list[float]:
    return [measure() for _ in range(runs)]


def spread(figures: list[float]) -> tuple[float, float, float]:
    return statistics.median(figures), min(figures), max(figures)
