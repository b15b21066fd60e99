"""How long a record takes from producer to consumer at a fixed rate: alone, and in bad company."""

from __future__ import annotations

import signal
import time
from itertools import chain
from statistics import median

from tests.bench import frames, raw, tempo
from tests.bench.figure import Figure, Measure, Run, at_most
from tests.bench.frames import KB, MB
from tests.bench.ratios import percentile
from tests.bench.stand import GB, Stand

LEAD = 2.0  # seconds until the beat's records count
SETTLING = 0.5  # seconds after pages were dropped
EDGE = 0.3  # seconds of a window until what it is about has begun


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
    """One stream of records, and a consumer of data that aren't in memory that is stopped and let go again and again:
    what else the machine does falls on both halves alike, and neither connection nor broker is new in one of them.
    """
    old, asks = old_data(stand)
    half, pairs = max(1.0, 3 * stand.scale), max(1, round(5 * stand.scale))
    topic = stand.topic()
    files = stand.files(old)
    raw.drop_pages(files)
    stand.touch(2 * GB)
    reader = raw.begin(raw.Order(stand.port, [asks], in_flight=1, meek=True))
    windows: list[tuple[float, float]] = []  # without it, with it, and so on
    try:
        reader.send_signal(signal.SIGSTOP)
        with stand.spent() as spent:
            beat = tempo.begin(tempo.Beat(stand.port, topic, 500, LEAD + pairs * (2 * half + SETTLING)))
            time.sleep(LEAD)
            for _ in range(pairs):
                windows.append(_window(half))
                raw.drop_pages(files)  # holds everybody up, so it doesn't count
                time.sleep(SETTLING)
                reader.send_signal(signal.SIGCONT)
                windows.append(_window(half))
                reader.send_signal(signal.SIGSTOP)
            heard = tempo.finish(beat)
    finally:
        reader.send_signal(signal.SIGTERM)
        reader.send_signal(signal.SIGCONT)
        outcome = raw.finish(reader)
    stand.drop(topic)
    frames.check(frames.FETCH, outcome.first)
    told = [[heard.latencies[i] for i in _within(heard, window, 500)] for window in windows]
    alone, beside = sorted(chain(*told[::2])), sorted(chain(*told[1::2]))
    return {
        "p99_alone_ms": percentile(alone, 0.99) * 1000,
        "p50_ms": percentile(beside, 0.5) * 1000,
        "p99_ms": percentile(beside, 0.99) * 1000,
        "p999_ms": percentile(beside, 0.999) * 1000,
        "p99_more": median(
            [
                percentile(sorted(one), 0.99) / percentile(sorted(other), 0.99)
                for other, one in zip(told[::2], told[1::2], strict=True)
            ]
        ),
        "old_mb_s": outcome.received / (pairs * half) / 1e6,
        "client": heard.cpu / heard.seconds * 100,
    } | spent.noise()


def _window(seconds: float) -> tuple[float, float]:
    """Let so much time pass; from when to when it counts."""
    began = time.perf_counter()
    time.sleep(seconds)
    return began + EDGE, time.perf_counter()


def _within(heard: tempo.Heard, window: tuple[float, float], rate: float) -> range:
    """Which records were due in there."""
    first, last = ((moment - heard.began) * rate for moment in window)
    return range(max(0, int(first)), min(len(heard.latencies), int(last)))


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
        weight=50,
    ),
    Figure(
        "latency/company",
        "500 per second beside a bulk producer and a reader of cold data",
        in_company,
        ("p50_ms", "p99_ms", "p999_ms", "bulk_mb_s", "old_mb_s"),
        weight=40,
    ),
]
