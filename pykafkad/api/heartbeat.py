"""Heartbeat: I am here; is my generation still the group's?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.heartbeat import Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    if not may(call, Operation.READ, request.group_id):
        return Response(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    if not request.group_id:
        return Response(error_code=ErrorCode.INVALID_GROUP_ID)
    shard = call.node.groups.shard(request.group_id)
    if isinstance(shard, Refused):
        # A loading coordinator can't know, and sends nobody away: sessions begin when it has loaded.
        loading = shard.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return Response() if loading else Response(error_code=shard.code)
    return shard.ask(
        call.now,
        respond,
        shard.machine.heartbeat,
        group_id=request.group_id,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id,
    )


def respond(body: Any) -> Response:
    return Response(error_code=body.code) if isinstance(body, Refused) else Response()
