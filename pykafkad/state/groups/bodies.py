"""What the group machine is told and answers: plain values, without a trace of API versions.

``Refused`` (pykafkad/errors.py) takes the place of any of these when the whole request is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.model import ZERO_UUID

NO_GENERATION = -1
NO_EPOCH = -1
NO_OFFSET = -1


class JoinedMember(NamedTuple):
    member_id: str
    instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A seat in a generation. ``members`` is filled for the leader alone."""

    member_id: str
    generation: int
    protocol_type: str | None
    protocol: str | None
    leader: str
    members: tuple[JoinedMember, ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True)
class JoinRefused:
    """A refused join still names a member id: the caller's, or a fresh one to come back with."""

    code: ErrorCode
    member_id: str


@dataclass(frozen=True, slots=True)
class Synced:
    protocol_type: str | None
    protocol: str | None
    assignment: bytes


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat that counted."""


class MemberLeft(NamedTuple):
    member_id: str
    instance_id: str | None
    code: ErrorCode


@dataclass(frozen=True, slots=True)
class Left:
    members: tuple[MemberLeft, ...]


class NewOffset(NamedTuple):
    """One partition's offset to be committed."""

    topic: str
    partition: int
    offset: int
    leader_epoch: int = NO_EPOCH
    metadata: str = ""
    topic_id: bytes = ZERO_UUID


class CommitRequest(NamedTuple):
    group_id: str
    member_id: str
    instance_id: str | None
    generation: int
    offsets: Sequence[NewOffset]
    retention_ms: int = -1  # an expiry of these offsets' own, which old clients could ask for
    unknown_group: ErrorCode = ErrorCode.GROUP_ID_NOT_FOUND  # what a member of a group that isn't there is told


@dataclass(frozen=True, slots=True)
class Committed:
    """Codes in the order of the offsets in the request."""

    codes: tuple[ErrorCode, ...]


class WantedOffset(NamedTuple):
    topic: str
    partition: int
    topic_id: bytes = ZERO_UUID


class FetchedOffset(NamedTuple):
    topic: str
    partition: int
    offset: int = NO_OFFSET
    leader_epoch: int = NO_EPOCH
    metadata: str = ""
    code: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class Fetched:
    offsets: tuple[FetchedOffset, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A group, or offsets of a group: codes in the order of the request (one for a group)."""

    codes: tuple[ErrorCode, ...]


class ListedGroup(NamedTuple):
    group_id: str
    protocol_type: str
    state: str
    group_type: str


@dataclass(frozen=True, slots=True)
class Listed:
    groups: tuple[ListedGroup, ...]


class DescribedMember(NamedTuple):
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    group_id: str
    state: str
    protocol_type: str = ""
    protocol: str = ""
    members: tuple[DescribedMember, ...] = ()
    found: bool = True
