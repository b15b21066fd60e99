"""How a classic group moves from one generation to the next: the join phase and the sync phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.groups.bodies import Joined, JoinRefused, Synced
from pykafkad.state.groups.phases import Completing, Dead, Empty, Opening, Preparing, Stable
from pykafkad.state.groups.stored import group_record
from pykafkad.state.groups.turn import JOIN, SESSION, SYNC, Turn

if TYPE_CHECKING:
    from pykafkad.state.groups.classic import ClassicGroup
    from pykafkad.state.groups.roster import Member


def extend_session(group: ClassicGroup, member: Member, turn: Turn) -> None:
    turn.wake(SESSION, group.group_id, member.session_timeout_ms, member.member_id)


def rebalance_or_complete(group: ClassicGroup, turn: Turn) -> None:
    """The membership changed: begin a join phase, or see whether the one under way is complete now."""
    match group.phase:
        case Empty() | Completing() | Stable():
            begin_join_phase(group, turn)
        case Preparing():
            complete_if_all_joined(group, turn)
        case Dead():
            raise AssertionError("a dead group is in no table")
        case other:
            assert_never(other)


def begin_join_phase(group: ClassicGroup, turn: Turn, joins: dict[str, int] | None = None) -> None:
    """→ Preparing. From Empty it stays open for a while (the initial rebalance delay), in the hope of company."""
    old, joins = group.phase, joins or {}
    if isinstance(old, Completing):
        for member in group.roster.members.values():
            member.assignment = b""
        answer_syncs(group, old, Refused(ErrorCode.REBALANCE_IN_PROGRESS), turn)
    turn.sleep(SYNC, group.group_id)
    if isinstance(old, Empty):
        delay = turn.settings.initial_rebalance_delay_ms
        rest = max(group.roster.rebalance_timeout_ms() - delay, 0)
        group.move(Preparing(joins=joins, opening=Opening(delay_ms=delay, remaining_ms=rest)))
        turn.wake(JOIN, group.group_id, delay)
        return
    group.move(Preparing(joins=joins))
    if all_joined(group):
        complete_join_phase(group, turn)
    else:
        turn.wake(JOIN, group.group_id, group.roster.rebalance_timeout_ms())


def all_joined(group: ClassicGroup) -> bool:
    phase = group.phase
    assert isinstance(phase, Preparing)
    return len(phase.joins) == len(group.roster.members) and not group.roster.pending


def complete_if_all_joined(group: ClassicGroup, turn: Turn) -> None:
    """Unless the group is opening: then the delay runs its course."""
    phase = group.phase
    if isinstance(phase, Preparing) and phase.opening is None and all_joined(group):
        complete_join_phase(group, turn)


def complete_if_all_that_are_left_joined(group: ClassicGroup, turn: Turn) -> None:
    """Somebody's session ended in the join phase: here Kafka doesn't spare an opening group."""
    if isinstance(group.phase, Preparing) and all_joined(group):
        complete_join_phase(group, turn)


def join_time_over(group: ClassicGroup, turn: Turn) -> None:
    """The join deadline came: an opening group that gained a member gets another delay, all others are complete."""
    phase = group.phase
    assert isinstance(phase, Preparing)
    opening = phase.opening
    if opening is not None and opening.somebody_came and opening.remaining_ms > 0:
        delay = min(turn.settings.initial_rebalance_delay_ms, opening.remaining_ms)
        phase.opening = Opening(delay_ms=delay, remaining_ms=max(opening.remaining_ms - opening.delay_ms, 0))
        turn.wake(JOIN, group.group_id, delay)
        return
    complete_join_phase(group, turn)


def complete_join_phase(group: ClassicGroup, turn: Turn) -> None:
    """Preparing → Completing, or Empty by record when nobody is left."""
    phase, roster = group.phase, group.roster
    assert isinstance(phase, Preparing)
    turn.sleep(JOIN, group.group_id)
    for member in [m for m in roster.members.values() if m.member_id not in phase.joins and m.instance_id is None]:
        roster.remove(member.member_id)
        turn.sleep(SESSION, group.group_id, member.member_id)

    if roster.members:
        if roster.leader not in phase.joins:
            successor = next((member_id for member_id in roster.members if member_id in phase.joins), None)
            if successor is None:
                # Only static members are left and none has come back: wait until their sessions end.
                turn.wake(JOIN, group.group_id, roster.rebalance_timeout_ms())
                return
            roster.leader = successor
        roster.generation += 1
        roster.protocol = roster.choose_protocol()
        group.move(Completing(unsynced=dict.fromkeys(roster.members)))
        for member in roster.members.values():
            ticket = phase.joins.get(member.member_id)
            if ticket is not None:
                turn.reply(ticket, seat(group, member.member_id))
            extend_session(group, member, turn)
            member.is_new = False
        turn.wake(SYNC, group.group_id, roster.rebalance_timeout_ms())
    else:
        roster.generation += 1
        roster.protocol = None
        turn.records.append(group_record(group.group_id, roster, None, turn.now))  # its replay makes the group Empty


def seat(group: ClassicGroup, member_id: str, *, leader: str | None = None, skip_assignment: bool = False) -> Joined:
    """A JoinGroup's answer in the current generation; the members are for the leader's eyes."""
    roster = group.roster
    leads = leader is None and roster.leader == member_id
    return Joined(
        member_id=member_id,
        generation=roster.generation,
        protocol_type=roster.protocol_type,
        protocol=roster.protocol,
        leader=leader or roster.leader or "",
        members=roster.as_leader_sees() if leads else (),
        skip_assignment=skip_assignment,
    )


def store_assignment(group: ClassicGroup, assignments: dict[str, bytes], turn: Turn) -> None:
    """The leader's SyncGroup: one record; its replay makes the group Stable, then the waiting answers leave."""
    phase, roster = group.phase, group.roster
    assert isinstance(phase, Completing)
    everybody = {member_id: assignments.get(member_id, b"") for member_id in roster.members}
    turn.records.append(group_record(group.group_id, roster, everybody, turn.now))
    for member_id, ticket in phase.syncs.items():
        turn.reply(ticket, Synced(roster.protocol_type, roster.protocol, everybody[member_id]))
        extend_session(group, roster.members[member_id], turn)
    phase.syncs = {}


def answer_syncs(group: ClassicGroup, phase: Completing, refusal: Refused, turn: Turn) -> None:
    for member_id, ticket in phase.syncs.items():
        turn.reply(ticket, refusal)
        extend_session(group, group.roster.members[member_id], turn)
    phase.syncs = {}


def drop_member(group: ClassicGroup, member_id: str, turn: Turn) -> None:
    """A member is out: whatever it waits for is answered, since nothing else will."""
    ticket = group.take_ticket(member_id)
    if ticket is not None:
        code = ErrorCode.UNKNOWN_MEMBER_ID
        turn.reply(ticket, JoinRefused(code, "") if isinstance(group.phase, Preparing) else Refused(code))
    phase = group.phase
    if isinstance(phase, (Completing, Stable)):
        phase.unsynced.pop(member_id, None)
    group.roster.remove(member_id)
    turn.sleep(SESSION, group.group_id, member_id)


def sync_time_over(group: ClassicGroup, turn: Turn) -> None:
    phase = group.phase
    if not isinstance(phase, (Completing, Stable)) or not phase.unsynced:
        return
    for member_id in list(phase.unsynced):
        drop_member(group, member_id, turn)
    begin_join_phase(group, turn)
