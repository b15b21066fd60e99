"""Committed offsets of all groups of one shard, as their records say them; who may commit is not decided here.

A room is kept for transactional offsets: ``pending`` will say which partitions have a commit in an open transaction
(UNSTABLE_OFFSET_COMMIT to those who require stable offsets, and never expired).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from kafkawire.errors import ErrorCode
from pykafkad.model import ZERO_UUID
from pykafkad.state.decisions import Write
from pykafkad.state.groups.bodies import CommitRequest, FetchedOffset, WantedOffset
from pykafkad.state.groups.stored import LAST_MOMENT, NEVER, OffsetCommitValue, offset_record, offset_tombstone

ByPartition = dict[tuple[str, int], OffsetCommitValue]
_NONE: ByPartition = {}


class Offsets:
    __slots__ = ("by_group",)

    def __init__(self) -> None:
        self.by_group: dict[str, ByPartition] = {}  # hard state: only ``replay`` writes it

    def __contains__(self, group_id: str) -> bool:
        return group_id in self.by_group

    def replay(self, group_id: str, topic: str, partition: int, value: OffsetCommitValue | None) -> None:
        if value is not None:
            mine = self.by_group.get(group_id)
            if mine is None:
                mine = self.by_group[group_id] = {}
            mine[topic, partition] = value
            return
        mine = self.by_group.get(group_id)
        if mine is not None:
            mine.pop((topic, partition), None)
            if not mine:
                del self.by_group[group_id]

    def of(self, group_id: str) -> ByPartition:
        return self.by_group.get(group_id, _NONE)

    def commit(
        self, request: CommitRequest, now: int, max_bytes: int
    ) -> tuple[tuple[Write, ...], tuple[ErrorCode, ...]]:
        group_id, retention_ms = request.group_id, request.retention_ms
        expires = min(now + retention_ms, LAST_MOMENT) if retention_ms >= 0 else NEVER
        records: list[Write] = []
        codes: list[ErrorCode] = []
        for offset in request.offsets:
            if len(offset.metadata) > max_bytes:
                codes.append(ErrorCode.OFFSET_METADATA_TOO_LARGE)
            else:
                records.append(offset_record(group_id, offset, now, expires))
                codes.append(ErrorCode.NONE)
        return tuple(records), tuple(codes)

    def fetch(self, group_id: str, wanted: Iterable[WantedOffset] | None) -> Iterator[FetchedOffset]:
        """The offsets asked for, or all. One that was committed for an earlier topic of that name counts as none."""
        mine = self.of(group_id)
        if wanted is None:
            for (topic, partition), value in mine.items():
                yield FetchedOffset(topic, partition, value.offset, value.leader_epoch, value.metadata)
            return
        for topic, partition, topic_id in wanted:
            found = mine.get((topic, partition))
            if found is None or _another_topic(found.topic_id, topic_id):
                yield FetchedOffset(topic, partition)
            else:
                yield FetchedOffset(topic, partition, found.offset, found.leader_epoch, found.metadata)

    def forget(self, group_id: str) -> list[Write]:
        return [offset_tombstone(group_id, topic, partition) for topic, partition in self.of(group_id)]

    def forget_topics(self, deleted: Mapping[str, bytes]) -> list[Write]:
        """Topics (name and id) are gone: so is what was committed for them, but not for a namesake made since."""
        return [
            offset_tombstone(group_id, topic, partition)
            for group_id, mine in self.by_group.items()
            for (topic, partition), value in mine.items()
            if topic in deleted and not _another_topic(value.topic_id, deleted[topic])
        ]

    def expired(
        self, group_id: str, now: int, retention_ms: int, empty_since: int | None, subscribed: Container[str]
    ) -> list[Write]:
        """Tombstones for what has outlived its retention.

        The clock of an offset starts when the group became empty (``empty_since``), else when it was committed; an
        expiry that the committer asked for (old clients could) goes before both.
        """
        records = []
        for (topic, partition), value in self.of(group_id).items():
            if topic in subscribed:
                continue
            if value.expire_timestamp != NEVER:
                due = value.expire_timestamp
            else:
                start = value.commit_timestamp if empty_since is None else max(empty_since, value.commit_timestamp)
                due = start + retention_ms
            if now >= due:
                records.append(offset_tombstone(group_id, topic, partition))
        return records


def _another_topic(stored: bytes, asked: bytes) -> bool:
    return stored != ZERO_UUID and asked != ZERO_UUID and stored != asked
