"""Fetch, seen from a consumer: positions in, messages out, whatever batches they travelled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafkawire import batches, records
from pykafkad.cli.client import Connection, by_topic

BY_NAME = 12  # the last version of Fetch that names topics; later ones carry their ids
MAX_BYTES = 32 << 20
PARTITION_BYTES = 1 << 20
READ_COMMITTED = 1


class Message(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    append_time: bool
    leader_epoch: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass(slots=True)
class Fetched:
    """One partition's part of an answer."""

    topic: str
    partition: int
    error_code: int
    high_watermark: int
    next_offset: int
    messages: list[Message] = field(default_factory=list)


def fetch(
    connection: Connection,
    positions: Mapping[tuple[str, int], int],
    *,
    max_wait_ms: int,
    isolation_level: int = 0,
    partition_bytes: int = PARTITION_BYTES,
) -> list[Fetched]:
    """One Fetch outside any session."""
    from kafkawire.api import fetch as api

    request = api.Request(
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=MAX_BYTES,
        isolation_level=isolation_level,
        topics=[
            api.Topic(
                topic=topic,
                partitions=[
                    api.Partition(
                        partition=index, fetch_offset=positions[topic, index], partition_max_bytes=partition_bytes
                    )
                    for index in indexes
                ],
            )
            for topic, indexes in by_topic(positions).items()
        ],
    )
    response = connection.call(request, at_most=BY_NAME, timeout=max_wait_ms / 1000 + 30)
    found = []
    for topic in response.responses:
        for part in topic.partitions:
            position = positions[topic.topic, part.partition_index]
            fetched = Fetched(topic.topic, part.partition_index, part.error_code, part.high_watermark, position)
            if not part.error_code and part.records:
                for message, next_offset in _messages(topic.topic, part, position, isolation_level == READ_COMMITTED):
                    fetched.next_offset = next_offset
                    if message is not None:
                        fetched.messages.append(message)
            found.append(fetched)
    return found


def _messages(topic: str, part: Any, position: int, committed_only: bool) -> Iterator[tuple[Message | None, int]]:
    """Messages from ``position`` on, each with the offset to fetch from next; None where there is only that."""
    aborted = sorted(part.aborted_transactions or (), key=lambda transaction: transaction.first_offset)
    gone: set[int] = set()  # producers whose transaction, at this point of the log, was aborted
    for header in _whole_batches(part.records):
        while aborted and aborted[0].first_offset <= header.last_offset:
            gone.add(aborted.pop(0).producer_id)
        if header.is_control:
            gone.discard(header.producer_id)
        elif not (committed_only and header.is_transactional and header.producer_id in gone):
            batch = part.records[header.position : header.position + header.length]
            for record in records.iterate(batch):
                if record.offset >= position:
                    message = Message(
                        topic,
                        part.partition_index,
                        record.offset,
                        record.timestamp,
                        header.log_append_time,
                        header.leader_epoch,
                        record.key,
                        record.value,
                        record.headers,
                    )
                    yield message, record.offset + 1
        yield None, max(position, header.next_offset)


def _whole_batches(data: memoryview) -> Iterator[batches.BatchHeader]:
    """A Fetch may cut its last batch short; that one is fetched again."""
    at = 0
    while len(data) - at >= batches.HEADER_SIZE:
        header = batches.header_at(data, at)
        at += header.length
        if at > len(data):
            return
        yield header
