"""What giving records away costs: 1 GB in batches of 256 KB, asked for in answers of 1 MB."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import clients, frames, raw
from tests.bench.figure import Figure, Goal, Measure, Run, at_least, at_most
from tests.bench.frames import KB, MB
from tests.bench.stand import GB, Stand

PER_ANSWER = 4  # batches of 256 KB


def filled(stand: Stand) -> tuple[str, list[bytes]]:
    """The topic, and the requests that read it once."""

    def make() -> tuple[str, list[bytes]]:
        batch = frames.batch(256 * KB)
        steps = stand.scaled(GB // len(batch) // PER_ANSWER)
        topic = stand.filled(steps * PER_ANSWER * len(batch), batch)
        asks = [frames.fetch_frame(topic, i * PER_ANSWER, MB) for i in range(steps)]
        stand.drive([asks], steps)  # once before it counts
        return topic, asks

    made: tuple[str, list[bytes]] = stand.once("fetch: 256 KB batches", make)
    return made


def enough(found: Run, outcome_bytes: float, wanted: float) -> Run:
    assert outcome_bytes > 0.9 * wanted, f"only {outcome_bytes:.0f} bytes of {wanted:.0f} came"
    return found


def hot(in_flight: int, consumers: int = 1, share: int = 1) -> Measure:
    """Each consumer reads the topic (or the first `share`th of it) over its own connection, all at once."""

    def run(stand: Stand) -> Run:
        _, asks = filled(stand)
        part = asks[: max(10, len(asks) // share)]
        found = stand.measured(frames.FETCH, [part] * consumers, len(part), in_flight)
        each = found["mb_s"] / found["rate"] * 1e6  # bytes per answer
        return enough(found, each, PER_ANSWER * 256 * KB)

    return run


def cold(stand: Stand) -> Run:
    topic, asks = filled(stand)
    files = stand.files(topic)
    raw.drop_pages(files)
    left = cached(files)
    stand.touch(GB)  # reading fills the page cache as writing does
    found = stand.measured(frames.FETCH, [asks], len(asks), 1)
    each = found["mb_s"] / found["rate"] * 1e6
    return enough(found, each, PER_ANSWER * 256 * KB) | {"still_cached": left * 100}


def cached(files: list[str]) -> float:
    """The share of these files that sits in the page cache, as probes that may not wait see it."""
    hits = probes = 0
    buffer = bytearray(1)
    for name in files:
        size = Path(name).stat().st_size
        fd = os.open(name, os.O_RDONLY)
        with contextlib.closing(os.fdopen(fd, "rb")):
            for at in range(0, size, max(1, size // 64)):
                probes += 1
                with contextlib.suppress(BlockingIOError):
                    hits += os.preadv(fd, [buffer], at, os.RWF_NOWAIT)
    return hits / max(1, probes)


def librdkafka(stand: Stand) -> Run:
    topic, count = records(stand, 100, 1_000_000)
    with stand.spent() as spent:
        said = clients.librdkafka("consume", stand.bootstrap, topic, count)
    return said | {"cpu_us_record": spent.cpu / count * 1e6} | spent.noise()


def java(size: int, total: int) -> Measure:
    def run(stand: Stand) -> Run:
        topic, count = records(stand, size, total)
        with stand.spent() as spent:
            said = clients.java_consume(stand.bootstrap, topic, count)
        return (
            said
            | {
                "cpu_us_record": spent.cpu / count * 1e6,
                "cpu_s_gb": spent.cpu / (count * size) * GB,
                "client": spent.children / spent.seconds * 100,
            }
            | spent.noise()
        )

    return run


def records(stand: Stand, size: int, total: int) -> tuple[str, int]:
    """A topic of so many small records, in batches of 16 KB as producers send them by default."""

    def make() -> tuple[str, int]:
        batch = frames.batch(16 * KB, size)
        per_batch = (16 * KB - 61) // size
        count = max(1, stand.scaled(total) // per_batch)
        return stand.filled(count * len(batch), batch), count * per_batch

    made: tuple[str, int] = stand.once(f"fetch: {total} records of {size}", make)
    return made


SYSCALLS = "read,pread64,readv,preadv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwritev,pwrite64,sendfile,splice"
RETURNED = re.compile(r"(\w+)\(.* = (\d+)")


def traced(stand: Stand) -> Run:
    """Bytes by system call while the topic is fetched: what sendfile moves never enters user space."""
    if shutil.which("strace") is None:
        raise clients.Unavailable("strace is missing (apt-get install strace)")
    _, asks = filled(stand)
    with tempfile.NamedTemporaryFile("r") as out:
        words = ["strace", "-f", "-e", f"trace={SYSCALLS}", "-s", "0", "-o", out.name, "-p", str(stand.pid)]
        tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        try:
            assert tracer.stderr is not None
            tracer.stderr.readline()  # "attached"
            stand.drive([asks], len(asks))
        finally:
            tracer.terminate()
            tracer.communicate()
        moved: dict[str, int] = {}
        for line in out:
            if found := RETURNED.search(line):
                moved[found[1]] = moved.get(found[1], 0) + int(found[2])
    sent = moved.pop("sendfile", 0) + moved.pop("splice", 0)
    return {"sendfile_mb": sent / 1e6, "copied_mb": sum(moved.values()) / 1e6}


def figure(name: str, text: str, run: Measure, shows: str, goals: dict[str, Goal] | None = None, **more: Any) -> Figure:
    return Figure(f"fetch/{name}", text, run, shows.split(), goals or {}, **more)


BYTES = "cpu_s_gb mb_s"
FIGURES = [
    figure(
        "hot/1",
        "one connection, one request in flight, as clients do it",
        hot(1),
        BYTES,
        {"cpu_s_gb": at_most(0.6), "mb_s": at_least(1.5)},
    ),
    figure("hot/5", "one connection, 5 in flight", hot(5), BYTES, {"cpu_s_gb": at_most(0.6)}),
    figure("fan-out/1", "1 consumer, one request in flight, a quarter of the topic", hot(1, 1, 4), BYTES),
    figure("fan-out/4", "4 consumers of the same quarter", hot(1, 4, 4), BYTES),
    figure(
        "fan-out/16",
        "16 consumers of the same quarter",
        hot(1, 16, 4),
        BYTES,
        {"mb_s": at_least(1)},
    ),
    figure("cold", "one connection, from the disk", cold, BYTES, weight=10),
    figure(
        "librdkafka",
        "librdkafka (confluent-kafka), records of 100 B, its defaults",
        librdkafka,
        "records_s cpu_us_record",
        {"records_s": at_least(1)},
    ),
    figure(
        "java/100B",
        "Java's ConsumerPerformance, records of 100 B",
        java(100, 1_000_000),
        "records_s cpu_us_record",
        weight=12,
    ),
    figure(
        "java/1KB",
        "Java's ConsumerPerformance, records of 1 KB",
        java(1000, 400_000),
        "records_s mb_s cpu_s_gb",
        weight=12,
    ),
    figure(
        "system-calls",
        "bytes that system calls moved while the topic was fetched",
        traced,
        "sendfile_mb copied_mb",
        pairs=1,
    ),
]
