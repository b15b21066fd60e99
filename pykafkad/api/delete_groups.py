"""DeleteGroups: forget groups that have no members, with all their offsets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kafkawire.api.delete_groups import DeletableGroupResult, Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, may, together
from pykafkad.errors import Refused

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    parts = [_delete(call, group_id) for group_id in dict.fromkeys(request.groups_names)]
    return together(parts, lambda results: Response(results=results))


def _delete(call: Call, group_id: str) -> DeletableGroupResult | asyncio.Future[DeletableGroupResult]:
    def respond(body: Any) -> DeletableGroupResult:
        code = body.code if isinstance(body, Refused) else ErrorCode.NONE
        return DeletableGroupResult(group_id=group_id, error_code=code)

    if not may(call, Operation.DELETE, group_id):
        return respond(Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    shard = call.node.groups.shard(group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    shard.catch_up(call.now)  # a member whose session is over keeps no group
    return shard.ask(call.now, respond, shard.machine.delete, group_id=group_id)
