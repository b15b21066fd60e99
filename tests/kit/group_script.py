"""The group machine as a transcript sees it: one line in, lines out.

    @1000 join 1 g id=a-1 protocols=range:A,rr:A session=10000 rebalance=60000 v=4

At 1000 ms: JoinGroup with ticket 1 to group g. Records that a command decides are replayed at once, as a shard would.
"""

from __future__ import annotations

from typing import Any

from kafkawire.errors import ErrorCode
from kafkawire.stored.group_log import GroupMetadataKey, OffsetCommitKey
from pykafkad.errors import Refused
from pykafkad.state.decisions import Decision, Producer, Write
from pykafkad.state.groups import bodies
from pykafkad.state.groups.bodies import CommitRequest, NewOffset, WantedOffset
from pykafkad.state.groups.classic import JoinRequest, Leaver, SyncRequest
from pykafkad.state.groups.ledger import GroupMachine
from pykafkad.state.groups.offsets import NOBODY
from pykafkad.state.groups.turn import GroupSettings

Words = dict[str, str]


class GroupScript:
    def __init__(self, **settings: int) -> None:
        self.settings = GroupSettings(**settings)
        self.machine = GroupMachine(self.settings)
        self.log: list[tuple[Write, int] | tuple[int, bool]] = []  # a record and its producer, or a marker
        self.now = 0

    def __call__(self, line: str) -> list[str]:
        words = line.split()
        if words[0].startswith("@"):
            self.now = int(words.pop(0)[1:])
        verb, *rest = words
        plain = [word for word in rest if "=" not in word]
        named = dict(word.split("=", 1) for word in rest if "=" in word)
        if verb == "settings":
            self.__init__(**{name: int(value) for name, value in named.items()})  # type: ignore[misc]
            return []
        if verb == "reload":
            self.machine = GroupMachine(self.settings)
            for entry in self.log:
                self._replay(entry)
            self.machine.loaded(self.now)
            return self._deadline()
        if verb == "end":  # the marker of a producer's transaction
            self.log.append((int(plain[0]), plain[1] == "commit"))
            self._replay(self.log[-1])
            return []
        decision = getattr(self, verb)(plain, named)
        shown = self.show(decision)
        for write in decision.records:
            self.log.append((write, NOBODY if decision.producer is None else decision.producer.producer_id))
            self._replay(self.log[-1])
        return [*shown, *self._deadline()]

    def _replay(self, entry: tuple[Write, int] | tuple[int, bool]) -> None:
        what, whose = entry
        if isinstance(what, Write):
            if whose == NOBODY:
                self.machine.replay(what.key, what.value)
            else:
                self.machine.replay_in_transaction(whose, what.key, what.value)
        else:
            self.machine.end_transaction(what, bool(whose))

    def _deadline(self) -> list[str]:
        deadline = self.machine.deadline
        return [] if deadline is None else [f"wake at {deadline}"]

    # ── commands ──

    def join(self, plain: list[str], named: Words) -> Decision:
        ticket, group = plain
        version = int(named.get("v", 9))
        session = int(named.get("session", 10000))
        request = JoinRequest(
            group_id=group,
            member_id=named.get("id", ""),
            fresh_member_id=named.get("fresh", f"m{ticket}"),
            instance_id=named.get("instance"),
            client_id=named.get("client", "c"),
            client_host="/127.0.0.1",
            session_timeout_ms=session,
            rebalance_timeout_ms=int(named.get("rebalance", session)),
            protocol_type=named.get("type", "consumer"),
            protocols=tuple(
                (name, metadata.encode())
                for name, _, metadata in (one.partition(":") for one in named.get("protocols", "range:x").split(","))
                if name
            ),
            member_id_required=version >= 4,
            skips_assignment=version >= 9,
        )
        return self.machine.join(int(ticket), request, self.now)

    def sync(self, plain: list[str], named: Words) -> Decision:
        ticket, group = plain
        given = named.get("give", "")
        request = SyncRequest(
            group_id=group,
            member_id=named.get("id", ""),
            instance_id=named.get("instance"),
            generation=int(named.get("gen", 1)),
            protocol_type=named.get("type"),
            protocol=named.get("protocol"),
            assignments={m: a.encode() for m, a in (one.split(":") for one in given.split(",") if one)},
        )
        return self.machine.sync(int(ticket), request, self.now)

    def heartbeat(self, plain: list[str], named: Words) -> Decision:
        return self.machine.heartbeat(
            int(plain[0]),
            group_id=plain[1],
            member_id=named.get("id", ""),
            instance_id=named.get("instance"),
            generation=int(named.get("gen", 1)),
            now=self.now,
        )

    def leave(self, plain: list[str], named: Words) -> Decision:
        """``members=m1,/i1,m2/i2``: a member id, an instance, or both."""
        leavers = []
        for one in named["members"].split(","):
            member_id, _, instance = one.partition("/")
            leavers.append(Leaver(member_id, instance or None))
        return self.machine.leave(int(plain[0]), group_id=plain[1], leavers=leavers, now=self.now)

    def commit(self, plain: list[str], named: Words) -> Decision:
        """``producer=7``: as part of that producer's transaction."""
        ticket, group, *given = plain
        offsets = [
            NewOffset(topic, int(partition), int(offset), -1, named.get("meta", ""))
            for topic, partition, offset in (one.split(":") for one in given)
        ]
        request = CommitRequest(
            group,
            named.get("id", ""),
            named.get("instance"),
            int(named.get("gen", -1)),
            offsets,
            int(named.get("retention", -1)),
        )
        if "producer" in named:
            producer = Producer(int(named["producer"]), 0)
            return self.machine.commit_in_transaction(int(ticket), request, producer, self.now)
        return self.machine.commit(int(ticket), request, self.now)

    def fetch(self, plain: list[str], named: Words) -> Decision:
        ticket, group, *wanted = plain
        return self.machine.fetch(
            int(ticket),
            group_id=group,
            wanted=_wanted(wanted) if wanted else None,
            require_stable="stable" in named,
            now=self.now,
        )

    def delete_offsets(self, plain: list[str], named: Words) -> Decision:
        ticket, group, *wanted = plain
        return self.machine.delete_offsets(int(ticket), group_id=group, wanted=_wanted(wanted), now=self.now)

    def list(self, plain: list[str], named: Words) -> Decision:
        return self.machine.listing(int(plain[0]), now=self.now)

    def describe(self, plain: list[str], named: Words) -> Decision:
        return self.machine.describe(int(plain[0]), group_id=plain[1], now=self.now)

    def delete(self, plain: list[str], named: Words) -> Decision:
        return self.machine.delete(int(plain[0]), group_id=plain[1], now=self.now)

    def forget_topics(self, plain: list[str], named: Words) -> Decision:
        return self.machine.forget_topics(dict.fromkeys(plain, bytes(16)))

    def expire(self, plain: list[str], named: Words) -> Decision:
        return self.machine.expire(self.now)

    def time(self, plain: list[str], named: Words) -> Decision:
        return self.machine.on_time(self.now)

    # ── outcomes ──

    @staticmethod
    def show(decision: Decision) -> list[str]:
        whose = f" in {decision.producer.producer_id}'s transaction" if decision.producer is not None else ""
        lines = [f"write {_record(write)}{whose}" for write in decision.records]
        lines += [f"reply {reply.ticket} {_body(reply.body)}" for reply in decision.replies]
        return lines or ["nothing"]


