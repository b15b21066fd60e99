"""AddRaftVoter (API key 80): cluster metadata is not kept by a Raft quorum, so there is nothing to vote in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import add_raft_voter
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(add_raft_voter.Request)
def handle(call: Call, request: add_raft_voter.Request) -> add_raft_voter.Response:
    if not may_on_cluster(call, Operation.ALTER):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return add_raft_voter.Response(error_code=code, error_message=code.message)
    own = call.node.cluster_id
    if request.cluster_id not in (None, own):
        message = f'The given id "{request.cluster_id}" doesn\'t match the cluster id "{own}"'
        return add_raft_voter.Response(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID, error_message=message)
    message = "Cluster doesn't support adding voters: its metadata is not kept by a Raft quorum"
    return add_raft_voter.Response(error_code=ErrorCode.UNSUPPORTED_VERSION, error_message=message)
