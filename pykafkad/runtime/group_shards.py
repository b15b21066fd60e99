"""How a shard of groups is put together. Loaded with the first group: a broker without groups never pays for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkawire.stored import group_log
from pykafkad.runtime.shard import Shard, StoredCodec
from pykafkad.state.groups.ledger import GroupMachine
from pykafkad.state.groups.turn import GroupSettings

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.config import Config
    from pykafkad.runtime.partition import Partition

GroupShard = Shard[GroupMachine]
_CODEC = StoredCodec(group_log.write, group_log.read)


def group_shard(partition: Partition, config: Config, clock: Clock) -> GroupShard:
    build = partial(GroupMachine, group_settings(config))
    return Shard(partition, build, _CODEC, clock, write_timeout_ms=config.offsets_commit_timeout_ms)


def group_settings(config: Config) -> GroupSettings:
    return GroupSettings(
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        max_size=config.group_max_size,
        min_session_timeout_ms=config.group_min_session_timeout_ms,
        max_session_timeout_ms=config.group_max_session_timeout_ms,
        offset_metadata_max_bytes=config.offset_metadata_max_bytes,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
    )
