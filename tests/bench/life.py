"""A broker's days: starting, being idle, its first requests, many partitions, many connections, and what it keeps."""

from __future__ import annotations

import contextlib
import gc
import resource
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from conformance.brokers import API_VERSIONS, Broker
from kafkawire.api import fetch
from kafkawire.errors import ErrorCode
from tests.bench import frames, raw
from tests.bench.figure import Figure, Run, at_most
from tests.bench.frames import KB, MB
from tests.bench.meter import cpu, rss_mb
from tests.bench.stand import GB, Stand, new_broker

REST = 3.0  # seconds after the start when memory counts as idle
PARTITIONS, PER_TOPIC = 10_000, 1_000
CONNECTIONS = 5_000


@contextlib.contextmanager
def newborn(stand: Stand) -> Iterator[Broker]:
    """A broker of the stand's kind that has never run; not started."""
    directory = Path(tempfile.mkdtemp(dir=stand.directory.parent))
    broker = new_broker(stand.kind, directory)
    try:
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(directory, ignore_errors=True)


def start(stand: Stand) -> Run:
    with newborn(stand) as broker:
        seconds = broker.start()
        time.sleep(max(0.5, REST * stand.scale))
        return {"ready_ms": seconds * 1000, "idle_mb": rss_mb(broker.pid)}


def first_record(stand: Stand) -> Run:
    """From fork to the first record of a new group: topic, produce, join and fetch by librdkafka."""
    from conformance.clients import Message, client, gather

    with newborn(stand) as broker:
        began = time.monotonic()
        broker.start()
        librdkafka = client("confluent", broker.bootstrap)
        admin = librdkafka.admin()
        admin.create("first", 1)
        consumer = librdkafka.consumer("group", ["first"])
        producer = librdkafka.producer(linger_ms=0)
        producer.start("first", Message(b"light"), lambda _: None)
        gather(consumer, 1)
        took = time.monotonic() - began
        for one in (producer, consumer, admin):
            one.close()
        del producer, consumer, admin, one  # or librdkafka tells the terminal that the broker went
        gc.collect()
        return {"consumed_ms": took * 1000}


def cold(stand: Stand) -> Run:
    """The first 5,000 requests of a broker's life; the figures beside them are those of a warm one."""
    with newborn(stand) as broker:
        broker.start()
        count = stand.scaled(5000)
        frames.create_topics_of(broker.port, ["cold"])
        found: Run = {}
        produce = frames.produce_frame("cold", frames.batch(KB))
        for name, frame in (("produce", produce), ("metadata", frames.metadata_frame("cold"))):
            before = cpu(broker.pid)
            outcome = raw.apart(raw.Order(broker.port, [[frame]], count))
            spent = (cpu(broker.pid) - before) / count * 1e6
            if name == "produce":
                frames.check(frames.PRODUCE, outcome.first)
                found |= {"cold_cpu_us": spent, "cold_rate": count / outcome.seconds}
            else:
                frames.check(frames.METADATA, outcome.first)
                found["cold_metadata_us"] = spent
        return found


