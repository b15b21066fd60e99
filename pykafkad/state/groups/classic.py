"""A classic group's live side: members ask, the phase decides. All of it is soft; its records are its memory.

What each phase does with each request stands in ``phases.py``; how generations change stands in ``rebalance.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.groups import rebalance
from pykafkad.state.groups.bodies import Alive, Described, DescribedMember, JoinRefused, Left, MemberLeft, Synced
from pykafkad.state.groups.phases import COMES_FROM, Completing, Dead, Empty, Phase, Preparing, Stable
from pykafkad.state.groups.roster import Member, Protocols, Roster
from pykafkad.state.groups.stored import GroupMetadataValue, group_record, roster_of
from pykafkad.state.groups.turn import SESSION, SYNC, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    group_id: str
    member_id: str
    fresh_member_id: str  # drawn by the driver: the id of this member should it need a new one
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    member_id_required: bool  # a new dynamic member is sent away with an id first (KIP-394)
    skips_assignment: bool  # understands "you lead, but don't assign" (KIP-814)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    group_id: str
    member_id: str
    instance_id: str | None
    generation: int
    protocol_type: str | None
    protocol: str | None
    assignments: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Leaver:
    member_id: str
    instance_id: str | None


class ClassicGroup:
    __slots__ = ("group_id", "phase", "roster")

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.phase: Phase = Empty()
        self.roster = Roster()

    def move(self, phase: Phase) -> None:
        assert type(self.phase) in COMES_FROM[type(phase)], (self.group_id, self.phase, phase)
        self.phase = phase

    # ── tickets ──

    def waiting(self) -> Iterator[int]:
        match self.phase:
            case Preparing(joins=tickets) | Completing(syncs=tickets):
                yield from tickets.values()
            case Empty() | Stable() | Dead():
                pass
            case other:
                assert_never(other)

    def take_ticket(self, member_id: str) -> int | None:
        match self.phase:
            case Preparing(joins=tickets) | Completing(syncs=tickets):
                return tickets.pop(member_id, None)
            case Empty() | Stable() | Dead():
                return None
            case other:
                assert_never(other)

    # ── JoinGroup ──

    def accepts(self, member_id: str, max_size: int) -> bool:
        """group.max.size; in the join phase those who have joined count, so the last to come are turned away."""
        match self.phase:
            case Empty() | Dead():
                return True
            case Preparing(joins=joins):
                return member_id in joins or len(joins) < max_size
            case Completing() | Stable():
                return member_id in self.roster.members or len(self.roster.members) < max_size
            case other:
                assert_never(other)

    def join(self, ticket: int, request: JoinRequest, turn: Turn) -> None:
        member_id = request.member_id
        if not self.accepts(member_id, turn.settings.max_size):
            if member_id:
                rebalance.drop_member(self, member_id, turn)
            turn.reply(ticket, JoinRefused(ErrorCode.GROUP_MAX_SIZE_REACHED, ""))
        elif not self.roster.supports(request.protocol_type, request.protocols):
            turn.reply(ticket, JoinRefused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, member_id))
        elif not member_id:
            self._join_new(ticket, request, turn)
        elif member_id in self.roster.pending:
            if request.instance_id is not None:  # a static member is never sent away with an id
                turn.reply(ticket, JoinRefused(ErrorCode.UNKNOWN_SERVER_ERROR, member_id))
            else:
                self._add(ticket, request, member_id, turn)
        elif (refusal := self.roster.check(member_id, request.instance_id)) is not None:
            turn.reply(ticket, JoinRefused(refusal.code, member_id))
        else:
            self._join_again(ticket, request, turn)

    def _join_new(self, ticket: int, request: JoinRequest, turn: Turn) -> None:
        if request.instance_id is not None and request.instance_id in self.roster.statics:
            self._return_static(ticket, request, request.instance_id, turn)
        elif request.instance_id is None and request.member_id_required:
            self.roster.pending[request.fresh_member_id] = None
            turn.wake(SESSION, self.group_id, request.session_timeout_ms, request.fresh_member_id)
            turn.reply(ticket, JoinRefused(ErrorCode.MEMBER_ID_REQUIRED, request.fresh_member_id))
        else:
            self._add(ticket, request, request.fresh_member_id, turn)

    def _add(self, ticket: int, request: JoinRequest, member_id: str, turn: Turn) -> None:
        member = Member(
            member_id=member_id,
            instance_id=request.instance_id,
            client_id=request.client_id,
            client_host=request.client_host,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            session_timeout_ms=request.session_timeout_ms,
            protocols=request.protocols,
            is_new=True,
        )
        if isinstance(self.phase, Preparing) and self.phase.opening is not None:
            self.phase.opening.somebody_came = True
        self.roster.add(member, request.protocol_type)
        # It can't send heartbeats before it has its id, and a client that gave up can't be seen: hence a long
        # deadline of its own instead of the session timeout.
        turn.wake(SESSION, self.group_id, turn.settings.new_member_join_timeout_ms, member_id)
        self._wait_for_join(ticket, member_id, turn)

    def _join_again(self, ticket: int, request: JoinRequest, turn: Turn) -> None:
        member = self.roster.members[request.member_id]
        match self.phase:
            case Preparing():
                self._update(ticket, request, member, turn)
            case Completing():
                if member.protocols == request.protocols:  # it missed the answer
                    turn.reply(ticket, rebalance.seat(self, member.member_id))
                else:
                    self._update(ticket, request, member, turn)
            case Stable():
                # A leader may see what the broker can't (new partitions): its wish to rebalance is granted unasked.
                if self.roster.leader == member.member_id or member.protocols != request.protocols:
                    self._update(ticket, request, member, turn)
                else:
                    turn.reply(ticket, rebalance.seat(self, member.member_id))
            case Empty() | Dead():
                raise AssertionError("a group with members is not empty")
            case other:
                assert_never(other)

    def _update(self, ticket: int, request: JoinRequest, member: Member, turn: Turn) -> None:
        _take_over(member, request)
        self._wait_for_join(ticket, member.member_id, turn)

    def _wait_for_join(self, ticket: int, member_id: str, turn: Turn) -> None:
        """Hold the caller until the join phase is over; begin one if none is under way."""
        if not isinstance(self.phase, Preparing):
            rebalance.begin_join_phase(self, turn, {member_id: ticket})
        else:
            earlier = self.phase.joins.get(member_id)
            if earlier is not None:  # the same member on a new connection: the old one is told to come again
                turn.reply(earlier, JoinRefused(ErrorCode.REBALANCE_IN_PROGRESS, member_id))
            self.phase.joins[member_id] = ticket
            rebalance.complete_if_all_joined(self, turn)

    def _return_static(self, ticket: int, request: JoinRequest, instance_id: str, turn: Turn) -> None:
        """A static member came back without its id: new id, same seat; whoever still uses the old id is fenced."""
        roster = self.roster
        old_id, old_leader = roster.statics[instance_id], roster.leader
        waiting = self.take_ticket(old_id)
        if waiting is not None:
            fenced = ErrorCode.FENCED_INSTANCE_ID
            turn.reply(waiting, JoinRefused(fenced, old_id) if isinstance(self.phase, Preparing) else Refused(fenced))
        if isinstance(self.phase, Stable):
            self._return_to_stable(ticket, request, instance_id, old_leader, turn)
            return
        turn.sleep(SESSION, self.group_id, old_id)
        member = roster.replace_static(instance_id, request.fresh_member_id)
        rebalance.extend_session(self, member, turn)
        if isinstance(self.phase, Completing):
            # The leader may be assigning to the old id right now: only a new generation puts that right.
            self.phase.unsynced.pop(old_id, None)
        _take_over(member, request)
        self._wait_for_join(ticket, member.member_id, turn)

    def _return_to_stable(
        self, ticket: int, request: JoinRequest, instance_id: str, old_leader: str | None, turn: Turn
    ) -> None:
        phase, roster = self.phase, self.roster
        assert isinstance(phase, Stable)
        old_id = roster.statics[instance_id]
        turn.sleep(SESSION, self.group_id, old_id)
        member = roster.replace_static(instance_id, request.fresh_member_id)
        rebalance.extend_session(self, member, turn)
        if old_id in phase.unsynced:
            del phase.unsynced[old_id]
        _take_over(member, request)
        if roster.protocol != roster.choose_protocol():
            self._wait_for_join(ticket, member.member_id, turn)
            return
        assignments = {one.member_id: one.assignment for one in roster.members.values()}
        turn.records.append(group_record(self.group_id, roster, assignments, turn.now))
        leads = roster.leader == member.member_id
        if request.skips_assignment:
            turn.reply(ticket, rebalance.seat(self, member.member_id, skip_assignment=leads))
        else:
            # An older client that sees itself as leader would assign anew: it is shown the id it had before.
            turn.reply(ticket, rebalance.seat(self, member.member_id, leader=old_leader))

    # ── SyncGroup, Heartbeat, LeaveGroup ──

    def sync(self, ticket: int, request: SyncRequest, turn: Turn) -> None:
        roster, member_id = self.roster, request.member_id
        refusal = roster.check(member_id, request.instance_id)
        if refusal is None and request.generation != roster.generation:
            refusal = Refused(ErrorCode.ILLEGAL_GENERATION)
        if refusal is None and (
            _differ(request.protocol_type, roster.protocol_type) or _differ(request.protocol, roster.protocol)
        ):
            refusal = Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if refusal is not None:
            turn.reply(ticket, refusal)
            return
        match self.phase:
            case Empty() | Dead():
                turn.reply(ticket, Refused(ErrorCode.UNKNOWN_MEMBER_ID))
            case Preparing():
                turn.reply(ticket, Refused(ErrorCode.REBALANCE_IN_PROGRESS))
            case Completing() as phase:
                self._synced(phase, member_id, turn)
                earlier = phase.syncs.get(member_id)
                if earlier is not None:
                    turn.reply(earlier, Refused(ErrorCode.REBALANCE_IN_PROGRESS))
                phase.syncs[member_id] = ticket
                if member_id == roster.leader:
                    rebalance.store_assignment(self, request.assignments, turn)
            case Stable() as phase:
                self._synced(phase, member_id, turn)
                turn.reply(ticket, Synced(roster.protocol_type, roster.protocol, roster.members[member_id].assignment))
            case other:
                assert_never(other)

    def _synced(self, phase: Completing | Stable, member_id: str, turn: Turn) -> None:
        phase.unsynced.pop(member_id, None)
        if not phase.unsynced:
            turn.sleep(SYNC, self.group_id)

    def heartbeat(self, ticket: int, member_id: str, instance_id: str | None, generation: int, turn: Turn) -> None:
        refusal = self.roster.check(member_id, instance_id)
        if refusal is None and generation != self.roster.generation:
            refusal = Refused(ErrorCode.ILLEGAL_GENERATION)
        if refusal is not None:
            turn.reply(ticket, refusal)
            return
        rebalance.extend_session(self, self.roster.members[member_id], turn)
        if isinstance(self.phase, Preparing):
            turn.reply(ticket, Refused(ErrorCode.REBALANCE_IN_PROGRESS))
        else:
            turn.reply(ticket, Alive())

    def leave(self, ticket: int, leavers: Sequence[Leaver], turn: Turn) -> None:
        answers = []
        for leaver in leavers:
            code = self._let_go(leaver, turn)
            answers.append(MemberLeft(leaver.member_id, leaver.instance_id, code))
        turn.reply(ticket, Left(tuple(answers)))
        if any(answer.code is ErrorCode.NONE for answer in answers) and not isinstance(self.phase, Empty):
            rebalance.rebalance_or_complete(self, turn)

    def _let_go(self, leaver: Leaver, turn: Turn) -> ErrorCode:
        member_id = leaver.member_id
        if not member_id:  # an administrator names the instance alone
            known = self.roster.statics.get(leaver.instance_id) if leaver.instance_id is not None else None
            if known is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            member_id = known
        elif member_id not in self.roster.pending:
            refusal = self.roster.check(member_id, leaver.instance_id)
            if refusal is not None:
                return refusal.code
        rebalance.drop_member(self, member_id, turn)
        return ErrorCode.NONE

    # ── time ──

    def session_over(self, member_id: str, turn: Turn) -> None:
        member = self.roster.members.get(member_id)
        if member is None:
            if member_id in self.roster.pending:
                self.roster.remove(member_id)
                rebalance.complete_if_all_that_are_left_joined(self, turn)
            return
        if not member.is_new and self._waits(member_id):
            return  # we are the one who is keeping it waiting; its answer starts a new session
        rebalance.drop_member(self, member_id, turn)
        if isinstance(self.phase, Preparing):
            rebalance.complete_if_all_that_are_left_joined(self, turn)
        else:
            rebalance.rebalance_or_complete(self, turn)

    def _waits(self, member_id: str) -> bool:
        match self.phase:
            case Preparing(joins=tickets) | Completing(syncs=tickets):
                return member_id in tickets
            case Empty() | Stable() | Dead():
                return False
            case other:
                assert_never(other)

    # ── records ──

    def adopt(self, value: GroupMetadataValue) -> None:
        """A group record was written: by us a moment ago, or by whoever had this log before us."""
        live, phase = self.roster, self.phase
        if not value.members:
            if isinstance(phase, Stable):
                self.phase = Empty()  # from the log: the last member's leaving
            elif live.members:
                return  # the record that founds a group, and members are already coming
            elif not isinstance(phase, Empty):
                self.move(Empty())
        elif isinstance(phase, (Completing, Stable)):
            self.move(Stable(unsynced=phase.unsynced))
        else:
            self.phase = Stable()  # from the log
        roster = roster_of(value)
        roster.pending = live.pending
        for member in roster.members.values():
            known = live.members.get(member.member_id)
            if known is not None:
                member.protocols, member.is_new = known.protocols, known.is_new  # more than a record says
        self.roster = roster

    # ── looking ──

    def describe(self) -> Described:
        roster, stable = self.roster, isinstance(self.phase, Stable)
        return Described(
            group_id=self.group_id,
            state=self.phase.name,
            protocol_type=roster.protocol_type or "",
            protocol=(roster.protocol or "") if stable else "",
            members=tuple(
                DescribedMember(
                    member.member_id,
                    member.instance_id,
                    member.client_id,
                    member.client_host,
                    member.metadata(roster.protocol) if stable else b"",
                    member.assignment,
                )
                for member in roster.members.values()
            ),
        )


def _take_over(member: Member, request: JoinRequest) -> None:
    member.protocols = request.protocols
    member.rebalance_timeout_ms = request.rebalance_timeout_ms
    member.session_timeout_ms = request.session_timeout_ms


def _differ(given: str | None, ours: str | None) -> bool:
    return given is not None and ours is not None and given != ours
