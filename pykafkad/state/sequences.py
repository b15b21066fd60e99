"""Idempotent producers on one partition: windows of sequences, epochs, open transactions, the last stable offset.

A producer numbers the records it sends to a partition. The partition remembers the last five batches of each producer:
a batch that is among them is a retry and is answered as the first time; a batch that follows the newest one is fresh;
everything else is out of order. ``check`` looks, ``replay`` is the only method that changes what must survive: it is
called for each batch after it is in the log, and for each batch that recovery reads.

Invariants (docs/invariants.md): a window holds at most five batches, of one epoch, in sequence; a producer is in
``_open`` exactly while its transaction has no marker.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.errors import ErrorCode
from kafkawire.records import iterate
from pykafkad.errors import Refused
from pykafkad.model import ProducerEntry

if TYPE_CHECKING:
    from kafkawire.batches import BatchHeader

WINDOW = 5
SEQUENCE_MAX = 2147483647
NO_EPOCH = -1
NO_SEQUENCE = -1
NOTHING_OPEN = -1
_MARKER_KEY = Struct(">hh")
_MARKER_VALUE = Struct(">hi")
TRANSACTIONAL = 0x10
CONTROL = 0x20


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

    __slots__ = ("_ended", "_open", "_producers", "transactional")

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}
        self._open: dict[int, int] = {}  # first offset of an open transaction -> producer id, ascending
        self._ended: dict[int, int] = {}  # first offset of a finished one -> offset of its marker, until committed
        self.transactional = False  # whether this partition ever saw a transaction

    def __len__(self) -> int:
        return len(self._producers)

    # -- looking ---------------------------------------------------------------------------------------------------

    def check(self, header: BatchHeader) -> Duplicate | Refused | None:
        """Whether a client's batch may be appended: None is yes."""
        producer = self._producers.get(header.producer_id)
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
            return Refused(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"producer {header.producer_id}: epoch {epoch} is older than {producer.epoch}",
            )
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
            return None
        known = producer.epoch
        if epoch_bumps:
            retry = epoch == known and (producer.txn_first_offset == NOTHING_OPEN or epoch == 32767)
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

    @property
    def first_unstable(self) -> int | None:
        """The lowest offset that read_committed may not pass, whatever the high watermark; None: no such offset."""
        if not self._open and not self._ended:
            return None
        return min(min(self._open, default=SEQUENCE_MAX << 32), min(self._ended, default=SEQUENCE_MAX << 32))

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
                self._open[entry.current_txn_first_offset] = entry.producer_id

    def replay(self, header: BatchHeader, control: bytes | bytearray | memoryview | None = None) -> None:
        """A batch is in the log; ``control`` is the whole batch if it is a control batch."""
        producer_id = header.producer_id
        if producer_id < 0:
            return
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer()
        if header.attributes & CONTROL:
            if control is not None:
                self._ended_by(producer, header, control)
            return
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
        if header.attributes & TRANSACTIONAL and producer.txn_first_offset == NOTHING_OPEN:
            producer.txn_first_offset = header.base_offset
            self.transactional = True
            self._open[header.base_offset] = producer_id

    def _ended_by(self, producer: _Producer, header: BatchHeader, control: bytes | bytearray | memoryview) -> None:
        """A commit or abort marker: the transaction is over; under a new epoch (KIP-890) sequences begin anew."""
        marker = next(iter(iterate(control)), None)
        if marker is None or marker.key is None or marker.value is None or len(marker.key) < _MARKER_KEY.size:
            return
        if _MARKER_KEY.unpack_from(marker.key)[1] not in (0, 1) or len(marker.value) < _MARKER_VALUE.size:
            return
        producer.coordinator_epoch = _MARKER_VALUE.unpack_from(marker.value)[1]
        if header.producer_epoch != producer.epoch:
            producer.epoch = header.producer_epoch
            producer.window.clear()
        producer.timestamp = header.max_timestamp
        if producer.txn_first_offset != NOTHING_OPEN:
            self._open.pop(producer.txn_first_offset, None)
            self._ended[producer.txn_first_offset] = header.base_offset
            producer.txn_first_offset = NOTHING_OPEN

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
        return len(silent)


def _last_sequence(first: int, delta: int) -> int:
    last = first + delta
    return last if last <= SEQUENCE_MAX else last - SEQUENCE_MAX - 1


def _first_sequence(last: int, delta: int) -> int:
    first = last - delta
    return first if first >= 0 else first + SEQUENCE_MAX + 1