def after_load(stand: Stand) -> Run:
    """What a broker that has worked keeps: 20,000 small requests, 1 GB written in 1 MB batches, read four times."""
    topic = stand.topic()
    stand.drive([[frames.produce_frame(topic, frames.batch(KB))]], stand.scaled(20_000), 50)
    large = frames.batch(MB - KB)
    count = stand.scaled(GB // len(large))
    stand.touch(GB)
    stand.drive([[frames.produce_frame(topic, large)]], count)
    end = stand.scaled(20_000)
    asks = [frames.fetch_frame(topic, end + i, 2 * MB) for i in range(count)]
    frames.check(frames.FETCH, stand.drive([asks] * 4, count, 1).first)
    stand.drop(topic)
    return {"loaded_mb": rss_mb(stand.pid)}


def connections(stand: Stand) -> Run:
    """Each has asked ApiVersions once and stays; then a producer is served among them, and each of them once more."""
    count = stand.scaled(CONNECTIONS)
    before = rss_mb(stand.pid)
    topic = stand.topic()
    with contextlib.ExitStack() as held:
        socks = []
        for _ in range(count):
            sock = held.enter_context(socket.create_connection(("127.0.0.1", stand.port), 30))
            sock.sendall(API_VERSIONS)
            socks.append(sock)
        asked_again(socks, send=False)
        memory = rss_mb(stand.pid)
        found = stand.measured(
            frames.PRODUCE, [[frames.produce_frame(topic, frames.batch(KB))]], stand.scaled(10_000), 5, KB
        )
        asked_again(socks, send=True)
    stand.drop(topic)
    return found | {"connected_mb": memory, "connection_kb": (memory - before) * 1e6 / count / 1024}


def asked_again(socks: list[socket.socket], *, send: bool) -> None:
    """Every one of them gets a whole answer."""
    for sock in socks:
        if send:
            sock.sendall(API_VERSIONS)
    for sock in socks:
        with sock.makefile("rb") as stream:
            (size,) = raw.SIZE.unpack(stream.read(4))
            if len(stream.read(size)) != size:
                raise ConnectionError("a connection was closed")


def partitions(stand: Stand) -> Run:
    """Many partitions with one record each: made, looked at, stopped and started again, killed and started again."""
    with newborn(stand) as broker:
        broker.patience = 170
        broker.start()
        time.sleep(max(0.5, REST * stand.scale))
        empty = rss_mb(broker.pid)
        topics = [f"many-{i}" for i in range(max(1, stand.scaled(PARTITIONS, 100) // PER_TOPIC))]
        each = min(PER_TOPIC, stand.scaled(PARTITIONS, 100) // len(topics))
        began = time.perf_counter()
        for topic in topics:
            frames.create_topics_of(broker.port, [topic], each)
        created = time.perf_counter() - began
        one = frames.batch(200)
        for topic in topics:
            write_to_each(broker, topic, one, each)
        ask = frames.metadata_frame()
        raw.apart(raw.Order(broker.port, [[ask]], 20, 1))
        before, times = cpu(broker.pid), []
        count = 20
        for _ in range(count):
            began = time.perf_counter()
            answer = raw.ask(broker.port, ask)
            times.append(time.perf_counter() - began)
        spent = cpu(broker.pid) - before
        found = frames.answer(frames.METADATA, answer).topics
        assert sum(len(topic.partitions) for topic in found) >= each * len(topics), "partitions are missing"
        memory, files = rss_mb(broker.pid), len(list(Path(f"/proc/{broker.pid}/fd").iterdir()))
        began = time.perf_counter()
        broker.stop(timeout=120)
        stopped = time.perf_counter() - began
        seconds, restarted = again(broker, topics[-1], each - 1)
        for topic in topics:
            write_to_each(broker, topic, one, each)
        broker.kill()
        _, recovered = again(broker, topics[-1], each - 1)
        return {
            "create_s": created,
            "partitions_mb": memory,
            "metadata_ms": statistics.median(times) * 1000,
            "metadata_cpu_ms": spent / count * 1000,
            "ready_ms": seconds * 1000,
            "partition_kb": (memory - empty) * 1e6 / 1024 / (each * len(topics)),
            "files": files,
            "stop_s": stopped,
            "restart_s": restarted,
            "recover_s": recovered,
        }


def write_to_each(broker: Broker, topic: str, batch: bytes, count: int) -> None:
    """One batch for each partition, again to those that Apache Kafka doesn't lead yet, so soon after they were made."""
    left: list[int] = list(range(count))
    began = time.perf_counter()
    while left and time.perf_counter() - began < broker.patience:
        said = raw.ask(broker.port, frames.produce_frame(topic, batch, left))
        answers = frames.answer(frames.PRODUCE, said).responses[0].partition_responses
        if not all(one.error_code in (ErrorCode.NONE, ErrorCode.NOT_LEADER_OR_FOLLOWER) for one in answers):
            frames.check(frames.PRODUCE, said)
        left = [one.index for one in answers if one.error_code]
        if left:
            time.sleep(0.05)
    if left:
        raise TimeoutError(f"{len(left)} partitions of {topic} took no record within {broker.patience:.0f} s")


def again(broker: Broker, topic: str, partition: int) -> tuple[float, float]:
    """Start it where it was; seconds until it answers, and until the partition's first record has been fetched."""
    began = time.perf_counter()
    ready = broker.start()
    asked = fetch.Partition(partition=partition, fetch_offset=0, partition_max_bytes=KB)
    request = fetch.Request(
        max_wait_ms=100, min_bytes=1, session_epoch=-1, topics=[fetch.Topic(topic=topic, partitions=[asked])]
    )
    while time.perf_counter() - began < broker.patience:
        topics = frames.call(broker.port, frames.FETCH, request).responses
        if topics and topics[0].partitions[0].records:
            return ready, time.perf_counter() - began
        time.sleep(0.01)
    raise TimeoutError(f"no record of {topic} could be fetched {broker.patience:.0f} s after the start")


def allow_many_files() -> None:
    """Connections and partitions are files; brokers inherit what the runner may open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


FIRST = [
    Figure(
        "life/start",
        "a new broker",
        start,
        ("ready_ms", "idle_mb"),
        {"ready_ms": at_most(0.12), "idle_mb": at_most(0.15)},
        weight=12,
        fresh=True,
    ),
    Figure(
        "life/first-record",
        "a new broker, topic, group and record",
        first_record,
        ("consumed_ms",),
        {"consumed_ms": at_most(0.2)},
        weight=12,
        fresh=True,
    ),
    Figure(
        "life/cold",
        "the first 5,000 requests of a broker's life, 5 in flight",
        cold,
        ("cold_cpu_us", "cold_rate", "cold_metadata_us"),
        weight=12,
        fresh=True,
    ),
    Figure(
        "life/10000-partitions",
        "10,000 partitions in 10 topics, a record in each",
        partitions,
        (
            "create_s",
            "partitions_mb",
            "partition_kb",
            "files",
            "ready_ms",
            "stop_s",
            "restart_s",
            "recover_s",
            "metadata_ms",
            "metadata_cpu_ms",
        ),
        pairs=1,
        weight=240,
        fresh=True,
    ),
]
LAST = [
    Figure(
        "life/after-load",
        "after all of this and 5 GB more",
        after_load,
        ("loaded_mb",),
        {"loaded_mb": at_most(0.1)},
        pairs=2,
        weight=20,
    ),
    Figure(
        "life/5000-connections",
        "5,000 open connections",
        connections,
        ("connected_mb", "connection_kb", "rate", "cpu_us"),
        weight=12,
    ),
]