def _wanted(words: list[str]) -> list[WantedOffset]:
    return [WantedOffset(topic, int(partition)) for topic, partition in (word.split(":") for word in words)]


def _offset(offset: bodies.FetchedOffset) -> str:
    return str(offset.offset) if offset.code is ErrorCode.NONE else offset.code.name


def _record(write: Write) -> str:
    key, value = write.key, write.value
    if isinstance(key, OffsetCommitKey):
        where = f"offset {key.group} {key.topic}-{key.partition}"
        if value is None:
            return f"{where} gone"
        expires = f" expires {value.expire_timestamp}" if value.expire_timestamp >= 0 else ""
        return f"{where} = {value.offset} at {value.commit_timestamp}{expires}"
    assert isinstance(key, GroupMetadataKey)
    if value is None:
        return f"group {key.group} gone"
    members = ", ".join(
        f"{one.member_id}{'/' + one.group_instance_id if one.group_instance_id else ''}"
        f" {bytes(one.subscription).decode()}→{bytes(one.assignment).decode() or '-'}"
        for one in value.members
    )
    protocol, leader = value.protocol or "-", value.leader or "-"
    return f"group {key.group} generation {value.generation} {protocol} leader {leader} [{members}]"


def _body(body: Any) -> str:
    match body:
        case Refused() as refused:
            return refused.code.name
        case bodies.JoinRefused(code, member_id):
            return f"{code.name} {member_id or '-'}"
        case bodies.Joined() as seat:
            members = ", ".join(f"{m.member_id} {m.metadata.decode()}" for m in seat.members)
            skip = " skip" if seat.skip_assignment else ""
            return f"{seat.member_id} in {seat.generation} {seat.protocol} leader {seat.leader}{skip} [{members}]"
        case bodies.Synced() as synced:
            return f"{synced.protocol} {synced.assignment.decode() or '-'}"
        case bodies.Alive():
            return "alive"
        case bodies.Left(members=gone):
            return ", ".join(f"{m.member_id or '-'}/{m.instance_id or '-'} {m.code.name}" for m in gone)
        case bodies.Committed(codes=codes) | bodies.Deleted(codes=codes):
            return " ".join(code.name for code in codes)
        case bodies.Fetched(offsets=offsets):
            return " ".join(f"{o.topic}-{o.partition}={_offset(o)}" for o in offsets) or "no offsets"
        case bodies.Listed(groups=groups):
            listed = (f"{g.group_id} {g.protocol_type or '-'} {g.state} {g.group_type}" for g in groups)
            return ", ".join(listed) or "none"
        case bodies.Described() as described:
            members = ", ".join(
                f"{m.member_id} {m.metadata.decode() or '-'}→{m.assignment.decode() or '-'}" for m in described.members
            )
            return f"{described.state} {described.protocol_type or '-'} {described.protocol or '-'} [{members}]"
        case _:
            raise AssertionError(body)
