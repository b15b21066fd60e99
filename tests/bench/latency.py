"""How long a record takes from producer to consumer at a fixed rate: alone, and in bad company."""

from __future__ import annotations

import time
from statistics import median

from tests.bench import frames, raw, tempo
from tests.bench.figure import Figure, Measure, Run, at_most
from tests.bench.frames import KB, MB
from tests.bench.ratios import percentile
from tests.bench.stand import GB, Stand


def timed(stand: Stand, rate: int, seconds: float) -> Run:
    topic = stand.topic()
    with stand.spent() as spent:
        heard = tempo.apart(tempo.Beat(stand.port, topic, rate, seconds))
    stand.drop(topic)
    ordered = sorted(heard.latencies)
    beats = rate * heard.seconds
    return {
        "p50_ms": percentile(ordered, 0.5) * 1000,
        "p99_ms": percentile(ordered, 0.99) * 1000,
        "p999_ms": percentile(ordered, 0.999) * 1000,
        "max_ms": ordered[-1] * 1000,
        "late_ms": heard.late * 1000,
        "cpu_us_record": spent.cpu / beats * 1e6,
        "client": heard.cpu / heard.seconds * 100,
    } | spent.noise()


def alone(rate: int, seconds: float) -> Measure:
    def run(stand: Stand) -> Run:
        return timed(stand, rate, max(1.5, seconds * stand.scale))

    return run


def old_data(stand: Stand) -> tuple[str, list[bytes]]:
    """A topic of 2 GB, and the requests of a consumer that reads it from the start."""
    batch = frames.batch(256 * KB)
    steps = stand.scaled(2 * GB // len(batch) // 4)

    def make() -> tuple[str, list[bytes]]:
        topic = stand.filled(steps * 4 * len(batch), batch)
        return topic, [frames.fetch_frame(topic, i * 4, MB) for i in range(steps)]

    topic, asks = stand.once("latency: cold data", make)
    return topic, asks


def beside_a_reader(stand: Stand) -> Run:
    """The same alone and while a consumer reads data that aren't in memory, one right after the other, three times."""
    old, asks = old_data(stand)
    seconds = max(1.5, 4 * stand.scale)
    alone: list[Run] = []
    beside: list[Run] = []
    read = 0.0
    for _ in range(max(1, round(3 * stand.scale))):
        raw.drop_pages(stand.files(old))  # once, and before it counts: dropping holds everybody up
        stand.touch(2 * GB)
        alone.append(timed(stand, 500, seconds))
        reader = raw.begin(raw.Order(stand.port, [asks], in_flight=1, seconds=seconds + 2, meek=True))
        try:
            beside.append(timed(stand, 500, seconds))
        finally:
            outcome = raw.finish(reader)
        frames.check(frames.FETCH, outcome.first)
        read += outcome.received / outcome.seconds
    found = {key: median([run[key] for run in beside]) for key in beside[0]}
    found["p99_alone_ms"] = median([run["p99_ms"] for run in alone])
    found["p99_more"] = median([one["p99_ms"] / other["p99_ms"] for one, other in zip(beside, alone, strict=True)])
    found["old_mb_s"] = read / len(beside) / 1e6
    return found


def in_company(stand: Stand) -> Run:
    """A bulk producer writes as fast as the broker takes it, an old consumer reads 2 GB that aren't in memory."""
    old, asks = old_data(stand)
    bulk = stand.topic()
    stand.touch(3 * GB)
    seconds = max(1.5, 8 * stand.scale)
    long = seconds + 4  # the beat's lead, and that of its process
    writer = raw.begin(
        raw.Order(stand.port, [[frames.produce_frame(bulk, frames.batch(MB - KB))]], in_flight=5, seconds=long)
    )
    reader = raw.begin(raw.Order(stand.port, [asks], in_flight=1, seconds=long, cold=stand.files(old)))
    try:
        time.sleep(1)
        found = timed(stand, 500, seconds)
    finally:
        written, read = raw.finish(writer), raw.finish(reader)
    stand.drop(bulk)
    frames.check(frames.PRODUCE, written.first)
    frames.check(frames.FETCH, read.first)
    found["bulk_mb_s"] = written.requests * (MB - KB) / written.seconds / 1e6
    found["old_mb_s"] = read.received / read.seconds / 1e6
    return found


ALL = ("p50_ms", "p99_ms", "p999_ms", "cpu_us_record")
FIGURES = [
    Figure("latency/100", "100 records of 1 KB per second, alone", alone(100, 8), ALL, weight=24),
    Figure(
        "latency/500",
        "500 records of 1 KB per second, alone",
        alone(500, 8),
        ALL,
        {"p50_ms": at_most(1), "p99_ms": at_most(0.5), "cpu_us_record": at_most(0.5)},
        weight=24,
    ),
    Figure("latency/2000", "2,000 records of 1 KB per second, alone", alone(2000, 8), ALL, weight=24),
    Figure(
        "latency/reader",
        "500 per second beside a reader of cold data",
        beside_a_reader,
        ("p99_alone_ms", "p99_ms", "p99_more", "p999_ms", "old_mb_s"),
        weight=80,
    ),
    Figure(
        "latency/company",
        "500 per second beside a bulk producer and a reader of cold data",
        in_company,
        ("p50_ms", "p99_ms", "p999_ms", "bulk_mb_s", "old_mb_s"),
        weight=40,
    ),
]
