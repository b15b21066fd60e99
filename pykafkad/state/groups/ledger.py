"""The GroupMachine: all groups of one partition of ``__consumer_offsets``.

Commands in, decisions out; ``replay`` is the only writer of hard state (the last group record of each group, and the
committed offsets), at load time and at run time. The groups' live side (who waits, which phase, whose session ends
when) is soft: it dies with leadership, and clients come again. Offsets may be committed as part of a transaction; then
their records wait, as pending, for its marker.

Rooms kept for what comes later: KIP-848 and share groups have record types of their own, which ``replay`` passes by
today; they will be other classes beside ``ClassicGroup`` in ``_groups``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.deadlines import Deadlines
from pykafkad.state.decisions import NOTHING, Decision, Producer, Reply, Write
from pykafkad.state.groups import rebalance
from pykafkad.state.groups.bodies import (
    CommitRequest,
    Committed,
    Deleted,
    Described,
    Fetched,
    JoinRefused,
    Listed,
    ListedGroup,
    WantedOffset,
)
from pykafkad.state.groups.classic import ClassicGroup, JoinRequest, Leaver, SyncRequest
from pykafkad.state.groups.offsets import Offsets
from pykafkad.state.groups.phases import Completing, Dead, Empty, Stable
from pykafkad.state.groups.stored import (
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    OffsetCommitKey,
    group_record,
    group_tombstone,
    modern,
)
from pykafkad.state.groups.subscriptions import EVERYTHING, subscribed_topics
from pykafkad.state.groups.turn import JOIN, SESSION, SYNC, Due, GroupSettings, Turn

CLASSIC = "classic"
CONSUMER = "consumer"  # the protocol type whose metadata the broker can read


def _reply(ticket: int, body: Any) -> Decision:
    return Decision((), (Reply(ticket, body),))


class GroupMachine:
    def __init__(self, settings: GroupSettings) -> None:
        self._settings = settings
        self.stored: dict[str, GroupMetadataValue] = {}  # hard
        self.offsets = Offsets()  # hard
        self._groups: dict[str, ClassicGroup] = {}  # soft
        self._deadlines: Deadlines[Due] = Deadlines()  # soft

    # ── time ──

    @property
    def deadline(self) -> int | None:
        return self._deadlines.earliest

    def on_time(self, now: int) -> Decision:
        """One deadline per call: what it decides must be replayed before the next one looks."""
        due = self._deadlines.pop_due(now)
        if due is None:
            return NOTHING
        kind, group_id, member_id = due
        group = self._groups.get(group_id)
        if group is None:
            return NOTHING

        def act(turn: Turn) -> None:
            if kind == SESSION:
                group.session_over(member_id, turn)
            elif kind == JOIN:
                rebalance.join_time_over(group, turn)
            else:
                assert kind == SYNC
                rebalance.sync_time_over(group, turn)

        return self._turn(now, act)

    def loaded(self, now: int) -> None:
        """The sessions of the members that the log knows begin now; a group that outgrew its limit rebalances."""
        turn = Turn(now, self._settings, self._deadlines)
        for group in self._groups.values():
            for member in group.roster.members.values():
                rebalance.extend_session(group, member, turn)
            if len(group.roster.members) > self._settings.max_size:
                rebalance.begin_join_phase(group, turn)
        assert not turn.records and not turn.replies

    def waiting(self) -> Iterator[int]:
        for group in self._groups.values():
            yield from group.waiting()

    # ── members' commands ──

    def join(self, ticket: int, request: JoinRequest, now: int) -> Decision:
        if not request.group_id:
            return _reply(ticket, JoinRefused(ErrorCode.INVALID_GROUP_ID, request.member_id))
        settings = self._settings
        if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
            return _reply(ticket, JoinRefused(ErrorCode.INVALID_SESSION_TIMEOUT, request.member_id))
        group = self._groups.get(request.group_id)
        founded = group is None
        if group is None:
            if request.member_id:
                return _reply(ticket, JoinRefused(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id))
            group = ClassicGroup(request.group_id)
        if founded and not group.roster.supports(request.protocol_type, request.protocols):
            return _reply(ticket, JoinRefused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, ""))
        self._groups[request.group_id] = group

        def act(turn: Turn) -> None:
            group.join(ticket, request, turn)
            if founded:  # it exists from now on, whatever becomes of its first member
                turn.records.append(group_record(group.group_id, group.roster, None, turn.now))

        return self._turn(now, act)

    def sync(self, ticket: int, request: SyncRequest, now: int) -> Decision:
        if not request.group_id:
            return _reply(ticket, Refused(ErrorCode.INVALID_GROUP_ID))
        group = self._groups.get(request.group_id)
        if group is None:
            return _reply(ticket, Refused(ErrorCode.UNKNOWN_MEMBER_ID))
        return self._turn(now, lambda turn: group.sync(ticket, request, turn))

    def heartbeat(
        self, ticket: int, *, group_id: str, member_id: str, instance_id: str | None, generation: int, now: int
    ) -> Decision:
        if not group_id:
            return _reply(ticket, Refused(ErrorCode.INVALID_GROUP_ID))
        group = self._groups.get(group_id)
        if group is None:
            return _reply(ticket, Refused(ErrorCode.UNKNOWN_MEMBER_ID))
        return self._turn(now, lambda turn: group.heartbeat(ticket, member_id, instance_id, generation, turn))

    def leave(self, ticket: int, *, group_id: str, leavers: Sequence[Leaver], now: int) -> Decision:
        if not group_id:
            return _reply(ticket, Refused(ErrorCode.INVALID_GROUP_ID))
        group = self._groups.get(group_id)
        if group is None:
            return _reply(ticket, Refused(ErrorCode.UNKNOWN_MEMBER_ID))
        return self._turn(now, lambda turn: group.leave(ticket, leavers, turn))

    # ── offsets ──

    def commit(self, ticket: int, request: CommitRequest, now: int) -> Decision:
        refusal = self._may_commit(request, now)
        if refusal is not None:
            return _reply(ticket, refusal)
        records, codes = self.offsets.commit(request, now, self._settings.offset_metadata_max_bytes)
        return Decision(records, (Reply(ticket, Committed(codes)),))

    def commit_in_transaction(self, ticket: int, request: CommitRequest, producer: Producer, now: int) -> Decision:
        """Offsets that count once the producer's transaction commits; ``producer`` is one that may write."""
        refusal = self._may_commit_in_transaction(request)
        if refusal is not None:
            return _reply(ticket, refusal)
        records, codes = self.offsets.commit(request, now, self._settings.offset_metadata_max_bytes)
        return Decision(records, (Reply(ticket, Committed(codes)),), producer)

    def _may_commit_in_transaction(self, request: CommitRequest) -> Refused | None:
        """A producer that names a member must name a live one of this generation (KIP-447); old ones name none."""
        group_id, member_id, instance_id, generation, *_ = request
        group = self._groups.get(group_id)
        if generation < 0 and (group is None or isinstance(group.phase, Empty)):
            return None
        if group is None:
            known = group_id in self.offsets
            return Refused(ErrorCode.UNKNOWN_MEMBER_ID if known else ErrorCode.ILLEGAL_GENERATION)
        if generation < 0 and not member_id and instance_id is None:
            return None
        refusal = group.roster.check(member_id, instance_id)
        if refusal is None and generation != group.roster.generation:
            return Refused(ErrorCode.ILLEGAL_GENERATION)
        return refusal

    def _may_commit(self, request: CommitRequest, now: int) -> Refused | None:
        group_id, member_id, instance_id, generation, _, _, unknown_group = request
        group = self._groups.get(group_id)
        if group is None:
            if generation < 0:
                return None  # a simple group: offsets without members
            if group_id not in self.offsets:
                return Refused(unknown_group)
            return Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        if generation < 0 and isinstance(group.phase, Empty):
            return None
        if generation < 0 and not member_id and instance_id is None:
            return Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        refusal = group.roster.check(member_id, instance_id)
        if refusal is not None:
            return refusal
        if generation != group.roster.generation:
            return Refused(ErrorCode.ILLEGAL_GENERATION)
        if isinstance(group.phase, Completing):
            return Refused(ErrorCode.REBALANCE_IN_PROGRESS)
        timeout_ms = group.roster.members[member_id].session_timeout_ms
        self._deadlines.set((SESSION, group_id, member_id), now + timeout_ms)
        return None

    def fetch(
        self, ticket: int, *, group_id: str, wanted: Sequence[WantedOffset] | None, require_stable: bool, now: int
    ) -> Decision:
        return _reply(ticket, Fetched(tuple(self.offsets.fetch(group_id, wanted, require_stable))))

    def delete_offsets(self, ticket: int, *, group_id: str, wanted: Sequence[WantedOffset], now: int) -> Decision:
        if not group_id:
            return _reply(ticket, Refused(ErrorCode.INVALID_GROUP_ID))
        group = self._groups.get(group_id)
        if group is None and group_id not in self.offsets:
            return _reply(ticket, Refused(ErrorCode.GROUP_ID_NOT_FOUND))
        live = group is not None and not isinstance(group.phase, Empty)
        if live and group is not None and group.roster.protocol_type != CONSUMER:
            return _reply(ticket, Refused(ErrorCode.NON_EMPTY_GROUP))
        subscribed = subscribed_topics(group.roster) if group is not None else ()
        known = self.offsets.of(group_id)
        codes = []
        gone: dict[tuple[str, int], None] = {}
        for topic, partition, _ in wanted:
            if topic in subscribed:
                codes.append(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
            else:
                codes.append(ErrorCode.NONE)
                if (topic, partition) in known or self.offsets.pending.unstable(group_id, (topic, partition)):
                    gone[topic, partition] = None
        records = tuple(Write(OffsetCommitKey(group=group_id, topic=t, partition=p), None) for t, p in gone)
        return Decision(records, (Reply(ticket, Deleted(tuple(codes))),))

    # ── administration ──

    def listing(self, ticket: int, now: int) -> Decision:
        listed = [
            ListedGroup(group_id, group.roster.protocol_type or "", group.phase.name, CLASSIC)
            for group_id, group in self._groups.items()
        ]
        listed += [ListedGroup(simple, "", Empty.name, CLASSIC) for simple in self._simple_groups()]
        return _reply(ticket, Listed(tuple(listed)))

    def describe(self, ticket: int, *, group_id: str, now: int) -> Decision:
        group = self._groups.get(group_id)
        if group is not None:
            return _reply(ticket, group.describe())
        if group_id in self.offsets:
            return _reply(ticket, Described(group_id=group_id, state=Empty.name))
        return _reply(ticket, Described(group_id=group_id, state=Dead.name, found=False))

    def delete(self, ticket: int, *, group_id: str, now: int) -> Decision:
        group = self._groups.get(group_id)
        if group is None and group_id not in self.offsets:
            return _reply(ticket, Refused(ErrorCode.GROUP_ID_NOT_FOUND))
        if group is not None and not isinstance(group.phase, Empty):
            return _reply(ticket, Refused(ErrorCode.NON_EMPTY_GROUP))
        records = (*self.offsets.forget(group_id), group_tombstone(group_id))
        return Decision(records, (Reply(ticket, Deleted((ErrorCode.NONE,))),))

    def forget_topics(self, deleted: dict[str, bytes]) -> Decision:
        return Decision(tuple(self.offsets.forget_topics(deleted)))

    def expire(self, now: int) -> Decision:
        """Offsets past their retention, and groups that are left with nothing."""
        records: list[Write] = []
        for group_id in [*self._groups, *self._simple_groups()]:
            group = self._groups.get(group_id)
            since: int | None = None
            subscribed: Any = ()
            if group is not None and isinstance(group.phase, Empty):
                value = self.stored.get(group_id)
                if value is not None and value.current_state_timestamp >= 0 and value.protocol_type:
                    since = value.current_state_timestamp
            elif group is not None:
                stable_consumers = isinstance(group.phase, Stable) and group.roster.protocol_type == CONSUMER
                subscribed = subscribed_topics(group.roster) if stable_consumers else EVERYTHING
            gone = self.offsets.expired(group_id, now, self._settings.offsets_retention_ms, since, subscribed)
            records += gone
            nothing_left = len(self.offsets.of(group_id)) == len(gone) and not self.offsets.pending.touches(group_id)
            nobody = group is None or (isinstance(group.phase, Empty) and not group.roster.pending)
            if nothing_left and nobody:
                records.append(group_tombstone(group_id))
        return Decision(tuple(records))

    def _simple_groups(self) -> Iterable[str]:
        return (group_id for group_id in self.offsets.groups() if group_id not in self._groups)

    # ── records ──

    def replay(self, key: Any, value: Any) -> None:
        if isinstance(key, OffsetCommitKey):
            self.offsets.replay(key.group, key.topic, key.partition, value)
        elif isinstance(key, LegacyOffsetCommitKey):
            self.offsets.replay(key.group, key.topic, key.partition, None if value is None else modern(value))
        elif isinstance(key, GroupMetadataKey):
            if value is not None:
                self.stored[key.group] = value
                group = self._groups.get(key.group)
                if group is None:
                    group = self._groups[key.group] = ClassicGroup(key.group)
                group.adopt(value)
            else:
                self.stored.pop(key.group, None)
                self.offsets.end_group(key.group)
                gone = self._groups.pop(key.group, None)
                if gone is not None:
                    for member_id in (*gone.roster.members, *gone.roster.pending):
                        self._deadlines.cancel((SESSION, key.group, member_id))

    def replay_in_transaction(self, producer_id: int, key: Any, value: Any) -> None:
        """The same for a record that belongs to a transaction; ``end_transaction`` says what becomes of it."""
        if isinstance(key, OffsetCommitKey):
            self.offsets.replay(key.group, key.topic, key.partition, value, producer_id)
        else:
            self.replay(key, value)

    def end_transaction(self, producer_id: int, commit: bool) -> None:
        """The producer's marker is in the log: at load time and at run time."""
        self.offsets.end(producer_id, commit)

    def _turn(self, now: int, act: Callable[[Turn], None]) -> Decision:
        turn = Turn(now, self._settings, self._deadlines)
        act(turn)
        return turn.decision()
