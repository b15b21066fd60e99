"""Logs of a compacted topic on a memory disk, transactions and all, and rounds of cleaning over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkawire.batches import BatchHeader, header_at, stamp
from kafkawire.records import Record, build, iterate
from pykafkad.model import Aborted
from pykafkad.state.sequences import Producers
from pykafkad.storage.cleaning.choice import dirt
from pykafkad.storage.cleaning.clean import clean
from pykafkad.storage.cleaning.job import Cleaned, Finished, Job
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.swap import Swap, make_durable
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, open_dir, open_log

Seen = tuple[int, bytes | None, bytes | None]
"""(offset, key, value)"""


class CompactedLog:
    """One log, its producers and the time."""

    def __init__(self, disk: MemoryDisk | None = None, **config: Any) -> None:
        self.disk = disk or MemoryDisk()
        self.now = 1_000_000
        self.config: dict[str, Any] = {
            "cleanup_policy": ("compact",),
            "internal_segment_bytes": 2_000,
            "index_interval_bytes": 200,
            "delete_retention_ms": 1_000,
        } | config
        self.open()

    def open(self) -> None:
        self.directory = open_dir(self.disk)
        self.producers = Producers()
        self.log: PartitionLog = open_log(self.directory, producers=self.producers, now=self.now, **self.config)
        self.producers.committed(self.log.end_offset)

    def restart(self) -> None:
        self.directory.close(clean=True)
        self.open()

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, *records: tuple[bytes | None, bytes | None], **options: Any) -> BatchHeader:
        """One batch of (key, value) pairs."""
        self.now += 1
        (header,) = append(self.log, build(records, timestamp=self.now, **options), now=self.now)
        self.producers.replay(header)
        return header

    def end_transaction(self, producer_id: int, *, commit: bool, first_offset: int) -> None:
        """The marker, and with an abort its entry in the index beside the active segment."""
        self.now += 1
        marker = build(
            [(b"\0\0" + int(commit).to_bytes(2, "big"), b"\0\0\0\0\0\0")],
            timestamp=self.now,
            producer_id=producer_id,
            producer_epoch=0,
            transactional=True,
            control=True,
        )
        end = self.log.end_offset
        stamp(marker, 0, end, 0)
        header = header_at(marker, 0)
        self.producers.replay(header, marker)
        self.producers.committed(end + 1)
        unstable = self.producers.first_unstable
        stable = end + 1 if unstable is None else unstable
        aborted = None if commit else Aborted(producer_id, first_offset, end, stable)
        self.log.append_marker(marker, header, aborted, self.now)

    def roll(self) -> None:
        self.log.roll(self.now)

    @property
    def last_stable_offset(self) -> int:
        unstable = self.producers.first_unstable
        return self.log.end_offset if unstable is None else unstable

    # -- cleaning --------------------------------------------------------------------------------------------------

    def job(self, **options: Any) -> Job:
        found = dirt(self.log, self.last_stable_offset, self.now)
        topic = self.log.topic_config
        fields = {
            "directory": self.log.directory,
            "segments": [[s.base_offset, s.size] for s in self.log.segments if s.base_offset < found.first_uncleanable],
            "indexed": [s.base_offset for s in self.log.segments],
            "first_dirty": found.first_dirty,
            "first_uncleanable": found.first_uncleanable,
            "now": self.now,
            "delete_retention_ms": topic.delete_retention_ms,
            "producers": [[one[0], one[3], one[1]] for one in self.producers.snapshot()],
            "segment_bytes": topic.internal_segment_bytes,
            "index_bytes": topic.segment_index_bytes,
            "index_interval": topic.index_interval_bytes,
            "map_bytes": 1 << 16,
            "load_factor": 0.9,
            "buffer_bytes": 500,
            "bytes_per_second": 1e18,
        }
        return Job(**fields | options)

    def clean(self, **options: Any) -> Finished:
        """A whole round, swaps and checkpoint too, as the broker does it."""
        job = self.job(**options)
        for told in clean(self.disk, job.directory, job, lambda count: None, lambda: 0.0):
            if isinstance(told, Cleaned):
                swap = Swap(self.log.place, told.bases, told.bytes)
                swap.announce()
                assert self.log.replace_segments(swap, self.now)
                swap.settle()
                swap.finish()
            else:
                make_durable(self.log.place)
                self.log.cleaned_offset = told.end
                self.directory.checkpoint_cleaned()
                return told
        raise AssertionError("a round that doesn't finish")

    # -- reading ---------------------------------------------------------------------------------------------------

    def batches(self, start: int | None = None) -> list[tuple[BatchHeader, list[Record]]]:
        """Every batch from ``start`` on, fetched as a consumer would, with its records."""
        offset = self.log.start_offset if start is None else start
        found: list[tuple[BatchHeader, list[Record]]] = []
        while (piece := self.log.read(offset, 700, self.log.end_offset, at_least_one=True)) is not None:
            data = piece.read()
            position = 0
            while position + 12 <= len(data):
                length = 12 + int.from_bytes(data[position + 8 : position + 12], "big")
                if position + length > len(data):
                    break
                batch = data[position : position + length]
                header = header_at(batch, 0)
                if header.last_offset >= offset:
                    found.append((header, list(iterate(batch))))
                    offset = header.next_offset
                position += length
        return found

    def committed(self, start: int | None = None) -> list[Seen]:
        """What a read_committed consumer sees from ``start`` on, who drops aborted data as clients do."""
        start = self.log.start_offset if start is None else start
        aborted = sorted((one.first_offset, one.producer_id) for one in self.log.aborted(start, self.log.end_offset))
        dropping: set[int] = set()
        seen: list[Seen] = []
        for header, records in self.batches(start):
            if header.base_offset >= self.last_stable_offset:
                break
            while aborted and aborted[0][0] <= header.last_offset:
                dropping.add(aborted.pop(0)[1])
            if header.is_control:
                if records and records[0].key is not None and records[0].key[3] == 0:
                    dropping.discard(header.producer_id)
            elif not (header.is_transactional and header.producer_id in dropping):
                seen += [(r.offset, r.key, r.value) for r in records if r.offset >= start]
        return seen

    def aborted(self) -> list[Aborted]:
        found: list[Aborted] = []
        for segment in self.log.segments:
            if segment.transactions is not None:
                found += segment.transactions.entries()
        return found

    def files(self, ending: str) -> Sequence[str]:
        return sorted(name for name in self.disk.list(self.log.directory) if name.endswith(ending))


def latest(seen: Sequence[Seen]) -> dict[bytes, bytes]:
    """The table that a consumer builds: the last value of each key, without what was deleted."""
    table: dict[bytes, bytes] = {}
    for _, key, value in seen:
        assert key is not None
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table
