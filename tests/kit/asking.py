"""What clients ask, made into frames: producers of every kind, readers with and without sessions, coordinators.

An ask says what is meant ("the next batch", "the end of the log"); ``Script`` looks at a broker and makes the bytes
that mean that now, and learns from the answers what clients learn from them: identities and sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafkawire import codec
from kafkawire import records as wire_records
from kafkawire.api import (
    add_partitions_to_txn,
    api_versions,
    delete_records,
    end_txn,
    fetch,
    init_producer_id,
    list_offsets,
    produce,
    write_txn_markers,
)
from kafkawire.batches import seal
from kafkawire.headers import read_response_header, request_frame
from pykafkad.runtime.partition import Partition
from tests.kit.coordination import GroupBroker

SEQUENCES = 1 << 31
NONE, OPEN, GO_ON, CLOSE = "none", "open", "go on", "close"
PLAIN, IDEMPOTENT, WRAPPING, ONE, TWO, SLOW = "plain", "idempotent", "wrapping", "one", "two", "slow"
"""Producers: the last three have transactions, ONE those of version 1, others of version 2; SLOW's time out soon."""
IDENTITIES = {IDEMPOTENT: (700, 3), WRAPPING: (701, 0)}
TRANSACTIONAL = (ONE, TWO, SLOW)
TIMEOUTS = {ONE: 60_000, TWO: 60_000, SLOW: 2_000}
PRODUCE, FETCH, LIST_OFFSETS, API_VERSIONS, DELETE, INIT, ADD, END, MARKERS = 0, 1, 2, 18, 21, 22, 24, 26, 27


class Produce(NamedTuple):
    """``turn``: which of the producer's batches this is; ``harm``: what is wrong with the frame or the batch."""

    who: str = PLAIN
    turn: str = "next"
    topic: str = "t"
    index: int = 0
    version: int = 9
    acks: int = 1
    count: int = 1
    size: int = 10
    codec: int = 0
    age: int = 0
    client: str | None = "tester"
    harm: str = ""


class Fetch(NamedTuple):
    """``where``: the offset, as the reader thinks of it."""

    where: str = "end"
    version: int = 12
    topics: tuple[tuple[str, int], ...] = (("t", 0),)
    session: str = NONE
    committed: bool = False
    min_bytes: int = 1
    wait_ms: int = 0
    max_bytes: int = 400
    leader_epoch: int = -1
    client: str | None = "tester"
    harm: str = ""


class Other(NamedTuple):
    """``what`` of: init, add, end, abort, marker, abort marker, delete, offsets, versions."""

    what: str
    who: str = TWO
    topic: str = "t"
    index: int = 0
    number: int = 0


Ask = Produce | Fetch | Other


class _Expected(NamedTuple):
    correlation: int
    key: int
    version: int
    who: str
    session: str


