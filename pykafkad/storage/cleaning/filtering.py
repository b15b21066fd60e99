"""What compaction leaves of a batch: Kafka's rules, without a file or a clock. Hot: runs once for each batch of a log.

- Of each key the record with the greatest offset stays; records without a key go.
- A tombstone stays until the batch's delete horizon: the first round that finds it sets the horizon into the batch's
  header (KIP-534), so that a consumer has ``delete.retention.ms`` to see it. Markers of transactions that have lost
  all their data go the same way.
- Aborted data go at once.
- A batch keeps its offsets, sequences, producer and epoch whatever is taken out of it. The last batch of each live
  producer stays even without records, as its sequences live there, and so does the last of each cleaned segment, so
  that a segment ends where the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kafkawire.batches import CONTROL, DELETE_HORIZON, BatchHeader, assemble, emptied, header_at
from kafkawire.codec import Buffer
from kafkawire.compression import compress
from kafkawire.errors import WireError
from kafkawire.records import Outline, outlines, retimed, unpacked
from pykafkad.storage.cleaning.offset_map import OffsetMap
from pykafkad.storage.cleaning.transactions import Transactions


class LastRecord(NamedTuple):
    """Where a live producer's newest batch is; offset −1: only its marker, of this epoch, is left to tell."""

    offset: int
    epoch: int


class Filter:
    def __init__(
        self,
        offsets: OffsetMap,
        transactions: Transactions,
        producers: Mapping[int, LastRecord],
        *,
        now: int,
        delete_retention_ms: int,
    ) -> None:
        self.records_read = self.records_kept = self.invalid = 0
        self._offsets = offsets
        self._transactions = transactions
        self._producers = producers
        self._now = now
        self._horizon = now + delete_retention_ms

    def retain(self, batch: Buffer, header: BatchHeader, following: int) -> tuple[Buffer, BatchHeader] | None:
        """The batch at ``header.position``, as it is or without what may go; None if it may go as a whole.

        ``following``: where the segment that is being written will end. WireError for a batch that can't be read.
        """
        if header.attributes & CONTROL:
            body = unpacked(batch, header)
            records = list(outlines(body, header.count))
            obsolete = self._transactions.marker(header, records[0][4] if records else None)
            discard = obsolete and header.delete_horizon is not None and header.delete_horizon <= self._now
            kept, tombstones = ([], False) if discard else (records, obsolete)
            self.records_read += len(records)
        elif self._transactions.data(header):
            body, kept, tombstones = b"", [], False
            self.records_read += header.count
        else:
            body = unpacked(batch, header)
            kept, tombstones = self._select(body, header)
            self.records_read += header.count
        if not kept:
            if header.next_offset == following or self._last_of_producer(header):
                empty = emptied(header)
                return empty, header_at(empty, 0)
            return None
        self.records_kept += len(kept)
        horizon = self._horizon if tombstones and header.delete_horizon is None else None
        if horizon is None and len(kept) == header.count:
            with memoryview(batch) as view:
                return view[header.position : header.position + header.length], header
        changed = _without_others(body, header, kept, horizon)
        return changed, header_at(changed, 0)

    def _select(self, body: bytes, header: BatchHeader) -> tuple[list[Outline], bool]:
        """The records that stay, and whether a tombstone is among them."""
        kept: list[Outline] = []
        tombstones = False
        base, latest = header.base_offset, self._offsets.latest
        last_offset = self._offsets.get
        horizon = header.delete_horizon
        expired = horizon is not None and horizon <= self._now
        for record in outlines(body, header.count):
            _, _, _, delta, key, has_value = record
            if base + delta <= latest:
                if key is None:
                    self.invalid += 1
                    continue
                if base + delta < last_offset(key) or (expired and not has_value):
                    continue
            kept.append(record)
            if not has_value:
                tombstones = True
        return kept, tombstones

    def _last_of_producer(self, header: BatchHeader) -> bool:
        last = self._producers.get(header.producer_id) if header.producer_id >= 0 else None
        if last is None:
            return False
        if last.offset >= 0:
            return header.last_offset == last.offset
        return header.is_control and header.producer_epoch == last.epoch


def _without_others(body: bytes, header: BatchHeader, kept: list[Outline], horizon: int | None) -> bytearray:
    """The batch with these records only; a new horizon becomes the base from which their timestamps count."""
    base = header.base_timestamp
    if horizon is None:
        plain = b"".join([body[start:end] for start, end, *_ in kept])
    else:
        plain = b"".join([retimed(body, start, end, base + delta - horizon) for start, end, delta, *_ in kept])
    newest = header.max_timestamp
    if not header.log_append_time:
        newest = base + max(delta for _, _, delta, *_ in kept)
    changed = header._replace(
        attributes=header.attributes | (DELETE_HORIZON if horizon is not None else 0),
        base_timestamp=base if horizon is None else horizon,
        max_timestamp=newest,
        count=len(kept),
    )
    try:
        return assemble(changed, compress(header.codec, plain))
    except (ValueError, OverflowError) as error:
        raise WireError(f"batch at offset {header.base_offset} can't be packed again: {error}") from error
