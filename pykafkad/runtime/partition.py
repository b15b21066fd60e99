"""Partition: a log, its producers, its role and its marks: one object, one owner.

``append`` is the broker's hottest function. A batch that is as batches usually are passes one chain of comparisons on
its header, its CRC and its producer's window, is stamped in place and written; everything else goes through
``_prepare``, which asks ``state/acceptance.py`` in Kafka's order and has ``runtime/rewriting.py`` change the batch if
the topic wants that. Both ways end in the same few lines.

Marks: ``high_watermark`` (consumers may read below it), ``last_stable_offset`` (read_committed may), ``durable_end``
(acks=1 may be answered below it: the log's end, unless ``flush.messages`` makes answers wait for a sync).

Invariant: start_offset <= last_stable_offset <= high_watermark <= durable_end <= end_offset, on a leader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.batches import CRC_FROM, HEADER_SIZE, PREFIX_SIZE, BatchHeader, crc_ok, header_at, stamp, unpack
from kafkawire.checksum import crc32c
from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused, StorageFailed
from pykafkad.logs import log as events
from pykafkad.runtime.waits import Line
from pykafkad.state import acceptance
from pykafkad.state.replicas import Follower, Leader, Offline, Role
from pykafkad.state.sequences import Duplicate, Producers

if TYPE_CHECKING:
    from pykafkad.cluster.image import PartitionImage
    from pykafkad.config import TopicConfig
    from pykafkad.metrics import Cell, Metrics
    from pykafkad.runtime.flusher import Flusher
    from pykafkad.storage.disk import FileSlice
    from pykafkad.storage.log import PartitionLog

Buffer = bytes | bytearray | memoryview

_new = tuple.__new__
_LZ4, _ZSTD = 3, 4

NOT_LEADER = Refused(ErrorCode.NOT_LEADER_OR_FOLLOWER, "this broker does not lead the partition")
STORAGE_ERROR = Refused(ErrorCode.KAFKA_STORAGE_ERROR, "the log directory could not be written")
CORRUPT = Refused(ErrorCode.CORRUPT_MESSAGE, "the record batch fails its CRC")
OUT_OF_RANGE = Refused(ErrorCode.OFFSET_OUT_OF_RANGE, "the offset is not in the log")
NEGATIVE = Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "a limit below zero")
FENCED_EPOCH = Refused(ErrorCode.FENCED_LEADER_EPOCH, "the leader epoch asked with is older than ours")
UNKNOWN_EPOCH = Refused(ErrorCode.UNKNOWN_LEADER_EPOCH, "the leader epoch asked with is newer than ours")
NO_TRANSACTIONS = Refused(ErrorCode.NOT_ENOUGH_REPLICAS, "the transaction could not be verified with its coordinator")


class Appended(NamedTuple):
    """Where a batch went, or where its first copy is."""

    base_offset: int
    last_offset: int
    append_time_ms: int  # −1 on a CreateTime topic
    start_offset: int


class TopicCells:
    """The metric cells of a topic, shared by its partitions."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "bytes_rejected",
        "conversions",
        "failed_fetches",
        "failed_produces",
        "fetches",
        "messages_in",
        "produces",
        "wrong_crc",
        "wrong_key",
        "wrong_magic",
        "wrong_sequence",
    )

    def __init__(self, metrics: Metrics, topic: str) -> None:
        def cell(name: str) -> Cell:
            return metrics.counter(f"kafka_server_brokertopicmetrics_{name}_total", topic)

        def total(name: str) -> Cell:
            return metrics.counter(f"kafka_server_brokertopicmetrics_{name}_total")

        self.messages_in = cell("messagesin")
        self.bytes_in = cell("bytesin")
        self.bytes_out = cell("bytesout")
        self.bytes_rejected = cell("bytesrejected")
        self.produces = cell("totalproducerequests")
        self.fetches = cell("totalfetchrequests")
        self.failed_produces = cell("failedproducerequests")
        self.failed_fetches = cell("failedfetchrequests")
        self.conversions = cell("producemessageconversions")
        self.wrong_key = total("nokeycompactedtopicrecords")
        self.wrong_magic = total("invalidmagicnumberrecords")
        self.wrong_crc = total("invalidmessagecrcrecords")
        self.wrong_sequence = total("invalidoffsetorsequencerecords")


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
        "_gated",
        "_growers",
        "_limits",
        "_plain",
        "_size_max",
        "_unread",
        "cells",
        "durable_end",
        "high_watermark",
        "index",
        "internal",
        "last_stable_offset",
        "leader_epoch",
        "leads",
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
        self._growers: dict[Callable[[int], None], None] = {}
        self._follows = False
        log.on_roll = self._rolled
        self.configure(topic_config)

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
        limits = self._limits = acceptance.limits_of(topic_config)
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
        self._tell(-1)

    def _refresh(self) -> None:
        """Whether the marks simply follow the log's end: the common case, kept apart for speed."""
        role = self.role
        self._enough = isinstance(role, Leader) and role.enough
        if isinstance(role, Leader):
            role.high_watermark = max(role.high_watermark, self.high_watermark)
        self._follows = (
            isinstance(role, Leader)
            and role.alone
            and self._flush_messages >= acceptance.NEVER
            and self._flush_ms >= acceptance.NEVER
            and not self.producers.transactional
        )

    @property
    def answers_at_once(self) -> bool:
        """Whether whoever appends has nothing to wait for, whatever its acks."""
        return self._follows

    # -- writing -----------------------------------------------------------------------------------------------------

    def append(self, records: Buffer, acks: int, now: int, zstd: bool = True) -> Appended | Refused:
        """A client's batch enters the log, or is refused. ``records`` is stamped in place where it can be."""
        size = len(records)
        fields = self._usual(records, size, acks, now, zstd)
        if fields is None:
            prepared = self._prepare(records, acks, now, zstd)
            if isinstance(prepared, Refused):
                return prepared
            batch, header = prepared
            return self._admit(batch, header[1:], header.length, now)
        if type(records) is memoryview and not records.readonly:
            return self._admit(records, fields, size, now)
        return self._admit(bytearray(records), fields, size, now)

    def _usual(self, records: Buffer, size: int, acks: int, now: int, zstd: bool) -> tuple[int, ...] | None:
        """The header's fields if this is one batch as batches usually are; None if it needs a closer look."""
        if size < HEADER_SIZE or not self._plain:
            return None
        fields = unpack(records, 0)
        base, length, _, magic, crc, attributes, delta, _, newest, producer_id, _, sequence, count = fields
        if (
            length + PREFIX_SIZE == size <= self._size_max
            and base == 0
            and magic == 2
            and 0 <= attributes <= (_ZSTD if zstd else _LZ4)  # no other bit than the codec's
            and count == delta + 1 > 0
            and newest - now <= self._limits.after_ms
            and (producer_id < 0 or sequence >= 0)
            and (acks != -1 or self._enough)
            and self.leads
            and crc32c(records[CRC_FROM:]) == crc
        ):
            return fields
        return None

    def append_run(self, run: Sequence[memoryview], acks: int, now: int, zstd: bool = True) -> list[Appended | Refused]:
        """What ``append`` would do with one after the other, in fewer writes: usual batches that follow each other go
        together. The views are stamped in place, so they must be writable.
        """
        results: list[Appended | Refused] = []
        log, epoch = self.log, self.leader_epoch
        base, room = log.end_offset, log.room
        batches: list[memoryview] = []
        headers: list[BatchHeader] = []
        for records in run:
            size = len(records)
            fields = self._usual(records, size, acks, now, zstd)
            if fields is not None and size <= room:
                header: BatchHeader = _new(BatchHeader, (0, base, size, epoch, *fields[3:]))
                if header[10] < 0 or self._follows_on(headers, header):
                    stamp(records, 0, base, epoch)
                    batches.append(records)
                    headers.append(header)
                    base += fields[12]
                    room -= size
                    continue
            if headers:
                results += self._write(batches, headers, now)
                batches, headers = [], []
            results.append(self.append(records, acks, now, zstd))
            base, room = log.end_offset, log.room
        if headers:
            results += self._write(batches, headers, now)
        return results

    def _follows_on(self, headers: Sequence[BatchHeader], header: BatchHeader) -> bool:
        """Whether an idempotent producer's batch is in sequence behind those that are to be written before it."""
        if not headers:
            return self.producers.check(header) is None
        before = headers[-1]
        return before[10:12] == header[10:12] and header[12] == (before[12] + before[7] + 1) & 0x7FFFFFFF

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
        self._landed(log.end_offset, size, count)
        return results

    def _prepare(self, records: Buffer, acks: int, now: int, zstd: bool) -> tuple[bytearray, BatchHeader] | Refused:
        """The same judgment in Kafka's order, for batches that are refused or that need more than a stamp."""
        limits, cells = self._limits, self.cells
        header = acceptance.entry(records, zstd=zstd)
        if isinstance(header, Refused):
            cells.wrong_magic.value += "magic" in header.detail
            return header
        if not self.leads:
            return NOT_LEADER
        assert isinstance(self.role, Leader)
        refused = self.role.may_append(acks) or acceptance.judge_size(header, limits)
        if refused is not None:
            if refused.code == ErrorCode.MESSAGE_TOO_LARGE:
                cells.bytes_rejected.value += header.length
            return refused
        if not crc_ok(records, header):
            cells.wrong_crc.value += 1
            return CORRUPT
        refused = acceptance.judge_shape(header)
        if refused is not None:
            cells.wrong_sequence.value += 1
            return refused
        untimely = acceptance.judge_times(header, limits, now)
        batch: Buffer = records[: header.length]
        claims = header.attributes & acceptance.LOG_APPEND_TIME
        if untimely is not None or claims or not self._plain:
            from pykafkad.runtime import rewriting  # only topics that ask for it load the codecs

            if untimely is not None or rewriting.needs_look(limits):
                refused = rewriting.look_into(batch, header, limits, now, f"{self.topic}-{self.index}") or untimely
                if refused is not None:
                    cells.wrong_key.value += refused.code == ErrorCode.INVALID_RECORD
                    return refused
            if limits.append_time or claims or (limits.codec is not None and limits.codec != attributes_codec(header)):
                rewritten = rewriting.rewrite(batch, header, limits, now)
                if isinstance(rewritten, Refused):
                    return rewritten
                cells.conversions.value += 1
                batch, header = rewritten, header_at(rewritten, 0)
        if header.length > limits.segment_max:
            return acceptance.too_large_for_segment(header, limits)
        if header.attributes & acceptance.TRANSACTIONAL:
            return NO_TRANSACTIONS
        if not isinstance(batch, bytearray):
            batch = bytearray(batch)
        return batch, header

    def _admit(self, batch: bytearray | memoryview, fields: tuple[int, ...], size: int, now: int) -> Appended | Refused:
        """Sequence, stamp, write, marks: the end of every way in. ``fields``: the header as it came."""
        log = self.log
        base = log.end_offset
        header = _new(BatchHeader, (0, base, size, self.leader_epoch, *fields[3:]))
        producer_id = header[10]
        if producer_id >= 0:
            verdict = self.producers.check(header)
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
        count = header[13]
        end = base + count
        self._landed(end, size, count)
        return _new(Appended, (base, end - 1, now if self._append_time else -1, log.start_offset))

    def _landed(self, end: int, size: int, count: int) -> None:
        """A client's records are in the log."""
        cells = self.cells
        cells.messages_in.value += count
        cells.bytes_in.value += size
        if self._follows:
            self.high_watermark = self.last_stable_offset = self.durable_end = end
            if self._committed.waiters:
                self._committed.release(end)
            if self._growers:
                self._tell(size)
        else:
            self._grown(end, size)

    def append_own(self, batch: bytes | bytearray, now: int) -> int:
        """A coordinator's records, one whole batch. Its base offset; StorageFailed if it isn't written."""
        if not self.leads:
            raise StorageFailed(self.log.directory, NOT_LEADER.detail)
        log = self.log
        base = log.end_offset
        own = bytearray(batch)
        stamp(own, 0, base, self.leader_epoch)
        header = header_at(own, 0)
        try:
            log.append((own,), (header,), now)
        except StorageFailed as failure:
            self._storage(failure)
            raise
        if header.producer_id >= 0:
            self.producers.replay(header, own if header.attributes & acceptance.CONTROL else None)
            if header.attributes & acceptance.TRANSACTIONAL:
                self._refresh()
        self.cells.messages_in.value += header.count
        self.cells.bytes_in.value += header.length
        self._grown(log.end_offset, header.length)
        return base

    def _storage(self, failure: StorageFailed) -> Refused:
        if not self.storage_failed:
            self.storage_failed = True
            self._follows = False  # the next append that succeeds looks at everything again
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
            return
        self._flushed = max(self._flushed, upto)
        end = self.log.end_offset
        self._gated = end - self._flushed >= self._flush_messages
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
        self.high_watermark = role.high_watermark
        self._stabilise()
        self._committed.release(self.high_watermark)
        size, self._unread = self._unread, 0
        self._tell(max(size, 1))

    def _stabilise(self) -> None:
        self.producers.committed(self.high_watermark)
        unstable = self.producers.first_unstable
        self.last_stable_offset = self.high_watermark if unstable is None else min(self.high_watermark, unstable)

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

    def on_grow(self, callback: Callable[[int], None]) -> None:
        """Call with the number of new bytes whenever there is more to read; −1 if something else must be told."""
        self._growers[callback] = None

    def off_grow(self, callback: Callable[[int], None]) -> None:
        self._growers.pop(callback, None)

    def growers(self) -> list[Callable[[int], None]]:
        return list(self._growers)

    def _tell(self, size: int) -> None:
        for callback in tuple(self._growers):
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

    def diverging(self, last_fetched_epoch: int, offset: int) -> tuple[int, int] | Refused | None:
        """(epoch, end offset) where a reader's log and ours part; None if they agree."""
        log = self.log
        epoch, end = self._end_of(last_fetched_epoch)
        if epoch < 0 or end < 0 or offset < log.start_offset:
            return OUT_OF_RANGE
        if epoch < last_fetched_epoch or end < offset:
            return epoch, end
        return None

    def end_of_epoch(self, current_leader_epoch: int, epoch: int) -> tuple[int, int] | Refused:
        """(largest epoch up to the asked one, where it ends)."""
        return self.check_epoch(current_leader_epoch) or self._end_of(epoch)

    def _end_of(self, epoch: int) -> tuple[int, int]:
        """As the log knows it; but our own epoch has begun even if nothing was written under it yet."""
        log, role = self.log, self.role
        latest = log.epochs.latest
        if isinstance(role, Leader) and latest < role.epoch and latest <= epoch >= 0:
            if epoch == role.epoch:
                return epoch, log.end_offset
            if epoch > role.epoch:
                return -1, -1
            return latest if latest >= 0 else epoch, role.epoch_start
        return log.epochs.end_of(epoch, log.end_offset)

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
        return self.log.start_offset

    def retain(self, now: int) -> int:
        """Let segments go that retention no longer holds; how many."""
        return 0 if self.log.cleaning else self.log.retain(now, self.high_watermark)


def attributes_codec(header: BatchHeader) -> int:
    return header.attributes & 7
