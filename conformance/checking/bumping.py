"""A producer of transaction version 2 (KIP-890), as the Java client is: it announces no partitions, and every end gives
it another epoch. None of the clients for Python speaks it, so this one asks in messages of its own, one at a time.

Whatever isn't answered is asked again as it was. The broker has to tell a repetition from something new: a batch by its
sequence, an EndTxn by the epoch that it carries.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from conformance.checking.history import Key
from conformance.checking.producers import PATIENCE_S, TIMEOUT_MS, Aborting, Gone, Heard
from kafkawire import records
from kafkawire.api import end_txn, init_producer_id, produce, txn_offset_commit
from kafkawire.errors import ErrorCode
from pykafkad.cli.client import Connection
from pykafkad.cli.failures import CommandFailed

PAUSE_S = 0.03
REBALANCED = {
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.UNKNOWN_MEMBER_ID,
}
AGAIN = {
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
}


class Bumping:
    def __init__(self, bootstrap: str, transactional_id: str, heard: Heard) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = host, int(port)
        self._transactional_id = transactional_id
        self._heard = heard
        self._connection: Connection | None = None
        self._producer_id, self._epoch = -1, -1
        self._sequences: dict[Key, int] = {}

    def _ask(self, request: Any, version: int, code_of: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        code = ErrorCode.NETWORK_EXCEPTION
        while time.monotonic() < until:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = Connection(*self._address, timeout=5)
                answer = self._connection.call(request, at_least=version, at_most=version, timeout=5)
            except CommandFailed:  # no broker, or it didn't answer
                time.sleep(PAUSE_S)
                continue
            code = ErrorCode(code_of(answer))
            if code is ErrorCode.NONE:
                return answer
            if code is ErrorCode.TRANSACTION_ABORTABLE or code in REBALANCED:
                raise Aborting(code.name)
            if code not in AGAIN:
                raise Gone(code.name, code.name)
            time.sleep(PAUSE_S)
        raise Gone(code.name)

    def init(self) -> None:
        request = init_producer_id.Request(transactional_id=self._transactional_id, transaction_timeout_ms=TIMEOUT_MS)
        self._become(self._ask(request, 5, lambda answer: answer.error_code))

    def _become(self, answer: Any) -> None:
        self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch
        self._sequences.clear()

    def begin(self) -> None:
        """Nobody needs to know."""

    def send(self, key: Key, value: str) -> None:
        sequence = self._sequences.get(key, 0)
        batch = records.build(
            [(None, value.encode())],
            timestamp=int(time.time() * 1000),
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=sequence,
            transactional=True,
        )
        partition = produce.PartitionProduceData(index=key[1], records=memoryview(batch))
        request = produce.Request(
            transactional_id=self._transactional_id,
            acks=-1,
            timeout_ms=5_000,
            topic_data=[produce.TopicProduceData(name=key[0], partition_data=[partition])],
        )
        answer = self._ask(request, 12, lambda answer: answer.responses[0].partition_responses[0].error_code)
        self._sequences[key] = sequence + 1
        self._heard(value, answer.responses[0].partition_responses[0].base_offset)

    def flush(self) -> None:
        """Every send was answered."""

    def offsets(self, offsets: dict[Key, int], member: Any) -> None:
        group_id, generation, member_id, instance = _member(member)
        topics: dict[str, list[txn_offset_commit.RequestPartition]] = {}
        for (topic, partition), offset in offsets.items():
            one = txn_offset_commit.RequestPartition(partition_index=partition, committed_offset=offset)
            topics.setdefault(topic, []).append(one)
        request = txn_offset_commit.Request(
            transactional_id=self._transactional_id,
            group_id=group_id,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance,
            topics=[
                txn_offset_commit.RequestTopic(name=topic, partitions=partitions)
                for topic, partitions in topics.items()
            ],
        )
        self._ask(request, 5, _first_refusal)

    def commit(self) -> None:
        self._end(True)

    def abort(self) -> None:
        self._end(False)

    def _end(self, commit: bool) -> None:
        request = end_txn.Request(
            transactional_id=self._transactional_id,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            committed=commit,
        )
        self._become(self._ask(request, 5, lambda answer: answer.error_code))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _first_refusal(answer: Any) -> int:
    codes = [int(one.error_code) for topic in answer.topics for one in topic.partitions]
    return next((code for code in codes if code), 0)


def _member(metadata: bytes) -> tuple[str, int, str, str | None]:
    """Group, generation, member and instance, from what librdkafka calls its group's metadata: made to be handed from
    one of its clients to another, and bytes in Python.
    """
    known = b"CGMDv2:"
    assert metadata.startswith(known), metadata
    generation = int.from_bytes(metadata[len(known) : len(known) + 4], sys.byteorder, signed=True)
    group_id, member_id, rest = metadata[len(known) + 4 :].split(b"\0", 2)
    instance = None if rest[:1] == b"\1" else rest[1:].rstrip(b"\0").decode()
    return group_id.decode(), generation, member_id.decode(), instance
