"""One command in progress: what it has decided so far, and the tools it decides with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pykafkad.state.deadlines import Deadlines
from pykafkad.state.decisions import Decision, Reply, Write

# What the machine's time watches: (kind, group, member); kinds below. Plain strings, since they are hashed often.
Due = tuple[str, str, str]
SESSION = "session"  # a member or a pending id is gone when this comes
JOIN = "join"  # the join phase ends
SYNC = "sync"  # who hasn't synced by now is out


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """The broker's settings that groups obey."""

    initial_rebalance_delay_ms: int = 3000
    max_size: int = 2147483647
    min_session_timeout_ms: int = 6000
    max_session_timeout_ms: int = 1800000
    new_member_join_timeout_ms: int = 300000
    offset_metadata_max_bytes: int = 4096
    offsets_retention_ms: int = 10080 * 60000


class Turn:
    __slots__ = ("deadlines", "now", "records", "replies", "settings")

    def __init__(self, now: int, settings: GroupSettings, deadlines: Deadlines[Due]) -> None:
        self.now = now
        self.settings = settings
        self.deadlines = deadlines
        self.records: list[Write] = []
        self.replies: list[Reply] = []

    def reply(self, ticket: int, body: Any) -> None:
        self.replies.append(Reply(ticket, body))

    def wake(self, kind: str, group_id: str, after_ms: int, member_id: str = "") -> None:
        self.deadlines.set((kind, group_id, member_id), self.now + after_ms)

    def sleep(self, kind: str, group_id: str, member_id: str = "") -> None:
        self.deadlines.cancel((kind, group_id, member_id))

    def decision(self) -> Decision:
        return Decision(tuple(self.records), tuple(self.replies))
