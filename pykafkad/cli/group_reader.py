"""What the cluster says about a group, whichever protocol its members speak, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.cli.client import BrokerRefused, Client, Connection, check
from pykafkad.cli.failures import CommandFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    partitions: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group at one moment."""

    name: str
    state: str
    coordinator: str
    assignor: str
    members: tuple[Member, ...] = ()

    @property
    def assigned(self) -> dict[tuple[str, int], Member]:
        """Who has each partition."""
        return {
            (topic, index): member
            for member in self.members
            for topic, indexes in member.partitions.items()
            for index in indexes
        }


def list_groups(client: Client, states: Sequence[str] = (), types: Sequence[str] = ()) -> list[Any]:
    """Every broker knows the groups that it coordinates: all are asked."""
    from kafkawire.api import list_groups as api

    groups = []
    for broker in client.metadata([]).brokers:
        connection = client.broker(broker.node_id)
        version = connection.version(16)
        request = api.Request(
            states_filter=list(states) if version >= 4 else [], types_filter=list(types) if version >= 5 else []
        )

        def ask(connection: Connection = connection, request: Any = request) -> Any:
            response = connection.call(request)
            check(response.error_code, connection.name)
            return response.groups

        groups += client.patiently(ask)
    return groups


def read_group(client: Client, name: str, *, required: bool = True) -> GroupView:
    """A group with its members; a group that isn't there is an error, or, if not ``required``, Dead."""
    view = client.patiently(lambda: _classic(client, name) or _consumer(client, name))
    if view is None:
        if required:
            raise CommandFailed(f"there is no group {name}")
        return GroupView(name=name, state="Dead", coordinator="", assignor="")
    return view


def _classic(client: Client, name: str) -> GroupView | None:
    from kafkawire import consumer_protocol
    from kafkawire.api import describe_groups as api

    connection = client.coordinator(name)
    [group] = connection.call(api.Request(groups=[name])).groups
    if group.error_code == ErrorCode.GROUP_ID_NOT_FOUND or group.group_state == "Dead":
        return None
    check(group.error_code, name, group.error_message)

    def partitions(assignment: bytes) -> dict[str, list[int]]:
        if group.protocol_type != "consumer" or not assignment:
            return {}
        topics = consumer_protocol.read_assignment(assignment).assigned_partitions
        return {topic.topic: sorted(topic.partitions) for topic in topics}

    return GroupView(
        name=name,
        state=group.group_state,
        coordinator=connection.name,
        assignor=group.protocol_data,
        members=tuple(
            Member(
                member_id=member.member_id,
                instance_id=member.group_instance_id,
                client_id=member.client_id,
                host=member.client_host,
                partitions=partitions(member.member_assignment),
            )
            for member in group.members
        ),
    )


def _consumer(client: Client, name: str) -> GroupView | None:
    from kafkawire.api import consumer_group_describe as api

    connection = client.coordinator(name)
    if 69 not in connection.versions:
        return None
    [group] = connection.call(api.Request(group_ids=[name])).groups
    try:
        check(group.error_code, name, group.error_message)
    except BrokerRefused as refused:
        if refused.code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
            return None
        raise
    return GroupView(
        name=name,
        state=group.group_state,
        coordinator=connection.name,
        assignor=group.assignor_name,
        members=tuple(
            Member(
                member_id=member.member_id,
                instance_id=member.instance_id,
                client_id=member.client_id,
                host=member.client_host,
                partitions={topic.topic_name: sorted(topic.partitions) for topic in member.assignment.topic_partitions},
            )
            for member in group.members
        ),
    )
