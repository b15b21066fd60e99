"""Produce (API key 0): batches enter partitions.

v3  transactional id.   v5  answers carry the log's start offset.   v7  zstd.   v8  errors name their records.
v9  flexible.   v10  a wrong leader's refusal names the right one.   v12  transactions without AddPartitionsToTxn.
v13  topics by id.

Everything that order depends on has happened when ``handle`` returns; what may remain is the wait for a sync or for
replicas, during which the connection's next request may begin. One exception: where a transaction's coordinator must be
asked and doesn't answer at once, the next request waits as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from kafkawire.api import produce
from kafkawire.batches import HEADER_SIZE, unpack
from kafkawire.errors import ErrorCode
from kafkawire.headers import response_frame
from kafkawire.moulds import Mould, mould_of
from pykafkad.api import handles
from pykafkad.api.call import Call, CloseConnection, Operation, ResourceType
from pykafkad.api.redirects import addresses, leader_of
from pykafkad.errors import Refused
from pykafkad.runtime.partition import PLAIN, TRANSACTIONAL
from pykafkad.runtime.preparing import NO_TRANSACTIONAL_ID
from pykafkad.runtime.vouching import Producer, Unverified, Vouched, vouch
from pykafkad.state.acceptance import Unreadable, begins_transactional

if TYPE_CHECKING:
    from pykafkad.runtime.partition import Appended, Partition
    from pykafkad.state.verification import Guard

_ADMIN_CLIENT = "__admin_client"  # tools of Kafka's own that may write internal topics
_ALL = -1
_WRITE, _TOPIC = Operation.WRITE, ResourceType.TOPIC

# Refusals that say nothing about the log; all others carry its start offset.
_BLIND = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.RECORD_LIST_TOO_LARGE,
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.INVALID_TOPIC_EXCEPTION,
        ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_BAD_ACKS = Refused(ErrorCode.INVALID_REQUIRED_ACKS)
_NOT_ALLOWED = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
_NO_TRANSACTION = Refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
_INTERNAL = Refused(ErrorCode.INVALID_TOPIC_EXCEPTION)
_NO_TOPIC = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_NO_TOPIC_ID = Refused(ErrorCode.UNKNOWN_TOPIC_ID)
_NO_RECORDS = Unreadable(ErrorCode.INVALID_RECORD)
_TWO_PRODUCERS = Refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
_NOTHING: Vouched = {}

BY_ID = 13
TRANSACTION_ABORTABLE = 11  # the first version whose clients know that answer
IMPLICIT_ADD = 12
# Who may hear these is asked to come again in a way that all clients understand.
_COME_AGAIN = frozenset(
    {
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    }
)

Response = produce.Response
PartitionResponse = produce.PartitionProduceResponse


class _Again:
    """What a producer sends most of the time: one batch for one partition, as the one before and the one before that.

    Requests that arrived together are appended together, and only where nobody has to wait for anything.
    """

    learn = staticmethod(mould_of)

    def serve(
        self, call: Call, mould: Mould, correlations: list[int], batches: list[memoryview]
    ) -> list[bytes | bytearray] | None:
        node = call.node
        name = mould.topic
        if call.version >= 13:
            name = node.image.topic_names.get(mould.topic_id, "")
        partition = node.partitions.get(name, mould.index)
        if (
            isinstance(partition, Refused)
            or partition.internal
            or not partition.answers_at_once
            or batches[0].readonly
            or not call.authorise(_WRITE, _TOPIC, name)
        ):
            return None
        kind, guard = PLAIN, None
        if mould.transactional_id is not None:
            kind = TRANSACTIONAL
            if not _may_transact(call, mould.transactional_id):
                return None
            if not partition.in_progress(batches):
                guard = _vouched_at_once(call, mould.transactional_id, partition, batches)
                if guard is None:
                    return None
        results = partition.append_run(batches, mould.acks, call.now, call.version >= 7, kind, guard)
        numbers = [(result[0], result[2], result[3]) for result in results if not isinstance(result, Refused)]
        if len(numbers) == len(results):
            partition.cells.produces.value += len(batches)
            return [mould.answers(correlations, numbers)]
        frames: list[bytes | bytearray] = []
        for correlation, result in zip(correlations, results, strict=True):
            if isinstance(result, Refused):
                if result is NO_TRANSACTIONAL_ID:  # refused before any partition is looked at, and counted for none
                    answer = _refusal(call, partition.topic, partition.index, result, -1)
                else:
                    partition.cells.produces.value += 1
                    answer = _not_appended(call, partition, result)
                topic = produce.TopicProduceResponse(
                    name=mould.topic, topic_id=mould.topic_id, partition_responses=[answer]
                )
                frames += response_frame(correlation, Response(responses=[topic]), call.version)  # type: ignore[arg-type]
            else:
                partition.cells.produces.value += 1
                frames.append(mould.answers([correlation], [(result[0], result[2], result[3])]))
        return frames


Answer = produce.Response | asyncio.Future[produce.Response] | None


@handles(produce.Request, again=_Again())
def handle(call: Call, request: produce.Request) -> Answer | Coroutine[Any, Any, Any]:
    if request.transactional_id is None:
        return _append(call, request, PLAIN, _NOTHING)
    refused = _refused_whole(call, request)
    vouched = _vouch(call, request, request.transactional_id) if refused is None else _NOTHING
    if isinstance(vouched, Refused):
        return _append(call, request, TRANSACTIONAL, _NOTHING, vouched)
    if not isinstance(vouched, asyncio.Future):
        return _append(call, request, TRANSACTIONAL, vouched, refused)
    for topic in request.topic_data:
        for asked in topic.partition_data:
            if asked.records is not None:  # the next read overwrites what it was read into
                asked.records = bytearray(asked.records)  # type: ignore[call-overload]
    return _append_later(call, request, vouched)


async def _append_later(call: Call, request: produce.Request, vouched: asyncio.Future[Vouched]) -> Any:
    guards = await vouched
    call.now = call.node.clock.now_ms()
    answer = _append(call, request, TRANSACTIONAL, guards)
    return await answer if isinstance(answer, asyncio.Future) else answer


def _append(
    call: Call, request: produce.Request, kind: int, vouched: Vouched, refuse_all: Refused | None = None
) -> Answer:
    acks, now, zstd, by_id = request.acks, call.now, call.version >= 7, call.version >= 13
    node = call.node
    get = node.partitions.get
    refuse_all = refuse_all or _refused_whole(call, request)
    responses = []
    waiting: list[tuple[PartitionResponse, Partition, int]] | None = None
    failed = False
    topics = request.topic_data
    if len(topics) != 1 or not topics[0].partition_data:
        topics = _once(topics, by_id)
    for topic in topics:
        name = topic.name
        if by_id:
            name = node.image.topic_names.get(topic.topic_id, "")
        refused = refuse_all or (None if call.authorise(_WRITE, _TOPIC, name) else _NOT_ALLOWED)
        if by_id and not name and refuse_all is not _NO_TRANSACTION:
            refused = _NO_TOPIC_ID
        answers = []
        data = topic.partition_data
        if len(data) > 1:
            data = list({asked.index: asked for asked in data}.values())  # named twice: the last one counts
        for asked in data:
            index = asked.index
            partition = get(name, index) if refused is None else refused
            if not isinstance(partition, Refused):
                partition.cells.produces.value += 1
                records = asked.records
                result: Appended | Refused
                if records is None:
                    result = _NO_RECORDS
                elif partition.internal and call.client_id != _ADMIN_CLIENT:
                    result = _INTERNAL
                elif vouched:
                    guard = vouched.get((name, index))
                    if isinstance(guard, Refused):
                        result = guard
                    else:
                        result = partition.append(records, acks, now, zstd, kind, guard)  # type: ignore[arg-type]
                else:
                    result = partition.append(records, acks, now, zstd, kind)  # type: ignore[arg-type]
                if not isinstance(result, Refused):
                    base, last, append_time, start = result
                    answer = PartitionResponse(
                        index=index, base_offset=base, log_append_time_ms=append_time, log_start_offset=start
                    )
                    answers.append(answer)
                    if partition.high_watermark <= last and acks and (acks == _ALL or partition.durable_end <= last):
                        if waiting is None:
                            waiting = []
                        waiting.append((answer, partition, last + 1))
                    continue
                answers.append(_not_appended(call, partition, result))
            else:
                answers.append(_refusal(call, name, index, partition, -1))
            failed = True
        responses.append(
            produce.TopicProduceResponse(
                name="" if by_id else name, topic_id=topic.topic_id, partition_responses=answers
            )
        )
    if acks == 0:
        if failed:
            raise CloseConnection("a Produce with acks=0 was refused")
        return None
    response = Response(responses=responses)
    if failed and call.version >= 10:
        _name_leaders(call, response)
    if waiting is None:
        return response
    call.let_next()
    return _Settling(response, waiting, acks, request.timeout_ms).future


def _once(topics: list[produce.TopicProduceData], by_id: bool) -> list[produce.TopicProduceData]:
    """As Kafka sees them: a topic that is named twice is one, and a topic without partitions is none."""
    found: dict[str | bytes, produce.TopicProduceData] = {}
    for topic in topics:
        if topic.partition_data:
            first = found.setdefault(topic.topic_id if by_id else topic.name, topic)
            if first is not topic:
                first.partition_data = first.partition_data + topic.partition_data
    return list(found.values())


def _refused_whole(call: Call, request: produce.Request) -> Refused | None:
    """What refuses every partition of a request, transactional batches without a right to them before anything else."""
    transactional_id = request.transactional_id
    if transactional_id is None or not _may_transact(call, transactional_id):
        for topic in request.topic_data:
            for asked in topic.partition_data:
                if asked.records is not None and begins_transactional(asked.records):  # type: ignore[arg-type]
                    return _NO_TRANSACTION
    if not -1 <= request.acks <= 1:
        return _BAD_ACKS
    return None


def _may_transact(call: Call, transactional_id: str) -> bool:
    return call.authorise(_WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id)


def _vouch(call: Call, request: produce.Request, transactional_id: str) -> Vouched | asyncio.Future[Vouched] | Refused:
    """Ask the coordinator about transactional batches that begin something on their partition."""
    version, node = call.version, call.node
    batches: list[tuple[Partition, int]] = []
    producers: set[tuple[int, int]] = set()
    for topic in request.topic_data:
        name = topic.name if version < BY_ID else node.image.topic_names.get(topic.topic_id, "")
        for asked in topic.partition_data:
            if asked.records is None or len(asked.records) < HEADER_SIZE:
                continue
            _, _, _, _, _, attributes, _, _, _, producer_id, epoch, sequence, _ = unpack(asked.records, 0)  # type: ignore[arg-type]
            if not attributes & TRANSACTIONAL or producer_id < 0:
                continue
            producers.add((producer_id, epoch))
            if call.authorise(_WRITE, _TOPIC, name):
                partition = node.partitions.get(name, asked.index)
                if not isinstance(partition, Refused) and not partition.internal:
                    batches.append((partition, sequence))
    if len(producers) > 1:
        return _TWO_PRODUCERS
    if not batches:
        return _NOTHING
    ((producer_id, epoch),) = producers
    producer = Producer(transactional_id, producer_id, epoch, version >= IMPLICIT_ADD)
    return vouch(node, producer, batches, call.now, lambda code: _unverified(code, version))


def _vouched_at_once(
    call: Call, transactional_id: str, partition: Partition, batches: list[memoryview]
) -> Guard | None:
    """What to show with batches that begin something on their partition, if the coordinator vouches for their producer
    without having to wait for anything. None: it has to be asked in the ordinary way.
    """
    fields = [unpack(records, 0) for records in batches]
    producer_id, epoch, sequence = fields[0][9:12]
    # The guard is to know the lowest sequence that came before the transaction has begun, and is shown the first.
    if producer_id < 0 or any(
        not one[5] & TRANSACTIONAL or one[9:11] != (producer_id, epoch) or one[11] < sequence for one in fields
    ):
        return None
    producer = Producer(transactional_id, producer_id, epoch, call.version >= IMPLICIT_ADD)
    vouched = vouch(call.node, producer, [(partition, sequence)], call.now, Unverified, at_once=True)
    if isinstance(vouched, asyncio.Future):
        vouched.cancel()
        return None
    guard = vouched.get((partition.topic, partition.index))
    return None if isinstance(guard, Refused) else guard


def _unverified(code: ErrorCode, version: int) -> Unverified:
    """What a producer of this version is told where its coordinator said ``code``."""
    if code is ErrorCode.PRODUCER_FENCED:
        return Unverified(ErrorCode.INVALID_PRODUCER_EPOCH)
    if code is ErrorCode.TRANSACTION_ABORTABLE and version < TRANSACTION_ABORTABLE:
        code = ErrorCode.INVALID_TXN_STATE
    if code is ErrorCode.INVALID_TXN_STATE:
        return Unverified(code, "Partition was not added to the transaction")
    if code in _COME_AGAIN or (code is ErrorCode.CONCURRENT_TRANSACTIONS and version < IMPLICIT_ADD):
        return Unverified(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"Unable to verify the partition has been added to the transaction. Underlying error: {code.name}",
        )
    return Unverified(code)


def _not_appended(call: Call, partition: Partition, result: Refused) -> PartitionResponse:
    partition.cells.failed_produces.value += 1
    blind = result.code in _BLIND or isinstance(result, Unreadable | Unverified)
    if result.code == ErrorCode.UNKNOWN_SERVER_ERROR and call.version < 7:  # Kafka looks for zstd before it looks here
        blind = True
    start = -1 if blind else partition.log.start_offset
    return _refusal(call, partition.topic, partition.index, result, start)


def _refusal(call: Call, topic: str, index: int, refused: Refused, start: int) -> PartitionResponse:
    answer = PartitionResponse(index=index, error_code=int(refused.code), base_offset=-1, log_start_offset=start)
    if call.version < 8:
        pass
    elif isinstance(refused, Unverified) or (
        isinstance(refused, Unreadable) and refused.code == ErrorCode.CORRUPT_MESSAGE
    ):
        answer.error_message = refused.detail or None
    elif errors := getattr(refused, "errors", None):
        answer.error_message = refused.detail
        answer.record_errors = [
            produce.BatchIndexAndErrorMessage(batch_index=at, batch_index_error_message=text) for at, text in errors
        ]
    if refused.code == ErrorCode.NOT_LEADER_OR_FOLLOWER and call.version >= 10:
        leader, epoch = leader_of(call.node.image, topic, index)
        answer.current_leader = produce.LeaderIdAndEpoch(leader_id=leader, leader_epoch=epoch)
    return answer


def _name_leaders(call: Call, response: produce.Response) -> None:
    leaders = [
        partition.current_leader.leader_id
        for topic in response.responses
        for partition in topic.partition_responses
        if partition.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    ]
    if leaders:
        response.node_endpoints = [
            produce.NodeEndpoint(node_id=broker, host=host, port=port, rack=rack)
            for broker, host, port, rack in addresses(call, leaders)
        ]


class _Settling:
    """Batches that are in the log and wait for what their acks promise; the answer leaves when all have it."""

    __slots__ = ("_left", "_response", "_timer", "future")

    def __init__(
        self,
        response: produce.Response,
        waiting: list[tuple[PartitionResponse, Partition, int]],
        acks: int,
        timeout_ms: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[produce.Response] = loop.create_future()
        self._response = response
        self._left = dict(enumerate(answer for answer, _, _ in waiting))
        self._timer = loop.call_later(max(timeout_ms, 0) / 1000, self._late)
        for ticket, (_, partition, offset) in enumerate(waiting):
            wait = partition.committed if acks == _ALL else partition.durable
            wait(offset, self._reached(ticket, partition, acks), self._lost(ticket))

    def _reached(self, ticket: int, partition: Partition, acks: int) -> Callable[[], None]:
        def reached() -> None:
            answer = self._left.pop(ticket, None)
            if answer is not None:
                if acks == _ALL and not partition.enough_replicas:
                    answer.error_code = int(ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
                self._check()

        return reached

    def _lost(self, ticket: int) -> Callable[[Refused], None]:
        def lost(refused: Refused) -> None:
            self._fail(ticket, refused.code)
            self._check()

        return lost

    def _late(self) -> None:
        for ticket in list(self._left):
            self._fail(ticket, ErrorCode.REQUEST_TIMED_OUT)
        self._check()

    def _fail(self, ticket: int, code: ErrorCode) -> None:
        answer = self._left.pop(ticket, None)
        if answer is not None:
            answer.error_code = int(code)  # the offset stays: the batch is in the log, only its safety is unknown

    def _check(self) -> None:
        if not self._left:
            self._timer.cancel()
            if not self.future.done():
                self.future.set_result(self._response)
