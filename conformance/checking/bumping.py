"""A producer of transaction version 2 (KIP-890), as the Java client is: it announces no partitions, every end gives it
another epoch, and it sends some batches ahead of the answers. None of the clients for Python speaks that version, so
this one asks in messages of its own.

Whatever isn't answered is asked again as it was. The broker has to tell a repetition from something new: a batch by its
sequence, an EndTxn by the epoch that it carries.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from typing import Any, NamedTuple

from conformance.checking.history import Key
from conformance.checking.producers import PATIENCE_S, TIMEOUT_MS, Aborting, Gone, Heard
from kafkawire import records
from kafkawire.api import end_txn, init_producer_id, produce, txn_offset_commit
from kafkawire.codec import decode
from kafkawire.errors import ErrorCode
from kafkawire.headers import read_response_header, request_frame
from kafkawire.keys import response_class

INIT_VERSION = 5
PRODUCE_VERSION = 12
OFFSETS_VERSION = 5
END_VERSION = 5
AHEAD = 5  # as many as the Java client's
ANSWER_S = 5
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


class _Line:
    """One connection. Answers come in the order of their requests."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def ask(self, request: Any, version: int) -> None:
        frame: list[Any] = [*request_frame(request.__wire__.key, version, 0, "checking", request)]
        self._socket.sendall(b"".join(frame))

    def answer(self, request: Any, version: int) -> Any:
        key = request.__wire__.key
        frame = self._read(int.from_bytes(self._read(4), "big"))
        return decode(response_class(key), version, frame, read_response_header(key, version, frame)[1])

    def _read(self, size: int) -> bytes:
        read = self._stream.read(size)
        if len(read) < size:
            raise ConnectionResetError
        return read

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class _Batch(NamedTuple):
    value: str
    request: Any


class Bumping:
    def __init__(self, bootstrap: str, transactional_id: str, heard: Heard) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = host, int(port)
        self._transactional_id = transactional_id
        self._heard = heard
        self._line: _Line | None = None
        self._producer_id, self._epoch = -1, -1
        self._sequences: dict[Key, int] = {}
        self._unanswered: list[_Batch] = []
        self._ahead = 0
        """How many of them this connection was asked for."""

    # ── a question at a time ──

    def _ask(self, request: Any, version: int, code_of: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        code = ErrorCode.NETWORK_EXCEPTION
        while time.monotonic() < until:
            try:
                line = self._connected()
                line.ask(request, version)
                answer = line.answer(request, version)
            except OSError:  # no broker, or it didn't answer
                self._hang_up()
                continue
            code = ErrorCode(code_of(answer))
            if code is ErrorCode.NONE:
                return answer
            _check(code)
            time.sleep(PAUSE_S)
        raise Gone(code.name)

    def _connected(self) -> _Line:
        if self._line is None:
            self._line = _Line(self._address)
        return self._line

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line, self._ahead = None, 0
        time.sleep(PAUSE_S)

    def init(self) -> None:
        request = init_producer_id.Request(transactional_id=self._transactional_id, transaction_timeout_ms=TIMEOUT_MS)
        self._become(self._ask(request, INIT_VERSION, lambda answer: answer.error_code))

    def _become(self, answer: Any) -> None:
        self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch
        self._sequences.clear()

    # ── batches, some of them ahead ──

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
        self._sequences[key] = sequence + 1
        self._unanswered.append(_Batch(value, request))
        with contextlib.suppress(OSError):
            self._send_ahead()
        while len(self._unanswered) >= AHEAD:
            self._settle()

    def flush(self) -> None:
        while self._unanswered:
            self._settle()

    def _send_ahead(self) -> None:
        line = self._connected()
        for batch in self._unanswered[self._ahead :]:
            line.ask(batch.request, PRODUCE_VERSION)
            self._ahead += 1

    def _settle(self) -> None:
        """Hear about the oldest. If it has to be sent again, so have all behind it."""
        until = time.monotonic() + PATIENCE_S
        code = ErrorCode.NETWORK_EXCEPTION
        value, request = self._unanswered[0]
        while time.monotonic() < until:
            try:
                self._send_ahead()
                answer = self._connected().answer(request, PRODUCE_VERSION)
            except OSError:
                self._hang_up()
                continue
            told = answer.responses[0].partition_responses[0]
            code = ErrorCode(told.error_code)
            if code is ErrorCode.NONE:
                del self._unanswered[0]
                self._ahead -= 1
                self._heard(value, told.base_offset)
                return
            _check(code)
            self._take_back()
        raise Gone(code.name)

    def _take_back(self) -> None:
        """What was sent behind the oldest may have been refused for its sake. If it wasn't, it will be recognised."""
        try:
            for batch in self._unanswered[1 : self._ahead]:
                self._connected().answer(batch.request, PRODUCE_VERSION)
        except OSError:
            self._hang_up()
        else:
            self._ahead = 0
            time.sleep(PAUSE_S)

    # ── the end ──

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
        self.flush()
        self._ask(request, OFFSETS_VERSION, _first_refusal)

    def commit(self) -> None:
        self.flush()
        self._end(True)

    def abort(self) -> None:
        """Not even hear about what was sent ahead, unlike the Java client: some of it comes when all is over."""
        if self._unanswered:
            self._unanswered.clear()
            self._hang_up()
        self._end(False)

    def _end(self, commit: bool) -> None:
        request = end_txn.Request(
            transactional_id=self._transactional_id,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            committed=commit,
        )
        self._become(self._ask(request, END_VERSION, lambda answer: answer.error_code))

    def close(self) -> None:
        if self._line is not None:
            self._line.close()


def _check(code: ErrorCode) -> None:
    """That asking again may help."""
    if code is ErrorCode.TRANSACTION_ABORTABLE or code in REBALANCED:
        raise Aborting(code.name)
    if code not in AGAIN:
        raise Gone(code.name, code.name)


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
