"""LeaveGroup: members go, or are sent away by an administrator who names their instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.leave_group import MemberResponse, Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Left, MemberLeft
from pykafkad.state.groups.classic import Leaver

if TYPE_CHECKING:
    from pykafkad.api.call import Call

BATCHES = 3


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    batch = call.version >= BATCHES
    if batch:
        leavers = [Leaver(one.member_id, one.group_instance_id) for one in request.members]
    else:
        leavers = [Leaver(request.member_id, None)]

    def respond(body: Any) -> Response:
        if isinstance(body, Refused):
            if not batch or body.code is not ErrorCode.UNKNOWN_MEMBER_ID:
                return Response(error_code=body.code)
            answers = [MemberLeft(one.member_id, one.instance_id, body.code) for one in leavers]  # no such group
        else:
            assert isinstance(body, Left)
            answers = list(body.members)
        if not batch:
            return Response(error_code=answers[0].code)
        return Response(
            members=[
                MemberResponse(member_id=member_id, group_instance_id=instance_id, error_code=code)
                for member_id, instance_id, code in answers
            ]
        )

    if not may(call, Operation.READ, request.group_id):
        return respond(Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    if not request.group_id:
        return respond(Refused(ErrorCode.INVALID_GROUP_ID))
    shard = call.node.groups.shard(request.group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    return shard.ask(call.now, respond, shard.machine.leave, group_id=request.group_id, leavers=leavers)
