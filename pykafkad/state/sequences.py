"""Idempotent producers on one partition: windows of sequences, epochs, open transactions, the last stable offset.

A producer numbers the records it sends to a partition. The partition remembers the last five batches of each producer:
a batch that is among them is a retry and is answered as the first time; a batch that follows the newest one is fresh;
everything else is out of order. ``check`` looks, ``replay`` is the only method that changes what must survive: it is
called for each batch after it is in the log, and for each batch that recovery reads.

A transaction is open on the partition from its first batch to its marker, and unstable until the high watermark has
passed the marker too; read_committed may not pass the first batch that is unstable.

Invariants (docs/invariants.md): a window holds at most five batches, of one epoch, in sequence; a producer is in
``_open`` exactly while its transaction has no marker.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.batches import seal
from kafkawire.errors import ErrorCode
from kafkawire.records import build, iterate
from pykafkad.errors import Refused
from pykafkad.model import Aborted, ProducerEntry
from pykafkad.state.verification import Guard, Guards

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader

WINDOW = 5
SEQUENCE_MAX = 2147483647
NO_EPOCH = -1
NO_SEQUENCE = -1
NOTHING_OPEN = -1
EPOCH_MAX = 32767
ABORT, COMMIT = 0, 1
LATE_AFTER_MS = 5 * 60 * 1000  # past the longest timeout a transaction may have: then nobody is going to end it
_MARKER_KEY = Struct(">hh")
_MARKER_VALUE = Struct(">hi")
_MARKER = bytes(build([(bytes(_MARKER_KEY.size), bytes(_MARKER_VALUE.size))], transactional=True, control=True))
_MARKER_TIMES_AND_PRODUCER = Struct(">qqqh")
TRANSACTIONAL = 0x10
CONTROL = 0x20


NOT_BEGUN = Refused(ErrorCode.INVALID_TXN_STATE, "Record was not part of an ongoing transaction")


class Duplicate(NamedTuple):
    """A retry of a batch that is in the log already: answer what its first append answered."""

    base_offset: int
    last_offset: int
    timestamp: int


class _Batch(NamedTuple):
    first_sequence: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int


class _Producer:
    __slots__ = ("coordinator_epoch", "epoch", "timestamp", "txn_first_offset", "window")

    def __init__(self) -> None:
        self.epoch = NO_EPOCH
        self.window: list[_Batch] = []
        self.timestamp = -1
        self.coordinator_epoch = -1
        self.txn_first_offset = NOTHING_OPEN


class Producers:
    """All producers that a partition knows."""

    __slots__ = ("_ended", "_open", "_producers", "guards", "transactional")

    def __init__(self) -> None:
        self.guards = Guards()
        self._producers: dict[int, _Producer] = {}
        self._open: dict[int, int] = {}  # first offset of an open transaction -> producer id, ascending
        self._ended: dict[int, int] = {}  # first offset of a finished one -> offset of its marker, until committed
        self.transactional = False  # whether this partition ever saw a transaction

    def __len__(self) -> int:
        return len(self._producers)

    # -- looking ---------------------------------------------------------------------------------------------------

    def check(self, header: BatchHeader, guard: Guard | None = None) -> Duplicate | Refused | None:
        """Whether a client's batch may be appended: None is yes. ``guard``: what vouches for the first batch of a
        transaction.
        """
        producer = self._producers.get(header.producer_id)
        begins = header.attributes & TRANSACTIONAL != 0 and (
            producer is None or producer.txn_first_offset == NOTHING_OPEN or producer.epoch != header.producer_epoch
        )
        if begins or self.guards.of(header.producer_id) is not None:
            verdict = self._by_guards(producer, header, guard, begins)
            if verdict is not None:
                return verdict
        if producer is None:
            return None
        epoch, first = header.producer_epoch, header.base_sequence
        if epoch == producer.epoch:
            window = producer.window
            last = window[-1].last_sequence if window else NO_SEQUENCE
            # A fresh batch can't be a duplicate as well: 2**31 sequences don't fit five batches.
            if first != last + 1 and not (first == 0 and last == SEQUENCE_MAX):
                return self._duplicate(window, first, _last_sequence(first, header.last_offset_delta)) or Refused(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {header.producer_id}: sequence {first} after {last}",
                )
        elif epoch < producer.epoch:
            return _stale_epoch(header.producer_id, epoch, producer.epoch)
        elif first != 0 and producer.epoch != NO_EPOCH:
            return Refused(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {header.producer_id}: new epoch {epoch} begins at sequence {first}",
            )
        if producer.txn_first_offset != NOTHING_OPEN and not header.attributes & TRANSACTIONAL:
            return Refused(
                ErrorCode.INVALID_TXN_STATE, f"producer {header.producer_id} has a transaction open on this partition"
            )
        return None

    def _by_guards(
        self, producer: _Producer | None, header: BatchHeader, guard: Guard | None, begins: bool
    ) -> Duplicate | Refused | None:
        """A batch that would open a transaction (``begins``), or one of a producer about whom somebody is being asked.

        A retry of one that did open a transaction opens none, even when that is over; and a producer that was fenced
        hears of it before its guard is looked at.
        """
        producer_id, first = header.producer_id, header.base_sequence
        if producer is not None:
            if header.producer_epoch < producer.epoch:
                return _stale_epoch(producer_id, header.producer_epoch, producer.epoch)
            if header.producer_epoch == producer.epoch:
                retry = self._duplicate(producer.window, first, _last_sequence(first, header.last_offset_delta))
                if retry is not None:
                    return retry
        if begins and self.guards.missing(producer_id, guard):
            return NOT_BEGUN
        given = self.guards.of(producer_id)
        if given is None:
            return None
        return given.check_sequence(producer_id, first, known=producer is not None and bool(producer.window))

    def check_own(self, producer_id: int, epoch: int, guard: Guard | None) -> Refused | None:
        """Whether a coordinator's records may be appended in a transaction: they have no sequences."""
        producer = self._producers.get(producer_id)
        if producer is not None and epoch < producer.epoch:
            return _stale_epoch(producer_id, epoch, producer.epoch)
        if not self.ongoing(producer_id, epoch) and self.guards.missing(producer_id, guard):
            return NOT_BEGUN
        return None

    def ongoing(self, producer_id: int, epoch: int) -> bool:
        """Whether a transaction of this producer is open here, so that its next batch needs nobody's word."""
        producer = self._producers.get(producer_id)
        return producer is not None and producer.txn_first_offset != NOTHING_OPEN and producer.epoch == epoch

    def guard(self, producer_id: int, sequence: int, epoch: int, now: int, epoch_bumps: bool) -> Guard | Refused | None:
        """Before the coordinator is asked about a producer's batch: what to show when it is appended. None: the
        transaction is open, there is nothing to ask.
        """
        producer = self._producers.get(producer_id)
        if producer is not None and epoch < producer.epoch:
            return _stale_epoch(producer_id, epoch, producer.epoch)
        if self.ongoing(producer_id, epoch):
            return None
        return self.guards.give(producer_id, sequence, epoch, now, epoch_bumps)

    @staticmethod
    def _duplicate(window: list[_Batch], first: int, last: int) -> Duplicate | None:
        for batch in window:
            if batch.first_sequence == first and batch.last_sequence == last:
                return Duplicate(batch.last_offset - batch.offset_delta, batch.last_offset, batch.timestamp)
        return None

    def check_marker(
        self, producer_id: int, epoch: int, coordinator_epoch: int, *, epoch_bumps: bool
    ) -> Refused | None:
        """Whether a transaction marker may be written; ``epoch_bumps`` for coordinators of transaction version 2."""
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = _Producer()  # of no epoch, and no coordinator's
        known = producer.epoch
        if epoch_bumps:
            retry = epoch == known and (producer.txn_first_offset == NOTHING_OPEN or epoch == EPOCH_MAX)
            stale = epoch <= known and not retry
        else:
            stale = epoch < known
        if stale:
            return Refused(ErrorCode.INVALID_PRODUCER_EPOCH, f"marker epoch {epoch}, last seen {known}")
        if coordinator_epoch < producer.coordinator_epoch:
            return Refused(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"coordinator epoch {coordinator_epoch}, last seen {producer.coordinator_epoch}",
            )
        return None

    def would_abort(self, producer_id: int, marker_offset: int) -> Aborted | None:
        """What an abort marker at that offset will end: None if the producer has nothing open here."""
        producer = self._producers.get(producer_id)
        if producer is None or producer.txn_first_offset == NOTHING_OPEN:
            return None
        first = producer.txn_first_offset
        stable = next((other for other in self._open if other != first), marker_offset + 1)
        return Aborted(producer_id, first, marker_offset, stable)

    @property
    def first_unstable(self) -> int | None:
        """The lowest offset that read_committed may not pass, whatever the high watermark; None: no such offset."""
        first = next(iter(self._open), None)
        if not self._ended:
            return first
        ended = min(self._ended)
        return ended if first is None else min(first, ended)

    @property
    def open_transactions(self) -> int:
        return len(self._open)

    def has_late(self, now: int, timeout_max_ms: int) -> bool:
        """Whether the oldest open transaction was silent for longer than any coordinator would have let it live."""
        producer_id = next(iter(self._open.values()), None)
        if producer_id is None:
            return False
        timestamp = self._producers[producer_id].timestamp
        return timestamp > 0 and now - timestamp > timeout_max_ms + LATE_AFTER_MS

    def snapshot(self) -> list[ProducerEntry]:
        """What a ``.snapshot`` file keeps."""
        entries = []
        for producer_id, producer in self._producers.items():
            last = producer.window[-1] if producer.window else _Batch(-1, -1, -1, 0, producer.timestamp)
            entries.append(
                ProducerEntry(
                    producer_id,
                    producer.epoch,
                    last.last_sequence,
                    last.last_offset,
                    last.offset_delta,
                    producer.timestamp,
                    producer.coordinator_epoch,
                    producer.txn_first_offset,
                )
            )
        return entries

    # -- changing --------------------------------------------------------------------------------------------------

    def restore(self, entries: Iterable[ProducerEntry]) -> None:
        """Begin from a snapshot: forgets everything else."""
        self._producers.clear()
        self._open.clear()
        self._ended.clear()
        opened: dict[int, int] = {}
        for entry in entries:
            producer = self._producers[entry.producer_id] = _Producer()
            producer.epoch = entry.epoch
            producer.timestamp = entry.timestamp
            producer.coordinator_epoch = entry.coordinator_epoch
            producer.txn_first_offset = entry.current_txn_first_offset
            if entry.last_offset >= 0:
                first = _first_sequence(entry.last_sequence, entry.offset_delta)
                producer.window.append(
                    _Batch(first, entry.last_sequence, entry.last_offset, entry.offset_delta, entry.timestamp)
                )
            if entry.current_txn_first_offset != NOTHING_OPEN:
                self.transactional = True
                opened[entry.current_txn_first_offset] = entry.producer_id
        self._open.update(sorted(opened.items()))

    def replay(
        self, header: BatchHeader, control: bytes | bytearray | memoryview | Ending | None = None
    ) -> Aborted | None:
        """A batch is in the log; ``control`` is the whole batch if it is a control batch, or what its marker says.
        Returns the transaction that the batch aborted, for the index.
        """
        producer_id = header.producer_id
        if producer_id < 0:
            return None
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer()
        if header.attributes & CONTROL:
            ending = control if control is None or isinstance(control, Ending) else read_marker(control)
            return None if ending is None else self._ended_by(producer, header, ending)
        window = producer.window
        if header.producer_epoch != producer.epoch:
            producer.epoch = header.producer_epoch
            window.clear()
        elif len(window) == WINDOW:
            del window[0]
        first, delta = header.base_sequence, header.last_offset_delta
        last = first + delta if first >= 0 else NO_SEQUENCE
        if last > SEQUENCE_MAX:
            last -= SEQUENCE_MAX + 1
        producer.timestamp = timestamp = header.max_timestamp
        window.append(_Batch(first, last, header.base_offset + delta, delta, timestamp))
        if header.attributes & TRANSACTIONAL:
            self.guards.begun(producer_id)
            if producer.txn_first_offset == NOTHING_OPEN:
                producer.txn_first_offset = header.base_offset
                self.transactional = True
                self._open[header.base_offset] = producer_id
        return None

    def _ended_by(self, producer: _Producer, header: BatchHeader, marker: Ending) -> Aborted | None:
        """A commit or abort marker: the transaction is over; under a new epoch (KIP-890) sequences begin anew."""
        producer_id, first = header.producer_id, producer.txn_first_offset
        self.guards.ended(producer_id, header.producer_epoch)
        producer.coordinator_epoch = marker.coordinator_epoch
        if header.producer_epoch != producer.epoch:
            producer.epoch = header.producer_epoch
            producer.window.clear()
        producer.timestamp = header.max_timestamp
        if first == NOTHING_OPEN:
            return None
        aborted = self.would_abort(producer_id, header.base_offset) if not marker.commit else None
        producer.txn_first_offset = NOTHING_OPEN
        self._open.pop(first, None)
        self._ended[first] = header.base_offset
        return aborted

    def committed(self, high_watermark: int) -> None:
        """The watermark moved: transactions whose markers lie below it are stable."""
        if self._ended:
            self._ended = {first: marker for first, marker in self._ended.items() if marker >= high_watermark}

    def expire(self, now: int, after_ms: int) -> int:
        """Forget producers that were silent for so long; never one with an open transaction."""
        silent = [
            producer_id
            for producer_id, producer in self._producers.items()
            if now - producer.timestamp >= after_ms and producer.txn_first_offset == NOTHING_OPEN
        ]
        for producer_id in silent:
            del self._producers[producer_id]
        self.guards.expire(now, after_ms)
        return len(silent)


