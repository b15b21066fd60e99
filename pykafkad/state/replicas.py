"""Roles of a replica: Leader, Follower, Offline; in-sync replicas, the high watermark, who may read how far.

The high watermark is the smallest log end among the replicas that are in sync; it never moves back on a leader, and
rests while fewer than ``min.insync.replicas`` are in sync (at most as many count as there are replicas). With one
replica it is the log's end right after the append.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused


@dataclass(slots=True)
class Remote:
    """A follower as its leader knows it, from its fetches."""

    log_end: int = -1
    log_start: int = -1
    caught_up_at: int = -1  # when it last had everything
    fetched_at: int = -1
    fetched_to: int = -1  # our log end at its last fetch: reaching it now means it was caught up then


@dataclass(slots=True)
class Leader:
    """This node takes the writes."""

    node_id: int
    epoch: int
    replicas: Sequence[int]
    isr: Sequence[int]
    min_insync: int
    high_watermark: int
    epoch_start: int  # our log end when this epoch began
    remotes: dict[int, Remote] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.know_replicas()

    def know_replicas(self) -> None:
        """``replicas`` changed: remember those that stay, begin with those that are new."""
        self.remotes = {
            replica: self.remotes.get(replica, Remote()) for replica in self.replicas if replica != self.node_id
        }

    @property
    def alone(self) -> bool:
        """No other replica is in sync, and none need be: the watermark follows the log's end at once."""
        return len(self.isr) == 1 and self.enough

    @property
    def min_insync_effective(self) -> int:
        return min(self.min_insync, len(self.replicas))

    @property
    def enough(self) -> bool:
        return len(self.isr) >= self.min_insync_effective

    def may_append(self, acks: int) -> Refused | None:
        """acks=all is refused before the append when too few replicas are in sync."""
        if acks == -1 and not self.enough:
            return Refused(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"{len(self.isr)} in sync, min.insync.replicas asks for {self.min_insync_effective}",
            )
        return None

    def advance(self, log_end: int) -> bool:
        """Move the watermark as far as the replicas in sync allow; whether it moved. ``log_end`` is our own."""
        if not self.enough:
            return False
        mark = log_end
        for replica in self.isr:
            if replica != self.node_id:
                mark = min(mark, self.remotes[replica].log_end)
        if mark <= self.high_watermark:
            return False
        self.high_watermark = mark
        return True

    def fetched(self, replica: int, offset: int, log_start: int, log_end: int, now: int) -> None:
        """A follower asked from ``offset``: it has everything below. The watermark may ``advance`` now."""
        remote = self.remotes[replica]
        if offset >= log_end:
            remote.caught_up_at = max(remote.caught_up_at, now)
        elif offset >= remote.fetched_to >= 0:
            remote.caught_up_at = max(remote.caught_up_at, remote.fetched_at)
        remote.fetched_at, remote.fetched_to = now, log_end
        remote.log_end, remote.log_start = offset, log_start

    def knows(self, replica: int) -> bool:
        return replica in self.remotes

    def lagging(self, now: int, lag_max_ms: int, log_end: int) -> list[int]:
        """Members of the ISR that were not caught up for too long."""
        return [
            replica
            for replica in self.isr
            if replica != self.node_id
            and self.remotes[replica].log_end != log_end
            and now - self.remotes[replica].caught_up_at > lag_max_ms
        ]

    def joining(self) -> list[int]:
        """Replicas that have caught up with the watermark and this epoch, and could join the ISR."""
        return [
            replica
            for replica, remote in self.remotes.items()
            if replica not in self.isr and remote.log_end >= max(self.high_watermark, self.epoch_start)
        ]


@dataclass(slots=True)
class Follower:
    """Another node leads; we copy from it."""

    leader: int
    epoch: int
    high_watermark: int


@dataclass(slots=True)
class Offline:
    """Nobody leads, or our log directory is out of order."""

    epoch: int
    high_watermark: int


Role = Leader | Follower | Offline
