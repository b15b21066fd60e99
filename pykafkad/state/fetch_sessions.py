"""Incremental fetch sessions (KIP-227): the broker remembers what a consumer reads, so that its requests and our
answers name only what changed.

A session is (id, epoch). Epoch 0 asks for a new one, −1 for none, anything else continues: it must be the epoch that
we expect. Sessions live in a cache with a fixed number of slots; a full cache gives way only where Kafka's does (idle
for two minutes, or smaller than the new one once its first two minutes are over), and otherwise the answer has session
id 0, which every client understands.

Session ids come from outside (``draw``): this machine has no randomness of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused

FINAL_EPOCH = -1
INITIAL_EPOCH = 0
NO_SESSION = 0
EPOCH_MAX = 2147483647
EVICTION_MS = 120_000

_SHARD = EPOCH_MAX // 8
"""Kafka looks for a session by its id in eight parts of its cache, and stumbles over ids that would be in no part."""

Key = tuple[str | bytes, int]  # topic name or topic id, and the partition


class Wanted:
    """One partition that somebody reads: what was asked last, and what was answered last."""

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "high_watermark",
        "index",
        "last_fetched_epoch",
        "log_start_offset",
        "max_bytes",
        "replica_log_start",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        fetch_offset: int,
        max_bytes: int,
        current_leader_epoch: int = -1,
        last_fetched_epoch: int = -1,
        replica_log_start: int = -1,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.index = index
        self.fetch_offset = fetch_offset
        self.max_bytes = max_bytes
        self.current_leader_epoch = current_leader_epoch
        self.last_fetched_epoch = last_fetched_epoch
        self.replica_log_start = replica_log_start
        self.high_watermark = -1
        self.log_start_offset = -1

    def ask(self, other: Wanted) -> None:
        """The client changed its mind about this partition."""
        self.fetch_offset = other.fetch_offset
        self.max_bytes = other.max_bytes
        self.current_leader_epoch = other.current_leader_epoch
        self.last_fetched_epoch = other.last_fetched_epoch
        self.replica_log_start = other.replica_log_start

    def answer(self, size: int, high_watermark: int, log_start_offset: int, error: int, notable: bool) -> bool:
        """Remember what is answered now; whether an incremental answer must say it."""
        say = size > 0 or notable
        if high_watermark != self.high_watermark:
            say = True
            self.high_watermark = high_watermark
        if log_start_offset != self.log_start_offset:
            say = True
            self.log_start_offset = log_start_offset
        if error:
            # So that the next answer without the error is news.
            self.high_watermark = -1
            say = True
        return say


class Session:
    __slots__ = ("created", "epoch", "id", "partitions", "privileged", "size", "used", "uses_ids")

    def __init__(self, id: int, partitions: dict[Key, Wanted], uses_ids: bool, privileged: bool, now: int) -> None:
        self.id = id
        self.epoch = 1  # the epoch of the next request
        self.partitions = partitions
        self.uses_ids = uses_ids
        self.privileged = privileged
        self.created = now
        self.used = now
        self.size = len(partitions)

    def go_on(self, now: int) -> None:
        """A request that continues it was taken."""
        self.used = now
        self.size = len(self.partitions)
        self.epoch = self.epoch + 1 if self.epoch < EPOCH_MAX else 1


class Resolved(NamedTuple):
    """What one Fetch is about: ``incremental`` answers leave out what didn't change."""

    partitions: Iterable[Wanted]
    session: Session | None
    incremental: bool


class FetchSessions:
    """The cache of sessions of one broker."""

    __slots__ = ("_draw", "_sessions", "_slots", "evictions")

    def __init__(self, slots: int, draw: Callable[[], int]) -> None:
        self._slots = slots
        self._draw = draw
        self._sessions: dict[int, Session] = {}
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def cached_partitions(self) -> int:
        return sum(len(session.partitions) for session in self._sessions.values())

    def resolve(
        self,
        session_id: int,
        epoch: int,
        wanted: dict[Key, Wanted],
        forgotten: Iterable[Key],
        *,
        uses_ids: bool,
        privileged: bool,
        now: int,
    ) -> Resolved | Refused:
        if not -_SHARD < session_id < 8 * _SHARD:
            return Refused(ErrorCode.UNKNOWN_SERVER_ERROR, f"no fetch session can be {session_id}")
        if epoch in (FINAL_EPOCH, INITIAL_EPOCH):
            if session_id != NO_SESSION:
                self._sessions.pop(session_id, None)
            session = None
            if epoch == INITIAL_EPOCH:
                session = self._open(wanted, uses_ids, privileged, now)
            return Resolved(wanted.values(), session, False)
        session = self._sessions.get(session_id)
        if session is None:
            return Refused(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, f"no fetch session {session_id}")
        if session.epoch != epoch:
            return Refused(
                ErrorCode.INVALID_FETCH_SESSION_EPOCH, f"session {session_id}: epoch {epoch}, expected {session.epoch}"
            )
        if session.uses_ids != uses_ids:
            return Refused(
                ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR, f"session {session_id} changed between topic names and ids"
            )
        partitions = session.partitions
        for key, ask in wanted.items():
            known = partitions.get(key)
            if known is None:
                partitions[key] = ask
            else:
                known.ask(ask)
        for key in forgotten:
            partitions.pop(key, None)
        if not partitions:
            del self._sessions[session_id]
            return Resolved((), None, False)
        session.go_on(now)
        return Resolved(partitions.values(), session, True)

    def of_one(self, session_id: int, epoch: int) -> Session | None:
        """The session that a request continues which names its only partition; None if there is none such."""
        session = self._sessions.get(session_id)
        return session if session is not None and session.epoch == epoch and len(session.partitions) == 1 else None

    def rotate(self, session: Session, key: Key) -> None:
        """This partition had its turn: others come first next time."""
        partitions = session.partitions
        wanted = partitions.pop(key, None)
        if wanted is not None:
            partitions[key] = wanted

    def _open(self, wanted: dict[Key, Wanted], uses_ids: bool, privileged: bool, now: int) -> Session | None:
        if len(self._sessions) >= self._slots and not self._make_room(len(wanted), privileged, now):
            return None
        session_id = self._draw()
        while not NO_SESSION < session_id < 8 * _SHARD or session_id in self._sessions:
            session_id = self._draw()
        session = self._sessions[session_id] = Session(session_id, wanted, uses_ids, privileged, now)
        return session

    def _make_room(self, size: int, privileged: bool, now: int) -> bool:
        """Kafka's rules for pushing a session out: the longest idle one, or else the least worthy one."""
        if not self._sessions:
            return False
        idle = min(self._sessions.values(), key=lambda session: (session.used, session.id))
        if now - idle.used > EVICTION_MS:
            victim = idle
        else:
            # Past its first two minutes a session gives way to a larger one; a consumer's always to a replica's.
            ripe = [
                session
                for session in self._sessions.values()
                if now - session.created > EVICTION_MS or (privileged and not session.privileged)
            ]
            if not ripe:
                return False
            victim = min(ripe, key=lambda session: (session.privileged, session.size, session.id))
            if (victim.privileged, victim.size) >= (privileged, size):
                return False
        del self._sessions[victim.id]
        self.evictions += 1
        return True
