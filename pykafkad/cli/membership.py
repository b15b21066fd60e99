"""A member of a classic consumer group: join, share partitions out by range if it leads, heartbeat, commit, leave.

One thread does everything, so heartbeats go out between fetches: ``poll`` is to be called more often than the session
timeout, which a Fetch that waits half a second at most allows easily.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafkawire import consumer_protocol
from kafkawire.errors import ErrorCode
from pykafkad.cli import offsets
from pykafkad.cli.client import BrokerRefused, Client, Unreachable, check

SESSION_TIMEOUT_MS = 45_000
REBALANCE_TIMEOUT_MS = 60_000
HEARTBEAT_INTERVAL_MS = 3_000

# What says: join again. With the last three, under a new name.
REJOIN = {ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID}

Partition = tuple[str, int]


class Membership:
    """One member's stay in a group."""

    def __init__(self, client: Client, group: str, topic: str) -> None:
        self._client = client
        self._group = group
        self._topic = topic
        self._member_id = ""
        self._generation = -1
        self._heartbeat_due = 0
        self.assigned: list[Partition] = []

    def join(self) -> list[Partition]:
        """Join, or join again; returns when the group has agreed who has what."""
        from kafkawire.api import sync_group as api

        while True:
            joined = self._client.patiently(self._join)
            self._generation = joined.generation_id
            shares = self._share_out(joined.members) if joined.leader == self._member_id else {}
            request = api.Request(
                group_id=self._group,
                generation_id=self._generation,
                member_id=self._member_id,
                protocol_type="consumer",
                protocol_name=joined.protocol_name,
                assignments=[
                    api.RequestAssignment(member_id=member_id, assignment=assignment)
                    for member_id, assignment in shares.items()
                ],
            )
            synced = self._coordinator().call(request, timeout=REBALANCE_TIMEOUT_MS / 1000 + 10)
            if synced.error_code in REJOIN:
                self._start_over(synced.error_code)
                continue
            check(synced.error_code, self._group)
            self._heartbeat_due = self._client.now + HEARTBEAT_INTERVAL_MS
            self.assigned = []
            if synced.assignment:
                topics = consumer_protocol.read_assignment(synced.assignment).assigned_partitions
                self.assigned = [(topic.topic, index) for topic in topics for index in sorted(topic.partitions)]
            return self.assigned

    def poll(self) -> bool:
        """A heartbeat if it is time for one; False says that the group is rebalancing: commit, then join again."""
        from kafkawire.api import heartbeat as api

        if self._client.now < self._heartbeat_due:
            return True
        request = api.Request(group_id=self._group, generation_id=self._generation, member_id=self._member_id)
        try:
            code = self._coordinator().call(request).error_code
        except Unreachable:
            return False
        self._heartbeat_due = self._client.now + HEARTBEAT_INTERVAL_MS
        if code in REJOIN:
            self._start_over(code)
            return False
        if code in (ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE):
            return True  # the next call asks who coordinates now
        check(code, self._group)
        return True

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit positions; if the group has moved on meanwhile, whoever has the partitions now reads them again."""
        try:
            offsets.commit(
                self._client,
                self._group,
                dict(positions),
                generation=self._generation,
                member_id=self._member_id,
            )
        except BrokerRefused as refused:
            if refused.code not in REJOIN:
                raise

    def committed(self) -> dict[Partition, int]:
        held = offsets.committed(self._client, self._group)
        return {partition: held[partition] for partition in self.assigned if partition in held}

    def leave(self) -> None:
        from kafkawire.api import leave_group as api

        if not self._member_id:
            return
        identity = api.MemberIdentity(member_id=self._member_id)
        try:
            self._coordinator().call(api.Request(group_id=self._group, members=[identity]), at_least=3)
        except (Unreachable, BrokerRefused):
            pass  # the session timeout will do
        self._member_id = ""

    def _join(self) -> Any:
        from kafkawire.api import join_group as api

        subscription = consumer_protocol.write_subscription(consumer_protocol.Subscription(topics=[self._topic]))
        while True:
            request = api.Request(
                group_id=self._group,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
                member_id=self._member_id,
                protocol_type="consumer",
                protocols=[api.RequestProtocol(name="range", metadata=subscription)],
            )
            joined = self._coordinator().call(request, timeout=REBALANCE_TIMEOUT_MS / 1000 + 10)
            if joined.error_code == ErrorCode.MEMBER_ID_REQUIRED:
                self._member_id = joined.member_id
                continue
            if joined.error_code in REJOIN:
                self._start_over(joined.error_code)
                continue
            check(joined.error_code, self._group)
            self._member_id = joined.member_id
            return joined

    def _coordinator(self) -> Any:
        return self._client.coordinator(self._group)

    def _start_over(self, code: int) -> None:
        if code == ErrorCode.UNKNOWN_MEMBER_ID:
            self._member_id = ""

    def _share_out(self, members: Sequence[Any]) -> dict[str, bytes]:
        subscriptions = {
            member.member_id: list(consumer_protocol.read_subscription(member.metadata).topics) for member in members
        }
        topics = sorted({topic for wanted in subscriptions.values() for topic in wanted})
        counts = {
            topic.name: len(topic.partitions) for topic in self._client.metadata(topics).topics if not topic.error_code
        }
        return {
            member_id: consumer_protocol.write_assignment(
                consumer_protocol.Assignment(
                    assigned_partitions=[
                        consumer_protocol.AssignmentTopicPartition(topic=topic, partitions=indexes)
                        for topic, indexes in shares.items()
                    ]
                )
            )
            for member_id, shares in range_assignment(subscriptions, counts).items()
        }


def range_assignment(
    subscriptions: Mapping[str, Sequence[str]], partitions: Mapping[str, int]
) -> dict[str, dict[str, list[int]]]:
    """Kafka's range assignor: each topic in runs of neighbours, the first members taking what is over."""
    shares: dict[str, dict[str, list[int]]] = {member: {} for member in subscriptions}
    for topic, count in sorted(partitions.items()):
        members = sorted(member for member, wanted in subscriptions.items() if topic in wanted)
        start = 0
        for position, member in enumerate(members):
            size = count // len(members) + (position < count % len(members))
            if size:
                shares[member][topic] = list(range(start, start + size))
            start += size
    return shares
