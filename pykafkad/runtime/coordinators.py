"""Which shard serves which key: Java's hash of a group id or a transactional id over the partitions of a topic.

A shard is built when a key of it is first asked for, or at once if its log has something in it: sessions of groups
that came through a restart must run out, and their lag be seen; transactions that were decided must be told to their
partitions; whether or not anybody asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from kafkawire.errors import ErrorCode
from pykafkad.clock import Clock
from pykafkad.errors import Refused
from pykafkad.runtime.refusals import LOADING, MOVED, RECOVERING

if TYPE_CHECKING:
    from pykafkad.cluster.image import ClusterImage, TopicImage
    from pykafkad.config import Config
    from pykafkad.runtime.markers import Marker
    from pykafkad.runtime.partition import Partition
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.runtime.shard import Shard
    from pykafkad.state.decisions import Machine
    from pykafkad.state.groups.ledger import GroupMachine

OFFSETS_TOPIC = "__consumer_offsets"
_AGAIN_S = 0.01  # before asking again whether a log has been recovered
_REMEMBERED = 20_000  # keys whose partition is kept at hand

M = TypeVar("M", bound="Machine")


def java_hash(text: str) -> int:
    """Java's ``String.hashCode``: over UTF-16 units, wrapped to 32 bits, signed."""
    value = 0
    encoded = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(encoded[::2], encoded[1::2], strict=True):
        value = (31 * value + low + (high << 8)) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def partition_for(name: str, partitions: int) -> int:
    """The partition that holds a group, or a transactional id."""
    value = java_hash(name)
    return (0 if value == -(1 << 31) else abs(value)) % partitions


def _random_id() -> str:
    import uuid

    return str(uuid.uuid4())


