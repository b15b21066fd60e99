"""PartitionLog on a memory disk: what was appended is read back, rolled, cut, found by time and let go."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkawire.batches import headers
from pykafkad.config import TopicConfig
from pykafkad.errors import StorageFailed
from pykafkad.storage.log import PartitionLog
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log, read_all

SMALL = 1 << 14


def filled(disk: MemoryDisk, count: int = 200, **config: int) -> PartitionLog:
    """Three records to a batch, about 40 batches to a segment of 16 KB; timestamps rise by one a batch."""
    log = open_log(open_dir(disk), segment_bytes=SMALL, **config)
    for number in range(count):
        append(log, batch(3, size=100, timestamp=1_000 + number), epoch=number // 50)
    return log


def offsets(log: PartitionLog) -> list[int]:
    return [header.base_offset for header in read_all(log)]


def test_what_went_in_comes_out_in_order() -> None:
    log = filled(MemoryDisk())
    assert log.end_offset == 600
    assert len(log.segments) == 5
    assert offsets(log) == list(range(0, 600, 3))
    assert log.epochs.entries == [(0, 0), (1, 150), (2, 300), (3, 450)]


def test_every_offset_is_found_in_its_batch() -> None:
    log = filled(MemoryDisk())
    for offset in range(600):
        piece = log.read(offset, 1, log.end_offset, at_least_one=True)
        assert piece is not None
        (header,) = headers(piece.read())
        assert header.base_offset <= offset <= header.last_offset


def test_nothing_to_read_costs_no_io() -> None:
    disk = MemoryDisk()
    log = filled(disk)
    before = disk.io.copy()
    assert log.read(600, 1 << 20, 600, at_least_one=True) is None
    assert log.read(300, 1 << 20, 300, at_least_one=True) is None
    assert log.read(700, 1 << 20, 700, at_least_one=True) is None
    assert disk.io == before


def test_a_read_stops_before_until_and_at_the_segment_s_end() -> None:
    log = filled(MemoryDisk())
    piece = log.read(10, 1 << 20, 20, at_least_one=True)
    assert piece is not None
    assert [header.base_offset for header in headers(piece.read())] == [9, 12, 15]
    piece = log.read(0, 1 << 20, 600, at_least_one=True)
    assert piece is not None
    assert len(piece) == log.segments[0].size


def test_the_first_batch_is_whole_or_nothing() -> None:
    log = filled(MemoryDisk())
    assert log.read(0, 10, 600, at_least_one=False) is None
    whole = log.read(0, 10, 600, at_least_one=True)
    assert whole is not None
    assert len(headers(whole.read())) == 1
    cut = log.read(0, len(whole) + 50, 600, at_least_one=False)
    assert cut is not None
    assert len(cut) == len(whole) + 50


def test_one_append_one_write_whatever_the_number_of_batches() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk))
    append(log, batch())
    before = disk.io.copy()
    append(log, *(batch(2) for _ in range(20)))
    assert disk.io["append"] - before["append"] == 1
    assert disk.io["fsync"] == before["fsync"]
    assert log.end_offset == 41


def test_index_entries_are_where_kafka_puts_them() -> None:
    """Before a batch, once more than index.interval.bytes lie behind the last entry: never for the first batch."""
    log = open_log(open_dir(MemoryDisk()), index_interval_bytes=300)
    sizes = [header.length for _ in range(10) for header in append(log, batch(2, size=30))]
    expected, position, since = [], 0, 0
    for number, size in enumerate(sizes):
        if since > 300:
            expected.append((2 * number + 1, position))
            since = 0
        position += size
        since += size
    assert log.segments[0].offsets.entries() == expected
    assert [offset for _, offset in log.segments[0].times.entries()] == [1]  # no timestamp was news after the first


@pytest.mark.parametrize(
    ("config", "timestamps", "now", "segments"),
    [
        ({"segment_ms": 100}, [1000, 1050, 1100, 1101], 0, 2),  # by the records' own time
        ({"segment_ms": 100}, [1000, 900, 800], 10**6, 1),  # ... and not by the clock
        ({"segment_ms": 100}, [-1, -1], 10**6, 2),  # unless records have none
        ({"segment_index_bytes": 24, "index_interval_bytes": 0}, [1, 2, 3, 4, 5, 6], 0, 3),  # 24 bytes: one time entry
    ],
)
def test_rolls(config: dict[str, int], timestamps: list[int], now: int, segments: int) -> None:
    log = open_log(open_dir(MemoryDisk()), now=0, **config)
    for timestamp in timestamps:
        append(log, batch(timestamp=timestamp), now=now)
    assert len(log.segments) == segments
    assert offsets(log) == list(range(len(timestamps)))


def test_rolling_leaves_trimmed_indexes_and_a_snapshot() -> None:
    disk = MemoryDisk()
    log = filled(disk)
    names = set(disk.list("/data/t-0"))
    assert {f"{123:020d}{suffix}" for suffix in (".log", ".index", ".timeindex", ".snapshot")} <= names
    first = log.segments[0]
    assert disk.size(f"/data/t-0/{0:020d}.index") == 8 * len(first.offsets)
    assert first.times.last() == (first.largest_timestamp, 122)  # added when the segment was closed


@pytest.mark.parametrize("limit", [4, 23])
def test_an_index_that_holds_nothing_gives_every_batch_its_segment(limit: int) -> None:
    log = open_log(open_dir(MemoryDisk()), segment_index_bytes=limit)
    for _ in range(4):
        append(log, batch())
    assert [segment.base_offset for segment in log.segments] == [0, 1, 2, 3]


def test_a_roll_is_told_with_everything_before_it_in_place() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk), internal_segment_bytes=1)
    log.on_roll = log.flush
    append(log, batch())
    assert log.recovery_point == 0
    append(log, batch())
    assert (log.recovery_point, log.end_offset) == (1, 2)
    disk.crash()
    assert open_log(open_dir(disk)).end_offset >= 1


def test_room_is_reserved_and_given_back() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, preallocate=True, internal_segment_bytes=1000)
    sizes = [disk.size("/data/t-0/" + f"{0:020d}.log")]
    written = sum(header.length for _ in range(3) for header in append(log, batch(2, size=100)))
    sizes.append(disk.size("/data/t-0/" + f"{0:020d}.log"))
    append(log, batch(2, size=100))  # rolls
    sizes += [disk.size(f"/data/t-0/{base:020d}.log") for base in (0, 6)]
    assert sizes == [1000, 1000, written, 1000]
    assert log.size == written + written // 3
    directory.close(clean=True)
    assert disk.size(f"/data/t-0/{6:020d}.log") == written // 3


def test_after_a_crash_what_was_reserved_is_no_record() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk), preallocate=True, internal_segment_bytes=1000)
    append(log, batch(2, size=100))
    disk.kill()
    log = open_log(open_dir(disk), preallocate=True, internal_segment_bytes=1000)
    assert (log.end_offset, offsets(log)) == (2, [0])
    append(log, batch(2, size=100))
    assert offsets(log) == [0, 2]


def test_no_room_to_reserve_is_a_failed_roll_that_heals() -> None:
    disk = MemoryDisk(capacity=2500)
    log = open_log(open_dir(disk), preallocate=True, internal_segment_bytes=1000)
    append(log, batch(2, size=400))
    disk.capacity = 1900
    with pytest.raises(StorageFailed):
        append(log, batch(2, size=400))
    assert offsets(log) == [0]
    disk.capacity = None
    append(log, batch(2, size=400))
    assert offsets(log) == [0, 2]


def test_truncation_cuts_batches_epochs_and_segments() -> None:
    log = filled(MemoryDisk())
    log.truncate_to(310)  # inside the batch 309..311
    assert log.end_offset == 309
    assert offsets(log)[-1] == 306
    assert log.epochs.latest == 2
    append(log, batch(3), epoch=9)
    assert offsets(log) == [*range(0, 309, 3), 309]
    log.truncate_to(0)
    assert (log.start_offset, log.end_offset, offsets(log)) == (0, 0, [])
    append(log, batch(3), epoch=9)
    assert offsets(log) == [0]


def test_deleting_beside_a_flush_is_no_failure() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, segment_bytes=SMALL)
    for _ in range(100):
        append(log, batch(3, size=100))

    def delete_meanwhile(path: str) -> None:
        disk.before_fsync = None
        directory.delete_log(log)

    disk.before_fsync = delete_meanwhile
    log.flush()


def test_restart_at_another_offset() -> None:
    disk = MemoryDisk()
    log = filled(disk)
    log.restart_at(5_000, 0)
    assert (log.start_offset, log.end_offset, log.size) == (5_000, 5_000, 0)
    append(log, batch(3))
    assert offsets(log) == [5_000]


def test_offsets_for_timestamps() -> None:
    log = filled(MemoryDisk())
    assert log.offset_for_timestamp(0, 600) == (1_000, 0, 0)
    assert log.offset_for_timestamp(1_100, 600) == (1_100, 300, 2)
    assert log.offset_for_timestamp(1_199, 600) == (1_199, 597, 3)
    assert log.offset_for_timestamp(1_200, 600) is None
    assert log.offset_for_timestamp(1_100, 300) is None  # not fetchable yet
    log.advance_start(400)
    assert log.offset_for_timestamp(0, 600) == (1_133, 400, 2)
    assert log.max_timestamp() == (1_199, 597, 3)
    assert open_log(open_dir(MemoryDisk())).max_timestamp() is None


def test_timestamps_out_of_order_are_found_all_the_same() -> None:
    log = open_log(open_dir(MemoryDisk()), index_interval_bytes=0)
    times = [5, 90, 20, 91, 3, 50, 91, 7]
    for timestamp in times:
        append(log, batch(timestamp=timestamp))
    for asked in range(100):
        expected = next((offset for offset, timestamp in enumerate(times) if timestamp >= asked), None)
        found = log.offset_for_timestamp(asked, 8)
        assert (found[1] if found else None) == expected
    assert log.max_timestamp() == (91, 3, 0)


@pytest.mark.parametrize(
    ("config", "now", "high_watermark", "deleted"),
    [
        ({"retention_ms": 100}, 1_150, 600, 1),  # 1 040 and older
        ({"retention_ms": 100}, 1_000_000, 600, 5),  # all, the active one too
        ({"retention_ms": 100}, 1_000_000, 300, 2),  # only below the high watermark
        ({"retention_ms": -1}, 1_000_000, 600, 0),
        ({"retention_ms": -1, "retention_bytes": 40_000}, 0, 600, 2),  # stays at or above the limit
        ({"retention_ms": 0, "cleanup_policy": ("compact",)}, 1_000_000, 600, 0),
        ({"retention_ms": 0, "retention_bytes": 0, "cleanup_policy": ()}, 1_000_000, 600, 0),
    ],
)
def test_retention(config: dict[str, object], now: int, high_watermark: int, deleted: int) -> None:
    disk = MemoryDisk()
    log = filled(disk)
    log.topic_config = TopicConfig(segment_bytes=SMALL, **config)
    before = log.segments
    assert log.retain(now, high_watermark) == deleted
    assert log.start_offset == (600 if deleted == 5 else before[deleted].base_offset)
    assert log.end_offset == 600
    assert offsets(log) == list(range(log.start_offset, 600, 3))
    assert log.epochs.entries == [] or log.epochs.entries[0][1] >= log.start_offset or log.start_offset == 0


def test_the_start_offset_lets_segments_go_under_every_policy() -> None:
    disk = MemoryDisk()
    log = filled(disk, cleanup_policy=("compact",))  # type: ignore[arg-type]
    log.advance_start(250)
    assert log.retain(0, 600) == 2
    assert log.start_offset == 250
    assert offsets(log)[0] == 249  # a reader gets the whole batch and skips


def test_deleted_segments_stay_readable_for_who_holds_them_and_go_later() -> None:
    disk = MemoryDisk()
    log = filled(disk)
    held = log.read(0, 1 << 20, 600, at_least_one=True)
    assert held is not None
    log.topic_config = TopicConfig(segment_bytes=SMALL, retention_ms=0, file_delete_delay_ms=500)
    log.retain(2_000, 600)
    assert len(headers(held.read())) == 41
    assert log.purge_deleted(2_499) == 0
    assert any(name.endswith(".deleted") for name in disk.list("/data/t-0"))
    assert log.purge_deleted(2_500) > 0
    assert not any(name.endswith(".deleted") for name in disk.list("/data/t-0"))


def test_an_emptied_log_remembers_where_it_ended() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, retention_ms=0)
    append(log, batch(7))
    assert log.retain(10**9, 7) == 1
    assert log.segments[0].base_offset == 7
    for clean in (True, False):
        directory.close(clean)
        directory = open_dir(disk)
        log = open_log(directory)
        assert (log.start_offset, log.end_offset) == (7, 7)


def test_a_failed_write_leaves_the_log_as_it_was_and_heals() -> None:
    disk = MemoryDisk(seed=3)
    log = open_log(open_dir(disk))
    append(log, batch(3))
    disk.failing["append", ".log"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageFailed, match="append t-0"):
        append(log, batch(3, size=500), epoch=4)
    disk.failing.clear()
    assert (log.end_offset, offsets(log), log.epochs.latest) == (3, [0], 0)
    assert disk.size(f"/data/t-0/{0:020d}.log") == log.size
    append(log, batch(1))
    assert offsets(log) == [0, 3]


def test_a_full_disk_refuses_writes_and_serves_reads() -> None:
    disk = MemoryDisk(capacity=3_000)
    log = open_log(open_dir(disk))
    with pytest.raises(StorageFailed, match="No space"):
        for _ in range(100):
            append(log, batch(3, size=100))
    end = log.end_offset
    assert end > 0
    assert offsets(log) == list(range(0, end, 3))
    disk.capacity = None
    append(log, batch(3))
    assert log.end_offset == end + 3


def test_a_cut_that_fails_too_is_overwritten() -> None:
    disk = MemoryDisk(seed=1)
    log = open_log(open_dir(disk))
    append(log, batch(3))
    disk.failing["append", ".log"] = disk.failing["truncate", ".log"] = OSError(errno.ENOSPC, "No space left")
    with pytest.raises(StorageFailed):
        append(log, batch(3, size=500))
    disk.failing.clear()
    assert offsets(log) == [0]
    append(log, batch(1))
    assert offsets(log) == [0, 3]


def test_few_files_are_open_at_a_time() -> None:
    disk = MemoryDisk()
    disk.max_open_files = 3
    directory = open_dir(disk)
    logs = [open_log(directory, partition=number) for number in range(8)]
    for log in logs * 3:
        append(log, batch(2))
    assert sum(segment.open_file is not None for log in logs for segment in log.segments) <= 3
    assert [offsets(log) for log in logs] == [[0, 2, 4]] * 8


def test_flush_moves_the_recovery_point() -> None:
    disk = MemoryDisk()
    log = filled(disk)
    assert log.flush_due == log.segments[-1].base_offset
    log.flush(log.segments[-1].base_offset)
    assert log.recovery_point == log.segments[-1].base_offset
    assert log.flush_due is None
    log.flush()
    assert log.recovery_point == 600
    before = disk.io["fsync"]
    log.flush()
    assert disk.io["fsync"] == before


def test_a_truncation_beside_a_flush_wins() -> None:
    disk = MemoryDisk()
    log = open_log(open_dir(disk))
    for _ in range(4):
        append(log, batch(3))

    def truncate_meanwhile(path: str) -> None:
        disk.before_fsync = None
        log.truncate_to(6)

    disk.before_fsync = truncate_meanwhile
    log.flush()
    assert log.recovery_point <= 6


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 400)), min_size=1, max_size=60),
    st.integers(0, 600),
    st.data(),
)
def test_reads_agree_with_a_list(batches: list[tuple[int, int]], interval: int, data: st.DataObject) -> None:
    """Any start, any limit: the bytes are a prefix of all bytes from the batch that holds the offset."""
    log = open_log(open_dir(MemoryDisk()), internal_segment_bytes=2_000, index_interval_bytes=interval)
    model: list[tuple[int, int, int]] = []  # first offset, last offset, length
    for count, size in batches:
        made = append(log, batch(count, size=size))
        model += [(header.base_offset, header.last_offset, header.length) for header in made]
    end = log.end_offset
    for _ in range(10):
        offset = data.draw(st.integers(0, end - 1))
        until = data.draw(st.integers(0, end))
        room = data.draw(st.integers(0, 3_000))
        piece = log.read(offset, room, until, at_least_one=True)
        allowed = [entry for entry in model if entry[1] >= offset and entry[1] < until]
        if not allowed:
            assert piece is None
            continue
        assert piece is not None
        content = piece.read()
        assert int.from_bytes(content[:8], "big") == allowed[0][0]
        assert len(content) == len(piece)
        assert len(content) >= min(room, allowed[0][2])
        assert len(content) <= max(room, allowed[0][2])
        assert len(content) <= sum(length for _, _, length in allowed)


def test_a_log_that_was_deleted_leaves_its_namesake_alone() -> None:
    directory = open_dir(MemoryDisk())
    log = open_log(directory, internal_segment_bytes=200, retention_ms=0)
    for _ in range(4):
        append(log, batch())
    directory.delete_log(log, 1_000)
    again = open_log(directory, internal_segment_bytes=200, retention_ms=0)
    append(again, batch())
    before = sorted(directory.disk.list(again.directory))
    assert log.retain(1_000_000, log.end_offset) == 0
    log.roll(1_000_000)
    assert sorted(directory.disk.list(again.directory)) == before


def test_two_purges_at_once_do_not_get_in_each_others_way(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = open_dir(MemoryDisk())
    log = open_log(directory, internal_segment_bytes=200, retention_ms=0)
    for _ in range(4):
        append(log, batch())
    assert log.retain(1_000_000, log.end_offset) > 1
    remove = MemoryDisk.remove

    def meanwhile(disk: MemoryDisk, path: str) -> None:
        monkeypatch.setattr(MemoryDisk, "remove", remove)
        assert log.purge_deleted(1 << 62) > 0
        remove(disk, path)

    monkeypatch.setattr(MemoryDisk, "remove", meanwhile)
    log.purge_deleted(1 << 62)
    assert not [name for name in directory.disk.list(log.directory) if name.endswith(".deleted")]
