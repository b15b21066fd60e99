"""The life of a log directory in small steps, and what must be true of it after any death.

A ``Life`` keeps house as a broker does: it opens logs when they are first needed, appends, syncs, checkpoints, rolls,
cuts and deletes. Beside each log it keeps a ``Truth``: every batch that was ever handed to it, up to where each must
survive which death, and from where the log may begin. After a death the log is opened and held against that:

* ``kill`` (of the process) must spare every append that returned, ``power`` (a cut) every one that a returned ``flush``
  covers. Both may spare more, but only a beginning of what was written: no gap, no second copy, nothing foreign,
  nothing that was cut off, nothing below a durable start.
* Every byte served passes its CRC. Epochs, producers and indexes say what the batches say, also of transactions, open
  or aborted. Opening once more, after yet another death, finds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kafkawire.batches import BatchHeader, crc_ok, header_at, headers, stamp
from kafkawire.records import build
from pykafkad.errors import StorageFailed
from pykafkad.model import TopicPartition
from pykafkad.state.sequences import Producers, marker_batch
from pykafkad.storage import names, settling
from pykafkad.storage.directory import SYNC_TOGETHER, LogDir
from pykafkad.storage.log import PartitionLog
from tests.kit.disk import Died, MemoryDisk
from tests.storage.helpers import open_dir, open_log, whole_batches

Death = Literal["clean", "kill", "power"]
_WORSE: list[Death] = ["clean", "kill", "power"]
TOPIC = "t"
PRODUCERS = (-1, 7, 8)
TRANSACTIONAL = (21, 22, 23)
"""Producers whose batches all belong to transactions."""


@dataclass
class Truth:
    """What must be found in one partition."""

    topic_id: bytes
    batches: list[BatchHeader] = field(default_factory=list)
    """All that was handed to the log and not cut off, also what retention or DeleteRecords took from its beginning."""
    returned: int = 0
    """The end of what was appended and the append returned: a killed process loses nothing of it."""
    synced: int = 0
    """The end of what a returned flush covers: a power cut takes nothing of it."""
    start: int = 0
    durable_start: int = 0
    """Where the log begins at the least."""
    restarting: bool = False
    """The process died while everything was being dropped: any part of it may still be there."""
    refused: set[tuple[int, ...]] = field(default_factory=set)
    """Batches that were cut off, because their append failed or because the process died while it cut: nobody has
    synced that yet, so that a power cut may bring them back.
    """
    flying: set[tuple[int, ...]] = field(default_factory=set)
    """The same while the failed append has not returned: a killed process leaves them too."""
    disorder: bool = False
    """The power went, and the names that are left are any."""
    torn: bool = False
    """The power cut took segments at the beginning, none of them synced, and left some behind them: a transaction's
    marker may be there without its data.
    """
    death: Death | None = None
    """How the process ended that had it open; None while it is open."""

    @property
    def end(self) -> int:
        return self.batches[-1].next_offset if self.batches else self.start

    def cut(self, offset: int) -> None:
        """From now on nothing at or behind ``offset`` need survive."""
        self.returned, self.synced = min(self.returned, offset), min(self.synced, offset)

    def sequence_of(self, producer: int) -> int:
        for batch in reversed(self.batches):
            if batch.producer_id == producer and not batch.is_control:
                return batch.last_sequence + 1
        return 0


class Life:
    def __init__(self, disk: MemoryDisk, *, partitions: int = 2, **config: Any) -> None:
        self.disk = disk
        self.config = config
        self.clock = 1_000
        self.epoch = 0
        self.created = 0
        self.death: Death = "power"
        """What happens when the disk says that the process has died."""
        self.directory: LogDir | None = None
        self.logs: dict[int, PartitionLog] = {}
        self.producers: dict[int, Producers] = {}
        self.markers: dict[tuple[int, ...], bytes] = {}
        """Every marker that was ever written, by its batch's identity."""
        self.truths = {index: Truth(self._new_id()) for index in range(partitions)}

    def _new_id(self) -> bytes:
        self.created += 1
        return self.created.to_bytes(16, "big")

    # -- steps -------------------------------------------------------------------------------------------------------

    def do(self, step: str, *arguments: Any) -> None:
        """One step; the process may die in it, and then it is dead."""
        try:
            getattr(self, step)(*arguments)
        except Died:
            self.die(self.death)

    def arm(self, changes: int, death: Death) -> None:
        """The process will die so many changes from now, in whatever step that is."""
        self.disk.cut_after, self.death = changes, death

    def die(self, death: Death) -> None:
        self.disk.crash() if death == "power" else self.disk.kill()
        self.disk.before_fsync = None
        self.disk.failing.clear()
        self._ended(death)

    def _ended(self, death: Death) -> None:
        self.directory = None
        for index, truth in self.truths.items():
            before: Death | None = truth.death
            truth.disorder |= death == "power" and not self.disk.ordered
            if index in self.logs or before is None:
                truth.death = death
            elif death != "clean":
                truth.death = max(before, death, key=_WORSE.index)
        self.logs.clear()

    def stop(self) -> None:
        directory = self._open()
        for log in self.logs.values():
            log.purge_deleted(1 << 60)
        directory.close(True)
        for index in self.logs:
            truth = self.truths[index]
            truth.synced = truth.returned
            truth.durable_start = truth.start
        self._ended("clean")

    def write(self, index: int, counts: list[int], size: int, codec: int, producer: int) -> None:
        self.clock += 7
        log, truth = self.log(index), self.truths[index]
        data, made = self._batches(log, truth, counts, size, codec, producer)
        truth.batches += made
        log.append([data], made, self.clock)
        truth.returned = truth.end
        for header in made:
            self.producers[index].replay(header)

    def end(self, index: int, producer: int, commit: bool) -> None:
        """A transaction's end, or the second marker of one, or that of one that has nothing here."""
        self.clock += 7
        log, truth, producers = self.log(index), self.truths[index], self.producers[index]
        raw = marker_batch(producer, 0, commit, 0, self.clock)
        stamp(raw, 0, log.end_offset, self.epoch)
        header = header_at(raw, 0)
        truth.batches.append(header)
        self.markers[identity(header)] = bytes(raw)
        aborted = None if commit else producers.would_abort(producer, header.base_offset)
        log.append_marker(raw, header, aborted, self.clock)
        truth.returned = truth.end
        assert producers.replay(header, raw) == aborted

    def fail_to_write(self, index: int, counts: list[int], size: int, error: int) -> None:
        """The disk refuses, having written any part of it."""
        log, truth = self.log(index), self.truths[index]
        data, made = self._batches(log, truth, counts, size, 0, -1)
        truth.refused |= set(map(identity, made))
        truth.flying = set(map(identity, made))
        self.disk.failing["append", ".log"] = OSError(error, "told to fail")
        try:
            log.append([data], made, self.clock)
        except StorageFailed:
            assert log.end_offset == truth.end
            truth.flying.clear()
        else:
            raise AssertionError("a failed write went unnoticed")
        finally:
            self.disk.failing.clear()

    def _batches(
        self, log: PartitionLog, truth: Truth, counts: list[int], size: int, codec: int, producer: int
    ) -> tuple[bytearray, list[BatchHeader]]:
        data = bytearray()
        sequence = truth.sequence_of(producer)
        for count in counts:
            records = [(b"k%d" % number, bytes([number % 251]) * size) for number in range(count)]
            data += build(
                records,
                timestamp=self.clock + (self.disk.random.randrange(-20, 20)),
                codec=codec,
                producer_id=producer,
                producer_epoch=0 if producer >= 0 else -1,
                base_sequence=sequence if producer >= 0 else -1,
                transactional=producer in TRANSACTIONAL,
            )
            sequence += count
        offset = log.end_offset
        for header in headers(data):
            stamp(data, header.position, offset, self.epoch)
            offset += header.last_offset_delta + 1
        return data, headers(data)

    def flush(self, index: int, part: float = 1.0) -> None:
        log, truth = self.log(index), self.truths[index]
        upto = log.start_offset + int(part * (log.end_offset - log.start_offset))
        log.flush(upto)
        truth.synced = max(truth.synced, min(upto, truth.returned))

    def settle(self, index: int, together: bool) -> None:
        """As housekeeping does with a log that is idle; ``together``: with so many others that the volume is synced."""
        log, truth = self.log(index), self.truths[index]
        if settling.prepare(log):
            self._open().settle([log] * (SYNC_TOGETHER if together else 1))
            assert log.end_offset == log.recovery_point == log.trusted_below
            truth.synced = max(truth.synced, truth.returned)

    def settle_beside(self, index: int, together: bool, moment: int, step: str, *arguments: Any) -> None:
        """A step on the loop, or in another thread, while a thread is settling the log: at its n-th sync."""
        log, truth = self.log(index), self.truths[index]
        upto = truth.end
        left = [moment]

        def at_sync(path: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                getattr(self, step)(index, *arguments)

        if settling.prepare(log):
            self.disk.before_fsync = at_sync
            self._open().settle([log] * (SYNC_TOGETHER if together else 1))
            self.disk.before_fsync = None
            truth.synced = max(truth.synced, min(upto, log.recovery_point, truth.returned))

    def flush_beside(self, index: int, moment: int, step: str, *arguments: Any) -> None:
        """A step on the loop while a thread is flushing: at its n-th sync."""
        log, truth = self.log(index), self.truths[index]
        upto = truth.end
        left = [moment]

        def at_sync(path: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                getattr(self, step)(index, *arguments)

        self.disk.before_fsync = at_sync
        log.flush()
        self.disk.before_fsync = None
        truth.synced = max(truth.synced, min(upto, log.recovery_point, truth.returned))

    def checkpoint(self) -> None:
        directory = self._open()
        starts = {index: self.truths[index].start for index in self.logs}
        marks = {TopicPartition(TOPIC, index): log.end_offset for index, log in self.logs.items()}
        directory.checkpoint(list(self.logs.values()), marks)
        for index, start in starts.items():
            self.truths[index].durable_start = start

    def new_epoch(self) -> None:
        self.epoch += 1

    def roll(self, index: int) -> None:
        self.log(index).roll(self.clock)

    def truncate(self, index: int, part: float) -> None:
        log, truth = self.log(index), self.truths[index]
        there = [batch for batch in truth.batches if batch.base_offset >= log.start_offset]
        if there:
            offset = there[int(part * len(there))].base_offset
            truth.cut(offset)
            going = {identity(batch) for batch in there if batch.last_offset >= offset}
            truth.refused |= going
            self._open().truncate_log(log, offset)
            truth.refused -= going
            truth.batches = [batch for batch in truth.batches if batch.last_offset < offset]
            assert log.end_offset == offset
            truth.start = min(truth.start, offset)
            truth.durable_start = min(truth.durable_start, offset)

    def restart_at(self, index: int, offset: int) -> None:
        log, truth = self.log(index), self.truths[index]
        truth.restarting = True
        going = set(map(identity, truth.batches))
        truth.refused |= going
        self._open().restart_log(log, offset, self.clock)
        truth.refused.clear()
        truth.batches, truth.torn = [], False
        truth.start = truth.durable_start = truth.returned = truth.synced = offset
        truth.restarting = False

    def delete_records(self, index: int, part: float) -> None:
        log, truth = self.log(index), self.truths[index]
        offset = log.start_offset + int(part * (log.end_offset - log.start_offset))
        log.advance_start(offset)
        truth.start = max(truth.start, offset)

    def retain(self, index: int) -> None:
        log, truth = self.log(index), self.truths[index]
        log.retain(self.clock, log.end_offset)
        log.purge_deleted(self.clock)
        assert log.start_offset >= truth.start
        truth.start = log.start_offset

    def delete_topic(self, index: int) -> None:
        """And make it anew under another id: nothing of the old one may ever be seen again."""
        log = self.log(index)
        directory = self._open()
        self.truths[index] = truth = Truth(self._new_id(), refused=set(map(identity, self.truths[index].batches)))
        del self.logs[index]
        directory.delete_log(log, self.clock)
        directory.sync_names()
        truth.refused.clear()
        directory.purge(self.clock)

    # -- opening and looking -----------------------------------------------------------------------------------------

    def _open(self) -> LogDir:
        if self.directory is None:
            self.directory = open_dir(self.disk)
        return self.directory

    def touch(self, index: int) -> None:
        self.log(index)

    def log(self, index: int) -> PartitionLog:
        """The log, opened and compared with the truth if it wasn't open."""
        if index not in self.logs:
            truth = self.truths[index]
            directory = self._open()
            producers = Producers()
            log = open_log(
                directory,
                TOPIC,
                index,
                topic_id=truth.topic_id,
                producers=producers,
                now=self.clock,
                lazy=True,
                **self.config,
            )
            self.logs[index], self.producers[index] = log, producers
            if truth.death is not None:
                death, truth.death = truth.death, None
                self._compare(index, truth, death)
                if death != "clean" and self.disk.random.random() < 0.3:
                    before = picture(log, producers)
                    self.die("kill")
                    log = self.log(index)
                    assert picture(log, self.producers[index]) == before, "a second recovery found something else"
            else:
                assert log.end_offset == 0, "a new log is not empty"
        return self.logs[index]

    def _compare(self, index: int, truth: Truth, death: Death) -> None:
        log = self.logs[index]
        found = read_and_check(log)
        start, end = log.start_offset, log.end_offset
        if truth.restarting:
            if not found:
                assert start == end
            truth.batches = [batch for batch in truth.batches if batch.last_offset >= start] if found else []
            truth.returned = truth.synced = truth.durable_start = 0
            truth.start = start
            truth.restarting = False
        expected = [batch for batch in truth.batches if batch.last_offset >= start]
        ours = 0
        while ours < min(len(found), len(expected)) and identity(found[ours]) == identity(expected[ours]):
            ours += 1
        if death == "power":  # what was cut off and not synced since may be back
            assert set(map(identity, found[ours:])) <= truth.refused, found[ours:]
        else:
            assert set(map(identity, found[ours:])) <= truth.flying, found[ours:]
        truth.flying.clear()
        promised, until = truth.synced if death == "power" else truth.returned, end
        if found[ours:]:
            until = found[ours].base_offset
        assert until >= promised, f"ends at {until}, {promised} was promised"
        begins = latest = max(truth.start, truth.durable_start)
        if truth.disorder and truth.synced <= truth.start:
            latest = end  # names of older segments may be gone and those of newer ones there, where none was synced
        assert truth.durable_start <= start <= latest, f"starts at {start}, not in {truth.durable_start} … {latest}"
        truth.batches = [batch for batch in truth.batches if batch.last_offset < start] + found
        truth.start, truth.returned, truth.disorder = start, end, False
        truth.synced = min(truth.synced, end)
        check_epochs(log, found)
        check_indexes(log, found)
        truth.torn |= start > begins
        if not truth.torn:
            check_producers(self.producers[index], truth.batches, self.markers, found)
            check_aborted(log, truth.batches, self.markers)
        if self.disk.exists(log.directory):
            left = self.disk.list(log.directory)
            assert not [name for name in left if name.endswith((names.DELETED, names.CLEANED, names.SWAP, ".tmp"))]


def identity(batch: BatchHeader) -> tuple[int, int, int, int]:
    return batch.base_offset, batch.last_offset_delta, batch.crc, batch.leader_epoch


def read_and_check(log: PartitionLog) -> list[BatchHeader]:
    """Everything as a consumer fetches it, each batch passing its CRC."""
    found: list[BatchHeader] = []
    offset = log.start_offset
    while (piece := log.read(offset, 1_500, log.end_offset, at_least_one=True)) is not None:
        data = piece.read()
        whole = whole_batches(data)
        assert whole, "a read made no progress"
        for batch in whole:
            assert crc_ok(data, batch), f"offset {batch.base_offset} was served with a wrong CRC"
        found += [batch for batch in whole if batch.last_offset >= offset]
        assert whole[-1].next_offset > offset
        offset = whole[-1].next_offset
    assert offset == log.end_offset, f"reads end at {offset}, the log at {log.end_offset}"
    return found


def check_epochs(log: PartitionLog, found: list[BatchHeader]) -> None:
    """The list of epochs is what the batches say; an empty log may still know its last one."""
    wanted: list[tuple[int, int]] = []
    for batch in found:
        if not wanted or wanted[-1][0] != batch.leader_epoch:
            wanted.append((batch.leader_epoch, max(batch.base_offset, log.start_offset)))
    assert log.epochs.entries == wanted or (not found and log.epochs.latest_start <= log.end_offset)


Markers = Mapping[tuple[int, ...], bytes]


def check_producers(
    producers: Producers, history: list[BatchHeader], markers: Markers, found: list[BatchHeader]
) -> None:
    """Who has a batch in the log is known as from a replay of everything; of others at most that is known."""
    replayed = Producers()
    for batch in history:
        replayed.replay(batch, markers.get(identity(batch)))
    expected = {entry.producer_id: entry for entry in replayed.snapshot()}
    entries = {entry.producer_id: entry for entry in producers.snapshot()}
    present = {batch.producer_id for batch in found if batch.producer_id >= 0}
    assert present <= entries.keys() <= expected.keys()
    for producer, entry in entries.items():
        assert entry == expected[producer], (entry, expected[producer])
    if entries == expected:
        producers.committed(1 << 62)
        replayed.committed(1 << 62)
        assert producers.first_unstable == replayed.first_unstable


def check_aborted(log: PartitionLog, history: list[BatchHeader], markers: Markers) -> None:
    """Whoever reads committed records is told of every aborted transaction in what is read, and of no other."""
    replayed = Producers()
    ends = [replayed.replay(batch, markers.get(identity(batch))) for batch in history]
    aborted = [one for one in ends if one is not None]
    start, end = log.start_offset, log.end_offset
    for at in range(start, end, max(1, (end - start) // 5)):
        for until in (at + 1, (at + end) // 2, end):
            assert log.aborted(at, until) == [
                one for one in aborted if one.last_offset >= at and one.first_offset < until
            ]


def check_indexes(log: PartitionLog, found: list[BatchHeader]) -> None:
    """Every entry points at the batch that it names, and who looks up finds what a scan finds."""
    for segment in log.segments:
        if not segment.size:
            continue
        batches = {header.position: header for header in segment.walk()}
        for offset, position in segment.offsets.entries():
            assert batches[position].last_offset == offset
        ends = {header.last_offset: header for header in batches.values()}
        before = -1
        for timestamp, offset in segment.times.entries():
            assert ends[offset].max_timestamp == timestamp > before
            before = timestamp
            assert max(h.max_timestamp for h in batches.values() if h.last_offset <= offset) == timestamp
        largest = max((header.max_timestamp for header in batches.values()), default=-1)
        assert segment.largest_timestamp == largest
    for batch in found:
        piece = log.read(max(batch.last_offset, log.start_offset), 1, log.end_offset, at_least_one=True)
        assert piece is not None
        assert headers(piece.read())[0].base_offset == batch.base_offset
    for timestamp in {batch.max_timestamp for batch in found}:
        for asked in (timestamp, timestamp + 1):
            first = next((b for b in found if b.max_timestamp >= asked), None)
            answer = log.offset_for_timestamp(asked, log.end_offset)
            assert (answer is None) == (first is None)
            if answer is not None and first is not None:
                assert answer[1] == max(first.base_offset, log.start_offset)


def picture(log: PartitionLog, producers: Producers) -> tuple[Any, ...]:
    return (
        log.start_offset,
        log.end_offset,
        [identity(batch) for batch in read_and_check(log)],
        sorted(producers.snapshot()),
    )
