"""A shard of groups: how it is put together, and what it does besides as a part of transactions.

Loaded with the first group: a broker without groups never pays for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from kafkawire import records
from kafkawire.errors import ErrorCode
from kafkawire.stored import group_log
from pykafkad.errors import Refused
from pykafkad.runtime.shard import Shard, StoredCodec
from pykafkad.state.groups.ledger import GroupMachine
from pykafkad.state.groups.turn import GroupSettings
from pykafkad.state.sequences import read_marker

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader
    from pykafkad.clock import Clock
    from pykafkad.config import Config
    from pykafkad.runtime.markers import Marker
    from pykafkad.runtime.partition import Partition

_CODEC = StoredCodec(group_log.write, group_log.read)


class GroupShard(Shard[GroupMachine]):
    def end_transaction(self, marker: Marker, now: int, done: Callable[[ErrorCode], None]) -> None:
        """Write a transaction's marker, and let the machine take or drop the offsets that were pending. ``done`` is
        called once: when that is committed, or with what refused it.
        """
        if self.refusal is not None:
            done(ErrorCode.NOT_LEADER_OR_FOLLOWER)  # which tells a transaction coordinator to come again
            return
        appended = self.partition.append_marker(*marker[:4], now, marker.epoch_bumps)
        if isinstance(appended, Refused):
            done(appended.code)
            return
        self.end = appended.last_offset + 1
        self.machine.end_transaction(marker.producer_id, marker.commit)
        self.partition.committed(self.end, lambda: done(ErrorCode.NONE), lambda refused: done(refused.code))

    def _replay_transactional(self, header: BatchHeader, batch: memoryview, offset: int) -> None:
        if header.is_control:
            marker = read_marker(batch)
            if marker is not None:
                self.machine.end_transaction(header.producer_id, marker.commit)
            return
        for record in records.iterate(batch):
            if record.offset >= offset and record.key is not None:
                decoded = self._decode(record.key, record.value)
                if decoded is not None:
                    self._replay_in_transaction(header.producer_id, *decoded)

    def _replay_in_transaction(self, producer_id: int, key: Any, value: Any) -> None:
        self.machine.replay_in_transaction(producer_id, key, value)


def group_shard(partition: Partition, config: Config, clock: Clock) -> GroupShard:
    build = partial(GroupMachine, group_settings(config))
    return GroupShard(partition, build, _CODEC, clock, write_timeout_ms=config.offsets_commit_timeout_ms)


def group_settings(config: Config) -> GroupSettings:
    return GroupSettings(
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        max_size=config.group_max_size,
        min_session_timeout_ms=config.group_min_session_timeout_ms,
        max_session_timeout_ms=config.group_max_session_timeout_ms,
        offset_metadata_max_bytes=config.offset_metadata_max_bytes,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
    )
