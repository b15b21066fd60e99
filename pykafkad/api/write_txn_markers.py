"""WriteTxnMarkers (API key 27): a transaction coordinator on another broker, or an operator, ends transactions here.

v2  says under which transaction version the transaction ran: from 2 on its marker has a newer epoch than its records.

Answers come when every marker is committed. One producer's markers are answered together, as Kafka does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from kafkawire.api.write_txn_markers import (
    Request,
    Response,
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
)
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.runtime.coordinators import OFFSETS_TOPIC
from pykafkad.runtime.markers import Marker, write_marker

if TYPE_CHECKING:
    from pykafkad.api.call import Call

EPOCH_BUMPS = 2  # transaction.version
_CLUSTER = "kafka-cluster"
Where = tuple[str, int]


@handles(Request)
def handle(call: Call, request: Request) -> Response | asyncio.Future[Response]:
    allowed = call.authorise(Operation.ALTER, ResourceType.CLUSTER, _CLUSTER) or call.authorise(
        Operation.CLUSTER_ACTION, ResourceType.CLUSTER, _CLUSTER
    )
    results: dict[int, dict[Where, ErrorCode]] = {}
    if not allowed:
        for asked in request.markers:
            results.setdefault(asked.producer_id, {}).update(
                ((topic.name, index), ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
                for topic in asked.topics
                for index in topic.partition_indexes
            )
        return _response(results)
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    left = 1 + sum(len(topic.partition_indexes) for asked in request.markers for topic in asked.topics)

    def settle() -> None:
        nonlocal left
        left -= 1
        if not left and not future.done():
            future.set_result(_response(results))

    def settled(codes: dict[Where, ErrorCode], where: Where) -> Callable[[ErrorCode], None]:
        def done(code: ErrorCode) -> None:
            codes[where] = code
            settle()

        return done

    for asked in request.markers:
        if _impossible(call, asked):
            future.set_result(_stumbled(request))
            return future
        unspecified = asked.transaction_version == -1
        marker = Marker(
            asked.producer_id,
            asked.producer_epoch,
            asked.transaction_result,
            asked.coordinator_epoch,
            asked.transaction_version >= EPOCH_BUMPS,
        )
        codes = results.setdefault(asked.producer_id, {})
        for topic in asked.topics:
            for index in topic.partition_indexes:
                done = settled(codes, (topic.name, index))
                if unspecified and not isinstance(call.node.partitions.get(topic.name, index), Refused):
                    done(ErrorCode.UNKNOWN_SERVER_ERROR)  # Kafka's log wants to be told which version it was
                else:
                    write_marker(call.node, topic.name, index, marker, call.now, done)
    settle()
    return future


def _impossible(call: Call, asked: WritableTxnMarker) -> bool:
    """Whether Kafka would stumble over making this marker: nobody's, for a log that is here. Those before it in the
    request are written, which the answer doesn't tell.
    """
    if asked.producer_id != -1 and asked.producer_epoch != -1:  # other negative numbers are as good as any to Kafka
        return False
    return any(
        topic.name != OFFSETS_TOPIC and not isinstance(call.node.partitions.get(topic.name, index), Refused)
        for topic in asked.topics
        for index in topic.partition_indexes
    )


def _stumbled(request: Request) -> Response:
    stumbled = ErrorCode.UNKNOWN_SERVER_ERROR
    return _response(
        {
            asked.producer_id: {(topic.name, i): stumbled for topic in asked.topics for i in topic.partition_indexes}
            for asked in request.markers
        }
    )


def _response(results: dict[int, dict[Where, ErrorCode]]) -> Response:
    markers = []
    for producer_id, codes in results.items():
        topics: dict[str, WritableTxnMarkerTopicResult] = {}
        for (name, index), code in codes.items():
            topic = topics.setdefault(name, WritableTxnMarkerTopicResult(name=name))
            topic.partitions.append(WritableTxnMarkerPartitionResult(partition_index=index, error_code=code))
        if topics:  # a marker for nobody isn't answered
            markers.append(WritableTxnMarkerResult(producer_id=producer_id, topics=list(topics.values())))
    return Response(markers=markers)
