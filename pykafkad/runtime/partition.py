"""Partition: a log, its producers, its role and its marks: one object, one owner.

``append`` is the broker's hottest function. A batch that is as batches usually are passes one chain of comparisons on
its header, its CRC and its producer's window, is stamped in place and written; everything else goes through
``runtime/preparing.py``, which judges in Kafka's order and changes the batch if the topic wants that. Both ways end in
the same few lines.

Marks: ``high_watermark`` (consumers may read below it), ``last_stable_offset`` (read_committed may: transactions that
begin below it are over), ``durable_end`` (acks=1 may be answered below it: the log's end, unless ``flush.messages``
makes answers wait for a sync).

Invariant: start_offset <= last_stable_offset <= high_watermark <= durable_end <= end_offset, on a leader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.batches import CRC_FROM, HEADER_SIZE, PREFIX_SIZE, BatchHeader, header_at, stamp, unpack
from kafkawire.checksum import crc32c
from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused, StorageFailed
from pykafkad.logs import log as events
from pykafkad.runtime.preparing import prepare
from pykafkad.runtime.waits import Growers, Line
from pykafkad.state import acceptance
from pykafkad.state.replicas import Follower, Leader, Offline, Role
from pykafkad.state.sequences import Duplicate, Ending, Producers, marker_batch
from pykafkad.storage.spans import distance

if TYPE_CHECKING:
    from pykafkad.cluster.image import PartitionImage
    from pykafkad.config import TopicConfig
    from pykafkad.model import Aborted
    from pykafkad.runtime.flusher import Flusher
    from pykafkad.runtime.topic_cells import TopicCells
    from pykafkad.state.verification import Guard
    from pykafkad.storage.disk import FileSlice
    from pykafkad.storage.log import PartitionLog

Buffer = bytes | bytearray | memoryview

_new = tuple.__new__
_LZ4, _ZSTD = 3, 4
FLUSH_AGAIN_MS = 1_000  # after a sync that failed without being final: too many open files, say
PLAIN, TRANSACTIONAL = 0, acceptance.TRANSACTIONAL

NOT_LEADER = Refused(ErrorCode.NOT_LEADER_OR_FOLLOWER, "this broker does not lead the partition")
STORAGE_ERROR = Refused(ErrorCode.KAFKA_STORAGE_ERROR, "the log directory could not be written")
OUT_OF_RANGE = Refused(ErrorCode.OFFSET_OUT_OF_RANGE, "the offset is not in the log")
NEGATIVE = Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "a limit below zero")
FENCED_EPOCH = Refused(ErrorCode.FENCED_LEADER_EPOCH, "the leader epoch asked with is older than ours")
UNKNOWN_EPOCH = Refused(ErrorCode.UNKNOWN_LEADER_EPOCH, "the leader epoch asked with is newer than ours")


class Appended(NamedTuple):
    """Where a batch went, or where its first copy is."""

    base_offset: int
    last_offset: int
    append_time_ms: int  # −1 on a CreateTime topic
    start_offset: int


class Partition:
    __slots__ = (
        "__weakref__",
        "_append_time",
        "_committed",
        "_durable",
        "_enough",
        "_flush_messages",
        "_flush_ms",
        "_flushed",
        "_flusher",
        "_follows",
        "_follows_in_transactions",
        "_gated",
        "_growers",
        "_plain",
        "_size_max",
        "_transactional",
        "_unread",
        "cells",
        "durable_end",
        "high_watermark",
        "index",
        "internal",
        "last_stable_offset",
        "leader_epoch",
        "leads",
        "limits",
        "log",
        "producers",
        "role",
        "storage_failed",
        "topic",
        "topic_config",
        "topic_id",
    )

    def __init__(
        self,
        *,
        topic: str,
        index: int,
        topic_id: bytes,
        log: PartitionLog,
        producers: Producers,
        topic_config: TopicConfig,
        cells: TopicCells,
        flusher: Flusher,
        high_watermark: int,
        internal: bool = False,
    ) -> None:
        self.topic = topic
        self.index = index
        self.topic_id = topic_id
        self.log = log
        self.producers = producers
        self.cells = cells
        self.internal = internal
        self.leader_epoch = -1
        self.leads = False
        self.role: Role = Offline(epoch=-1, high_watermark=high_watermark)
        self.high_watermark = min(max(high_watermark, log.start_offset), log.end_offset)
        self.last_stable_offset = self.high_watermark
        self.durable_end = log.end_offset
        self.storage_failed = False
        self._flusher = flusher
        self._flushed = log.end_offset
        self._gated = False
        self._unread = 0
        self._committed = Line()
        self._durable = Line()
        self._growers = Growers()
        self._follows = self._follows_in_transactions = False
        log.on_roll = self._rolled
        self.configure(topic_config)
        self._stabilise()

    def __repr__(self) -> str:
        log = self.log
        return f"<Partition {self.topic}-{self.index} {log.start_offset}..{self.high_watermark}..{log.end_offset}>"

    def _rolled(self, base: int) -> None:
        """A closed segment is synced whatever the settings say."""
        self._flusher.request(self, base)

    # -- what changes it from outside --------------------------------------------------------------------------------

    def configure(self, topic_config: TopicConfig) -> None:
        """The topic's settings changed; the next batch feels it."""
        self.topic_config = topic_config
        self.log.topic_config = topic_config
        limits = self.limits = acceptance.limits_of(topic_config)
        self._plain = limits.plain
        self._append_time = limits.append_time
        self._size_max = min(limits.size_max, limits.segment_max)
        self._flush_messages = topic_config.flush_messages
        self._flush_ms = topic_config.flush_ms
        self._flusher.forget(self)
        if self._flush_ms < acceptance.NEVER and self.log.recovery_point < self.log.end_offset:
            self._flusher.within(self, self._flush_ms)
        if isinstance(self.role, Leader):
            self.role.min_insync = topic_config.min_insync_replicas
        self._refresh()

    def assume(self, image: PartitionImage, node_id: int) -> None:
        """Take the role that the cluster's image gives this node."""
        role, epoch = self.role, image.leader_epoch
        if image.leader == node_id:
            if isinstance(role, Leader) and role.epoch == epoch:
                role.isr = image.isr
                role.replicas = image.replicas
                role.know_replicas()
            else:
                end = self.log.end_offset
                self.role = Leader(
                    node_id=node_id,
                    epoch=epoch,
                    replicas=image.replicas,
                    isr=image.isr,
                    min_insync=self.topic_config.min_insync_replicas,
                    high_watermark=self.high_watermark,
                    epoch_start=end,
                )
        elif image.leader >= 0:
            self.role = Follower(leader=image.leader, epoch=epoch, high_watermark=self.high_watermark)
        else:
            self.role = Offline(epoch=epoch, high_watermark=self.high_watermark)
        self.leader_epoch = epoch
        self.leads = isinstance(self.role, Leader)
        self._refresh()
        if self.leads:
            self._advance()
        else:
            self.lose(NOT_LEADER)

    def lose(self, refused: Refused) -> None:
        """Nobody will be served here any more: tell all who wait."""
        self._committed.fail(refused)
        self._durable.fail(refused)
        for callback in self.growers():
            callback(-1)

    def _refresh(self) -> None:
        """Whether the marks simply follow the log's end: the common case, kept apart for speed. Where there are
        transactions, all but the last stable offset do.
        """
        role = self.role
        self._enough = isinstance(role, Leader) and role.enough
        if isinstance(role, Leader):
            role.high_watermark = max(role.high_watermark, self.high_watermark)
        follows = (
            isinstance(role, Leader)
            and role.alone
            and self._flush_messages >= acceptance.NEVER
            and self._flush_ms >= acceptance.NEVER
            and not self._gated
            and not self.storage_failed
        )
        transactional = self._transactional = self.producers.transactional
        self._follows = follows and not transactional
        self._follows_in_transactions = follows and transactional
        if transactional:
            self._growers.part()

    @property
    def answers_at_once(self) -> bool:
        """Whether whoever appends has nothing to wait for, whatever its acks."""
        return self._follows or self._follows_in_transactions

    # -- writing -----------------------------------------------------------------------------------------------------

    def append(
        self,
        records: Buffer,
        acks: int,
        now: int,
        zstd: bool = True,
        kind: int = PLAIN,
        guard: Guard | None = None,
    ) -> Appended | Refused:
        """A client's batch enters the log, or is refused. ``records`` is stamped in place where it can be.

        ``kind``: TRANSACTIONAL in a request that names a transactional id. ``guard``: what ``vouch`` gave out for the
        first batch of a transaction, which the coordinator knows by now.
        """
        size = len(records)
        fields = self._usual(records, size, acks, now, zstd, kind)
        if fields is None:
            prepared = prepare(self, records, acks, now, zstd, kind)
            if isinstance(prepared, Refused):
                return prepared
            batch, header = prepared
            return self._admit(batch, header[1:], header.length, now, guard)
        if type(records) is memoryview and not records.readonly:
            return self._admit(records, fields, size, now, guard)
        return self._admit(bytearray(records), fields, size, now, guard)

    def _usual(self, records: Buffer, size: int, acks: int, now: int, zstd: bool, kind: int) -> tuple[int, ...] | None:
        """The header's fields if this is one batch as batches usually are; None if it needs a closer look."""
        if size < HEADER_SIZE or not self._plain:
            return None
        fields = unpack(records, 0)
        base, length, _, magic, crc, attributes, delta, oldest, newest, producer_id, _, sequence, count = fields
        if (
            length + PREFIX_SIZE == size <= self._size_max
            and base == 0
            and magic == 2
            and 0 <= attributes ^ kind <= (_ZSTD if zstd else _LZ4)  # no other bit than the codec's
            and count == delta + 1 > 0
            and 0 <= oldest <= newest <= now + self.limits.after_ms
            and (producer_id < 0 or sequence >= 0)
            and (acks != -1 or self._enough)
            and self.leads
            and crc32c(records[CRC_FROM:]) == crc
        ):
            return fields
        return None

    def append_run(
        self,
        run: Sequence[memoryview],
        acks: int,
        now: int,
        zstd: bool = True,
        kind: int = PLAIN,
        guard: Guard | None = None,
    ) -> list[Appended | Refused]:
        """What ``append`` would do with one after the other, in fewer writes: usual batches that follow each other go
        together. The views are stamped in place, so they must be writable. Transactional ones must be ``in_progress``,
        or all of the producer for whom the ``guard`` was given out.
        """
        results: list[Appended | Refused] = []
        log, epoch = self.log, self.leader_epoch
        base, room, newest = log.end_offset, log.room, 0
        batches: list[memoryview] = []
        headers: list[BatchHeader] = []
        for records in run:
            size = len(records)
            fields = self._usual(records, size, acks, now, zstd, kind)
            if fields is not None and size <= room and (not headers or fields[8] <= newest):
                header: BatchHeader = _new(BatchHeader, (0, base, size, epoch, *fields[3:]))
                if header[10] < 0 or self._follows_on(headers, header, guard):
                    if not headers:
                        newest = log.newest_beside(fields[8])
                    stamp(records, 0, base, epoch)
                    batches.append(records)
                    headers.append(header)
                    base += fields[12]
                    room -= size
                    continue
            if headers:
                results += self._write(batches, headers, now)
                batches, headers = [], []
            results.append(self.append(records, acks, now, zstd, kind, guard))
            base, room = log.end_offset, log.room
        if headers:
            results += self._write(batches, headers, now)
        return results

    def _follows_on(self, headers: Sequence[BatchHeader], header: BatchHeader, guard: Guard | None) -> bool:
        """Whether an idempotent producer's batch is in sequence behind those that are to be written before it."""
        if not headers:
            return self.producers.check(header, guard) is None
        before = headers[-1]
        if before[10:12] != header[10:12] or header[12] != (before[12] + before[7] + 1) & 0x7FFFFFFF:
            return False
        # A guard is gone when a transaction has begun; what is written meanwhile without one has to mind it.
        return header[6] & TRANSACTIONAL != 0 or self.producers.guards.of(header[10]) is None

    def _write(self, batches: list[memoryview], headers: list[BatchHeader], now: int) -> list[Appended] | list[Refused]:
        """The end of a run, all or nothing."""
        log = self.log
        try:
            log.append(batches, headers, now)
        except StorageFailed as failure:
            return [self._storage(failure)] * len(headers)
        append_time, start = now if self._append_time else -1, log.start_offset
        results: list[Appended] = []
        replay = self.producers.replay
        size = count = 0
        for header in headers:
            if header[10] >= 0:
                replay(header)
            size += header[2]
            count += header[13]
            results.append(_new(Appended, (header[1], header[1] + header[13] - 1, append_time, start)))
        if self.producers.transactional and not self._transactional:
            self._refresh()
        self._landed(log.end_offset, size, count)
        return results

    def _admit(
        self, batch: bytearray | memoryview, fields: tuple[int, ...], size: int, now: int, guard: Guard | None
    ) -> Appended | Refused:
        """Sequence, stamp, write, marks: the end of every way in. ``fields``: the header as it came."""
        log = self.log
        base = log.end_offset
        header = _new(BatchHeader, (0, base, size, self.leader_epoch, *fields[3:]))
        producer_id = header[10]
        if producer_id >= 0:
            verdict = self.producers.check(header, guard)
            if verdict is not None:
                if isinstance(verdict, Duplicate):
                    return Appended(verdict.base_offset, verdict.last_offset, verdict.timestamp, log.start_offset)
                self.cells.wrong_sequence.value += 1
                return verdict
        stamp(batch, 0, base, self.leader_epoch)
        try:
            log.append((batch,), (header,), now)
        except StorageFailed as failure:
            return self._storage(failure)
        if producer_id >= 0:
            self.producers.replay(header)
            if header[6] & TRANSACTIONAL and not self._transactional:
                self._refresh()
        count = header[13]
        end = base + count
        self._landed(end, size, count)
        return _new(Appended, (base, end - 1, now if self._append_time else -1, log.start_offset))

    def _landed(self, end: int, size: int, count: int) -> None:
        """Records are in the log."""
        cells = self.cells
        cells.messages_in.value += count
        cells.bytes_in.value += size
        if self._follows:
            self.high_watermark = self.last_stable_offset = self.durable_end = end
            if self._committed.waiters:
                self._committed.release(end)
            if self._growers.any:
                self._tell(size)
        elif self._follows_in_transactions:
            self.high_watermark = self.durable_end = end
            self._stabilise()
            if self._committed.waiters:
                self._committed.release(end)
            if self._growers.any:
                self._tell(size)
        else:
            self._grown(end, size)

    def append_own(self, batch: bytes | bytearray, now: int, guard: Guard | None = None) -> int | Refused:
        """A coordinator's records, one whole batch, stamped in place where it can be. Its base offset; StorageFailed if
        it isn't written. Refused are those in a transaction that nobody vouches for.
        """
        if not self.leads:
            raise StorageFailed(self.log.directory, NOT_LEADER.detail)
        log = self.log
        base = log.end_offset
        own = batch if isinstance(batch, bytearray) else bytearray(batch)
        stamp(own, 0, base, self.leader_epoch)
        header = header_at(own, 0)
        if header.producer_id >= 0:
            refused = self.producers.check_own(header.producer_id, header.producer_epoch, guard)
            if refused is not None:
                return refused
        try:
            log.append((own,), (header,), now)
        except StorageFailed as failure:
            self._storage(failure)
            raise
        if header.producer_id >= 0:
            self.producers.replay(header)
            if not self._transactional:
                self._refresh()
        self._landed(log.end_offset, header.length, header.count)
        return base

    def may_append(self, acks: int) -> Refused | None:
        """Whether this node may take a batch at all, as things are."""
        if not isinstance(self.role, Leader) or not self.leads:
            return NOT_LEADER
        return self.role.may_append(acks)

    # -- transactions ------------------------------------------------------------------------------------------------

    def vouch(
        self, producer_id: int, epoch: int, sequence: int, now: int, *, epoch_bumps: bool
    ) -> Guard | Refused | None:
        """What to show with a transactional batch after its coordinator was asked about it; None: no need to ask.

        ``epoch_bumps``: the client speaks transaction version 2.
        """
        return self.producers.guard(producer_id, sequence, epoch, now, epoch_bumps)

    def in_progress(self, run: Sequence[Buffer]) -> bool:
        """Whether all these batches, as long as a header at least, belong to transactions that are open here."""
        ongoing = self.producers.ongoing
        return all(ongoing(*unpack(records, 0)[9:11]) for records in run)

    def append_marker(
        self, producer_id: int, producer_epoch: int, commit: bool, coordinator_epoch: int, now: int, epoch_bumps: bool
    ) -> Appended | Refused:
        """A coordinator ends a transaction here, whether or not it wrote anything. ``epoch_bumps``: under transaction
        version 2, where the marker has a newer epoch than the batches before it.
        """
        producers, log = self.producers, self.log
        refused = self.may_append(-1) or producers.check_marker(
            producer_id, producer_epoch, coordinator_epoch, epoch_bumps=epoch_bumps
        )
        if refused is not None:
            return refused
        base = log.end_offset
        batch = marker_batch(producer_id, producer_epoch, commit, coordinator_epoch, now)
        stamp(batch, 0, base, self.leader_epoch)
        header = header_at(batch, 0)
        try:
            log.append_marker(batch, header, None if commit else producers.would_abort(producer_id, base), now)
        except StorageFailed as failure:
            return self._storage(failure)
        producers.replay(header, Ending(commit, coordinator_epoch))
        self._landed(base + 1, header.length, 1)
        return Appended(base, base, now if self._append_time else -1, log.start_offset)

    def _storage(self, failure: StorageFailed) -> Refused:
        if not self.storage_failed:
            self.storage_failed = True
            # The next append that succeeds looks at everything again.
            self._follows = self._follows_in_transactions = False
            health = self.log.place.health
            if not health.refusal:  # one line for all the partitions of a full disk
                health.refusal = failure.reason
                events.error("writes are refused", directory=failure.log_dir, reason=failure.reason)
        return Refused(ErrorCode.KAFKA_STORAGE_ERROR, failure.reason)

    # -- marks -------------------------------------------------------------------------------------------------------

    def _grown(self, end: int, size: int) -> None:
        """The log is longer; the marks may have to wait, for a sync or for other replicas."""
        if self.storage_failed:
            self.storage_failed = False
            self._refresh()
            health = self.log.place.health
            if health.refusal:
                health.refusal = ""
                events.info("writes are accepted again", directory=health.log_dir)
        self._unread += size
        if end - self._flushed >= self._flush_messages:
            self._gated = True
            self._flusher.request(self, end)
        elif self._flush_ms < acceptance.NEVER:
            self._flusher.within(self, self._flush_ms)
        if not self._gated:
            self._durable_to(end)
        self._advance()

    def flushed(self, upto: int, failure: StorageFailed | None) -> None:
        """The flusher is done with everything below ``upto``, or has failed."""
        if failure is not None:
            events.error("flush failed", partition=f"{self.topic}-{self.index}", reason=failure.reason)
            if self._gated:
                refused = Refused(ErrorCode.KAFKA_STORAGE_ERROR, failure.reason)
                self._durable.fail(refused)
                self._committed.fail(refused)
                if self.leads and not self.log.place.health.failure:  # who repeats a request appends nothing
                    self._flusher.within(self, FLUSH_AGAIN_MS)
            return
        self._flushed = max(self._flushed, upto)
        end = self.log.end_offset
        gated, self._gated = self._gated, end - self._flushed >= self._flush_messages
        if gated and not self._gated:
            self._refresh()
        self._durable_to(self._flushed if self._gated else end)
        self._advance()

    def _durable_to(self, offset: int) -> None:
        if offset > self.durable_end:
            self.durable_end = offset
            self._durable.release(offset)

    def _advance(self) -> None:
        """Move the high watermark as far as it may go, and all that hangs on it."""
        role = self.role
        if not isinstance(role, Leader) or not role.advance(self.durable_end):
            return
        if role.high_watermark <= self.high_watermark:  # it followed the log's end, of which the role hears now
            return
        self.high_watermark = role.high_watermark
        self._stabilise()
        self._committed.release(self.high_watermark)
        size, self._unread = self._unread, 0
        self._tell(max(size, 1))

    def _stabilise(self) -> None:
        """Move the last stable offset behind the watermark, as far as transactions let it."""
        before, mark = self.last_stable_offset, self.high_watermark
        self.producers.committed(mark)
        unstable = self.producers.first_unstable
        if unstable is not None:
            mark = min(mark, max(unstable, self.log.start_offset))
        self.last_stable_offset = mark
        if mark > before and self._growers.committed:
            size = distance(self.log.segments, before, mark)
            for callback in tuple(self._growers.committed):
                callback(size)

    def replica_asks(self, replica: int, epoch: int, offset: int, log_start: int, now: int) -> Refused | None:
        """A follower fetches from ``offset``: it has everything below."""
        role = self.role
        if not isinstance(role, Leader) or not role.knows(replica):
            return NOT_LEADER if epoch == -1 else UNKNOWN_EPOCH
        role.fetched(replica, offset, log_start, self.log.end_offset, now)
        self._advance()
        return None

    # -- waiting -----------------------------------------------------------------------------------------------------

    def committed(
        self, offset: int, callback: Callable[[], None], lost: Callable[[Refused], None] | None = None
    ) -> None:
        """Call back when the high watermark has reached ``offset``: at once if it has."""
        if self.high_watermark >= offset:
            callback()
        else:
            self._committed.wait(offset, callback, lost)

    def durable(self, offset: int, callback: Callable[[], None], lost: Callable[[Refused], None] | None = None) -> None:
        """Call back when our own log is safe up to ``offset``, as far as the topic's settings ask."""
        if self.durable_end >= offset:
            callback()
        else:
            self._durable.wait(offset, callback, lost)

    def on_grow(self, callback: Callable[[int], None], committed: bool = False) -> None:
        """Call with the number of new bytes whenever there is more to read; −1 if something else must be told.

        ``committed``: what counts is what read_committed may read. Where there are no transactions that is the same.
        """
        if committed and self._transactional:
            self._growers.committed[callback] = None
        else:
            self._growers.any[callback] = committed

    def off_grow(self, callback: Callable[[int], None]) -> None:
        self._growers.discard(callback)

    def growers(self) -> list[Callable[[int], None]]:
        return self._growers.all()

    def _tell(self, size: int) -> None:
        for callback in tuple(self._growers.any):
            callback(size)

    @property
    def enough_replicas(self) -> bool:
        return self._enough

    @property
    def unsettled(self) -> bool:
        """A new leader whose watermark hasn't reached the start of its epoch: what is latest can't be told yet."""
        return isinstance(self.role, Leader) and self.high_watermark < self.role.epoch_start

    @property
    def waiting(self) -> int:
        """Produce requests that wait for replicas or a sync."""
        return len(self._committed) + len(self._durable)

    # -- reading -----------------------------------------------------------------------------------------------------

    def check_epoch(self, epoch: int) -> Refused | None:
        """Whether a client that names a leader epoch means ours; −1 names none."""
        if epoch == -1 or epoch == self.leader_epoch:
            return None
        return FENCED_EPOCH if epoch < self.leader_epoch else UNKNOWN_EPOCH

    def read(
        self, offset: int, max_bytes: int, until: int, at_least_one: bool, wait: bool = True
    ) -> FileSlice | Refused | None:
        """Batches from ``offset`` on, below ``until``; None if there are none (yet). ``Cold`` is raised if finding them
        takes the disk and may not ``wait``.
        """
        log = self.log
        if offset < until and offset >= log.start_offset:
            if max_bytes < 0:
                return NEGATIVE
            if log.damage:
                sound = self._sound_until(offset, until)
                if isinstance(sound, Refused):
                    return sound
                until = sound
            try:
                return log.read(offset, max_bytes, until, at_least_one=at_least_one, wait=wait)
            except StorageFailed as failure:
                return Refused(ErrorCode.KAFKA_STORAGE_ERROR, failure.reason)
        if offset < log.start_offset or offset > log.end_offset:
            return OUT_OF_RANGE
        return None

    def _sound_until(self, offset: int, until: int) -> int | Refused:
        """How far a reader gets from ``offset`` on before something that is known to be damaged; refused inside it."""
        for damage in self.log.damage:
            if damage.next_offset > offset:
                if damage.first_offset <= offset:
                    return Refused(ErrorCode.CORRUPT_MESSAGE, str(damage.finding))
                return min(until, damage.first_offset)
        return until

    def aborted(self, offset: int, piece: FileSlice | None, wait: bool) -> Sequence[Aborted] | Refused:
        """The transactions whose records read_committed must leave out of what was read from ``offset`` on, if only
        nothing for want of room.
        """
        try:
            return self.log.aborted(offset, piece, wait=wait)
        except StorageFailed as failure:
            return Refused(ErrorCode.KAFKA_STORAGE_ERROR, failure.reason)

    # -- removing ----------------------------------------------------------------------------------------------------

    def delete_records(self, offset: int) -> int | Refused:
        """Drop what lies below ``offset`` (−1: below the high watermark); the new low watermark."""
        if not self.leads:
            return NOT_LEADER
        if self.topic_config.cleanup_policy and "delete" not in self.topic_config.cleanup_policy:
            return Refused(ErrorCode.POLICY_VIOLATION, "the topic's cleanup.policy does not delete")
        if offset == -1:
            offset = self.high_watermark
        if offset < 0 or offset > self.high_watermark:
            return OUT_OF_RANGE
        try:
            self.log.advance_start(offset)
        except StorageFailed as failure:
            return self._storage(failure)
        self._stabilise()
        return self.log.start_offset

    def retain(self, now: int) -> int:
        """Let segments go that retention no longer holds; how many."""
        gone = 0 if self.log.cleaning else self.log.retain(now, self.high_watermark)
        if gone:
            self._stabilise()  # which may have stood still at a transaction that nobody ends
        return gone
