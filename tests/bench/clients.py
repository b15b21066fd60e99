"""The clients that people run, as processes with an end: librdkafka through confluent-kafka, Java's own two tools, and
Java's producer in transactions.

`python -m tests.bench.clients WHAT …` is the librdkafka process; it prints one JSON object. So does `Transact.java`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.brokers import apache_jars, apache_missing
from tests.bench.ratios import percentile

PATIENCE = 180
PARTITIONS = 2  # that a transaction writes to
Transact = Callable[[str, str, int, int], dict[str, float]]  # bootstrap, topic, count, records in each


def librdkafka(what: str, bootstrap: str, topic: str, count: int, size: int = 0) -> dict[str, float]:
    words = [sys.executable, "-m", "tests.bench.clients", what, bootstrap, topic, str(count), str(size)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def produce(bootstrap: str, topic: str, count: int, size: int) -> float:
    """Seconds from the first record to the last delivery."""
    from confluent_kafka import KafkaException, Producer

    failed: list[Any] = []

    def report(error: Any, _: Any) -> None:
        failed.append(error)

    settings = {"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 1_000_000}
    # Only failures are reported: a call into Python for each record would be the figure.
    producer = Producer(settings | {"delivery.report.only.error": True, "on_delivery": report})
    producer.list_topics(topic, timeout=10)
    send, value = producer.produce, bytes(size)
    began = time.perf_counter()
    for i in range(count):
        while True:
            try:
                send(topic, value)
                break
            except BufferError:
                producer.poll(0.05)
        if not i % 10_000:
            producer.poll(0)
    left = producer.flush(PATIENCE)
    seconds = time.perf_counter() - began
    if left or failed:
        raise KafkaException(f"{left} not delivered, {len(failed)} failed: {failed[:1]}")
    return seconds


def consume(bootstrap: str, topic: str, count: int) -> float:
    """Seconds from the assignment to the last record; no group, whose join would be most of it."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False}
    consumer = Consumer(settings)
    consumer.list_topics(topic, timeout=10)
    began = time.perf_counter()
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    got = 0
    while got < count and time.perf_counter() - began < PATIENCE:
        for message in consumer.consume(10_000, 0.5):
            if message.error():
                raise RuntimeError(str(message.error()))
            got += 1
    seconds = time.perf_counter() - began
    consumer.close()
    if got < count:
        raise TimeoutError(f"{got} of {count} records came")
    return seconds


def transact(bootstrap: str, topic: str, count: int, records: int) -> dict[str, float]:
    """Transactions of so many records of 100 bytes each, one after the other, and how long their commits took; how many
    there were, since not every client counts all of them.

    A commit sends what hasn't been sent yet, so that all of the transaction's requests are in its time.
    """
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "linger.ms": 0})
    # The second time it asks a broker by its name: without a connection to one it would begin with half a second of
    # waiting, whichever broker it is.
    for _ in range(2):
        producer.list_topics(topic, timeout=10)
    began = time.perf_counter()
    producer.init_transactions(PATIENCE)
    send, value = producer.produce, bytes(100)
    latencies: list[float] = []
    first = 0.0
    start = time.perf_counter()
    for i in range(count):
        producer.begin_transaction()
        for record in range(records):
            send(topic, value, partition=(i + record) % PARTITIONS)
        asked = time.perf_counter()
        producer.commit_transaction(PATIENCE)
        latencies.append(time.perf_counter() - asked)
        first = first or time.perf_counter() - began
    return {"first_txn_ms": first * 1000, "asked": count, **paced(latencies, time.perf_counter() - start)}


def paced(latencies: Sequence[float], seconds: float) -> dict[str, float]:
    """Seconds of each commit, and of all transactions together, as metrics."""
    ordered = sorted(latencies)
    return {
        "txn_s": len(ordered) / seconds,
        "commit_p50_ms": percentile(ordered, 0.5) * 1000,
        "commit_p99_ms": percentile(ordered, 0.99) * 1000,
    }


def librdkafka_transact(bootstrap: str, topic: str, count: int, records: int) -> dict[str, float]:
    return librdkafka("transact", bootstrap, topic, count, records)


def java_transact(bootstrap: str, topic: str, count: int, records: int) -> dict[str, float]:
    """The same by Java's producer, which speaks transaction version 2. The first half warms its JVM up."""
    text = java(str(Path(__file__).parent / "Transact.java"), bootstrap, topic, str(count), str(records))
    said: Mapping[str, Any] = json.loads(text.splitlines()[-1])
    return {"asked": 2 * count, **paced(said["latencies"], said["seconds"])}


def tool(name: str, *args: str) -> str:
    """What one of Kafka's performance tools printed."""
    return java(f"org.apache.kafka.tools.{name}", *args)


def java(main: str, *args: str) -> str:
    """What a program printed that uses Kafka's own client: without Java there is no figure."""
    if missing := apache_missing():
        raise Unavailable(missing)
    flags = ["-Xmx512M", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    words = ["java", *flags, "-cp", f"{apache_jars()}/*", main, *args]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{main} ended with {done.returncode}: {done.stdout[-500:]}")
    return done.stdout


class Unavailable(Exception):
    """This machine lacks what a figure needs."""


SENT = re.compile(
    r"(\d+) records sent, ([\d.]+) records/sec \(([\d.]+) MB/sec\), .* (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th"
)


def java_produce(bootstrap: str, topic: str, count: int, size: int) -> dict[str, float]:
    """ProducerPerformance with the producer's defaults: acks=all, idempotent, batches of 16 KB."""
    numbers = ["--num-records", str(count), "--record-size", str(size), "--throughput", "-1"]
    text = tool("ProducerPerformance", "--bootstrap-server", bootstrap, "--topic", topic, *numbers)
    lines = [found for line in text.splitlines() if (found := SENT.search(line))]
    if not lines or int(lines[-1][1]) != count:
        raise RuntimeError(f"no result in: {text[-500:]}")
    last = lines[-1]
    return {"records_s": float(last[2]), "mb_s": float(last[2]) * size / 1e6, "p99_ms": float(last[6])}


def java_consume(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    """ConsumerPerformance; its rate without the time that joining took."""
    numbers = ["--num-records", str(count), "--hide-header", "--timeout", "20000"]
    text = tool("ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", topic, *numbers)
    rows = [line.split(", ") for line in text.splitlines() if line.count(", ") == 9]
    if not rows or int(rows[-1][4]) < count:
        raise RuntimeError(f"no result in: {text[-500:]}")
    *_, fetch_mb_s, fetch_records_s = rows[-1]
    return {"records_s": float(fetch_records_s), "mb_s": float(fetch_mb_s) * 1.048576}


def main() -> None:
    what, bootstrap, topic, count, size = sys.argv[1:]
    cpu, began = time.process_time(), time.perf_counter()
    found: dict[str, float] = {}
    if what == "transact":
        found = transact(bootstrap, topic, int(count), int(size))
        seconds = time.perf_counter() - began
    elif what == "produce":
        seconds = produce(bootstrap, topic, int(count), int(size))
    else:
        seconds = consume(bootstrap, topic, int(count))
    found.setdefault("records_s", int(count) / seconds)
    print(json.dumps(found | {"client": (time.process_time() - cpu) / seconds * 100}))


if __name__ == "__main__":
    main()
