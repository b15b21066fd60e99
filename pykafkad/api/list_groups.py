"""ListGroups: the groups that this broker coordinates, filtered by state (v4) and type (v5), in any case of letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkawire.api.list_groups import ListedGroup, Request, Response
from kafkawire.errors import ErrorCode
from pykafkad.api import handles
from pykafkad.api.call import Operation, ResourceType
from pykafkad.api.grouping import Answer, may, together
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Listed

if TYPE_CHECKING:
    from pykafkad.api.call import Call


@handles(Request)
def handle(call: Call, request: Request) -> Answer:
    groups = call.node.groups
    if groups.loading():
        return Response(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    states = {state.lower() for state in request.states_filter}
    types = {group_type.lower() for group_type in request.types_filter}
    # Who may describe the cluster sees all groups, others those that they may describe.
    sees_all = call.authorise(Operation.DESCRIBE, ResourceType.CLUSTER, "kafka-cluster")

    def build(bodies: list[Any]) -> Response:
        listed = [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type,
                group_state=group.state,
                group_type=group.group_type,
            )
            for body in bodies
            if isinstance(body, Listed)
            for group in body.groups
            if (not states or group.state.lower() in states)
            and (not types or group.group_type.lower() in types)
            and (sees_all or may(call, Operation.DESCRIBE, group.group_id))
        ]
        return Response(groups=listed)

    return together(
        [shard.ask(call.now, _as_it_is, shard.machine.listing) for shard in groups.shards()],
        build,
    )


def _as_it_is(body: Listed | Refused) -> Listed | Refused:
    return body
