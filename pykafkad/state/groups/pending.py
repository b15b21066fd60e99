"""Offsets that were committed in transactions which haven't ended: not to be seen yet, and not to be forgotten.

The record of such an offset stands in the log where it was written, so when its transaction commits it counts as of
then: whatever was committed for that partition since, plainly or by another transaction, is newer and stays. Of a
partition's pending offsets the one written last therefore comes last here, and one that was overtaken is remembered as
pending (the partition is unstable until its transaction ends) without a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pykafkad.state.groups.stored import OffsetCommitValue

Key = tuple[str, int]  # topic, partition


class PendingOffsets:
    __slots__ = ("_by_group", "_groups")

    def __init__(self) -> None:
        # group -> partition -> producer id -> its offset, oldest first; None: overtaken
        self._by_group: dict[str, dict[Key, dict[int, OffsetCommitValue | None]]] = {}
        self._groups: dict[int, dict[str, None]] = {}  # producer id -> groups that its transaction has touched

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PendingOffsets):
            return NotImplemented
        return self._by_group == other._by_group and self._groups == other._groups

    def groups(self) -> Iterable[str]:
        """Groups that an open transaction has committed offsets for, and they weren't forgotten since."""
        return self._by_group.keys()

    def touches(self, group_id: str) -> bool:
        return group_id in self._by_group

    def of(self, group_id: str) -> Iterator[tuple[Key, OffsetCommitValue]]:
        """The newest pending offset of each partition of a group."""
        for key, by_producer in self._by_group.get(group_id, {}).items():
            for value in reversed(by_producer.values()):
                if value is not None:
                    yield key, value
                    break

    def unstable(self, group_id: str, key: Key) -> bool:
        return bool(self._by_group) and key in self._by_group.get(group_id, ())

    # -- changing: by ``replay`` alone --------------------------------------------------------------------------------

    def put(self, producer_id: int, group_id: str, key: Key, value: OffsetCommitValue) -> None:
        by_producer = self._by_group.setdefault(group_id, {}).setdefault(key, {})
        by_producer.pop(producer_id, None)  # written again: it comes last now
        by_producer[producer_id] = value
        self._groups.setdefault(producer_id, {})[group_id] = None

    def overtake(self, group_id: str, key: Key) -> None:
        """An offset was committed outside of transactions."""
        by_producer = self._by_group.get(group_id, {}).get(key)
        for producer_id in by_producer or ():
            assert by_producer is not None
            by_producer[producer_id] = None

    def forget(self, group_id: str, key: Key) -> None:
        """A tombstone takes pending offsets with it."""
        by_partition = self._by_group.get(group_id)
        if by_partition is not None and by_partition.pop(key, None) is not None and not by_partition:
            del self._by_group[group_id]

    def end(self, producer_id: int, commit: bool) -> list[tuple[str, Key, OffsetCommitValue]]:
        """The producer's transaction is over; what counts from now on."""
        counts = []
        for group_id in self._groups.pop(producer_id, ()):
            by_partition = self._by_group.get(group_id, {})
            for key in [key for key, by_producer in by_partition.items() if producer_id in by_producer]:
                by_producer = by_partition[key]
                value = by_producer[producer_id]
                if commit and value is not None:
                    counts.append((group_id, key, value))
                    for other in by_producer:
                        if other == producer_id:
                            break
                        by_producer[other] = None
                del by_producer[producer_id]
                if not by_producer:
                    del by_partition[key]
            if not by_partition:
                self._by_group.pop(group_id, None)
        return counts