class Script:
    """What all the clients of one broker know. Every other connection is of one reader, and shares its sessions."""

    def __init__(self, broker: GroupBroker) -> None:
        self._broker = broker
        self._who: dict[str, tuple[int, int]] = dict(IDENTITIES)
        self._sent: dict[tuple[str, int, int], tuple[int, int]] = {}  # epoch and next sequence, of what is on its way
        self._sessions: dict[tuple[int, int, str | bytes], tuple[int, int]] = {}
        self._expected: dict[int, deque[_Expected]] = {}
        self._heard: dict[int, bytes] = {}
        self._correlation = 0

    # -- out ---------------------------------------------------------------------------------------------------------

    def connected(self, connection: int) -> None:
        self._expected[connection] = deque()
        self._heard[connection] = b""

    def turn(self) -> None:
        """What was sent is answered, or will be: the broker knows best what is due."""
        self._sent.clear()

    def frame(self, connection: int, ask: Ask) -> bytes:
        self._correlation += 1
        if isinstance(ask, Produce):
            return self._produce(connection, ask)
        if isinstance(ask, Fetch):
            return self._fetch(connection, ask)
        return self._other(connection, ask)

    def _framed(
        self,
        connection: int,
        key: int,
        version: int,
        client: str | None,
        request: Any,
        who: str = "",
        session: str = "",
    ) -> bytes:
        if not (key == PRODUCE and not request.acks):
            self._expected[connection].append(_Expected(self._correlation, key, version, who, session))
        made = request_frame(key, version, self._correlation, client, request)
        return b"".join(map(bytes, made))  # type: ignore[arg-type]

    def _partition(self, topic: str, index: int) -> Partition | None:
        return self._broker.partitions.local(topic, index)

    def _id(self, topic: str) -> bytes:
        known = self._broker.topics.get(topic)
        return known.id if known is not None else topic.encode().ljust(16, b"-")

    # -- producers ---------------------------------------------------------------------------------------------------

    def _sequence(self, ask: Produce, producer_id: int, epoch: int) -> tuple[int, int]:
        """(base sequence, count) of the batch that is meant."""
        partition = self._partition(ask.topic, ask.index)
        known = partition.producers._producers.get(producer_id) if partition is not None else None
        window = known.window if known is not None and known.epoch == epoch else []
        where = ask.topic, ask.index, producer_id
        if where in self._sent and self._sent[where][0] == epoch:
            due = self._sent[where][1]
        elif window:
            due = (window[-1].last_sequence + 1) % SEQUENCES
        else:
            due = SEQUENCES - 4 if ask.who == WRAPPING and known is None else 0
        if ask.turn == "again" and window:
            batch = window[-1 if ask.size % 2 else 0]
            return batch.first_sequence, batch.offset_delta + 1
        if ask.turn == "gap":
            return (due + 3) % SEQUENCES, ask.count
        if ask.turn == "same":
            return (due - ask.count) % SEQUENCES, ask.count
        if ask.turn == "old":
            return (due - 7) % SEQUENCES, ask.count
        if ask.turn == "begin":
            return 0, ask.count
        self._sent[where] = epoch, (due + ask.count) % SEQUENCES
        return due, ask.count

    def _batch(self, ask: Produce, index: int) -> bytearray:
        producer_id, epoch = self._who.get(ask.who, (-1, -1))
        epoch += {"newer": 1, "older": -1}.get(ask.turn, 0) if producer_id >= 0 else 0
        sequence, count = -1, ask.count
        if producer_id >= 0:
            sequence, count = self._sequence(ask._replace(index=index), producer_id, epoch)
        now = self._broker.clock.now_ms()
        value = b"%d" % self._correlation + b"v" * ask.size
        batch = wire_records.build(
            [(None if ask.harm == "no key" else b"k", value)] * count,
            timestamp=now + 10_000_000_000 if ask.harm == "time" else now - ask.age,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            codec=ask.codec,
            transactional=(ask.who in TRANSACTIONAL) != (ask.harm == "other kind"),
            control=ask.harm == "control",
            append_time=ask.harm == "append time",
        )
        match ask.harm:
            case "crc":
                batch[-1] ^= 1
            case "short":
                del batch[30:]
            case "two":
                batch = batch + batch
            case "magic":
                batch[16] = 1
            case "base":
                batch[7] = 5
            case "codec":
                batch[22] |= 5
                seal(batch, 0, len(batch))
            case "count":
                batch[60] += 1
                seal(batch, 0, len(batch))
        return batch

    def _produce(self, connection: int, ask: Produce) -> bytes:
        version = ask.version
        if ask.who in TRANSACTIONAL:
            version = min(version, 11) if ask.who == ONE else max(version, 12)
        batch = self._batch(ask, ask.index)
        data = [produce.PartitionProduceData(index=ask.index, records=None if ask.harm == "null" else batch)]
        if ask.harm == "more":
            data.append(produce.PartitionProduceData(index=1, records=self._batch(ask, 1)))
        by_id = version >= 13
        topic = produce.TopicProduceData(
            name="" if by_id else ask.topic, topic_id=self._id(ask.topic) if by_id else bytes(16), partition_data=data
        )
        request = produce.Request(acks=ask.acks, timeout_ms=1_000, topic_data=[topic])
        if ask.harm != "no id" and (ask.who in TRANSACTIONAL or ask.harm == "other kind"):
            request.transactional_id = "nobody" if ask.harm == "other id" else ask.who
        return self._harmed(
            self._framed(connection, PRODUCE, version, ask.client, request), ask.harm, version >= 9, batch
        )

    @staticmethod
    def _harmed(made: bytes, harm: str, flexible: bool, batch: bytes | bytearray = b"") -> bytes:
        if harm == "tag" and flexible:
            made = made[:-1] + b"\x01\x63\x00"
        elif harm == "trailing":
            made += b"\0"
        elif harm == "length" and flexible and batch:  # a length that takes more bytes than it needs
            at = made.rindex(bytes(batch))
            made = made[: at - 1] + bytes([made[at - 1] | 128, 0]) + made[at:]
        elif harm == "cut":
            made = made[:-5]
        return (len(made) - 4).to_bytes(4, "big") + made[4:]

    # -- readers -----------------------------------------------------------------------------------------------------

    def _offset(self, where: str, topic: str, index: int) -> int:
        partition = self._partition(topic, index)
        if partition is None:
            return 0
        start, end = partition.log.start_offset, partition.high_watermark
        return {
            "start": start,
            "end": end,
            "stable": partition.last_stable_offset,
            "middle": (start + end) // 2,
            "behind": max(end - 1, start),
            "far behind": max(end - 4, start),
            "beyond": partition.log.end_offset + 7,
            "below": start - 1,
        }[where]

    def _fetch(self, connection: int, ask: Fetch) -> bytes:
        version, by_id = ask.version, ask.version >= 13
        key = connection % 2, version, ask.topics[0][0]
        session_id, epoch = 0, -1
        if version >= 7 and ask.session == OPEN:
            epoch = 0
        elif version >= 7 and ask.session in (GO_ON, CLOSE) and key in self._sessions:
            session_id, epoch = self._sessions[key]
            if ask.session == CLOSE:
                epoch = -1
            elif ask.harm == "epoch":
                epoch += 5
            else:
                self._sessions[key] = session_id, epoch + 1
        topics = [
            fetch.Topic(
                topic="" if by_id else topic,
                topic_id=self._id(topic) if by_id else bytes(16),
                partitions=[
                    fetch.Partition(
                        partition=index,
                        fetch_offset=self._offset(ask.where, topic, index),
                        partition_max_bytes=ask.max_bytes,
                        current_leader_epoch=ask.leader_epoch,
                        last_fetched_epoch=0 if ask.harm == "diverging" and version >= 12 else -1,
                    )
                ],
            )
            for topic, index in ask.topics
        ]
        request = fetch.Request(
            max_wait_ms=ask.wait_ms,
            min_bytes=ask.min_bytes,
            isolation_level=int(ask.committed),
            session_id=session_id,
            session_epoch=epoch,
            topics=[] if ask.harm == "nothing" else topics,
        )
        if ask.harm == "rack" and version >= 11:
            request.rack_id = "north"
        made = self._framed(connection, FETCH, version, ask.client, request, ask.topics[0][0], ask.session)
        return self._harmed(made, ask.harm, version >= 12)

    # -- the others --------------------------------------------------------------------------------------------------

    def _other(self, connection: int, ask: Other) -> bytes:
        producer_id, epoch = self._who.get(ask.who, (5, 0))
        make: dict[str, Callable[[], tuple[int, int, Any]]] = {
            "init": lambda: (INIT, 2, self._init(ask)),
            "add": lambda: (ADD, 3, self._add(ask, producer_id, epoch)),
            "end": lambda: (END, 3 if ask.who == ONE else 5, self._end(ask, producer_id, epoch, commit=True)),
            "abort": lambda: (END, 3 if ask.who == ONE else 5, self._end(ask, producer_id, epoch, commit=False)),
            "marker": lambda: (MARKERS, 2, self._marker(ask, producer_id, epoch, commit=True)),
            "abort marker": lambda: (MARKERS, 2, self._marker(ask, producer_id, epoch, commit=False)),
            "delete": lambda: (DELETE, 2, self._delete(ask)),
            "offsets": lambda: (LIST_OFFSETS, 9, self._list(ask)),
            "versions": lambda: (API_VERSIONS, 3, api_versions.Request()),
        }
        key, version, request = make[ask.what]()
        return self._framed(connection, key, version, "tester", request, ask.who)

    @staticmethod
    def _init(ask: Other) -> Any:
        return init_producer_id.Request(transactional_id=ask.who, transaction_timeout_ms=TIMEOUTS[ask.who])

    @staticmethod
    def _add(ask: Other, producer_id: int, epoch: int) -> Any:
        topic = add_partitions_to_txn.Topic(name=ask.topic, partitions=[ask.index])
        return add_partitions_to_txn.Request(
            v3_and_below_transactional_id=ask.who,
            v3_and_below_producer_id=producer_id,
            v3_and_below_producer_epoch=epoch,
            v3_and_below_topics=[topic],
        )

    @staticmethod
    def _end(ask: Other, producer_id: int, epoch: int, *, commit: bool) -> Any:
        return end_txn.Request(
            transactional_id=ask.who, producer_id=producer_id, producer_epoch=epoch, committed=commit
        )

    @staticmethod
    def _marker(ask: Other, producer_id: int, epoch: int, *, commit: bool) -> Any:
        marker = write_txn_markers.WritableTxnMarker(
            producer_id=producer_id,
            producer_epoch=epoch + ask.number,
            transaction_result=commit,
            topics=[write_txn_markers.WritableTxnMarkerTopic(name=ask.topic, partition_indexes=[ask.index])],
            transaction_version=0 if ask.who == ONE else 2,
        )
        return write_txn_markers.Request(markers=[marker])

    def _delete(self, ask: Other) -> Any:
        where = "behind" if ask.number else "end"
        partition = delete_records.Partition(
            partition_index=ask.index, offset=self._offset(where, ask.topic, ask.index)
        )
        return delete_records.Request(
            topics=[delete_records.Topic(name=ask.topic, partitions=[partition])], timeout_ms=1_000
        )

    @staticmethod
    def _list(ask: Other) -> Any:
        partition = list_offsets.Partition(partition_index=ask.index, timestamp=-1 - ask.number % 3)
        topic = list_offsets.Topic(name=ask.topic, partitions=[partition])
        return list_offsets.Request(replica_id=-1, isolation_level=ask.number // 3 % 2, topics=[topic])

    # -- in ----------------------------------------------------------------------------------------------------------

    def hear(self, connection: int, data: bytes) -> None:
        heard = self._heard[connection] + data
        expected = self._expected[connection]
        while len(heard) >= 4 and len(heard) >= 4 + (size := int.from_bytes(heard[:4], "big")):
            one, heard = heard[4 : 4 + size], heard[4 + size :]
            asked = expected.popleft()
            assert int.from_bytes(one[:4], "big") == asked.correlation, "answers come in the order of their requests"
            if asked.key == INIT:
                self._learn_identity(asked, self._read(init_producer_id.Response, asked, one))
            elif asked.key == END and asked.version >= 5:
                self._learn_identity(asked, self._read(end_txn.Response, asked, one))
            elif asked.key == FETCH and asked.session == OPEN and asked.version >= 7:
                said = self._read(fetch.Response, asked, one)
                if not said.error_code and said.session_id:
                    self._sessions[connection % 2, asked.version, asked.who] = said.session_id, 1
        self._heard[connection] = heard

    @staticmethod
    def _read(message: type[Any], asked: _Expected, frame: bytes) -> Any:
        _, at = read_response_header(asked.key, asked.version, memoryview(frame))
        return codec.decode(message, asked.version, memoryview(frame)[at:])

    def _learn_identity(self, asked: _Expected, said: Any) -> None:
        if not said.error_code and said.producer_id >= 0:
            self._who[asked.who] = said.producer_id, said.producer_epoch
