"""RemoveRaftVoter (API key 81): cluster metadata is not kept by a Raft quorum, so nobody can be voted out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkawire.api import remove_raft_voter
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.operations import may_on_cluster
from pykafkad.model import ZERO_UUID

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(remove_raft_voter.Request)
def handle(call: Call, request: remove_raft_voter.Request) -> remove_raft_voter.Response:
    if not may_on_cluster(call, Operation.ALTER):
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        return remove_raft_voter.Response(error_code=code, error_message=code.message)
    own = call.node.cluster_id
    if request.cluster_id not in (None, own):
        message = f'The given id "{request.cluster_id}" doesn\'t match the cluster id "{own}"'
        return remove_raft_voter.Response(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID, error_message=message)
    if request.voter_directory_id == ZERO_UUID:
        return remove_raft_voter.Response(
            error_code=ErrorCode.INVALID_REQUEST, error_message="The voter's directory id is missing"
        )
    message = f"Cannot remove voter {request.voter_id}: it is not among the voters"
    return remove_raft_voter.Response(error_code=ErrorCode.VOTER_NOT_FOUND, error_message=message)
