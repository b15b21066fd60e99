"""Random walks of members, offsets, administrators and time, under the laws of machines and the promises of groups."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pykafkad.errors import Refused
from pykafkad.state.decisions import Decision, Producer
from pykafkad.state.groups import bodies
from pykafkad.state.groups.bodies import CommitRequest, NewOffset, WantedOffset
from pykafkad.state.groups.classic import JoinRequest, Leaver, SyncRequest
from pykafkad.state.groups.ledger import GroupMachine
from pykafkad.state.groups.phases import COMES_FROM, Completing, Dead, Empty, Preparing, Stable
from pykafkad.state.groups.turn import GroupSettings
from tests.kit.machine_laws import UnderLaw

SETTINGS = GroupSettings(max_size=4, offsets_retention_ms=200_000)


def hard(machine: GroupMachine) -> Any:
    return machine.stored, machine.offsets.by_group, machine.offsets.pending


class Walk:
    """Clients that mostly do what they should, and now and then anything else."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.law = UnderLaw(lambda: GroupMachine(SETTINGS), hard)
        self.known: list[tuple[str, str, str | None]] = []  # group, member id, instance
        self.generations: dict[str, int] = {}
        self.fresh = 0

    def pick(self) -> tuple[str, str, str | None]:
        if self.known and self.dice.random() < 0.9:
            return self.dice.choice(self.known[-12:])
        return self.dice.choice(["g", "h"]), self.dice.choice(["", "nobody"]), None

    def step(self) -> None:
        choice = self.dice.choices(
            ["join", "rejoin", "sync", "heartbeat", "leave", "commit", "transact", "look", "admin", "time"],
            [3, 6, 6, 4, 1, 4, 2, 1, 0.5, 5],
        )[0]
        getattr(self, choice)()

    def join(self) -> None:
        instance = self.dice.choice([None, None, "i1", "i2"])
        self._join(self.dice.choice(["g", "g", "h"]), "", instance)

    def rejoin(self) -> None:
        group, member, instance = self.pick()
        self._join(group, member, instance)

    def _join(self, group: str, member: str, instance: str | None) -> None:
        self.fresh += 1
        fresh = f"m{self.fresh}"
        version = self.dice.choice([0, 3, 4, 8, 9])
        metadata = self.dice.choice([b"A", b"A", b"B"])
        names = self.dice.choice([["range"], ["range", "rr"], ["rr", "range"], ["range", "rr"], ["other"]])
        request = JoinRequest(
            group_id=group,
            member_id=member,
            fresh_member_id=fresh,
            instance_id=instance,
            client_id="c",
            client_host="/h",
            session_timeout_ms=self.dice.choice([6000, 10000]),
            rebalance_timeout_ms=self.dice.choice([5000, 60000]),
            protocol_type=self.dice.choice(["consumer"] * 9 + ["connect"]),
            protocols=tuple((name, metadata) for name in names),
            member_id_required=version >= 4,
            skips_assignment=version >= 9,
        )
        if not member:
            self.known.append((group, fresh, instance))
        self.watch(self.law.command("join", request))

    def sync(self) -> None:
        group, member, instance = self.pick()
        everybody = {m: b"P" for g, m, _ in self.known[-12:] if g == group and self.dice.random() < 0.9}
        request = SyncRequest(
            group_id=group,
            member_id=member,
            instance_id=instance,
            generation=self._generation(group),
            protocol_type="consumer",
            protocol=None,
            assignments=everybody,
        )
        self.watch(self.law.command("sync", request))

    def heartbeat(self) -> None:
        group, member, instance = self.pick()
        self.watch(
            self.law.command(
                "heartbeat",
                group_id=group,
                member_id=member,
                instance_id=instance,
                generation=self._generation(group),
            )
        )

    def leave(self) -> None:
        group = self.pick()[0]
        leavers = [Leaver(m, i) for g, m, i in [self.pick() for _ in range(self.dice.randint(1, 2))] if g == group]
        self.watch(self.law.command("leave", group_id=group, leavers=leavers))

    def commit(self) -> None:
        group, member, instance = self.pick()
        simple = self.dice.random() < 0.2
        self.watch(
            self.law.command(
                "commit",
                CommitRequest(
                    group,
                    "" if simple else member,
                    None if simple else instance,
                    -1 if simple else self._generation(group),
                    [NewOffset(self.dice.choice("tu"), self.dice.randrange(3), self.law.now)],
                    self.dice.choice([-1, -1, 5000]),
                ),
            )
        )

    def transact(self) -> None:
        producer_id = self.dice.randrange(3)
        if self.dice.random() < 0.4:
            self.law.end_transaction(producer_id, self.dice.random() < 0.6)
            return
        group, member, instance = self.pick()
        named = self.dice.random() < 0.7
        offsets = [NewOffset(self.dice.choice("tu"), self.dice.randrange(3), self.law.now)]
        commit = CommitRequest(
            group,
            member if named else "",
            instance if named else None,
            self._generation(group) if named else -1,
            offsets,
        )
        self.watch(self.law.command("commit_in_transaction", commit, Producer(producer_id, 0)))

    def look(self) -> None:
        group = self.pick()[0]
        stable = self.dice.random() < 0.5
        self.watch(self.law.command("fetch", group_id=group, wanted=None, require_stable=stable))
        self.watch(self.law.command("describe", group_id=group))
        self.watch(self.law.command("listing"))

    def admin(self) -> None:
        group = self.pick()[0]
        choice = self.dice.randrange(4)
        if choice == 0:
            self.watch(self.law.command("delete", group_id=group))
        elif choice == 1:
            self.watch(self.law.command("delete_offsets", group_id=group, wanted=[WantedOffset("t", 0)]))
        elif choice == 2:
            self.law.order("forget_topics", {"u": bytes(16)})
        else:
            self.law.order("expire", self.law.now)

    def time(self) -> None:
        self.law.let_pass(self.dice.choice([1, 100, 1000, 3000, 10000]))

    def _generation(self, group: str) -> int:
        wrong = self.dice.choice([0] * 12 + [-1, 1])
        return self.generations.get(group, 0) + wrong

    def watch(self, decision: Decision) -> None:
        for group_id, group in self.law.machine._groups.items():
            self.generations[group_id] = group.roster.generation
            self.promise(group)

    @staticmethod
    def promise(group: Any) -> None:
        """What is true of a group at any time."""
        roster, phase = group.roster, group.phase
        assert set(roster.statics.values()) == {m for m, one in roster.members.items() if one.instance_id is not None}
        assert not set(roster.pending) & set(roster.members)
        assert (roster.leader in roster.members) if roster.members else roster.leader is None
        match phase:
            case Empty():
                assert not roster.members
            case Preparing(joins=joins):
                assert set(joins) <= set(roster.members)
            case Completing(syncs=syncs, unsynced=unsynced):
                assert set(syncs) <= set(roster.members) and set(unsynced) <= set(roster.members)
                assert roster.members and roster.leader not in syncs and roster.protocol is not None
            case Stable():
                assert roster.members and roster.protocol is not None
            case Dead():
                raise AssertionError("dead groups are in no table")


