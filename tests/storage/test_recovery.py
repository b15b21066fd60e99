"""After a crash at any moment: every synced batch is there once and in order, nothing half-written is served."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkawire.batches import BatchHeader
from pykafkad.model import TopicPartition
from pykafkad.state.sequences import Producers
from pykafkad.storage import names, settling
from pykafkad.storage.directory import SYNC_TOGETHER
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.segment import SMALL
from tests.kit.disk import MemoryDisk, MemoryFile
from tests.storage.helpers import append, batch, open_dir, open_log, read_all, settle

KEY = TopicPartition("t", 0)
LOG = f"/data/t-0/{0:020d}.log"


def contents(log: PartitionLog) -> list[tuple[int, int, int]]:
    return [(header.base_offset, header.crc, header.leader_epoch) for header in read_all(log)]


def check_indexes(log: PartitionLog) -> None:
    """Every entry points at the batch that ends with its offset; the timestamps are those of the log."""
    for segment in log.segments:
        batches = {header.position: header for header in segment.walk()}
        for offset, position in segment.offsets.entries():
            assert batches[position].last_offset == offset
        largest = max((header.max_timestamp for header in batches.values()), default=-1)
        assert segment.largest_timestamp == largest


class Life:
    """A log that is written, synced, cut, and meets a crash; with what must survive it."""

    def __init__(self, seed: int) -> None:
        self.disk = MemoryDisk(seed)
        self.written: list[tuple[int, int, int]] = []
        self.synced = 0
        self.epoch = 0
        self.sequence = 0
        self.clock = 1_000
        self.open()

    def open(self) -> None:
        self.directory = open_dir(self.disk)
        self.producers = Producers()
        self.log = open_log(
            self.directory, producers=self.producers, internal_segment_bytes=3_000, index_interval_bytes=400
        )

    def write(self, count: int, size: int) -> None:
        self.clock += 1
        made = batch(
            count,
            size=size,
            timestamp=self.clock,
            producer_id=7,
            producer_epoch=0,
            base_sequence=self.sequence,
        )
        self.sequence += count
        for header in append(self.log, made, epoch=self.epoch):
            self.written.append((header.base_offset, header.crc, header.leader_epoch))
            self.producers.replay(header)

    def sync(self) -> None:
        self.log.flush()
        self.synced = len(self.written)

    def checkpoint(self) -> None:
        self.directory.checkpoint([self.log], {KEY: self.log.end_offset})

    def truncate(self, part: float) -> None:
        if not self.written:
            return
        keep = int(part * len(self.written))
        self.log.truncate_to(self.written[keep][0])
        del self.written[keep:]
        self.synced = min(self.synced, keep)
        self.sequence = self.producers.snapshot()[0].last_sequence + 1 if self.written else 0

    def verify(self, *, everything: bool) -> None:
        found = contents(self.log)
        assert found == self.written[: len(found)]
        assert len(found) >= (len(self.written) if everything else self.synced)
        self.written = found
        check_indexes(self.log)
        assert [epoch for epoch, _ in self.log.epochs.entries] == sorted({epoch for _, _, epoch in found})
        for offset, _, epoch in found:
            assert self.log.epochs.epoch_at(offset) == epoch
        entries = self.producers.snapshot()
        if found:
            assert entries[0].last_offset == self.log.end_offset - 1
            self.sequence = entries[0].last_sequence + 1
        else:
            assert entries == []
        self.synced = min(self.synced, len(found))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4), st.integers(0, 300)),
        st.tuples(st.just("write"), st.integers(1, 4), st.integers(0, 300)),
        st.tuples(st.just("sync")),
        st.tuples(st.just("settle")),
        st.tuples(st.just("checkpoint")),
        st.tuples(st.just("epoch")),
        st.tuples(st.just("truncate"), st.floats(0, 0.99)),
        st.tuples(st.just("kill")),
        st.tuples(st.just("crash")),
        st.tuples(st.just("restart")),
    ),
    min_size=3,
    max_size=50,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30), STEPS)
def test_any_life_with_crashes(seed: int, steps: list[tuple[Any, ...]]) -> None:
    life = Life(seed)
    for step, *arguments in [*steps, ("crash",), ("restart",)]:
        match step:
            case "write":
                life.write(*arguments)
            case "sync":
                life.sync()
            case "settle":
                if settling.prepare(life.log):
                    settling.settle(life.log)
                    life.synced = len(life.written)
                life.checkpoint()
            case "checkpoint":
                life.checkpoint()
            case "epoch":
                life.epoch += 1
            case "truncate":
                life.truncate(*arguments)
                life.sync()  # a truncation is only promised once synced, as everything else
            case "kill":
                life.disk.kill()
                life.open()
                life.verify(everything=True)
            case "crash":
                life.disk.crash()
                life.open()
                life.verify(everything=False)
            case _:
                life.directory.close(True)
                life.synced = len(life.written)
                life.open()
                life.verify(everything=True)
                assert life.directory.notes == []


def test_a_segment_synced_while_active_and_closed_there_is_read_again() -> None:
    """Its data is safe, its indexes were never synced: the recovery point on disk must not vouch for them."""
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=300, index_interval_bytes=0)
    append(log, batch(1), batch(1))
    log.flush()
    directory.checkpoint([log], {})
    append(log, batch(9))  # rolls at exactly the recovery point
    assert log.segments[1].base_offset == log.recovery_point == 2
    disk.kill()
    disk.flip_bit(f"/data/t-0/{0:020d}.index", 7)
    log = open_log(open_dir(disk), internal_segment_bytes=300, index_interval_bytes=0)
    check_indexes(log)
    log.flush()
    assert log.trusted_below == log.end_offset - 1
    log.roll(0)
    log.flush()
    assert log.trusted_below == log.recovery_point == 11  # closed and synced with its indexes


def test_a_small_log_that_is_closed_leaves_nothing_but_its_records() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    producers = Producers()
    log = open_log(directory, producers=producers)
    for number in range(10):
        options = {"producer_id": 7, "producer_epoch": 0, "base_sequence": number}
        for header in append(log, batch(1, size=1_000, timestamp=2_000 - number, **options)):
            producers.replay(header)
    directory.close(True)
    names_left = {f"{0:020d}.log", names.LEADER_EPOCHS, names.PARTITION_METADATA}
    assert set(disk.list("/data/t-0")) == names_left

    for _ in range(2):
        directory, restored = open_dir(disk), Producers()
        log = open_log(directory, producers=restored)
        assert (len(read_all(log)), log.end_offset, directory.notes, log.dirty) == (10, 10, [], False)
        assert restored.snapshot() == producers.snapshot()
        assert log.offset_for_timestamp(1_995, 10) == log.max_timestamp() == (2_000, 0, 0)
        check_indexes(log)
        directory.close(True)
        assert set(disk.list("/data/t-0")) == names_left

    log = open_log(open_dir(disk), producers=producers)
    for _ in range(30):
        append(log, batch(1, size=1_000))
    assert log.size > SMALL
    log.close()
    beside = {f"{0:020d}{suffix}" for suffix in (names.INDEX, names.TIME_INDEX)} | {f"{40:020d}{names.SNAPSHOT}"}
    assert set(disk.list("/data/t-0")) == names_left | beside


@pytest.mark.parametrize("together", [False, True])
def test_a_small_log_that_goes_on_in_a_new_segment_has_indexes_that_a_power_cut_may_take(together: bool) -> None:
    """Nothing on disk may vouch for the indexes: they are made when the segment is closed, long after it was synced."""
    disk = MemoryDisk()
    directory = open_dir(disk)
    for partition in range(SYNC_TOGETHER if together else 1):
        append(open_log(directory, partition=partition), batch(3, timestamp=5_000))
    directory.close(True)
    log = open_log(open_dir(disk))
    log.roll(0)
    append(log, batch(1, timestamp=1_000))
    disk.kill()
    disk.open(f"/data/t-0/{0:020d}{names.TIME_INDEX}").truncate(0)
    log = open_log(open_dir(disk))
    assert log.end_offset == 4
    assert log.max_timestamp() == (5_000, 0, 0)
    check_indexes(log)


def test_a_torn_tail_is_cut_and_told() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk))
    for _ in range(5):
        append(log, batch(3))
    size = log.size
    disk.kill()
    disk.open(LOG).append(b"\0" * 40)
    directory = open_dir(disk)
    log = open_log(directory)
    assert (log.end_offset, log.size, disk.size(LOG)) == (15, size, size)
    assert any("cut 40 bytes" in note for note in directory.notes)


@pytest.mark.parametrize("where", [8, 25, 80])
def test_a_flipped_bit_behind_the_recovery_point_ends_the_log_there(where: int) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=300)
    for _ in range(10):
        append(log, batch(3))
    victim = log.segments[2]
    disk.kill()
    disk.flip_bit(f"/data/t-0/{victim.base_offset:020d}.log", where)
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=300)
    assert log.end_offset == victim.base_offset
    assert [header.base_offset for header in read_all(log)] == list(range(0, victim.base_offset, 3))
    append(log, batch(1))


@pytest.mark.parametrize("policy", ["delete", "compact"])
def test_a_hole_between_segments_ends_the_log_unless_compaction_may_have_made_it(policy: str) -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk), internal_segment_bytes=300)
    for _ in range(8):
        append(log, batch(3))
    first, second = log.segments[:2]
    last = list(first.walk())[-1]
    disk.kill()
    disk.open(LOG).truncate(last.position)
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=300, cleanup_policy=(policy,))
    offsets = [header.base_offset for header in read_all(log)]
    lost = second.base_offset - 3
    if policy == "delete":
        assert offsets == list(range(0, lost, 3))
        assert any("are missing" in note for note in directory.notes)
    else:
        assert offsets == [offset for offset in range(0, 24, 3) if offset != lost]


@pytest.mark.parametrize("suffix", [names.INDEX, names.TIME_INDEX])
@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("damage", ["missing", "half an entry", "zeros"])
def test_indexes_are_rebuilt(suffix: str, clean: bool, damage: str) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    config: dict[str, int] = {"internal_segment_bytes": 3_000, "index_interval_bytes": 300}
    log = open_log(directory, **config)
    for number in range(40):
        append(log, batch(3, timestamp=1_000 + number))
    expected = [(segment.offsets.entries(), segment.largest_timestamp) for segment in log.segments[:-1]]
    if clean:
        settle(log)
        directory.close(True)
    else:
        log.flush()
        directory.checkpoint([log], {})
        disk.kill()
    base = log.segments[-1 if clean and damage != "missing" else 0].base_offset
    path = f"/data/t-0/{base:020d}{suffix}"
    if damage == "missing":
        disk.remove(path)
    elif damage == "zeros":
        file = disk.open(path)
        file.append(bytes(24))
    else:
        disk.open(path).append(b"abc")
    directory = open_dir(disk)
    log = open_log(directory, **config)
    assert [(segment.offsets.entries(), segment.largest_timestamp) for segment in log.segments[:-1]] == expected
    check_indexes(log)
    assert directory.notes


def test_a_corrupt_epoch_checkpoint_is_read_from_the_log() -> None:
    disk = MemoryDisk()
    for content in (b"", b"nonsense", b"0\n7\n1 2\n"):
        directory = open_dir(disk)
        log = open_log(directory)
        log.restart_at(0, 0)
        for epoch in (0, 0, 3, 5):
            append(log, batch(3), epoch=epoch)
        directory.close(True)
        disk.replace(f"/data/t-0/{names.LEADER_EPOCHS}", content)
        directory = open_dir(disk)
        assert open_log(directory).epochs.entries == [(0, 0), (3, 6), (5, 9)]
        directory.close(True)


def test_corrupt_offset_checkpoints_cost_time_and_nothing_else() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(3))
    directory.checkpoint([log], {KEY: 3})
    directory.close(True)
    for name in (names.RECOVERY_POINTS, names.LOG_STARTS, names.HIGH_WATERMARKS):
        disk.replace(f"/data/{name}", b"0\n5\nt 0 three\n")
    directory = open_dir(disk)
    assert len(directory.notes) == 3
    assert not directory.clean
    assert open_log(directory).end_offset == 3
    assert directory.high_watermarks() == {}


def test_a_bad_snapshot_falls_back_to_an_older_one_and_to_the_log() -> None:
    life = Life(0)
    for _ in range(30):
        life.write(2, 100)
    settle(life.log)
    life.directory.close(True)
    expected = life.producers.snapshot()
    snapshots = sorted(name for name in life.disk.list("/data/t-0") if name.endswith(names.SNAPSHOT))
    assert len(snapshots) > 2
    for name in reversed(snapshots):
        life.disk.flip_bit(f"/data/t-0/{name}", 12)
        life.open()
        assert life.producers.snapshot() == expected
        assert any("fails its CRC" in note for note in life.directory.notes)
        life.directory.close(True)


def test_interrupted_deletions_and_cleanings_are_finished() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(3))
    directory.close(True)
    for name in ("a.log.deleted", f"{9:020d}.log.cleaned", "x.tmp", f"{9:020d}.index"):
        disk.open(f"/data/t-0/{name}", create=True)
    log = open_log(open_dir(disk))
    left = {name for name in disk.list("/data/t-0") if not name.startswith(f"{0:020d}")}
    assert left == {names.LEADER_EPOCHS, names.PARTITION_METADATA}


def test_a_compacted_segment_that_was_swapped_halfway_is_completed() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=300)
    for _ in range(6):
        append(log, batch(3))
    first, second, third = log.segments[:3]
    assert third.base_offset > second.base_offset
    compacted = b"".join(segment.file.pread(segment.size, 0) for segment in (first, second))
    end = third.base_offset
    directory.close(True)
    disk.open(f"/data/t-0/{0:020d}.log.swap", create=True).append(compacted)
    log = open_log(open_dir(disk), internal_segment_bytes=300)
    assert [segment.base_offset for segment in log.segments[:2]] == [0, end]
    assert [header.base_offset for header in read_all(log)] == [0, 3, 6, 9, 12, 15]


def test_control_batches_reach_the_producers_whole() -> None:
    seen: list[tuple[int, bytes | None]] = []

    class Watching(Producers):
        def replay(self, header: BatchHeader, control: Any = None) -> None:
            seen.append((header.base_offset, None if control is None else bytes(control)))

    disk = MemoryDisk()
    log = open_log(open_dir(disk))
    append(log, batch(2))
    data = bytearray(batch(1, producer_id=7, producer_epoch=0))
    data[22] |= 0x30  # transactional, control
    append(log, bytes(data))
    disk.kill()
    disk.remove(f"/data/t-0/{names.LEADER_EPOCHS}")
    from kafkawire.batches import seal

    stored = disk.open(LOG)
    whole = bytearray(stored.pread(stored.size, 0))
    position = stored.size - len(data)
    seal(whole, position, len(data))
    stored.truncate(0)
    stored.append(whole)
    open_log(open_dir(disk), producers=Watching())
    assert seen == [(2, bytes(whole[position:]))]


class Counting(MemoryDisk):
    """Counts the bytes of logs that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_bytes = 0

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        file = super().open(path, create=create)
        if path.endswith(names.LOG):
            pread = file.pread

            def counted(length: int, offset: int) -> bytes:
                data = pread(length, offset)
                self.read_bytes += len(data)
                return data

            file.pread = counted  # type: ignore[method-assign]
        return file


