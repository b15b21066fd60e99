"""Request frames, built once before the clock starts, and what a good answer to them looks like."""

from __future__ import annotations

import random
import re
import time
from functools import cache
from typing import Any

from kafkawire import codec
from kafkawire.api import create_topics, delete_topics, fetch, metadata, offset_commit, produce
from kafkawire.headers import read_response_header, request_frame
from kafkawire.keys import response_class
from kafkawire.records import build
from tests.bench.raw import ask

PRODUCE, FETCH, METADATA, OFFSET_COMMIT, CREATE_TOPICS, DELETE_TOPICS, FIND_COORDINATOR = 0, 1, 3, 8, 19, 20, 10
# Versions that Kafka 2.8 and everything after it speak: named topics, flexible encoding.
VERSIONS = {PRODUCE: 9, FETCH: 12, METADATA: 12, OFFSET_COMMIT: 8}
VERSIONS |= {CREATE_TOPICS: 7, DELETE_TOPICS: 5, FIND_COORDINATOR: 4}
ROOM = 61 + 5 + 6  # what a batch of one record costs beside its value, about


def frame(key: int, message: object) -> bytes:
    pieces: list[Any] = request_frame(key, VERSIONS[key], 7, "bench", message)
    return b"".join(pieces)


def answer(key: int, response: bytes) -> object:
    _, p = read_response_header(key, VERSIONS[key], response)
    return codec.decode(response_class(key), VERSIONS[key], memoryview(response)[p:])


def call(port: int, key: int, message: object) -> object:
    return answer(key, ask(port, frame(key, message)))


@cache
def batch(size: int) -> bytes:
    """One batch of one record, incompressible, close to `size` bytes altogether."""
    value = random.Random(size).randbytes(size - ROOM)
    return bytes(build([(None, value)], timestamp=int(time.time() * 1000)))


def produce_frame(topic: str, size: int, partition: int = 0, acks: int = 1) -> bytes:
    data = produce.PartitionProduceData(index=partition, records=batch(size))
    topics = [produce.TopicProduceData(name=topic, partition_data=[data])]
    return frame(PRODUCE, produce.Request(acks=acks, timeout_ms=30_000, topic_data=topics))


def fetch_frame(topic: str, offset: int, max_bytes: int) -> bytes:
    partition = fetch.Partition(partition=0, fetch_offset=offset, partition_max_bytes=max_bytes)
    topics = [fetch.Topic(topic=topic, partitions=[partition])]
    request = fetch.Request(max_wait_ms=500, min_bytes=1, max_bytes=max_bytes, session_epoch=-1, topics=topics)
    return frame(FETCH, request)


def metadata_frame(topic: str) -> bytes:
    topics = [metadata.RequestTopic(name=topic)]
    return frame(METADATA, metadata.Request(topics=topics, allow_auto_topic_creation=False))


def commit_frame(topic: str, group: str) -> bytes:
    partition = offset_commit.RequestPartition(partition_index=0, committed_offset=1)
    topics = [offset_commit.RequestTopic(name=topic, partitions=[partition])]
    return frame(OFFSET_COMMIT, offset_commit.Request(group_id=group, topics=topics))


def create_topic(port: int, topic: str) -> None:
    new = create_topics.CreatableTopic(name=topic, num_partitions=1, replication_factor=1)
    response = call(port, CREATE_TOPICS, create_topics.Request(topics=[new], timeout_ms=30_000))
    assert response.topics[0].error_code == 0, response  # type: ignore[attr-defined]
    while True:
        found = answer(METADATA, ask(port, metadata_frame(topic)))
        if found.topics[0].error_code == 0 and found.topics[0].partitions[0].error_code == 0:  # type: ignore[attr-defined]
            return


def delete_topic(port: int, topic: str) -> None:
    call(port, DELETE_TOPICS, delete_topics.Request(topic_names=[topic], timeout_ms=30_000))


def check(key: int, response: bytes) -> None:
    """The first answer of a run is read in full: a figure for refusals would be a figure for nothing."""
    said = answer(key, response)
    text = repr(said)
    codes = {int(code) for code in re.findall(r"error_code=(-?\d+)", text)}
    assert codes <= {0}, text[:500]
