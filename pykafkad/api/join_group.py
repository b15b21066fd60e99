"""JoinGroup: ask for a seat in the group's next generation; the answer may take as long as a rebalance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.join_group import Request, Response, ResponseMember
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, client_host, client_id, may
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Joined, JoinRefused
from pykafkad.state.groups.classic import JoinRequest

if TYPE_CHECKING:
    from pykafkad.api.call import Call

MEMBER_ID_REQUIRED = 4
PROTOCOL_NAME_NULLABLE = 7
SKIPS_ASSIGNMENT = 9


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    version = call.version

    def respond(body: Any) -> Response:
        if isinstance(body, Joined):
            return Response(
                generation_id=body.generation,
                protocol_type=body.protocol_type,
                protocol_name=body.protocol if body.protocol is not None or version >= PROTOCOL_NAME_NULLABLE else "",
                leader=body.leader,
                skip_assignment=body.skip_assignment,
                member_id=body.member_id,
                members=[
                    ResponseMember(member_id=one.member_id, group_instance_id=one.instance_id, metadata=one.metadata)
                    for one in body.members
                ],
            )
        assert isinstance(body, (JoinRefused, Refused))
        return Response(
            error_code=body.code,
            protocol_name=None if version >= PROTOCOL_NAME_NULLABLE else "",
            member_id=body.member_id if isinstance(body, JoinRefused) else request.member_id,
        )

    if not may(call, Operation.READ, request.group_id):
        return respond(Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    if not request.group_id:
        return respond(Refused(ErrorCode.INVALID_GROUP_ID))
    groups = call.node.groups
    shard = groups.shard(request.group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    whoami = client_id(call) if request.group_instance_id is None else request.group_instance_id
    asked = JoinRequest(
        group_id=request.group_id,
        member_id=request.member_id,
        fresh_member_id=f"{whoami}-{groups.draw_id()}" if not request.member_id else "",
        instance_id=request.group_instance_id,
        client_id=client_id(call),
        client_host=client_host(call),
        session_timeout_ms=request.session_timeout_ms,
        # Version 0 has no rebalance timeout of its own.
        rebalance_timeout_ms=request.session_timeout_ms if version == 0 else request.rebalance_timeout_ms,
        protocol_type=request.protocol_type,
        protocols=tuple((one.name, bytes(one.metadata)) for one in request.protocols),
        member_id_required=version >= MEMBER_ID_REQUIRED,
        skips_assignment=version >= SKIPS_ASSIGNMENT,
    )
    return shard.ask(call.now, respond, shard.machine.join, asked)
