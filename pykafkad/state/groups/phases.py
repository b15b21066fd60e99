"""The five phases of a classic group, each with what exists only in it.

                  join                    all joined, or time is up             leader synced, record written
    Empty ───────────────► Preparing ───────────────────────────► Completing ───────────────────────────► Stable
      ▲                     │  ▲  ▲                                   │                                     │
      └── nobody is left ───┘  │  └── a member comes, goes, changes ──┘                                     │
                               └────────────── a member comes, goes, changes ──────────────────────────────┘
    Empty ── deleted or expired ──► Dead

A phase is soft state: what survives is the last group record, and a group comes back from it as Stable (it has
members) or Empty (it has none).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Empty:
    """No members; perhaps offsets, perhaps ids handed out to members to come.

    JoinGroup: a new member → Preparing, with the initial delay. SyncGroup, Heartbeat: UNKNOWN_MEMBER_ID.
    LeaveGroup: pending ids only. OffsetCommit: without generation accepted. OffsetFetch: accepted.
    DeleteGroups: → Dead. Expiry of the last offset: → Dead.
    """

    name = "Empty"


@dataclass(slots=True, kw_only=True)
class Opening:
    """The first join phase of an empty group: it waits for company, at most ``remaining_ms`` longer."""

    delay_ms: int
    remaining_ms: int
    somebody_came: bool = False


@dataclass(slots=True, kw_only=True)
class Preparing:
    """Members are called to join again; their JoinGroups wait.

    JoinGroup: waits. SyncGroup, Heartbeat: REBALANCE_IN_PROGRESS (the session is extended by the heartbeat).
    LeaveGroup: the member goes; the phase may be complete then. OffsetCommit of the old generation: accepted.
    Session over: the member goes. All joined, or the rebalance timeout over: → Completing, or Empty if nobody is left.
    """

    joins: dict[str, int] = field(default_factory=dict)  # member id -> ticket of its waiting JoinGroup
    opening: Opening | None = None

    name = "PreparingRebalance"


@dataclass(slots=True, kw_only=True)
class Completing:
    """The generation is set; the leader computes the assignment, the others' SyncGroups wait for it.

    JoinGroup: same metadata → the current generation, else → Preparing. SyncGroup: waits; the leader's → record →
    Stable. Heartbeat: accepted. LeaveGroup, session over, not synced in time: the member goes, → Preparing.
    OffsetCommit: REBALANCE_IN_PROGRESS.
    """

    syncs: dict[str, int] = field(default_factory=dict)  # member id -> ticket of its waiting SyncGroup
    unsynced: dict[str, None] = field(default_factory=dict)  # who has yet to send a SyncGroup in this generation

    name = "CompletingRebalance"


@dataclass(slots=True, kw_only=True)
class Stable:
    """Everybody has, or can fetch, an assignment.

    JoinGroup: leader or changed metadata → Preparing; else the current generation; a static member's return keeps its
    seat. SyncGroup: the current assignment. Heartbeat, OffsetCommit: accepted. LeaveGroup, session over, not synced in
    time: the member goes, → Preparing.
    """

    unsynced: dict[str, None] = field(default_factory=dict)

    name = "Stable"


@dataclass(slots=True, kw_only=True)
class Dead:
    """Gone: what requests find when no such group exists.

    JoinGroup without a member id makes a new group; all others get the error for an unknown group.
    """

    name = "Dead"


Phase = Empty | Preparing | Completing | Stable | Dead

# Phase -> the phases that it can come from. Checked at every move, drawn above.
COMES_FROM: dict[type[Phase], tuple[type[Phase], ...]] = {
    Empty: (Preparing,),
    Preparing: (Stable, Completing, Empty),
    Completing: (Preparing,),
    Stable: (Completing, Stable),
    Dead: (Empty,),
}
