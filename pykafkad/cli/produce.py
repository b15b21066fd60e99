"""Send lines from the terminal, each a record.

What arrives together on stdin travels together; a line that is typed goes at once. Like Kafka's producers this one is
idempotent with acks=all: a line that is sent again, because its answer was lost, is stored once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.cli.client import BrokerRefused, Client, Unreachable, check
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.lines import LineParser, Parsed
from pykafkad.cli.options import add_connection, merge, pairs
from pykafkad.cli.partitioner import partition_of
from pykafkad.clock import pause

BY_NAME = 12  # the last version of Produce that names topics
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ACKS = {"all": -1, "-1": -1, "0": 0, "1": 1}
READ_SIZE = 1 << 18
BATCH_BYTES = 1 << 18
TIMEOUT_MS = 30_000
RECORD_OVERHEAD = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="TOPIC")
    parser.add_argument("--topic", action="append", metavar="TOPIC", help="the same, in Kafka's spelling")
    parser.add_argument(
        "--property", "--reader-property", action="append", default=[], metavar="KEY=VALUE",
        help="parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, "
        "null.marker, ignore.error; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--compression-codec", nargs="?", const="gzip", default="none", choices=list(CODECS), help="default none"
    )
    parser.add_argument(
        "--acks", "--request-required-acks", default="all", choices=list(ACKS), help="whose word counts (default all)"
    )
    parser.add_argument("--partition", type=int, metavar="N", help="this partition, whatever the key")
    parser.add_argument("--batch-size", type=int, default=BATCH_BYTES, metavar="BYTES", help="of one batch at most")
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    names = merge(args.names, args.topic)
    if len(names) != 1:
        raise Misused("to which topic? (one)")
    parser = LineParser(pairs(args.property, "--property"))
    with Client(args.bootstrap_server) as client:
        producer = Producer(client, names[0], args)
        number = 0
        for lines in batches_of_lines(sys.stdin.fileno()):
            parsed = []
            for line in lines:
                number += 1
                parsed.append(parser.parse(line, number))
            producer.send(parsed)
    return 0


def batches_of_lines(fd: int) -> Iterator[list[bytes]]:
    """The whole lines of each read; the last line needs no end."""
    rest = b""
    while chunk := os.read(fd, READ_SIZE):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.removesuffix(b"\r") for line in lines]
    if rest:
        yield [rest]


class Producer:
    """Records into batches, batches to leaders, again where an answer says so."""

    def __init__(self, client: Client, topic: str, args: argparse.Namespace) -> None:
        self._client = client
        self._topic = topic
        self._acks = ACKS[args.acks]
        self._codec = CODECS[args.compression_codec]
        self._batch_bytes = args.batch_size
        self._partition: int | None = args.partition
        self._partitions = 0
        self._next = 0  # where records without a key go; moves on with each round
        self._leaders: dict[tuple[str, int], int] = {}
        self._producer_id, self._epoch = -1, -1
        self._sequences: dict[int, int] = {}

    def send(self, lines: list[Parsed]) -> None:
        if not self._partitions:
            self._start()
        self._next = (self._next + 1) % self._partitions
        chosen: dict[int, list[Parsed]] = {}
        for line in lines:
            chosen.setdefault(self._choose(line[0]), []).append(line)
        for partition, records in chosen.items():
            for batch in self._cut(records):
                self._deliver(partition, batch)

    def _start(self) -> None:
        topic = self._client.topic(self._topic, create=True)
        self._partitions = len(topic.partitions)
        self._leaders = {(self._topic, part.partition_index): part.leader_id for part in topic.partitions}
        if self._partition is not None and self._partition >= self._partitions:
            raise CommandFailed(f"{self._topic} has no partition {self._partition}")
        if self._acks == -1:
            from kafkawire.api import init_producer_id

            def ask() -> Any:
                request = init_producer_id.Request(transactional_id=None, transaction_timeout_ms=TIMEOUT_MS)
                answer = self._client.any().call(request)
                check(answer.error_code, "producer id")
                return answer

            answer = self._client.patiently(ask)
            self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch

    def _choose(self, key: bytes | None) -> int:
        if self._partition is not None:
            return self._partition
        return self._next if key is None else partition_of(key, self._partitions)

    def _cut(self, records: list[Parsed]) -> Iterator[list[Parsed]]:
        """Records of one partition in pieces of the batch size, a larger record alone."""
        piece: list[Parsed] = []
        size = 0
        for record in records:
            bytes_of = RECORD_OVERHEAD + len(record[0] or b"") + len(record[1] or b"")
            if piece and size + bytes_of > self._batch_bytes:
                yield piece
                piece, size = [], 0
            piece.append(record)
            size += bytes_of
        if piece:
            yield piece

    def _deliver(self, partition: int, lines: list[Parsed]) -> None:
        from kafkawire.records import Record, build

        now = self._client.now
        sequence = self._sequences.get(partition, 0)
        batch = build(
            [Record(i, now, key, value, headers) for i, (key, value, headers) in enumerate(lines)],
            timestamp=now,
            codec=self._codec,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=sequence if self._producer_id >= 0 else -1,
        )
        self._client.patiently(lambda: self._attempt(partition, batch), give_up_on={ErrorCode.UNKNOWN_TOPIC_ID})
        self._sequences[partition] = (sequence + len(lines)) & 0x7FFFFFFF

    def _attempt(self, partition: int, batch: bytearray) -> None:
        from kafkawire.api import produce as api

        request = api.Request(
            acks=self._acks,
            timeout_ms=TIMEOUT_MS,
            topic_data=[
                api.TopicProduceData(
                    name=self._topic, partition_data=[api.PartitionProduceData(index=partition, records=batch)]
                )
            ],
        )
        where = f"{self._topic}-{partition}"
        try:
            connection = self._client.broker(self._leaders[self._topic, partition])
            if not self._acks:
                connection.send(request, at_most=BY_NAME)
                return
            [topic] = connection.call(request, at_most=BY_NAME).responses
        except Unreachable as gone:
            pause(0.1)
            self._look_again()
            raise BrokerRefused(where, ErrorCode.NETWORK_EXCEPTION, str(gone)) from None
        [part] = topic.partition_responses
        if part.error_code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
            self._look_again()
        if part.error_code != ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
            check(part.error_code, where, part.error_message or reasons(part))

    def _look_again(self) -> None:
        try:
            self._leaders |= self._client.leaders([self._topic])
        except Unreachable:
            self._client.close()


def reasons(part: Any) -> str | None:
    """What the broker said about single records."""
    return next((error.batch_index_error_message for error in part.record_errors), None)
