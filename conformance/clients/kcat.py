"""kcat (Debian's): librdkafka of another age behind a command line, one process per producer, consumer or question.

Its delivery reports (verbosity 3) carry partition and offset in the order in which a partition answered, and don't
say which message they mean; a scenario that needs to know that keeps to one partition.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from conformance.brokers import dying_with_parent
from conformance.clients import Admin, Cannot, Done, Failed, Message, Received, Sent, Unanswered

CANNOT: dict[str, str] = {
    "admin": "kcat has no admin requests beyond listing metadata",
    "timestamps": "kcat -P has no way to set a record's timestamp",
    "null header": "kcat -H name=value has no way to give a header a null value",
    "commit offsets": "kcat commits what it has consumed and nothing else",
    "subscribe early": "kcat ends when a topic isn't there",
    "outliving the broker": "kcat ends when it reaches no broker",
    "seek": "kcat reads from where it was told to start and moves on",
    "transactions": "kcat puts a whole input into one transaction, and has no way to begin and end one when asked",
    "partition in keyed order": "kcat's delivery reports don't say which message they belong to",
}

# librdkafka's sentences, because kcat prints them instead of numbers
SENTENCES = {
    "Message size too large": 10,
    "Unknown topic or partition": 3,
    "Unknown topic": 3,
    "Unknown partition": 3,
    "Invalid topic": 17,
    "Topic exception": 17,
    "Invalid record": 87,
    "Broker failed to validate record": 87,
    "Policy violation": 44,
    "Offset out of range": 1,
    "Invalid timestamp": 32,
}
BETWEEN = b"\x1e\x1d\x1e|"
AFTER_KEY = b"\x1f\x1d\x1f|"
DELIVERED = re.compile(rb"Message delivered to partition (-?\d+) \(offset (-?\d+)\)")
EAGER = re.compile(r"rebalanced \(memberid .*?\): (assigned|revoked):? ?(.*)")
COOPERATIVE = re.compile(r"rebalanced: incremental (assign|revoke).*? \(memberid .*?\): ?(.*)")
OWNED = re.compile(r"(\S+) \[(\d+)\]")


def missing() -> str | None:
    return None if shutil.which("kcat") else "kcat is missing: apt-get install kcat"


def failed(text: str) -> Failed:
    for sentence, code in SENTENCES.items():
        if sentence in text:
            return Failed(code, text)
    return Failed(-1, text)


def escaped(delimiter: bytes) -> str:
    return "".join(f"\\x{b:02x}" for b in delimiter)


class Producer:
    """One kcat per run of messages that its command line can't tell apart: same partition, headers, nulls or not."""

    def __init__(self, bootstrap: str, options: Mapping[str, Any]) -> None:
        self.command = ["kcat", "-P", "-E", "-b", bootstrap, "-vvv", "-m", "20", "-z", options.get("codec", "none")]
        properties = {
            "topic.request.required.acks": {"all": -1}.get(options.get("acks", "all"), options.get("acks")),
            "enable.idempotence": str(options.get("idempotent", False)).lower(),
            "message.max.bytes": options.get("max_request", 1_000_000),
            "linger.ms": options.get("linger_ms", 5),
            "topic.message.timeout.ms": options.get("timeout_ms", 30_000),
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
        }
        if "batch" in options:
            properties["batch.size"] = options["batch"]
        for name, value in properties.items():
            self.command += ["-X", f"{name}={value}"]
        self.runs: list[Run] = []

    def start(self, topic: str, message: Message, done: Done) -> None:
        kind = (topic, message.partition, message.headers, message.value is None, message.key is None)
        if self.runs and self.runs[-1].kind == kind:
            run = self.runs[-1]
        else:
            if self.runs:
                self.runs[-1].finish(30)  # what was sent first is to arrive first
            run = Run(self.command, kind)
            self.runs.append(run)
        run.send(message, done)

    def flush(self, timeout: float) -> None:
        for run in self.runs:
            run.finish(timeout)
        self.runs.clear()

    def close(self) -> None:
        for run in self.runs:
            run.abandon()


