"""Classic groups as their records in ``__consumer_offsets`` say them, and back."""

from __future__ import annotations

from kafkawire.stored import group_log
from kafkawire.stored.group_log import (
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from pykafkad.state.decisions import Write
from pykafkad.state.groups.bodies import NewOffset
from pykafkad.state.groups.roster import Member, Roster

GROUP_VERSION = 3  # what Kafka 4.3 writes; all versions are read
OFFSET_VERSION = 4
OFFSET_WITH_EXPIRY_VERSION = 1
NEVER = -1
LAST_MOMENT = (1 << 63) - 1

__all__ = [
    "LAST_MOMENT",
    "NEVER",
    "GroupMetadataKey",
    "GroupMetadataValue",
    "LegacyOffsetCommitKey",
    "OffsetCommitKey",
    "OffsetCommitValue",
    "group_record",
    "group_tombstone",
    "modern",
    "offset_record",
    "offset_tombstone",
    "roster_of",
]


def group_record(group_id: str, roster: Roster, assignments: dict[str, bytes] | None, now: int) -> Write:
    """``assignments`` None: the record of an empty group, whoever may be on the way into it."""
    if assignments is None:
        nobody = GroupMetadataValue(
            protocol_type=roster.protocol_type or "",
            generation=roster.generation,
            protocol=None,
            leader=None,
            current_state_timestamp=now,
        )
        return Write(GroupMetadataKey(group=group_id), nobody, GROUP_VERSION)
    members = [
        group_log.MemberMetadata(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            rebalance_timeout=member.rebalance_timeout_ms,
            session_timeout=member.session_timeout_ms,
            subscription=member.metadata(roster.protocol),
            assignment=assignments[member.member_id],
        )
        for member in roster.members.values()
    ]
    value = GroupMetadataValue(
        protocol_type=roster.protocol_type or "",
        generation=roster.generation,
        protocol=roster.protocol,
        leader=roster.leader,
        current_state_timestamp=now,
        members=members,
    )
    return Write(GroupMetadataKey(group=group_id), value, GROUP_VERSION)


def group_tombstone(group_id: str) -> Write:
    return Write(GroupMetadataKey(group=group_id), None)


def offset_record(group_id: str, new: NewOffset, now: int, expire_timestamp: int) -> Write:
    return Write(
        OffsetCommitKey(group=group_id, topic=new.topic, partition=new.partition),
        OffsetCommitValue(
            offset=new.offset,
            leader_epoch=new.leader_epoch,
            metadata=new.metadata,
            commit_timestamp=now,
            expire_timestamp=expire_timestamp,
            topic_id=new.topic_id,
        ),
        # Only version 1 has room for an expiry of its own; it has none for the leader epoch.
        OFFSET_VERSION if expire_timestamp == NEVER else OFFSET_WITH_EXPIRY_VERSION,
    )


def offset_tombstone(group_id: str, topic: str, partition: int) -> Write:
    return Write(OffsetCommitKey(group=group_id, topic=topic, partition=partition), None)


def modern(value: LegacyOffsetCommitValue) -> OffsetCommitValue:
    """An offset as the first Kafka with stored offsets wrote it."""
    return OffsetCommitValue(offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp)


def roster_of(value: GroupMetadataValue) -> Roster:
    """The group as the log knows it: each member with the one protocol that was chosen."""
    roster = Roster(
        generation=value.generation,
        protocol_type=value.protocol_type or None,
        protocol=value.protocol,
        leader=value.leader,
    )
    for stored in value.members:
        timeout = stored.session_timeout if stored.rebalance_timeout == -1 else stored.rebalance_timeout
        roster.members[stored.member_id] = Member(
            member_id=stored.member_id,
            instance_id=stored.group_instance_id,
            client_id=stored.client_id,
            client_host=stored.client_host,
            rebalance_timeout_ms=timeout,
            session_timeout_ms=stored.session_timeout,
            protocols=((value.protocol or "", bytes(stored.subscription)),),
            assignment=bytes(stored.assignment),
        )
        if stored.group_instance_id is not None:
            roster.statics[stored.group_instance_id] = stored.member_id
    return roster
