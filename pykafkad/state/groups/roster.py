"""Who is in a classic group: members, static names, the leader, and how they choose a protocol together.

Dicts keep the order of arrival everywhere: the oldest member leads, and the same inputs give the same choices.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import JoinedMember

Protocols = tuple[tuple[str, bytes], ...]


@dataclass(slots=True, kw_only=True)
class Member:
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    is_new: bool = False  # has not come through a join phase yet: it has no member id and can't send heartbeats

    def metadata(self, protocol: str | None) -> bytes:
        for name, metadata in self.protocols:
            if name == protocol:
                return metadata
        return b""

    def vote(self, candidates: dict[str, None]) -> str:
        return next(name for name, _ in self.protocols if name in candidates)


def _bucket(name: str) -> int:
    """Where a text stands in a hash table of 16 places: Kafka counts the votes in one, and takes the first of many."""
    number = 0
    for unit in struct.iter_unpack("<H", name.encode("utf-16-le", "surrogatepass")):
        number = (31 * number + unit[0]) & 0xFFFFFFFF
    return (number ^ number >> 16) & 15


@dataclass(slots=True, kw_only=True)
class Roster:
    generation: int = 0
    protocol_type: str | None = None
    protocol: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    statics: dict[str, str] = field(default_factory=dict)  # instance id -> member id
    pending: dict[str, None] = field(default_factory=dict)  # ids handed out, not joined yet (KIP-394)

    def add(self, member: Member, protocol_type: str) -> None:
        if not self.members:
            self.protocol_type = protocol_type
        assert self.protocol_type == protocol_type and member.member_id not in self.members
        if member.instance_id is not None:
            assert member.instance_id not in self.statics
            self.statics[member.instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id
        self.members[member.member_id] = member
        self.pending.pop(member.member_id, None)

    def remove(self, member_id: str) -> None:
        """Forget a member or a pending id; the oldest of the others takes the lead if it led."""
        member = self.members.pop(member_id, None)
        if member is not None and member.instance_id is not None:
            del self.statics[member.instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        self.pending.pop(member_id, None)

    def replace_static(self, instance_id: str, new_member_id: str) -> Member:
        """A static member came back under a new id: it inherits the seat, the assignment and the lead."""
        old_member_id = self.statics[instance_id]
        member = replace(self.members.pop(old_member_id), member_id=new_member_id)
        self.members[new_member_id] = member
        self.statics[instance_id] = new_member_id
        if self.leader == old_member_id:
            self.leader = new_member_id
        return member

    def check(self, member_id: str, instance_id: str | None) -> Refused | None:
        """Kafka's question to every request of a member: are you (still) who you say?"""
        if instance_id is not None:
            holder = self.statics.get(instance_id)
            if holder is None:
                return Refused(ErrorCode.UNKNOWN_MEMBER_ID)
            if holder != member_id:
                return Refused(ErrorCode.FENCED_INSTANCE_ID)
        if member_id not in self.members:
            return Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        return None

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether somebody with these protocols can be a member: one of them must be known to all members."""
        if not self.members:
            return bool(protocol_type) and bool(protocols)
        if protocol_type != self.protocol_type:
            return False
        common = self._common()
        return any(name in common for name, _ in protocols)

    def choose_protocol(self) -> str:
        """Each member votes for its first protocol that all know; a draw ends as in a small hash table of Java's."""
        candidates = self._common()
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = member.vote(candidates)
            votes[choice] = votes.get(choice, 0) + 1
        return max(sorted(votes, key=_bucket), key=votes.__getitem__)

    def rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def as_leader_sees(self) -> tuple[JoinedMember, ...]:
        return tuple(
            JoinedMember(member.member_id, member.instance_id, member.metadata(self.protocol))
            for member in self.members.values()
        )

    def _common(self) -> dict[str, None]:
        counts: dict[str, int] = {}
        for member in self.members.values():
            for name in dict.fromkeys(name for name, _ in member.protocols):
                counts[name] = counts.get(name, 0) + 1
        return {name: None for name, count in counts.items() if count == len(self.members)}
