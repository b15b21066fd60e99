"""A transactional producer that costs next to nothing: `python -m tests.bench.commits`, a process of its own.

It does what librdkafka does, and nothing else: two partitions are announced to the coordinator, each gets a batch of
one record, and the coordinator is asked to commit; prebuilt frames, two connections. librdkafka waits for a millisecond
before it announces, and hands each request from thread to thread, which is more than half of what its commits take.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from struct import Struct
from typing import Any, NamedTuple

from kafkawire import codec
from kafkawire.api import add_partitions_to_txn, end_txn, find_coordinator, init_producer_id, produce
from kafkawire.headers import read_response_header, request_frame
from kafkawire.keys import response_class
from kafkawire.records import build
from tests.bench.raw import PATIENCE, SIZE, connect

PRODUCE, FIND_COORDINATOR, INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN = 0, 10, 22, 24, 26
VERSIONS = {PRODUCE: 9, FIND_COORDINATOR: 2, INIT_PRODUCER_ID: 4, ADD_PARTITIONS: 0, END_TXN: 1}  # librdkafka's
TRANSACTIONS = 1  # the coordinator key's type
PARTITIONS = (0, 1)
NONE, CONCURRENT_TRANSACTIONS = 0, 51
BACKOFF = 0.001  # before a transaction is announced again because the one before isn't over; librdkafka waits longer
_code = Struct(">h").unpack_from


@dataclass
class Commits:
    port: int
    topic: str  # of two partitions at least; also the transactional id
    count: int
    skipped: int  # of them before they count


class Took(NamedTuple):
    latencies: list[float]  # seconds from the announcement to the answer that the transaction is committed
    cpu: float
    seconds: float
    again: int  # announcements that were refused, because the transaction before wasn't over


class Wire:
    def __init__(self, port: int) -> None:
        self.sock = connect(port)
        self.stream = self.sock.makefile("rb")

    def answer(self) -> bytes:
        return self.stream.read(SIZE.unpack(self.stream.read(4))[0])

    def ask(self, frame: bytes) -> bytes:
        self.sock.sendall(frame)
        return self.answer()

    def call(self, key: int, message: object) -> Any:
        said = self.ask(_frame(key, message))
        _, at = read_response_header(key, VERSIONS[key], said)
        return codec.decode(response_class(key), VERSIONS[key], memoryview(said)[at:])

    def until_taken(self, key: int, message: object) -> Any:
        """A broker that has never had a transaction needs a moment."""
        end = time.monotonic() + 60
        while (said := self.call(key, message)).error_code:
            assert time.monotonic() < end, f"refused for a minute: {said}"
            time.sleep(0.02)
        return said


def _frame(key: int, message: object) -> bytes:
    pieces: list[Any] = request_frame(key, VERSIONS[key], 7, "bench", message)
    return b"".join(pieces)


def commit(order: Commits) -> Took:
    coordinator, broker = Wire(order.port), Wire(order.port)
    coordinator.until_taken(FIND_COORDINATOR, find_coordinator.Request(key=order.topic, key_type=TRANSACTIONS))
    given = coordinator.until_taken(
        INIT_PRODUCER_ID, init_producer_id.Request(transactional_id=order.topic, transaction_timeout_ms=60_000)
    )
    writes = [_writes(order, i, given.producer_id, given.producer_epoch) for i in range(order.count)]
    who = order.topic, given.producer_id, given.producer_epoch
    announce = _frame(
        ADD_PARTITIONS,
        add_partitions_to_txn.Request(
            v3_and_below_transactional_id=who[0],
            v3_and_below_producer_id=who[1],
            v3_and_below_producer_epoch=who[2],
            v3_and_below_topics=[add_partitions_to_txn.Topic(name=order.topic, partitions=list(PARTITIONS))],
        ),
    )
    end = _frame(
        END_TXN,
        end_txn.Request(transactional_id=who[0], producer_id=who[1], producer_epoch=who[2], committed=True),
    )
    latencies, again = [], 0
    clock, cpu, start = time.perf_counter, 0.0, 0.0
    for i, frame in enumerate(writes):
        if i == order.skipped:
            cpu, start = time.process_time(), clock()
        began = clock()
        while (code := _code(coordinator.ask(announce), -2)[0]) == CONCURRENT_TRANSACTIONS:
            again += 1
            time.sleep(BACKOFF)
        assert code == NONE, f"a transaction that was announced met {code}"
        broker.sock.sendall(frame)
        answers = [broker.answer() for _ in PARTITIONS]
        code = _code(coordinator.ask(end), 8)[0]
        took = clock() - began
        assert code == NONE, f"a commit met {code}"
        if i == 0:
            _check(answers)
        if i >= order.skipped:
            latencies.append(took)
    return Took(latencies, time.process_time() - cpu, clock() - start, again)


def _writes(order: Commits, sequence: int, producer_id: int, epoch: int) -> bytes:
    """A request for each partition, as librdkafka sends them."""
    records = build(
        [(None, bytes(100))],
        timestamp=int(time.time() * 1000),
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        transactional=True,
    )
    frames = []
    for index in PARTITIONS:
        data = produce.PartitionProduceData(index=index, records=records)
        topics = [produce.TopicProduceData(name=order.topic, partition_data=[data])]
        request = produce.Request(transactional_id=order.topic, acks=-1, timeout_ms=30_000, topic_data=topics)
        frames.append(_frame(PRODUCE, request))
    return b"".join(frames)


def _check(answers: list[bytes]) -> None:
    for said in answers:
        _, at = read_response_header(PRODUCE, VERSIONS[PRODUCE], said)
        response = codec.decode(response_class(PRODUCE), VERSIONS[PRODUCE], memoryview(said)[at:])
        assert all(not one.error_code for topic in response.responses for one in topic.partition_responses), response


def apart(order: Commits) -> Took:
    words = [sys.executable, "-m", "tests.bench.commits"]
    done = subprocess.run(
        words, input=pickle.dumps(order.__dict__), stdout=subprocess.PIPE, check=True, timeout=PATIENCE
    )
    return Took(*pickle.loads(done.stdout))


if __name__ == "__main__":
    took = commit(Commits(**pickle.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(pickle.dumps(tuple(took)))
