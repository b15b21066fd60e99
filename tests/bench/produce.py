"""What taking records costs: one axis at a time around a batch of 16 KB, acks=1, one partition, five in flight."""

from __future__ import annotations

from typing import Any

from kafkawire.compression import NAMES as CODECS
from tests.bench import clients, frames
from tests.bench.figure import Figure, Goal, Measure, Run, at_least, at_most
from tests.bench.frames import KB, MB
from tests.bench.stand import GB, Stand

LARGEST = MB - KB  # message.max.bytes is a little over 1 MB


def raw(
    size: int,
    total: int = 0,
    *,
    record: int = 0,
    count: int = 20_000,
    in_flight: int = 5,
    acks: int = 1,
    partitions: int = 1,
    together: bool = False,
    connections: int = 1,
    codec: str = "none",
) -> Measure:
    """A run of so many requests, or of so many bytes; with `together` a request has a batch for each partition."""

    def run(stand: Stand) -> Run:
        batch = frames.batch(size, record, codec)
        each = stand.scaled((total // size if total else count) // connections, 4)
        topic = stand.topic(partitions)
        if together:
            plans = [[frames.produce_frame(topic, batch, range(partitions), acks)]]
        elif connections > 1:
            plans = [[frames.produce_frame(topic, batch, [i % partitions], acks)] for i in range(connections)]
        else:
            plans = [[frames.produce_frame(topic, batch, [i], acks) for i in range(partitions)]]
        payload = size * (partitions if together else 1)
        stand.drive(plans, max(2, each // 10), in_flight)
        stand.touch(len(batch) * (partitions if together else 1) * each * connections)
        found = stand.measured(frames.PRODUCE, plans, each, in_flight, payload)
        stand.drop(topic)
        if together:
            found["cpu_us_batch"] = found["cpu_us"] / partitions
        return found

    return run


def figure(name: str, text: str, run: Measure, shows: str, goals: dict[str, Goal] | None = None, **more: Any) -> Figure:
    return Figure(f"produce/{name}", text, run, shows.split(), goals or {}, **more)


def librdkafka(stand: Stand) -> Run:
    topic = stand.topic()
    count = stand.scaled(1_000_000)
    stand.touch(count * 110)
    with stand.spent() as spent:
        said = clients.librdkafka("produce", stand.bootstrap, topic, count, 100)
    stand.drop(topic)
    return said | {"cpu_us_record": spent.cpu / count * 1e6} | spent.noise()


def java(size: int, records: int) -> Measure:
    def run(stand: Stand) -> Run:
        topic = stand.topic()
        count = stand.scaled(records)
        stand.touch(count * size)
        with stand.spent() as spent:
            said = clients.java_produce(stand.bootstrap, topic, count, size)
        stand.drop(topic)
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


CPU_RATE, CPU_BYTES = "cpu_us rate", "cpu_s_gb mb_s"
FIGURES = [
    figure("1KB/1", "batches of 1 KB, 1 in flight", raw(KB, in_flight=1), CPU_RATE),
    figure(
        "1KB/5",
        "batches of 1 KB, 5 in flight",
        raw(KB),
        CPU_RATE,
        {"cpu_us": at_most(0.4), "rate": at_least(1.5)},
    ),
    figure(
        "1KB/50", "batches of 1 KB, 50 in flight", raw(KB, count=40_000, in_flight=50), CPU_RATE, {"rate": at_least(3)}
    ),
    figure("16KB", "batches of 16 KB, 5 in flight", raw(16 * KB), CPU_RATE, {"cpu_us": at_most(0.5)}),
    figure(
        "256KB",
        "batches of 256 KB, 5 in flight",
        raw(256 * KB, GB),
        CPU_BYTES,
        {"cpu_s_gb": at_most(0.5), "mb_s": at_least(1.5)},
    ),
    figure("1MB", "batches of 1 MB, 5 in flight", raw(LARGEST, GB), CPU_BYTES, {"cpu_s_gb": at_most(0.6)}),
    figure(
        "16-connections/256KB",
        "16 connections, each to its partition, batches of 256 KB",
        raw(256 * KB, GB, connections=16, partitions=16),
        CPU_BYTES,
        {"mb_s": at_least(1)},
    ),
    figure(
        "16-connections/1KB",
        "16 connections, each to its partition, batches of 1 KB",
        raw(KB, count=32_000, connections=16, partitions=16),
        CPU_RATE,
    ),
    figure("acks-all/1KB", "acks=all, batches of 1 KB", raw(KB, acks=-1), CPU_RATE),
    figure("acks-all/256KB", "acks=all, batches of 256 KB", raw(256 * KB, GB // 2, acks=-1), CPU_BYTES),
    figure("record/100B", "1 MB batches of records of 100 B", raw(LARGEST, GB // 2, record=100), CPU_BYTES),
    figure("record/1KB", "1 MB batches of records of 1 KB", raw(LARGEST, GB // 2, record=KB), CPU_BYTES),
    figure("record/10KB", "1 MB batches of records of 10 KB", raw(LARGEST, GB // 2, record=10 * KB), CPU_BYTES),
    figure("record/100KB", "1 MB batches of records of 100 KB", raw(LARGEST, GB // 2, record=100 * KB), CPU_BYTES),
    figure("record/1MB", "1 MB batches of one record", raw(LARGEST, GB // 2), CPU_BYTES),
    *(
        figure(
            f"codec/{codec}",
            f"64 KB batches of 1 KB records, codec {codec}; bytes before compression",
            raw(64 * KB, GB // 4, record=KB, codec=codec),
            "cpu_us mb_s",
        )
        for codec in CODECS
    ),
    *(
        figure(
            f"partitions/{partitions}",
            f"batches of 16 KB, {partitions} partition{'s' * (partitions > 1)} in turn",
            raw(16 * KB, record=KB, count=10_000, partitions=partitions),
            CPU_RATE,
            weight=12,
        )
        for partitions in (1, 16, 256)
    ),
    figure(
        "partitions/256-together",
        "one request with 1 KB for each of 256 partitions",
        raw(KB, count=300, partitions=256, together=True),
        "cpu_us_batch rate",
        weight=15,
    ),
    figure(
        "librdkafka",
        "librdkafka (confluent-kafka), records of 100 B, its defaults",
        librdkafka,
        "records_s cpu_us_record",
        {"records_s": at_least(1)},
    ),
    figure(
        "java/100B",
        "Java's ProducerPerformance, records of 100 B",
        java(100, 1_000_000),
        "records_s cpu_us_record",
        weight=14,
    ),
    figure(
        "java/1KB",
        "Java's ProducerPerformance, records of 1 KB",
        java(1000, 400_000),
        "records_s mb_s cpu_s_gb",
        weight=14,
    ),
]
