"""DescribeQuorum (API key 55): who keeps the cluster's metadata.

There is no Raft log here. What tools want to see is there all the same: the broker with the controller's seat leads,
the other brokers observe, and the store's revision is how far everybody is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import describe_quorum
from kafkawire.api.describe_quorum import Listener, Node, ReplicaState, ResponsePartitionData, ResponseTopicData
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.endpoints import advertised
from pykafkad.api.operations import may_on_cluster
from pykafkad.model import ZERO_UUID, uuid_from_text
from pykafkad.runtime.topic_rules import METADATA_TOPIC

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(describe_quorum.Request)
def handle(call: Call, request: describe_quorum.Request) -> describe_quorum.Response:
    if not may_on_cluster(call, Operation.DESCRIBE):
        return describe_quorum.Response(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    response = describe_quorum.Response()
    asked = [(topic.topic_name, one.partition_index) for topic in request.topics for one in topic.partitions]
    if asked == [(METADATA_TOPIC, 0)]:
        response.topics = [ResponseTopicData(topic_name=METADATA_TOPIC, partitions=[_quorum(call)])]
        response.nodes = _nodes(call) if call.version >= 2 else []
        return response
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    response.topics = [
        ResponseTopicData(
            topic_name=topic.topic_name,
            partitions=[
                ResponsePartitionData(
                    partition_index=one.partition_index, error_code=unknown, error_message=unknown.message
                )
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return response


def _quorum(call: Call) -> ResponsePartitionData:
    image = call.node.image
    leader = image.controller_id
    states = {
        broker_id: ReplicaState(
            replica_id=broker_id,
            replica_directory_id=uuid_from_text(broker.directory) if call.version >= 2 else ZERO_UUID,
            log_end_offset=image.revision,
            last_fetch_timestamp=call.now,
            last_caught_up_timestamp=call.now,
        )
        for broker_id, broker in image.brokers.items()
    }
    return ResponsePartitionData(
        leader_id=leader,
        leader_epoch=image.revisions.get("controller", 0) & 0x7FFFFFFF,
        high_watermark=image.revision,
        current_voters=[state for broker_id, state in states.items() if broker_id == leader],
        observers=[state for broker_id, state in states.items() if broker_id != leader],
    )


def _nodes(call: Call) -> list[Node]:
    leader = call.node.image.controller_id
    address = advertised(call, leader)
    if address is None:
        return []
    return [Node(node_id=leader, listeners=[Listener(name=call.peer.listener, host=address[0], port=address[1])])]
