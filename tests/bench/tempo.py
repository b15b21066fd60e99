"""Records at a fixed rate from a producer's hand to a consumer's: `python -m tests.bench.tempo`, a process of its own.

One connection sends a batch of one record whenever it is due and never waits for its answer; another keeps one long
poll open. A record's latency runs from the moment before its bytes are handed to the kernel to the moment when the
answer that carries it was read, on one clock.
"""

from __future__ import annotations

import pickle
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import NamedTuple

from tests.bench import frames
from tests.bench.raw import PATIENCE, SIZE, Answers, connect

OFFSET_HERE = 0x1122334455667788
BASE_OFFSET, BATCH_LENGTH = struct.Struct(">q"), struct.Struct(">i")
COUNT_AT = 57  # of a batch's records, from the batch's start


@dataclass
class Beat:
    port: int
    topic: str  # empty, of one partition
    rate: float  # records per second
    seconds: float
    lead: float = 1.0  # seconds before it counts


class Heard(NamedTuple):
    latencies: list[float]  # seconds, in the order of sending
    cpu: float
    seconds: float
    late: float  # the longest that a record left after it was due
    began: float  # when the first of these was due, by time.perf_counter, which all processes share


def beat(order: Beat) -> Heard:
    producer, consumer = connect(order.port), connect(order.port)
    request = frames.produce_frame(order.topic, frames.batch(frames.KB))
    ask = bytearray(frames.fetch_frame(order.topic, OFFSET_HERE, 1 << 20))
    at = ask.index(BASE_OFFSET.pack(OFFSET_HERE))
    gap = 1 / order.rate
    count, skipped = int((order.seconds + order.lead) * order.rate), int(order.lead * order.rate)
    sent: list[float] = []
    latencies: list[float] = []
    acks = Answers()
    buffer = bytearray(1 << 16)
    view = memoryview(buffer)
    clock = time.perf_counter
    late = 0.0

    def poll(offset: int) -> None:
        BASE_OFFSET.pack_into(ask, at, offset)
        consumer.sendall(ask)

    poll(0)
    heard = bytearray()
    cpu, began = time.process_time(), clock()
    end = began + PATIENCE
    while len(latencies) < count:
        now = clock()
        if now > end:
            raise TimeoutError(f"{len(latencies)} of {count} records came")
        if len(sent) < count and (behind := now - began - len(sent) * gap) >= 0:
            late = max(late, behind)
            sent.append(clock())
            producer.sendall(request)
            continue
        wait = began + len(sent) * gap - now if len(sent) < count else 1.0
        ready, _, _ = select.select([consumer, producer], [], [], wait)
        if consumer in ready:
            heard += consumer.recv(1 << 20)
            if len(heard) >= 4 and len(heard) >= 4 + (size := SIZE.unpack_from(heard)[0]):
                now = clock()
                arrived = records_in(bytes(heard[4 : 4 + size]), len(latencies))
                del heard[: 4 + size]
                done = len(latencies)
                latencies += [now - sent[i] for i in range(done, done + arrived)]
                if len(latencies) < count:
                    poll(len(latencies))
        if producer in ready:
            got = producer.recv_into(buffer)
            if not got:
                raise ConnectionError("the producer's connection was closed")
            acks.feed(view, got)
    seconds, cpu = clock() - began, time.process_time() - cpu
    frames.check(frames.PRODUCE, bytes(acks.first))
    return Heard(latencies[skipped:], cpu, seconds, late, began + skipped * gap)


def records_in(answer: bytes, expected: int) -> int:
    """How many records from the expected offset on this Fetch answer brings."""
    said = frames.answer(frames.FETCH, answer).responses[0].partitions[0]
    assert said.error_code == 0, said
    data = memoryview(said.records or b"")
    at = got = 0
    while len(data) - at >= COUNT_AT + 4:
        (base,) = BASE_OFFSET.unpack_from(data, at)
        assert base == expected + got, f"offset {base} where {expected + got} was due"
        got += BATCH_LENGTH.unpack_from(data, at + COUNT_AT)[0]
        at += 12 + BATCH_LENGTH.unpack_from(data, at + 8)[0]
    return got


def begin(order: Beat) -> subprocess.Popen[bytes]:
    """`beat`, in another process; `finish` waits for it."""
    words = [sys.executable, "-m", "tests.bench.tempo"]
    worker = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdin is not None
    worker.stdin.write(pickle.dumps(order.__dict__))
    worker.stdin.close()
    worker.stdin = None
    return worker


def finish(worker: subprocess.Popen[bytes]) -> Heard:
    try:
        said, _ = worker.communicate(timeout=PATIENCE + 20)
    finally:
        worker.kill()
        worker.wait()
    if worker.returncode:
        raise RuntimeError(f"the beat ended with {worker.returncode}")
    return Heard(*pickle.loads(said))


def apart(order: Beat) -> Heard:
    return finish(begin(order))


if __name__ == "__main__":
    outcome = beat(Beat(**pickle.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(pickle.dumps(tuple(outcome)))
