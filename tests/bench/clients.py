"""The clients that people run, as processes with an end: librdkafka through confluent-kafka, Java's own two tools.

`python -m tests.bench.clients WHAT …` is the librdkafka process; it prints one JSON object.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import Any

from conformance.brokers import apache_jars, apache_missing

PATIENCE = 180


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


def tool(name: str, *args: str) -> str:
    """What one of Kafka's performance tools printed; they are Java, so that without it there is no figure."""
    if missing := apache_missing():
        raise Unavailable(missing)
    flags = ["-Xmx512M", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    words = ["java", *flags, "-cp", f"{apache_jars()}/*", f"org.apache.kafka.tools.{name}", *args]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stdout[-500:]}")
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
    cpu = time.process_time()
    seconds = (
        produce(bootstrap, topic, int(count), int(size)) if what == "produce" else consume(bootstrap, topic, int(count))
    )
    cpu = time.process_time() - cpu
    print(json.dumps({"records_s": int(count) / seconds, "client": cpu / seconds * 100}))


if __name__ == "__main__":
    main()