@pytest.mark.parametrize("seed", range(25))
def test_a_random_walk_keeps_the_laws(seed: int) -> None:
    walk = Walk(seed)
    for count in range(600):
        walk.step()
        if count % 100 == 99:
            walk.law.rebuilt()


def test_the_walks_get_everywhere() -> None:
    """A walk that only collects refusals proves nothing."""
    seen: dict[str, int] = {}
    for seed in range(8):
        walk = Walk(seed)
        original = walk.law._decide

        def count(ask: Any, original: Any = original) -> Decision:
            decision: Decision = original(ask)
            for reply in decision.replies:
                body = reply.body
                name = body.code.name if isinstance(body, (Refused, bodies.JoinRefused)) else type(body).__name__
                seen[name] = seen.get(name, 0) + 1
            return decision

        walk.law._decide = count  # type: ignore[method-assign]
        for _ in range(600):
            walk.step()
    assert set(seen) >= {
        "Joined",
        "Synced",
        "Alive",
        "Left",
        "Committed",
        "Fetched",
        "Deleted",
        "Described",
        "Listed",
        "MEMBER_ID_REQUIRED",
        "FENCED_INSTANCE_ID",
        "UNKNOWN_MEMBER_ID",
        "ILLEGAL_GENERATION",
        "REBALANCE_IN_PROGRESS",
        "INCONSISTENT_GROUP_PROTOCOL",
        "GROUP_MAX_SIZE_REACHED",
        "NON_EMPTY_GROUP",
    }, seen


def test_the_drawing_of_the_phases_names_every_move() -> None:
    assert {phase.__name__ for phase in COMES_FROM} == {"Empty", "Preparing", "Completing", "Stable", "Dead"}
    for phase in COMES_FROM:
        assert "JoinGroup" in (phase.__doc__ or ""), phase
