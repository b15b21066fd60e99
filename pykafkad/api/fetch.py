"""Fetch (API key 1): batches leave partitions, as slices of files.

v7  sessions.   v9  the reader's leader epoch.   v11  rack.   v12  flexible; where logs diverge.   v13  topics by id.
v15  replicas name themselves in a tagged field.   v16  a wrong leader's refusal names the right one.

``handle`` reads once. Too little to answer with: it hangs a ``Poll`` on the partitions, which calls ``_Fetch.answer``
when there is enough or time is up. The records of an answer are ``FileSlice`` values; nothing here looks into them.
Where even finding the records would wait for the disk, worker threads bring in what it takes, and all is read again.

A reader of one partition asks the same again and again but for the offset: ``_Again`` serves that without decoding
anything, as far as nothing else has changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kafkawire.api import fetch
from kafkawire.errors import ErrorCode
from kafkawire.fetch_moulds import fetch_mould_of
from kafkawire.headers import response_frame
from pykafkad.api import handles
from pykafkad.api.call import Call, Operation, ResourceType
from pykafkad.api.redirects import addresses, leader_of
from pykafkad.errors import Refused
from pykafkad.runtime.lineage import parting
from pykafkad.runtime.waits import Poll
from pykafkad.runtime.warming import ROUNDS, warm
from pykafkad.state.fetch_sessions import Key, Resolved, Wanted
from pykafkad.storage.cold import Cold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from kafkawire.fetch_moulds import FetchMould
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.topic_cells import TopicCells
    from pykafkad.state.fetch_sessions import Session
    from pykafkad.storage.disk import FileSlice

_READ, _TOPIC = Operation.READ, ResourceType.TOPIC
_COMMITTED = 1
_FILES_PER_ANSWER = 256
"""Partitions that one answer brings records of: each keeps a file open until it is sent, and a reader may be slow."""
_NO_SLICE = b""
_NOT_ALLOWED = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_NO_TOPIC_ID = Refused(ErrorCode.UNKNOWN_TOPIC_ID)
_OTHER_TOPIC_ID = Refused(ErrorCode.INCONSISTENT_TOPIC_ID)
_NO_ISOLATION = Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "no such isolation level")
_MOVED = frozenset({ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH})

Data = fetch.PartitionData
Aborted = fetch.AbortedTransaction
NO_RECORDS: Any = _NO_SLICE


class _Again:
    """A Fetch of one partition, which fits the mould of an earlier one. Whoever leads, what the session is about, what
    the disk would have to be asked for: where anything isn't as it usually is the ordinary way is taken, and nothing
    was done before.
    """

    learn = staticmethod(fetch_mould_of)

    def serve(
        self, call: Call, mould: FetchMould, correlation: int, epoch: int, offset: int
    ) -> list[Any] | Poll | None:
        session: Session | None = None
        wanted: Wanted | None = None
        if mould.session_id:
            session = call.node.fetch_sessions.of_one(mould.session_id, epoch)
            if session is None:
                return None
            wanted = session.partitions.get((mould.topic_id if mould.by_id else mould.topic, mould.index))
            if wanted is None:
                return None
        elif epoch != -1:
            return None
        seen = _look(call, mould, offset, wait=False)
        if seen is None:
            return None
        partition, found = seen
        request = mould.request
        missing = min(request.min_bytes, request.max_bytes, call.node.config.fetch_max_bytes)
        if found is not None:
            missing -= len(found)
        wait_ms = request.max_wait_ms if missing > 0 else 0
        if found is None and wait_ms <= 0:
            return None
        if session is not None and wanted is not None:
            wanted.topic = partition.topic
            wanted.ask(_asked(mould, offset, partition.topic))
            session.go_on(call.now)
        if wait_ms > 0 or found is None:
            partition.cells.fetches.value += 1
            if wanted is None:
                wanted = _asked(mould, offset, partition.topic)
            finish = partial(self._finish, call, mould, correlation, session, wanted)
            return Poll((partition,), missing, wait_ms, finish, mould.committed)
        return self._answer(mould, correlation, wanted, partition, found)

    def _finish(
        self,
        call: Call,
        mould: FetchMould,
        correlation: int,
        session: Session | None,
        wanted: Wanted,
    ) -> list[Any]:
        """After the wait."""
        seen = _look(call, mould, wanted.fetch_offset, wait=True)
        if seen is not None:
            partition, found = seen
            if found is not None:
                return self._answer(mould, correlation, wanted, partition, found)
        resolved = Resolved([wanted], session, session is not None)
        job = _Fetch(call, mould.request, resolved, -1, False)
        return response_frame(correlation, job.answer(), call.version)

    def _answer(
        self, mould: FetchMould, correlation: int, wanted: Wanted | None, partition: Partition, found: FileSlice
    ) -> list[Any]:
        size, mark, start = len(found), partition.high_watermark, partition.log.start_offset
        partition.cells.fetches.value += 1
        partition.cells.bytes_out.value += size
        if wanted is not None:
            wanted.answer(size, mark, start, 0, False)
        head, tail = mould.answer(correlation, mark, partition.last_stable_offset, start, size)
        return [head, found, tail] if tail else [head, found]


def _look(call: Call, mould: FetchMould, offset: int, *, wait: bool) -> tuple[Partition, FileSlice | None] | None:
    """The partition that is asked for and what there is to read, or not yet; None if there is more to be said."""
    node, topic, by_id = call.node, mould.topic, mould.by_id
    if by_id:
        topic = node.image.topic_names.get(mould.topic_id, "")
    partition = node.partitions.get(topic, mould.index)
    if (
        isinstance(partition, Refused)
        or (by_id and partition.topic_id != mould.topic_id)
        or mould.leader_epoch not in (-1, partition.leader_epoch)
        or not call.authorise(_READ, _TOPIC, topic)
    ):
        return None
    request, committed = mould.request, mould.committed
    limit = min(mould.limit, request.max_bytes, node.config.fetch_max_bytes)
    until = partition.last_stable_offset if committed else partition.high_watermark
    try:
        found = partition.read(offset, limit, until, True, wait)
        if isinstance(found, Refused) or (committed and found is not None and partition.aborted(offset, found, wait)):
            return None
    except Cold:
        return None
    return partition, found


def _asked(mould: FetchMould, offset: int, topic: str) -> Wanted:
    (wanted,) = _wanted(mould.request.topics, mould.by_id).values()
    wanted.fetch_offset = offset
    wanted.topic = topic  # remembered as the ordinary way does: whose the name is may change during a wait
    return wanted


@handles(fetch.Request, repeat=_Again())
def handle(call: Call, request: fetch.Request) -> fetch.Response | Awaitable[fetch.Response]:
    version = call.version
    replica = request.replica_id if version < 15 else request.replica_state.replica_id
    if replica >= 0 and not call.authorise(Operation.CLUSTER_ACTION, ResourceType.CLUSTER, "kafka-cluster"):
        replica = -1  # answered as refused below, partition by partition
        denied = True
    else:
        denied = False
    by_id = version >= 13
    wanted = _wanted(request.topics, by_id)
    if wanted and not 0 <= request.isolation_level <= _COMMITTED:
        return _refused_whole(call, request, wanted, _NO_ISOLATION)
    resolved = call.node.fetch_sessions.resolve(
        request.session_id,
        request.session_epoch if version >= 7 else -1,
        wanted,
        _forgotten(request.forgotten_topics_data, by_id) if request.forgotten_topics_data else (),
        uses_ids=by_id,
        privileged=replica >= 0,
        now=call.now,
    )
    if isinstance(resolved, Refused):
        if resolved.code == ErrorCode.UNKNOWN_SERVER_ERROR:
            return _refused_whole(call, request, wanted, resolved)
        return fetch.Response(error_code=int(resolved.code))
    job = _Fetch(call, request, resolved, replica, denied)
    job.read()
    if job.cold:
        return job.warmed(request.max_wait_ms)
    wait_ms = request.max_wait_ms
    if wait_ms <= 0 or job.urgent or job.size >= job.min_bytes or not job.partitions:
        return job.respond()
    return job.poll(wait_ms)


def _refused_whole(call: Call, request: fetch.Request, wanted: dict[Key, Wanted], why: Refused) -> fetch.Response:
    """Kafka stumbles over an isolation level that doesn't exist and over session ids at the end of the numbers, and
    says so of everything it has a name for.
    """
    job = _Fetch(call, request, Resolved(wanted.values(), None, False), -1, False)
    for one in wanted.values():
        job.refuse(one, "", why, known=False)
    response = job.respond() if call.version < 13 else fetch.Response()
    response.error_code = int(why.code)
    response.session_id = request.session_id
    return response


def _wanted(topics: list[fetch.Topic], by_id: bool) -> dict[Key, Wanted]:
    wanted: dict[Key, Wanted] = {}
    for topic in topics:
        name: str | bytes = topic.topic_id if by_id else topic.topic
        for asked in topic.partitions:
            index = asked.partition
            wanted[name, index] = Wanted(
                topic.topic,
                topic.topic_id,
                index,
                asked.fetch_offset,
                asked.partition_max_bytes,
                asked.current_leader_epoch,
                asked.last_fetched_epoch,
                asked.log_start_offset,
            )
    return wanted


def _forgotten(topics: list[fetch.ForgottenTopic], by_id: bool) -> list[Key]:
    return [(topic.topic_id if by_id else topic.topic, index) for topic in topics for index in topic.partitions]


class _Fetch:
    """One Fetch: reads its partitions, and once more if it had to wait."""

    __slots__ = (
        "by_id",
        "call",
        "cold",
        "committed",
        "consumer",
        "data",
        "denied",
        "max_bytes",
        "min_bytes",
        "partitions",
        "replica",
        "resolved",
        "size",
        "strangers",
        "told",
        "urgent",
        "wanted",
    )

    def __init__(self, call: Call, request: fetch.Request, resolved: Resolved, replica: int, denied: bool) -> None:
        self.call = call
        self.resolved = resolved
        self.wanted: Iterable[Wanted] = resolved.partitions
        self.replica = replica
        self.consumer = replica < 0 and not denied  # replicas know where the others are
        self.denied = denied
        self.by_id = call.version >= 13
        self.committed = request.isolation_level == _COMMITTED
        self.max_bytes = min(request.max_bytes, call.node.config.fetch_max_bytes)
        self.min_bytes = min(request.min_bytes, self.max_bytes)
        self.partitions: list[Partition] = []
        self.data: list[tuple[Wanted, Data]] = []
        self.strangers: list[tuple[Wanted, Data]] = []  # refused before a partition was found: told last, as Kafka does
        self.told: list[tuple[TopicCells, int]] = []  # bytes for consumers, counted when they are answered
        self.size = 0
        self.urgent = False  # an error, a divergence: not to be kept waiting
        self.cold: list[Cold] = []  # what would have to come from the disk first

    def answer(self) -> fetch.Response:
        """After the wait: look again, and say what there is."""
        self.again(wait=True)
        return self.respond()

    async def warmed(self, wait_ms: int) -> fetch.Response:
        """Once what it takes is in memory."""
        self.wanted = list(self.wanted)
        for left in reversed(range(ROUNDS)):
            await warm(self.cold)
            self.again(wait=not left)
            if not self.cold:
                break
        if wait_ms <= 0 or self.urgent or self.size >= self.min_bytes or not self.partitions:
            return self.respond()
        answer: fetch.Response = await self.poll(wait_ms)
        return answer

    def poll(self, wait_ms: int) -> Poll:
        committed = self.committed and self.replica < 0
        self.wanted = list(self.wanted)  # what another request adds to the session meanwhile is not for this one
        return Poll(self.partitions, self.min_bytes - self.size, wait_ms, self.answer, committed)

    def again(self, *, wait: bool) -> None:
        self.partitions, self.data, self.strangers, self.told, self.size, self.cold = [], [], [], [], 0, []
        self.read(wait)

    def read(self, wait: bool = False) -> None:
        node, call = self.call.node, self.call
        get, names, by_id = node.partitions.get, node.image.topic_names if self.by_id else {}, self.by_id
        replica, committed, replies = self.replica, self.committed and self.replica < 0, self.data
        room, first, files = self.max_bytes, True, _FILES_PER_ANSWER
        for wanted in self.wanted:
            topic = wanted.topic
            if by_id and not topic:
                topic = names.get(wanted.topic_id, "")
                if not topic:
                    self.refuse(wanted, "", _NO_TOPIC_ID, known=False)
                    continue
                wanted.topic = topic  # a session keeps it: the topic it began with, whatever takes the name
            if self.denied or not call.authorise(_READ, _TOPIC, topic):
                self.refuse(wanted, topic, _NOT_ALLOWED, known=False)
                continue
            partition = get(topic, wanted.index)
            if isinstance(partition, Refused):
                self.refuse(wanted, topic, partition, known=partition.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                continue
            cells = partition.cells
            cells.fetches.value += 1
            offset = wanted.fetch_offset
            if replica >= 0:
                until = partition.log.end_offset
            else:
                until = partition.last_stable_offset if committed else partition.high_watermark
            epoch, last_epoch = wanted.current_leader_epoch, wanted.last_fetched_epoch
            refused = diverging = None
            if by_id and partition.topic_id != wanted.topic_id:
                refused = _OTHER_TOPIC_ID
            elif epoch >= 0 and epoch != partition.leader_epoch:  # any negative one: the reader doesn't know
                refused = partition.check_epoch(epoch)
            elif replica >= 0:
                refused = partition.replica_asks(replica, epoch, offset, wanted.replica_log_start, call.now)
            if refused is None and last_epoch >= 0 and last_epoch != partition.log.epochs.latest:
                parted = parting(partition, last_epoch, offset)
                if isinstance(parted, Refused):
                    refused = parted
                else:
                    diverging = parted
            records = None
            aborted: list[Any] | None = [] if committed else None
            if refused is None and diverging is None:
                budget = wanted.max_bytes
                try:
                    limit = room if room < budget else budget
                    found = partition.read(offset, limit, until, first, wait) if files else None
                    left_out: Any = ()
                    if committed and offset < until and (found is not None or limit <= 0):
                        left_out = () if isinstance(found, Refused) else partition.aborted(offset, found, wait)
                except Cold as cold:
                    self.cold.append(cold)
                    continue
                if isinstance(found, Refused):
                    refused = found
                elif isinstance(left_out, Refused):
                    refused = left_out
                else:
                    records = found
                    if left_out:
                        aborted = [Aborted(producer_id=one[0], first_offset=one[1]) for one in left_out]
                    elif found is None and limit > 0 and offset < until:
                        aborted = None  # the first batch is too large: as Kafka does, nothing is said about it
            if refused is not None:
                cells.failed_fetches.value += 1
                self.refuse(wanted, topic, refused, known=True)
                room = max(room, 0)  # a limit below zero is the first partition's trouble alone
                continue
            self.partitions.append(partition)
            data = Data(
                partition_index=wanted.index,
                high_watermark=partition.high_watermark,
                last_stable_offset=partition.last_stable_offset,
                log_start_offset=partition.log.start_offset,
                aborted_transactions=aborted,
                records=NO_RECORDS,
            )
            if records is not None:
                size = len(records)
                data.records = records
                self.size += size
                room = room - size if size < room else 0
                first = False
                files -= 1
                if not files:
                    self.urgent = True  # there may be more than min_bytes: the reader asks again for the rest
                if replica < 0:
                    self.told.append((cells, size))
            elif diverging is not None:
                self.urgent = True
                data.diverging_epoch = fetch.EpochEndOffset(epoch=diverging[0], end_offset=diverging[1])
            replies.append((wanted, data))

    def refuse(self, wanted: Wanted, topic: str, refused: Refused, *, known: bool) -> None:
        """``known``: the partition itself refused, and the answer's shape is that of a read."""
        self.urgent = True
        code, version = refused.code, self.call.version
        data = Data(
            partition_index=wanted.index,
            error_code=int(code),
            high_watermark=-1,
            last_stable_offset=-1,
            log_start_offset=-1,
            aborted_transactions=None if known else [],
            records=NO_RECORDS,
        )
        if code == ErrorCode.KAFKA_STORAGE_ERROR and version <= 5:
            data.error_code = int(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        elif code in _MOVED and version >= 16:
            leader, epoch = leader_of(self.call.node.image, topic, wanted.index)
            data.current_leader = fetch.LeaderIdAndEpoch(leader_id=leader, leader_epoch=epoch)
        (self.data if known else self.strangers).append((wanted, data))

    def respond(self) -> fetch.Response:
        """What was read, as the client's session wants to hear it."""
        for cells, sent in self.told:
            cells.bytes_out.value += sent
        resolved = self.resolved
        session = resolved.session
        response = fetch.Response(session_id=session.id if session is not None else 0)
        topics: list[Any] = response.responses
        last: Any = None
        turned: list[Wanted] = []
        by_id = self.by_id
        leaders: set[int] = set()
        for wanted, data in self.data + self.strangers if self.strangers else self.data:
            if session is not None:
                size = len(data.records or NO_RECORDS)
                error = data.error_code
                notable = data.diverging_epoch.epoch != -1 if self.urgent else False
                say = wanted.answer(size, data.high_watermark, data.log_start_offset, error, notable)
                if resolved.incremental:
                    if not say:
                        continue
                    if size:
                        turned.append(wanted)
            if last is None or (last.topic_id != wanted.topic_id if by_id else last.topic != wanted.topic):
                last = fetch.FetchableTopicResponse(topic="" if by_id else wanted.topic, topic_id=wanted.topic_id)
                topics.append(last)
            last.partitions.append(data)
            if data.error_code in _MOVED and data.current_leader.leader_id >= 0:
                leaders.add(data.current_leader.leader_id)
        if turned and session is not None and len(session.partitions) > 1:
            self._rotate(session, turned)
        if leaders and self.call.version >= 16 and self.consumer:
            response.node_endpoints = [
                fetch.NodeEndpoint(node_id=broker, host=host, port=port, rack=rack)
                for broker, host, port, rack in addresses(self.call, leaders)
            ]
        return response

    def _rotate(self, session: Session, turned: list[Wanted]) -> None:
        rotate = self.call.node.fetch_sessions.rotate
        for wanted in turned:
            rotate(session, (wanted.topic_id if self.by_id else wanted.topic, wanted.index))
