"""Request frames, built once before the clock starts, and what a good answer to them looks like."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from kafkawire import codec
from kafkawire.api import create_topics, delete_topics, fetch, metadata, offset_commit, produce
from kafkawire.compression import NAMES as CODECS
from kafkawire.headers import read_response_header, request_frame
from kafkawire.keys import response_class
from kafkawire.records import build
from tests.bench.raw import ask

PRODUCE, FETCH, METADATA, OFFSET_COMMIT, CREATE_TOPICS, DELETE_TOPICS, FIND_COORDINATOR = 0, 1, 3, 8, 19, 20, 10
ALTER_CONFIGS = 44
# Versions that Kafka 2.8 and everything after it speak: named topics, flexible encoding.
VERSIONS = {PRODUCE: 9, FETCH: 12, METADATA: 12, OFFSET_COMMIT: 8}
VERSIONS |= {CREATE_TOPICS: 7, DELETE_TOPICS: 5, FIND_COORDINATOR: 4, ALTER_CONFIGS: 1}
ROOM = 61 + 5 + 6  # what a batch of one record costs beside its value, about
PER_RECORD = 12  # what a record costs beside its value in a batch of many, at most

KB, MB = 1024, 1024 * 1024
WORDS = ("order", "customer", "amount", "currency", "created", "shipped", "street", "status", "pending", "refund")


def frame(key: int, message: object) -> bytes:
    pieces: list[Any] = request_frame(key, VERSIONS[key], 7, "bench", message)
    return b"".join(pieces)


def answer(key: int, response: bytes) -> Any:
    _, p = read_response_header(key, VERSIONS[key], response)
    return codec.decode(response_class(key), VERSIONS[key], memoryview(response)[p:])


def call(port: int, key: int, message: object) -> Any:
    return answer(key, ask(port, frame(key, message)))


@cache
def batch(size: int, record: int = 0, codec: str = "none") -> bytes:
    """One batch close to `size` bytes before compression: one record, or as many of `record` bytes as there is room.

    Values are random bytes, or something like JSON where they are to be compressed.
    """
    dice = random.Random(size)
    if record and record < size:
        length, count = record - PER_RECORD, (size - 61) // record
    else:
        length, count = size - ROOM, 1
    make = dice.randbytes if codec == "none" else lambda n: _text(dice, n)
    values = [(None, make(length)) for _ in range(count)]
    return bytes(build(values, timestamp=int(time.time() * 1000), codec=CODECS.index(codec)))


def _text(dice: random.Random, length: int) -> bytes:
    text = bytearray()
    while len(text) < length:
        text += b'{"%s":"%s","id":%d},' % (
            dice.choice(WORDS).encode(),
            dice.choice(WORDS).encode(),
            dice.randrange(10**9),
        )
    return bytes(text[:length])


def produce_frame(topic: str, records: bytes, partitions: Sequence[int] = (0,), acks: int = 1) -> bytes:
    """The same batch to each of these partitions."""
    data = [produce.PartitionProduceData(index=index, records=records) for index in partitions]
    topics = [produce.TopicProduceData(name=topic, partition_data=data)]
    return frame(PRODUCE, produce.Request(acks=acks, timeout_ms=30_000, topic_data=topics))


def fetch_frame(topic: str, offset: int, max_bytes: int, max_wait_ms: int = 500, min_bytes: int = 1) -> bytes:
    partition = fetch.Partition(partition=0, fetch_offset=offset, partition_max_bytes=max_bytes)
    topics = [fetch.Topic(topic=topic, partitions=[partition])]
    request = fetch.Request(
        max_wait_ms=max_wait_ms, min_bytes=min_bytes, max_bytes=max_bytes, session_epoch=-1, topics=topics
    )
    return frame(FETCH, request)


def metadata_frame(*names: str) -> bytes:
    """No name asks for all topics."""
    topics = [metadata.RequestTopic(name=name) for name in names] or None
    return frame(METADATA, metadata.Request(topics=topics, allow_auto_topic_creation=False))


def commit_frame(topic: str, group: str) -> bytes:
    partition = offset_commit.RequestPartition(partition_index=0, committed_offset=1)
    topics = [offset_commit.RequestTopic(name=topic, partitions=[partition])]
    return frame(OFFSET_COMMIT, offset_commit.Request(group_id=group, topics=topics))


def create_topics_of(port: int, names: Sequence[str], partitions: int = 1, patience: float = 240) -> None:
    """Returns when each partition is served: Metadata names leaders a little before these know that they lead."""
    made = [create_topics.CreatableTopic(name=n, num_partitions=partitions, replication_factor=1) for n in names]
    response = call(port, CREATE_TOPICS, create_topics.Request(topics=made, timeout_ms=60_000))
    assert all(topic.error_code == 0 for topic in response.topics), repr(response)[:500]
    probe = [fetch.Partition(partition=i, partition_max_bytes=1) for i in range(partitions)]
    request = fetch.Request(session_epoch=-1, topics=[fetch.Topic(topic=name, partitions=probe) for name in names])
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = call(port, FETCH, request).responses
        codes = [partition.error_code for topic in found for partition in topic.partitions]
        if len(codes) == len(names) * partitions and not any(codes):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{len(names)} topics had no leaders after {patience:.0f} s")


def delete_topics_of(port: int, names: Sequence[str]) -> None:
    call(port, DELETE_TOPICS, delete_topics.Request(topic_names=list(names), timeout_ms=60_000))


def check(key: int, response: bytes) -> None:
    """The first answer of a run is read in full: a figure for refusals would be a figure for nothing."""
    text = repr(answer(key, response))
    codes = {int(code) for code in re.findall(r"error_code=(-?\d+)", text)}
    assert codes <= {0}, text[:500]
