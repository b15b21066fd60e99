"""ElectLeaders (API key 43): preferred (0) or unclean (1) elections. A partition that is well led needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import elect_leaders
from kafkawire.api.elect_leaders import PartitionResult, ReplicaElectionResult
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster, too_late
from pykafkad.cluster.image import ClusterImage
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.api.call import Call

_PREFERRED, _UNCLEAN = 0, 1


@handles(elect_leaders.Request)
def handle(call: Call, request: elect_leaders.Request) -> elect_leaders.Response:
    image = call.node.image
    everything = request.topic_partitions is None
    response = elect_leaders.Response()
    refused: Refused | None = None
    late = False
    if not may_on_cluster(call, Operation.ALTER):
        refused = Refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    elif request.topic_partitions == []:
        return response
    elif request.election_type not in (_PREFERRED, _UNCLEAN) and not (everything and too_late(request.timeout_ms)):
        refused = Refused(ErrorCode.INVALID_REQUEST, f"Unknown election type {request.election_type}")
    elif too_late(request.timeout_ms):
        late = True
        refused = Refused(ErrorCode.REQUEST_TIMED_OUT)
    if refused is not None and call.version >= 1:
        response.error_code = refused.code
    if request.topic_partitions is None:
        if late:
            return response
        # Of all partitions, those that need no election are not spoken of.
        response.replica_election_results = [ReplicaElectionResult(topic=name) for name in image.topics]
        return response
    for topic in request.topic_partitions:
        results = []
        for index in topic.partitions:
            answer = refused or _elect(image, topic.topic, index, request.election_type)
            message = None if late else answer.detail or answer.code.message
            results.append(PartitionResult(partition_id=index, error_code=answer.code, error_message=message))
        response.replica_election_results.append(ReplicaElectionResult(topic=topic.topic, partition_result=results))
    return response


def _elect(image: ClusterImage, name: str, index: int, election_type: int) -> Refused:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    topic = image.topic(name)
    if topic is None:
        return Refused(unknown, f"No such topic as {name}")
    if not 0 <= index < len(topic.partitions):
        return Refused(unknown, f"No such partition as {name}-{index}")
    partition = topic.partitions[index]
    needless = Refused(ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.")
    if election_type == _PREFERRED:
        led = partition.leader == partition.replicas[0]
        return needless if led else Refused(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
    return needless if partition.leader >= 0 else Refused(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)
