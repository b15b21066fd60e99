"""AddPartitionsToTxn (API key 24): partitions that a transaction is about to write to.

v0–v3  from producers of transaction version 0 and 1: one transaction, all partitions or none; v2  says PRODUCER_FENCED.
v4  from brokers, which add or verify (``verifyOnly``) partitions of several transactions on behalf of producers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kafkawire.api.add_partitions_to_txn import (
    PartitionResult,
    Request,
    Response,
    Result,
    TopicResult,
    Transaction,
)
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import may_topic, together
from pykafkad.api.operations import may_on_cluster
from pykafkad.api.transacting import may_transact, told
from pykafkad.cluster.image import is_internal
from pykafkad.errors import Refused
from pykafkad.state.transactions.bodies import Verified

if TYPE_CHECKING:
    import asyncio

    from pykafkad.api.call import Call
    from pykafkad.api.grouping import Answer

SAYS_FENCED = 2
BATCHED = 4

Where = tuple[str, int]
Codes = dict[Where, ErrorCode]


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if call.version >= BATCHED:
        if not may_on_cluster(call, Operation.CLUSTER_ACTION):
            return Response(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        parts = [_add(call, one, _result_of(one)) for one in _as_kafka_reads(request.transactions)]
        return together(parts, lambda results: Response(results_by_transaction=results))
    only = Transaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    return _add(call, only, lambda topics: Response(results_by_topic_v3_and_below=topics))


def _as_kafka_reads(transactions: Sequence[Transaction]) -> list[Transaction]:
    """Of a transactional id that comes more than once the last one's partitions count, for all of them."""
    if len(transactions) == 1:
        return list(transactions)
    topics = {one.transactional_id: one.topics for one in transactions}
    return [
        Transaction(
            transactional_id=one.transactional_id,
            producer_id=one.producer_id,
            producer_epoch=one.producer_epoch,
            verify_only=one.verify_only,
            topics=topics[one.transactional_id],
        )
        for one in transactions
    ]


def _result_of(asked: Transaction) -> Callable[[list[TopicResult]], Result]:
    return lambda topics: Result(transactional_id=asked.transactional_id, topic_results=topics)


def _add(call: Call, asked: Transaction, build: Callable[[list[TopicResult]], Any]) -> Any | asyncio.Future[Any]:
    """One transaction of the request, as ``build`` says it."""
    wanted = list(dict.fromkeys((topic.name, index) for topic in asked.topics for index in topic.partitions))

    def respond(body: Any) -> Any:
        if isinstance(body, Verified):
            return build(_by_partition(dict(zip(wanted, body.codes, strict=True))))
        code = told(call, body, SAYS_FENCED) if isinstance(body, Refused) else ErrorCode.NONE
        return build(_by_partition(dict.fromkeys(wanted, code)) if asked.verify_only else _for_all(asked, code))

    if not may_transact(call, asked.transactional_id):
        return build(_for_all(asked, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    refused = _refusals(call, wanted)
    if refused:
        return build(_by_partition({one: refused.get(one, ErrorCode.OPERATION_NOT_ATTEMPTED) for one in wanted}))
    if not asked.transactional_id:
        return respond(Refused(ErrorCode.INVALID_REQUEST))
    shard = call.node.transactions.shard(asked.transactional_id)
    if isinstance(shard, Refused):
        return respond(shard)
    who = {
        "transactional_id": asked.transactional_id,
        "producer_id": asked.producer_id,
        "epoch": asked.producer_epoch,
        "partitions": wanted,
    }
    if asked.verify_only:
        return shard.ask(call.now, respond, shard.machine.verify, **who)
    version = 2 if call.version >= BATCHED else 0
    return shard.ask(call.now, respond, shard.machine.add_partitions, client_version=version, **who)


def _for_all(asked: Transaction, code: ErrorCode) -> list[TopicResult]:
    """One code for whatever was named, in the form in which it was named."""
    return [_of_topic(topic.name, [(index, code) for index in topic.partitions]) for topic in asked.topics]


def _by_partition(codes: Codes) -> list[TopicResult]:
    """A code of its own for each partition, each once."""
    topics: dict[str, list[tuple[int, ErrorCode]]] = {}
    for (topic, index), code in codes.items():
        topics.setdefault(topic, []).append((index, code))
    return [_of_topic(topic, those) for topic, those in topics.items()]


def _of_topic(name: str, codes: list[tuple[int, ErrorCode]]) -> TopicResult:
    results = [PartitionResult(partition_index=index, partition_error_code=code) for index, code in codes]
    return TopicResult(name=name, results_by_partition=results)


def _refusals(call: Call, wanted: Sequence[Where]) -> Codes:
    """What can't be added, whoever asks. Brokers have looked before they ask; a producer adds a group's partition by
    AddOffsetsToTxn, and no other internal one."""
    image = call.node.image
    refused = {}
    for topic, index in wanted:
        known = image.topic(topic)
        if call.version < BATCHED and (is_internal(topic) or not may_topic(call, Operation.WRITE, topic)):
            refused[topic, index] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif known is None or not 0 <= index < len(known.partitions):
            refused[topic, index] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return refused