class Coordinators(Generic[M]):
    """The shards of one internal topic that this broker leads."""

    topic: str

    def __init__(self, partitions: Partitions, node_id: int) -> None:
        self._partitions = partitions
        self._node_id = node_id
        self._count = 0  # partitions of the topic; 0: it doesn't exist yet
        self._indexes: dict[str, int] = {}
        self._shards: dict[int, Shard[M]] = {}
        self._opening: asyncio.Handle | None = None
        self._recovering: set[int] = set()  # what they hold isn't known yet
        partitions.on_loss.append(self._lost)

    def _build(self, partition: Partition) -> Shard[M]:
        """A shard over its partition."""
        raise NotImplementedError

    def shard(self, key: str) -> Shard[M] | Refused:
        """The shard that coordinates a key, loaded and ours; or why not."""
        index = self._indexes.get(key)
        if index is None:
            if not self._count:
                return MOVED
            index = self.index(key)
        shard = self._shards.get(index)
        if shard is None:
            found = self._open(index)
            if isinstance(found, Refused):
                return found
            shard = found
        return shard if shard.refusal is None else shard.refusal

    def index(self, key: str) -> int:
        if len(self._indexes) >= _REMEMBERED:
            self._indexes.clear()
        index = self._indexes[key] = partition_for(key, self._count)
        return index

    def _open(self, index: int) -> Shard[M] | Refused:
        partition = self._partitions.get(self.topic, index)
        if isinstance(partition, Refused):
            return LOADING if partition is RECOVERING else MOVED
        if not partition.leads:
            return MOVED
        shard = self._shards[index] = self._build(partition)
        return shard

    def _lost(self, topic: str, index: int) -> None:
        """The partition's log directory has failed: what the shard remembers may not be what was written."""
        if topic == self.topic and (shard := self._shards.pop(index, None)) is not None:
            shard.close()

    # ── the cluster changes ──

    def apply(self, old: ClusterImage, new: ClusterImage) -> None:
        """A new image: the partitions follow it already. Take up what became ours, leave what went."""
        topic, before = new.topic(self.topic), old.topic(self.topic)
        if topic is not before:
            self._recovering.clear()
            count = len(topic.partitions) if topic is not None else 0
            if count != self._count:
                self._count = count
                self._indexes.clear()
            ours = self._led_here(topic)
            for index, shard in list(self._shards.items()):
                if topic is None or shard.partition.topic_id != topic.id or ours.get(index) != shard.epoch:
                    del self._shards[index]
                    shard.close()
            # A topic that has just been made is empty; any other may hold keys that nobody asks for.
            if topic is not None and (before is not None or not old.revision):
                self._open_soon(sorted(ours))

    def _led_here(self, topic: TopicImage | None) -> dict[int, int]:
        """Index -> leader epoch."""
        partitions = topic.partitions if topic is not None else ()
        return {index: one.leader_epoch for index, one in enumerate(partitions) if one.leader == self._node_id}

    def _open_soon(self, indexes: list[int]) -> None:
        """Open what has something in it, one by one, while the loop serves others."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        while indexes:
            index = indexes.pop(0)
            if index in self._shards:
                continue
            partition = self._partitions.get(self.topic, index)
            loop = asyncio.get_running_loop()
            if partition is RECOVERING:
                self._recovering.add(index)
                self._opening = loop.call_later(_AGAIN_S, self._open_soon, [*indexes, index])
                return
            self._recovering.discard(index)
            if not isinstance(partition, Refused) and partition.log.end_offset > partition.log.start_offset:
                self._open(index)
            self._opening = loop.call_soon(self._open_soon, indexes)
            return

    # ── all of them ──

    def shards(self) -> list[Shard[M]]:
        """Every shard that has been opened here, loaded or not."""
        return list(self._shards.values())

    def loading(self) -> bool:
        return bool(self._recovering) or any(shard.refusal is not None for shard in self._shards.values())

    def stop(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        for shard in self.shards():
            shard.close()
        self._shards.clear()


class Groups(Coordinators["GroupMachine"]):
    """Consumer groups: the shards of ``__consumer_offsets``."""

    topic = OFFSETS_TOPIC

    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        partitions: Partitions,
        node_id: int,
        draw_id: Callable[[], str] = _random_id,
    ) -> None:
        super().__init__(partitions, node_id)
        self.draw_id = draw_id  # the random part of a member id
        self._config = config
        self._clock = clock

    def _build(self, partition: Partition) -> Shard[GroupMachine]:
        from pykafkad.runtime.group_shards import group_shard

        return group_shard(partition, self._config, self._clock)

    # ── the cluster changes ──

    def apply(self, old: ClusterImage, new: ClusterImage) -> None:
        super().apply(old, new)
        if old.topics is not new.topics:
            self._forget_deleted(old, new)

    def _forget_deleted(self, old: ClusterImage, new: ClusterImage) -> None:
        gone = {
            name: topic.id
            for name, topic in old.topics.items()
            if (now := new.topics.get(name)) is None or now.id != topic.id
        }
        if gone:
            self._forget(gone)

    def _forget(self, gone: dict[str, bytes]) -> None:
        now = self._clock.now_ms()
        for shard in self.shards():
            if shard.refusal is None:
                shard.tell(now, shard.machine.forget_topics, gone)
            else:
                shard.loaded.append(partial(self._forget, gone))

    # ── transactions ──

    def end_transaction(self, index: int, marker: Marker, now: int, done: Callable[[ErrorCode], None]) -> None:
        """A transaction that committed offsets in this partition of the offsets topic is over; ``done`` as in
        runtime/markers.py.
        """
        shard = self._shards.get(index) or self._open(index)
        if isinstance(shard, Refused):
            done(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            return
        from pykafkad.runtime.group_shards import GroupShard

        assert isinstance(shard, GroupShard)
        shard.end_transaction(marker, now, done)

    # ── all of them ──

    def expire_offsets(self, now: int) -> Iterator[None]:
        """Tombstone what has outlived its retention; a slice of work per shard, for the calendar."""
        for shard in self.shards():
            shard.tell(now, shard.machine.expire, now)
            yield

    def lags(self) -> Iterator[tuple[str, str, int, int, int]]:
        """(group, topic, partition, committed offset, commit timestamp) of all offsets in loaded shards."""
        for shard in self.shards():
            if shard.refusal is None:
                for group_id, mine in shard.machine.offsets.by_group.items():
                    for (topic, partition), value in mine.items():
                        yield group_id, topic, partition, value.offset, value.commit_timestamp
