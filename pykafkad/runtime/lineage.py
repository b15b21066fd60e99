"""Where a reader's log and ours part: leader epochs as fetchers ask about them (KIP-101, KIP-320, KIP-595)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykafkad.runtime.partition import OUT_OF_RANGE
from pykafkad.state.replicas import Leader

if TYPE_CHECKING:
    from pykafkad.errors import Refused
    from pykafkad.runtime.partition import Partition


def parting(partition: Partition, last_fetched_epoch: int, offset: int) -> tuple[int, int] | Refused | None:
    """(epoch, end offset) where a reader's log and ours part; None if they agree."""
    epoch, end = _end_under(partition, last_fetched_epoch)
    if epoch < 0 or end < 0 or offset < partition.log.start_offset:
        return OUT_OF_RANGE
    if epoch < last_fetched_epoch or end < offset:
        return epoch, end
    return None


def end_of_epoch(partition: Partition, current_leader_epoch: int, epoch: int) -> tuple[int, int] | Refused:
    """(largest epoch up to the asked one, where it ends)."""
    return partition.check_epoch(current_leader_epoch) or _end_under(partition, epoch)


def _end_under(partition: Partition, epoch: int) -> tuple[int, int]:
    log, role = partition.log, partition.role
    ours = (role.epoch, role.epoch_start) if isinstance(role, Leader) else None
    return log.epochs.end_under(epoch, log.end_offset, ours)
