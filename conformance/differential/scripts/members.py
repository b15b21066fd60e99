"""Group members, as scripts need them: each of their requests in one line."""

from __future__ import annotations

from typing import Any

from conformance.differential.side import Side

SUBSCRIPTION = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"
Identity = str | tuple[str, str | None]  # a member id, or with its instance id


def protocols(*names: str, metadata: bytes = SUBSCRIPTION) -> list[dict[str, Any]]:
    return [{"name": name, "metadata": metadata} for name in names]


def living(side: Side, group: str, session_ms: int = 60_000) -> tuple[int, str]:
    """(generation, member id) of the only member of a stable group, joined when first asked for."""
    made: dict[str, tuple[int, str]] = side.__dict__.setdefault("members", {})
    if group not in made:
        common = {"group_id": group, "session_timeout_ms": session_ms, "rebalance_timeout_ms": session_ms}
        answer = side.tell("join_group", 3, **common, protocol_type="consumer", protocols=protocols("range"))
        assignments = [{"member_id": answer.member_id, "assignment": b"mine"}]
        who = {"group_id": group, "generation_id": answer.generation_id, "member_id": answer.member_id}
        side.tell("sync_group", 3, **who, assignments=assignments)
        made[group] = (answer.generation_id, answer.member_id)
    return made[group]


class Group:
    """One group of one script, spoken to in one version of JoinGroup and what belongs to it."""

    def __init__(self, side: Side, version: int, name: str = "g", topic: str = "") -> None:
        self.side = side
        self.id = f"{side.own}-{name}"
        self.topic = topic
        self.join_version = version
        self.sync_version = min(version, 5)
        self.heartbeat_version = min(version, 4)
        self.leave_version = min(version, 5)
        self.commit_version = max(2, min(version + 1, 10))
        self.fetch_version = max(1, min(version + 1, 10))
        self.describe_version = min(version, 6)

    def join(
        self,
        what: str = "",
        member: str = "",
        *,
        on: str = "a",
        group: str | None = None,
        kind: str = "consumer",
        asked: list[dict[str, Any]] | None = None,
        instance: str | None = None,
        session: int = 10_000,
        rebalance: int = 20_000,
        waiting: bool = True,
        wait: float = 8.0,
    ) -> Any:
        """The answer; with ``waiting=False`` it is received later, from the connection ``on``."""
        self.side.send(
            "join_group",
            self.join_version,
            what,
            on=on,
            group_id=self.id if group is None else group,
            session_timeout_ms=session,
            rebalance_timeout_ms=rebalance,
            member_id=member,
            group_instance_id=instance,
            protocol_type=kind,
            protocols=protocols("range") if asked is None else asked,
        )
        return self.side.receive(on, wait) if waiting else None

    def joined(self, what: str = "", **how: Any) -> Any:
        """Joined, in two steps where the first one only hands out an id."""
        answer = self.join(what, **how)
        if answer and answer.error_code == 79:
            answer = self.join(f"{what} with the id", answer.member_id, **how)
        return answer

    def sync(
        self,
        what: str,
        generation: int,
        member: str,
        assigned: dict[str, bytes] | None = None,
        *,
        on: str = "a",
        group: str | None = None,
        kind: str | None = "consumer",
        protocol: str | None = "range",
        instance: str | None = None,
        waiting: bool = True,
        wait: float = 8.0,
    ) -> Any:
        self.side.send(
            "sync_group",
            self.sync_version,
            what,
            on=on,
            group_id=self.id if group is None else group,
            generation_id=generation,
            member_id=member,
            group_instance_id=instance,
            protocol_type=kind,
            protocol_name=protocol,
            assignments=[{"member_id": m, "assignment": a} for m, a in (assigned or {}).items()],
        )
        return self.side.receive(on, wait) if waiting else None

    def beat(
        self, what: str, generation: int, member: str, instance: str | None = None, group: str | None = None
    ) -> Any:
        who = {"generation_id": generation, "member_id": member, "group_instance_id": instance}
        named = self.id if group is None else group
        return self.side.ask("heartbeat", self.heartbeat_version, what, on="beats", group_id=named, **who)

    def leave(self, what: str, *members: Identity, group: str | None = None) -> Any:
        pairs = [m if isinstance(m, tuple) else (m, None) for m in members]
        leaving = [{"member_id": member, "group_instance_id": instance} for member, instance in pairs]
        first = pairs[0][0] if pairs else ""
        named = self.id if group is None else group
        return self.side.ask(
            "leave_group", self.leave_version, what, on="leaves", group_id=named, member_id=first, members=leaving
        )

    def describe(self, what: str, *groups: str, version: int | None = None) -> Any:
        asked = list(groups) or [self.id]
        said = self.describe_version if version is None else version
        return self.side.ask(
            "describe_groups", said, what, groups=asked, include_authorized_operations=True, on="looks"
        )

    def listed(self, what: str = "", version: int = 5, **filters: Any) -> None:
        """ListGroups, of which this script's groups are kept."""
        self.side.ask("list_groups", version, what, on="looks", **filters)

        def ours(answer: Any) -> None:
            answer.groups = sorted(
                (g for g in answer.groups if g.group_id.startswith(self.side.own)), key=lambda g: g.group_id
            )

        self.side.show(ours)

    def commit(
        self,
        what: str,
        generation: int = -1,
        member: str = "",
        parts: tuple[tuple[int, int, str | None], ...] = ((0, 5, ""),),
        *,
        instance: str | None = None,
        topic: str | None = None,
        topic_id: bytes | None = None,
        group: str | None = None,
        **more: Any,
    ) -> Any:
        name = self.topic if topic is None else topic
        partitions = [{"partition_index": p, "committed_offset": o, "committed_metadata": m} for p, o, m in parts]
        if topic_id is None:
            topic_id = self.side.topic_ids.get(name, b"\7" * 16)
        return self.side.ask(
            "offset_commit",
            self.commit_version,
            what,
            on="commits",
            group_id=self.id if group is None else group,
            generation_id_or_member_epoch=generation,
            member_id=member,
            group_instance_id=instance,
            topics=[{"name": name, "topic_id": topic_id, "partitions": partitions}],
            **more,
        )

    def committed(
        self,
        what: str,
        topics: dict[str, list[int]] | None,
        *,
        version: int | None = None,
        group: str | None = None,
        member: str | None = None,
        epoch: int = -1,
        stable: bool = False,
    ) -> Any:
        said = self.fetch_version if version is None else version
        named = self.id if group is None else group
        old: list[dict[str, Any]] | None = None
        new: list[dict[str, Any]] | None = None
        if topics is not None:
            old = [{"name": name, "partition_indexes": indexes} for name, indexes in topics.items()]
            new = [one | {"topic_id": self.side.topic_ids.get(one["name"], b"\7" * 16)} for one in old]
        asked = {"group_id": named, "member_id": member, "member_epoch": epoch, "topics": new}
        tree: dict[str, Any] = {"group_id": named, "topics": old} if said < 8 else {"groups": [asked]}
        return self.side.ask("offset_fetch", said, what, on="commits", require_stable=stable, **tree)

    def forget(self, what: str, topic: str, *indexes: int, group: str | None = None) -> Any:
        parts = [{"partition_index": i} for i in indexes]
        named = self.id if group is None else group
        return self.side.ask(
            "offset_delete", 0, what, on="commits", group_id=named, topics=[{"name": topic, "partitions": parts}]
        )

    def delete(self, what: str, *groups: str, version: int = 2) -> Any:
        return self.side.ask("delete_groups", version, what, on="looks", groups_names=list(groups) or [self.id])
