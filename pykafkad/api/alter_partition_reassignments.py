"""AlterPartitionReassignments (API key 45). Replicas cannot move yet: what is not already so is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kafkawire.api import alter_partition_reassignments
from kafkawire.api.alter_partition_reassignments import ReassignablePartitionResponse, ReassignableTopicResponse
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster, too_late
from pykafkad.cluster.image import ClusterImage
from pykafkad.errors import Refused
from pykafkad.state.placement import refuse_replicas

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_LATE = Refused(ErrorCode.REQUEST_TIMED_OUT)


@handles(alter_partition_reassignments.Request)
def handle(call: Call, request: alter_partition_reassignments.Request) -> alter_partition_reassignments.Response:
    if not may_on_cluster(call, Operation.ALTER):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return alter_partition_reassignments.Response(error_code=code, error_message=code.message)
    response = alter_partition_reassignments.Response(
        error_message=None, allow_replication_factor_change=request.allow_replication_factor_change
    )
    if not request.topics:
        response.error_message = ""
    late = too_late(request.timeout_ms)
    if late:
        response.error_code = ErrorCode.REQUEST_TIMED_OUT
    for topic in request.topics:
        answers = []
        for one in topic.partitions:
            refused = (
                _LATE
                if late
                else _refuse(
                    call.node.image,
                    topic.name,
                    one.partition_index,
                    one.replicas,
                    request.allow_replication_factor_change,
                )
            )
            answer = ReassignablePartitionResponse(partition_index=one.partition_index, error_message=None)
            if refused is not None:
                answer.error_code, answer.error_message = refused.code, refused.detail or None
            answers.append(answer)
        response.responses.append(ReassignableTopicResponse(name=topic.name, partitions=answers))
    return response


def _refuse(
    image: ClusterImage, name: str, index: int, replicas: Sequence[int] | None, other_factor: bool
) -> Refused | None:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    topic = image.topic(name)
    if topic is None:
        return Refused(unknown, f"Unable to find a topic named {name}.")
    if not 0 <= index < len(topic.partitions):
        return Refused(unknown, f"Unable to find partition {name}:{index}.")
    if replicas is None:
        return Refused(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    if (reason := refuse_replicas(replicas, image.brokers, None)) is not None:
        return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
    now = topic.partitions[index].replicas
    if len(replicas) != len(now) and not other_factor:
        detail = f"The replication factor is changed from {len(now)} to {len(replicas)}"
        return Refused(ErrorCode.INVALID_REPLICATION_FACTOR, detail)
    if tuple(replicas) == now:
        return None
    return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "This broker cannot move replicas yet.")