class Run:
    def __init__(self, command: list[str], kind: tuple[Any, ...]) -> None:
        topic, partition, headers, _, no_key = self.kind = kind
        words = [*command, "-t", topic, "-D", escaped(BETWEEN)]
        if partition is not None:
            words += ["-p", str(partition)]
        if not no_key:
            words += ["-K", escaped(AFTER_KEY)]
        if kind[3]:
            words.append("-Z")
        for name, value in headers:
            words += ["-H", f"{name}={(value or b'').decode()}"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0
        )
        self.waiting: list[Done] = []
        self.errors: list[str] = []
        self.lock = threading.Lock()
        self.first = True
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def send(self, message: Message, done: Done) -> None:
        assert self.process.stdin is not None
        with self.lock:
            self.waiting.append(done)
        line = b"" if self.first else BETWEEN
        self.first = False
        if message.key is not None:
            line += message.key + AFTER_KEY
        with contextlib.suppress(BrokenPipeError):
            data = memoryview(line + (message.value or b""))
            while data:  # unbuffered pipes take what they like
                data = data[self.process.stdin.write(data) :]

    def listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := DELIVERED.search(line):
                with self.lock:
                    done = self.waiting.pop(0) if self.waiting else None
                if done is not None:
                    done(Sent(int(found[1]), int(found[2])))
            elif b"ERROR" in line or b"failed" in line:
                self.errors.append(line.decode(errors="replace").strip())

    def finish(self, timeout: float) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            if self.kind[3] and not self.first:
                self.process.stdin.write(BETWEEN)  # an empty last piece would not count as a message
            self.process.stdin.close()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        with self.lock:
            left, self.waiting = self.waiting, []
        for done in left:
            done(failed(" / ".join(self.errors) or f"no delivery report (exit {self.process.returncode})"))

    def abandon(self) -> None:
        self.process.kill()
        self.process.wait()


FORMAT = "%t %p %o %T %K %S %h\\n%k%s\\n"


def parse(stream: IO[bytes]) -> Received | None:
    """One record in FORMAT: a line of numbers and headers, then exactly as many bytes as it announced."""
    line = stream.readline()
    if not line:
        return None
    topic, partition, offset, timestamp, key_size, value_size, headers = line.rstrip(b"\n").split(b" ", 6)
    sizes = int(key_size), int(value_size)
    key = stream.read(sizes[0]) if sizes[0] > 0 else (b"" if sizes[0] == 0 else None)
    value = stream.read(sizes[1]) if sizes[1] > 0 else (b"" if sizes[1] == 0 else None)
    stream.read(1)
    fields = [header.partition(b"=") for header in headers.split(b",") if header]
    pairs = tuple((name.decode(), None if text == b"NULL" else text) for name, _, text in fields)
    return Received(topic.decode(), int(partition), int(offset), int(timestamp), key, value, pairs)


def owned(said: str) -> set[tuple[str, int]]:
    return {(topic, int(partition)) for topic, partition in OWNED.findall(said)}