@pytest.mark.parametrize("together", [False, True])
def test_a_crash_has_what_was_written_since_the_log_settled_read_again_and_no_more(together: bool) -> None:
    disk = Counting()
    directory = open_dir(disk)
    config = {"internal_segment_bytes": 40_000, "index_interval_bytes": 1_000}
    producers = Producers()
    log = open_log(directory, producers=producers, **config)
    for number in range(60):
        options = {"producer_id": 7, "producer_epoch": 0, "base_sequence": number}
        for header in append(log, batch(1, size=1_000, timestamp=1_000 + number, **options)):
            producers.replay(header)
    active = log.segments[-1].size
    assert len(log.segments) == 2 and active > 20_000
    assert settling.prepare(log)
    directory.settle([log] * SYNC_TOGETHER if together else [log])
    assert not log.dirty and not settling.prepare(log)
    directory.checkpoint([log], {})
    disk.crash()

    disk.read_bytes = 0
    directory = open_dir(disk)
    restored = Producers()
    log = open_log(directory, producers=restored, **config)
    assert disk.read_bytes < 3_000
    assert (log.end_offset, directory.notes, directory.clean) == (60, [], False)
    assert restored.snapshot() == producers.snapshot()
    check_indexes(log)
    assert not log.dirty

    append(log, batch(1))
    disk.kill()
    disk.read_bytes = 0
    log = open_log(open_dir(disk), producers=Producers(), **config)
    assert log.end_offset == 61 and active < disk.read_bytes < 2 * active


def test_index_entries_of_records_that_a_crash_took_are_not_believed_for_a_settled_log() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, index_interval_bytes=0)
    append(log, batch(3), batch(3))
    assert settling.prepare(log)
    settling.settle(log)
    directory.checkpoint([log], {})
    size = log.size
    append(log, batch(3, timestamp=9_999))
    log.segments[-1].seal()
    disk.kill()
    disk.open(LOG).truncate(size)  # the indexes got to the disk, the records did not
    log = open_log(open_dir(disk), index_interval_bytes=0)
    assert log.end_offset == 6
    check_indexes(log)


def test_only_the_newest_snapshot_of_a_log_that_settles_again_and_again_is_kept() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk), internal_segment_bytes=300)
    for _ in range(10):
        append(log, batch(1))
        assert settling.prepare(log)
        settling.settle(log)
    bases = {segment.base_offset for segment in log.segments}
    kept = {names.offset_of(name, names.SNAPSHOT) for name in disk.list("/data/t-0") if name.endswith(names.SNAPSHOT)}
    assert len(bases) > 2 and kept - bases <= {10}
