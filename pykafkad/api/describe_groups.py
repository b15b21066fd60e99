"""DescribeGroups: state, protocol and members of classic groups."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kafkawire.api.describe_groups import DescribedGroup, DescribedGroupMember, Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation
from pykafkad.api.grouping import Answer, authorised_operations, may, together
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Described

if TYPE_CHECKING:
    from pykafkad.api.call import Call

SAYS_NOT_FOUND = 6


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    asked = request.include_authorized_operations
    parts = [_describe(call, group_id, asked) for group_id in request.groups]
    return together(parts, lambda groups: Response(groups=groups))


def _describe(call: Call, group_id: str, operations: bool) -> DescribedGroup | asyncio.Future[DescribedGroup]:
    def respond(body: Any) -> DescribedGroup:
        if isinstance(body, Refused):
            return DescribedGroup(group_id=group_id, error_code=body.code)
        assert isinstance(body, Described)
        group = DescribedGroup(
            group_id=group_id,
            group_state=body.state,
            protocol_type=body.protocol_type,
            protocol_data=body.protocol,
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.metadata,
                    member_assignment=member.assignment,
                )
                for member in body.members
            ],
        )
        if not body.found and call.version >= SAYS_NOT_FOUND:
            group.error_code = ErrorCode.GROUP_ID_NOT_FOUND
            group.error_message = f"Group {group_id} not found."
        elif operations:
            group.authorized_operations = authorised_operations(call, group_id)
        return group

    if not may(call, Operation.DESCRIBE, group_id):
        return respond(Refused(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    shard = call.node.groups.shard(group_id)
    if isinstance(shard, Refused):
        return respond(shard)
    return shard.ask(call.now, respond, shard.machine.describe, group_id=group_id)
