"""Committed offsets of all groups of one shard, as their records say them; who may commit is not decided here.

``pending`` has those of open transactions: their partitions are unstable (UNSTABLE_OFFSET_COMMIT to those who require
stable offsets), and what is committed for them never expires meanwhile.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from kafkawire.errors import ErrorCode
from pykafkad.model import ZERO_UUID
from pykafkad.state.decisions import Write
from pykafkad.state.groups.bodies import CommitRequest, FetchedOffset, WantedOffset
from pykafkad.state.groups.pending import PendingOffsets
from pykafkad.state.groups.stored import LAST_MOMENT, NEVER, OffsetCommitValue, offset_record, offset_tombstone

ByPartition = dict[tuple[str, int], OffsetCommitValue]
_NONE: ByPartition = {}
NOBODY = -1


class Offsets:
    __slots__ = ("by_group", "pending")

    def __init__(self) -> None:
        self.by_group: dict[str, ByPartition] = {}  # hard state: only ``replay`` and ``end`` write it
        self.pending = PendingOffsets()  # hard state, likewise

    def __contains__(self, group_id: str) -> bool:
        return group_id in self.by_group or self.pending.touches(group_id)

    def groups(self) -> Iterable[str]:
        """All groups that have offsets, or had some, or would have some if a transaction committed: as in Kafka a group
        stays when its last offset goes, until somebody deletes it or the next check for what has expired does.
        """
        return self.by_group.keys() | self.pending.groups()

    def replay(
        self, group_id: str, topic: str, partition: int, value: OffsetCommitValue | None, producer_id: int = NOBODY
    ) -> None:
        """``producer_id``: whose transaction the record belongs to."""
        key = (topic, partition)
        if value is None:
            self._drop(group_id, key)
            self.pending.forget(group_id, key)
        elif producer_id >= 0:
            self.by_group.setdefault(group_id, {})
            self.pending.put(producer_id, group_id, key, value)
        else:
            self._put(group_id, key, value)
            self.pending.overtake(group_id, key)

    def end(self, producer_id: int, commit: bool) -> None:
        """A marker: the producer's transaction is over."""
        for group_id, key, value in self.pending.end(producer_id, commit):
            self._put(group_id, key, value)

    def _put(self, group_id: str, key: tuple[str, int], value: OffsetCommitValue) -> None:
        mine = self.by_group.get(group_id)
        if mine is None:
            mine = self.by_group[group_id] = {}
        mine[key] = value

    def _drop(self, group_id: str, key: tuple[str, int]) -> None:
        mine = self.by_group.get(group_id)
        if mine is not None:
            mine.pop(key, None)

    def end_group(self, group_id: str) -> None:
        """A tombstone of the group itself: one without offsets is forgotten."""
        if not self.by_group.get(group_id, True):
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

    def fetch(
        self, group_id: str, wanted: Iterable[WantedOffset] | None, require_stable: bool = False
    ) -> Iterator[FetchedOffset]:
        """The offsets asked for, or all. One that was committed for an earlier topic of that name counts as none."""
        mine, unstable = self.of(group_id), self.pending.unstable
        if wanted is None:
            for (topic, partition), value in mine.items():
                if require_stable and unstable(group_id, (topic, partition)):
                    yield FetchedOffset(topic, partition, code=ErrorCode.UNSTABLE_OFFSET_COMMIT)
                else:
                    yield FetchedOffset(topic, partition, value.offset, value.leader_epoch, value.metadata)
            return
        for topic, partition, topic_id in wanted:
            found = mine.get((topic, partition))
            if require_stable and unstable(group_id, (topic, partition)):
                yield FetchedOffset(topic, partition, code=ErrorCode.UNSTABLE_OFFSET_COMMIT)
            elif found is None or _another_topic(found.topic_id, topic_id):
                yield FetchedOffset(topic, partition)
            else:
                yield FetchedOffset(topic, partition, found.offset, found.leader_epoch, found.metadata)

    def forget(self, group_id: str) -> list[Write]:
        keys = [*self.of(group_id), *(key for key, _ in self.pending.of(group_id))]
        return [offset_tombstone(group_id, topic, partition) for topic, partition in dict.fromkeys(keys)]

    def forget_topics(self, deleted: Mapping[str, bytes]) -> list[Write]:
        """Topics (name and id) are gone: so is what was committed for them, but not for a namesake made since."""
        gone = {
            (group_id, key): None
            for group_id in self.groups()
            for key, value in (*self.of(group_id).items(), *self.pending.of(group_id))
            if key[0] in deleted and not _another_topic(value.topic_id, deleted[key[0]])
        }
        return [offset_tombstone(group_id, *key) for group_id, key in gone]

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
            if now >= due and not self.pending.unstable(group_id, (topic, partition)):
                records.append(offset_tombstone(group_id, topic, partition))
        return records


def _another_topic(stored: bytes, asked: bytes) -> bool:
    return stored != ZERO_UUID and asked != ZERO_UUID and stored != asked
