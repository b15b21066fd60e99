"""DescribeProducers (API key 61): the producers that a partition remembers, with their open transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_producers
from kafkawire.api.describe_producers import PartitionResponse, ProducerState, TopicResponse
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.runtime.topic_rules import refuse_name

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_producers.Request)
def handle(call: Call, request: describe_producers.Request) -> describe_producers.Response:
    return describe_producers.Response(
        topics=[
            TopicResponse(
                name=topic.name, partitions=[_partition(call, topic.name, index) for index in topic.partition_indexes]
            )
            for topic in request.topics
        ]
    )


def _partition(call: Call, name: str, index: int) -> PartitionResponse:
    if not call.authorise(Operation.READ, ResourceType.TOPIC, name):
        refused: Refused | None = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    else:
        refused = refuse_name(name)
    partition = refused or call.node.partitions.get(name, index)
    if isinstance(partition, Refused):
        message: str | None = partition.detail or partition.code.message
        if partition.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and call.node.image.topic(name) is not None:
            message = None  # of a topic's partitions that aren't there, Kafka says no more
        return PartitionResponse(partition_index=index, error_code=partition.code, error_message=message)
    return PartitionResponse(
        partition_index=index,
        active_producers=[
            ProducerState(
                producer_id=entry.producer_id,
                producer_epoch=entry.epoch,
                last_sequence=entry.last_sequence,
                last_timestamp=entry.timestamp,
                coordinator_epoch=entry.coordinator_epoch,
                current_txn_start_offset=entry.current_txn_first_offset,
            )
            for entry in partition.producers.snapshot()
        ],
    )
