"""Records are found by time whatever the order of times, and in a long log at the cost of a short one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykafkad.storage.cold import Cold
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.timestamps import Unread
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log

BATCH = len(batch())


def filled(disk: MemoryDisk, segments: int, per_segment: int = 3) -> PartitionLog:
    """One record to a batch, timestamps 10, 20, 30 …"""
    log = open_log(open_dir(disk), internal_segment_bytes=per_segment * BATCH, index_interval_bytes=0)
    for number in range(segments * per_segment):
        append(log, batch(timestamp=10 * (number + 1)))
    assert len(log.segments) == segments
    return log


def reads(log: PartitionLog, timestamp: int) -> int:
    """How often the disk was read to answer, none of it waited for."""
    io = log.place.disk.io  # type: ignore[attr-defined]
    before = io["pread"]
    found = log.offset_for_timestamp(timestamp, log.end_offset, wait=False)
    assert found == (timestamp, timestamp // 10 - 1, 0)
    count: int = io["pread"] - before
    return count


def test_a_lookup_reads_as_much_in_a_thousand_segments_as_in_ten() -> None:
    costs = []
    for segments in (10, 1000):
        log = filled(MemoryDisk(), segments)
        last = segments * 3 * 10
        costs.append([max(reads(log, last * part // 100 // 10 * 10) for part in (10, 30, 50, 90, 100))])
    assert costs[0] == costs[1]
    assert costs[0][0] <= 4


def test_after_a_start_each_segment_is_read_once_and_in_a_thread() -> None:
    costs = []
    for segments in (10, 1000):
        disk = MemoryDisk()
        directory = open_dir(disk)
        log = open_log(directory, internal_segment_bytes=3 * BATCH, index_interval_bytes=0)
        for number in range(segments * 3):
            append(log, batch(timestamp=10 * (number + 1)))
        directory.close(clean=True)
        log = open_log(open_dir(disk), internal_segment_bytes=3 * BATCH, index_interval_bytes=0)
        with pytest.raises(Unread) as unread:
            reads(log, 100)
        before = disk.io["pread"]
        unread.value.warm()
        assert disk.io["pread"] - before == segments - 1
        unread.value.adopt()
        reads(log, 100)  # also reads the index of the segment found
        costs.append(reads(log, 100))
    assert costs[0] == costs[1] <= 4


def test_timestamps_that_stood_still_for_long_cost_nothing() -> None:
    """The time index has no entries where timestamps don't rise; the offset index has."""
    disk = MemoryDisk()
    log = open_log(open_dir(disk), index_interval_bytes=BATCH)
    for timestamp in (1, *[5] * 1000, 9):
        append(log, batch(timestamp=timestamp))
    log.roll(0)
    append(log, batch(timestamp=9))
    before = disk.io["pread"]
    assert log.offset_for_timestamp(6, 2000) == (9, 1001, 0)
    assert disk.io["pread"] - before <= 4


def test_retention_and_truncation_leave_no_stale_answers() -> None:
    log = filled(MemoryDisk(), 10)
    assert log.offset_for_timestamp(150, 30) == (150, 14, 0)
    log.advance_start(12)
    assert log.retain(0, 30) == 4
    assert log.offset_for_timestamp(10, 30) == (130, 12, 0)
    assert log.offset_for_timestamp(150, 30) == (150, 14, 0)
    log.truncate_to(16)
    append(log, batch(timestamp=1000))
    for _ in range(5):
        append(log, batch(timestamp=5))
    assert log.offset_for_timestamp(200, 30) == (1000, 16, 0)
    assert log.max_timestamp() == (1000, 16, 0)


def test_what_is_not_in_memory_is_cold_until_it_was_warmed() -> None:
    disk = MemoryDisk()
    log = filled(disk, 10)
    for suffix in (".index", ".timeindex", ".log"):
        disk.cold.add(f"/data/t-0/{12:020d}{suffix}")
    rounds = 0
    while True:
        try:
            found = log.offset_for_timestamp(150, 30, wait=False)
            break
        except Cold as cold:
            rounds += 1
            cold.warm()
    assert (found, rounds) == ((150, 14, 0), 3)


@given(
    batches=st.lists(st.lists(st.integers(-1, 30), min_size=1, max_size=3), min_size=1, max_size=25),
    interval=st.sampled_from([0, 200, 10_000]),
    per_segment=st.integers(1, 6),
    reopen=st.booleans(),
    data=st.data(),
)
def test_any_times_agree_with_a_list(
    batches: list[list[int]], interval: int, per_segment: int, reopen: bool, data: st.DataObject
) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    config = {"internal_segment_bytes": per_segment * 100, "index_interval_bytes": interval}
    log = open_log(directory, **config)
    times: list[int] = []
    for timestamps in batches:
        for timestamp in timestamps:
            append(log, batch(timestamp=timestamp))
            times.append(timestamp)
    if reopen:
        directory.close(clean=True)
        log = open_log(open_dir(disk), **config)
    start = data.draw(st.integers(0, len(times)))
    until = data.draw(st.integers(start, len(times)))
    log.advance_start(start)
    for asked in (0, 1, 7, 15, 29, 30, 31):
        expected = next((n for n in range(start, len(times)) if times[n] >= asked), None)
        if expected is not None and expected >= until:
            expected = None
        found = log.offset_for_timestamp(asked, until)
        assert (found[1] if found else None) == expected, asked
    greatest = max(times)
    found = log.max_timestamp()
    assert found == (None if greatest < 0 else (greatest, times.index(greatest), 0))
