"""SyncGroup: the leader hands in the assignment, everybody gets a share of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.sync_group import Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Synced
from pykafkad.state.groups.classic import SyncRequest

if TYPE_CHECKING:
    from pykafkad.api.call import Call

NAMES_PROTOCOL = 5


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if not may(call, Operation.READ, request.group_id):
        return respond(Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    if call.version >= NAMES_PROTOCOL and (request.protocol_type is None or request.protocol_name is None):
        return respond(Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
    if not request.group_id:
        return respond(Refused(ErrorCode.INVALID_GROUP_ID))
    shard = call.node.groups.shard(request.group_id)
    if isinstance(shard, Refused):
        # While the coordinator loads, what the last generation was is not known: the member has to join again.
        loading = shard.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return respond(Refused(ErrorCode.REBALANCE_IN_PROGRESS) if loading else shard)
    asked = SyncRequest(
        group_id=request.group_id,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id,
        protocol_type=request.protocol_type,
        protocol=request.protocol_name,
        assignments={one.member_id: bytes(one.assignment) for one in request.assignments},
    )
    return shard.ask(call.now, respond, shard.machine.sync, asked)


def respond(body: Any) -> Response:
    if isinstance(body, Synced):
        return Response(protocol_type=body.protocol_type, protocol_name=body.protocol, assignment=body.assignment)
    assert isinstance(body, Refused)
    return Response(error_code=body.code)