class Consumer:
    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], options: Mapping[str, Any]) -> None:
        words = [*dying_with_parent(), "kcat", "-b", bootstrap, "-u", "-f", FORMAT]
        properties = {
            "auto.offset.reset": options.get("reset", "earliest"),
            "session.timeout.ms": options.get("session_ms", 6000),
            "heartbeat.interval.ms": 500,
            "topic.metadata.refresh.interval.ms": 1000,
            "auto.commit.interval.ms": 200,
            "fetch.message.max.bytes": options.get("max_fetch", 1_048_576),
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
        }
        if "isolation" in options:
            properties["isolation.level"] = options["isolation"]
        if "strategy" in options:
            properties["partition.assignment.strategy"] = options["strategy"]
        if options.get("instance"):
            properties["group.instance.id"] = options["instance"]
        for name, value in properties.items():
            words += ["-X", f"{name}={value}"]
        if "limit" in options:
            words += ["-c", str(options["limit"])]
        self.process = subprocess.Popen(
            [*words, "-G", group, *topics], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.arrived: list[Received] = []
        self.assigned: set[tuple[str, int]] = set()
        self.news = threading.Condition()
        self.errors: list[str] = []
        for work in (self.listen, self.watch):
            threading.Thread(target=work, daemon=True).start()

    def listen(self) -> None:
        assert self.process.stdout is not None
        while (record := parse(self.process.stdout)) is not None:
            with self.news:
                self.arrived.append(record)
                self.news.notify()

    def watch(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            line = raw.decode(errors="replace")
            if found := EAGER.search(line):
                self.assigned = owned(found[2]) if found[1] == "assigned" else set()
            elif found := COOPERATIVE.search(line):
                named = owned(found[2])
                self.assigned = self.assigned | named if found[1] == "assign" else self.assigned - named
            elif "ERROR" in line:
                self.errors.append(line)

    def poll(self, timeout: float) -> list[Received]:
        with self.news:
            if not self.arrived:
                self.news.wait(timeout)
            got, self.arrived = self.arrived, []
        return got

    def assignment(self) -> set[tuple[str, int]]:
        return set(self.assigned)

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        if offsets is not None:
            raise Cannot(f"kcat cannot: {CANNOT['commit offsets']}")
        # With a limit kcat ends by itself and commits as it leaves; without one it commits every 200 ms.

    def seek(self, topic: str, partition: int, offset: int) -> None:
        raise Cannot(f"kcat cannot: {CANNOT['seek']}")

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Driver:
    name = "kcat"
    cannot = CANNOT
    hides: frozenset[int] = frozenset()

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def version(self) -> str:
        said = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
        found = re.search(r"Version (\S+) \(.*librdkafka (\S+)", said)
        return f"kcat {found[1]} (librdkafka {found[2]})" if found else "kcat"

    def producer(self, **options: object) -> Producer:
        return Producer(self.bootstrap, options)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        return Consumer(self.bootstrap, group, topics, options)

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        words = ["kcat", "-C", "-b", self.bootstrap, "-t", topic, "-p", str(partition), "-o", str(start)]
        words += ["-c", str(count), "-f", FORMAT, "-X", "check.crcs=true", "-X", "topic.auto.offset.reset=error"]
        if "isolation" in options:
            words += ["-X", f"isolation.level={options['isolation']}"]
        words += ["-X", f"fetch.message.max.bytes={options.get('max_fetch', 1_048_576)}"]
        with tempfile.TemporaryFile() as out:
            try:
                done = subprocess.run(words, stdout=out, stderr=subprocess.PIPE, timeout=timeout, env=dict(os.environ))
            except subprocess.TimeoutExpired as late:
                raise Unanswered(f"kcat didn't read {count} records in {timeout} s: {late.stderr!r}") from None
            out.seek(0)
            got = []
            while (record := parse(out)) is not None:
                got.append(record)
        if len(got) < count:
            raise failed(done.stderr.decode(errors="replace"))
        return got

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        words = ["kcat", "-Q", "-b", self.bootstrap, "-t", f"{topic}:{partition}:{timestamp}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        found = re.search(r"\[\d+\] offset (-?\d+)", done.stdout)
        if not found:
            raise failed(done.stderr)
        return int(found[1]) if int(found[1]) >= 0 else None

    def partitions(self, topic: str) -> int:
        words = ["kcat", "-L", "-J", "-b", self.bootstrap, "-t", topic, "-X", "allow.auto.create.topics=false"]
        deadline = time.monotonic() + 20
        while True:
            done = subprocess.run(words, capture_output=True, text=True, timeout=30)
            if done.returncode == 0 or time.monotonic() > deadline:
                break
        if done.returncode:
            raise failed(done.stderr)
        (found,) = json.loads(done.stdout)["topics"]
        if found.get("error"):
            raise failed(found["error"])
        return len(found["partitions"])

    def admin(self) -> Admin:
        raise Cannot(f"kcat cannot: {CANNOT['admin']}")