class Ending(NamedTuple):
    """What a marker says."""

    commit: bool
    coordinator_epoch: int


def read_marker(batch: bytes | bytearray | memoryview) -> Ending | None:
    """None: a control batch of another kind, or one whose marker compaction has taken."""
    record = next(iter(iterate(batch)), None)
    if record is None or len(record.key or b"") < _MARKER_KEY.size or len(record.value or b"") < _MARKER_VALUE.size:
        return None
    kind = _MARKER_KEY.unpack_from(record.key or b"")[1]
    if kind not in (ABORT, COMMIT):
        return None
    return Ending(kind == COMMIT, _MARKER_VALUE.unpack_from(record.value or b"")[1])


def marker_batch(producer_id: int, epoch: int, commit: bool, coordinator_epoch: int, now: int) -> bytearray:
    """The control batch that ends a transaction. All of them have the same shape."""
    batch = bytearray(_MARKER)
    _MARKER_TIMES_AND_PRODUCER.pack_into(batch, 27, now, now, producer_id, epoch)
    _MARKER_KEY.pack_into(batch, 66, 0, COMMIT if commit else ABORT)
    _MARKER_VALUE.pack_into(batch, 71, 0, coordinator_epoch)
    seal(batch, 0, len(batch))
    return batch


def _stale_epoch(producer_id: int, epoch: int, known: int) -> Refused:
    return Refused(ErrorCode.INVALID_PRODUCER_EPOCH, f"producer {producer_id}: epoch {epoch} is older than {known}")


def _last_sequence(first: int, delta: int) -> int:
    last = first + delta
    return last if last <= SEQUENCE_MAX else last - SEQUENCE_MAX - 1


def _first_sequence(last: int, delta: int) -> int:
    first = last - delta
    return first if first >= 0 else first + SEQUENCE_MAX + 1
