"""Offsets that are missing between two segments when a log is read again: what compaction took stays taken, and nothing
else goes; what a power cut took ends the log.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kafkawire.batches import BatchHeader, assemble, header_at, headers, stamp
from pykafkad.model import TopicPartition
from pykafkad.storage import names
from pykafkad.storage.checkpoints import encode_offsets
from pykafkad.storage.log import PartitionLog
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log, read_all

KEY = TopicPartition("t", 0)
LEFT = [0, 1, 5, 6, *range(20, 28)]
"""What compaction has left of offsets 0 to 27, five to a segment."""


def log_file(base: int) -> str:
    return f"/data/t-0/{base:020d}.log"


def of_one(offset: int) -> bytearray:
    made = bytearray(batch(1))
    stamp(made, 0, offset, 0)
    return made


def write(disk: MemoryDisk) -> None:
    """Segments as Apache Kafka leaves them that has compacted the first four and is killed: batches are gone at the end
    of each, of two all of them.
    """
    directory = open_dir(disk)
    log = open_log(directory)
    for number in range(28):
        if number % 5 == 0:
            log.roll(0)
        append(log, batch(1))
    disk.kill()
    for base in range(0, 20, 5):
        file = disk.open(log_file(base))
        file.truncate(0)
        for offset in range(base, base + 5):
            if offset in LEFT:
                file.append(of_one(offset))


def offsets(log: PartitionLog) -> list[int]:
    return [header.base_offset for header in read_all(log)]


def test_a_log_that_was_once_compacted_is_all_there_after_a_kill_when_its_policy_is_delete() -> None:
    disk = MemoryDisk()
    write(disk)
    disk.replace(f"/data/{names.CLEANER_OFFSETS}", encode_offsets({KEY: 20}))
    for _ in range(2):
        directory = open_dir(disk)
        log = open_log(directory)
        assert (offsets(log), log.end_offset, directory.notes) == (LEFT, 28, [])
        disk.kill()


@pytest.mark.parametrize("name", [names.CLEANER_OFFSETS, names.RECOVERY_POINTS])
def test_a_checkpoint_that_cannot_be_read_may_have_vouched_for_any_log(name: str) -> None:
    disk = MemoryDisk()
    write(disk)
    disk.replace(f"/data/{name}", b"0\n1\nt 0 twenty\n")
    assert offsets(open_log(open_dir(disk))) == LEFT


@pytest.mark.parametrize("version", [0, 1])
def test_in_a_directory_of_kafkas_a_round_of_compaction_may_have_been_broken_off(version: int) -> None:
    """Then no checkpoint names the log. After the first clean stop what is there is vouched for, a gap a loss."""
    disk = MemoryDisk()
    write(disk)
    ours = disk.read("/data/meta.properties")
    kafkas = ours if version else ours.replace(b"version=1", b"version=0").replace(b"node.id", b"broker.id")
    disk.replace("/data/meta.properties", b"#\n#Mon Nov 30 00:30:12 UTC 2026\n" + kafkas)
    for _ in range(2):
        log = open_log(open_dir(disk))
        assert (offsets(log), log.end_offset) == (LEFT, 28)
        disk.kill()
    directory = open_dir(disk)
    open_log(directory)
    directory.close(True)
    assert disk.read("/data/meta.properties") == ours

    log = open_log(open_dir(disk))
    log.roll(0)
    append(log, batch(1), batch(1))
    log.roll(0)
    append(log, batch(1))
    disk.kill()
    lose_the_last_batch(disk, 28)
    directory = open_dir(disk)
    assert offsets(open_log(directory)) == [*LEFT, 28]
    assert any("offsets 29 to 30 are missing" in note for note in directory.notes)


def a_gap_inside() -> list[bytearray]:
    return [of_one(20), of_one(22)]


def a_gap_at_its_beginning() -> list[bytearray]:
    return [of_one(22)]


def a_thinned_batch() -> list[bytearray]:
    made = bytearray(batch(3))
    stamp(made, 0, 20, 0)
    return [assemble(header_at(made, 0)._replace(count=0), b"")]


def a_horizon() -> list[bytearray]:
    made = bytearray(batch(3))
    stamp(made, 0, 20, 0)
    header = header_at(made, 0)
    return [assemble(header._replace(attributes=header.attributes | 0x40), bytes(made)[61:])]


@pytest.mark.parametrize("base", [0, 20], ids=["before", "behind"])
@pytest.mark.parametrize("trace", [a_gap_inside, a_gap_at_its_beginning, a_thinned_batch, a_horizon])
def test_compaction_is_known_by_its_traces(trace: Callable[[], list[bytearray]], base: int) -> None:
    """No checkpoint names the log, as in a folder that was copied alone."""
    disk = MemoryDisk()
    write(disk)
    file = disk.open(log_file(base))
    file.truncate(0)
    expected = []
    for made in trace():
        stamp(made, 0, header_at(made, 0).base_offset - 20 + base, 0)
        expected.append(header_at(made, 0).base_offset)
        file.append(made)
    expected += [offset for offset in LEFT if not base <= offset < base + 5]
    directory = open_dir(disk)
    log = open_log(directory)  # an empty batch is given to no reader
    found = [header.base_offset for segment in log.segments for header in segment.walk()]
    assert (found, directory.notes) == (sorted(expected), [])


def test_what_fails_its_crc_is_no_trace() -> None:
    disk = MemoryDisk()
    write(disk)
    file = disk.open(log_file(20))
    file.truncate(0)
    made = a_thinned_batch()[0]
    made[20] ^= 1
    file.append(made)
    directory = open_dir(disk)
    assert offsets(open_log(directory)) == [0, 1]
    assert any("offsets 2 to 5 are missing" in note for note in directory.notes)


def lose_the_last_batch(disk: MemoryDisk, base: int) -> None:
    file = disk.open(log_file(base))
    file.truncate(headers(file.pread(file.size, 0))[-1].position)


def copy(log: PartitionLog, offset: int) -> BatchHeader:
    """As a follower does, at the offset that the batch has on the leader."""
    made = of_one(offset)
    stamped = header_at(made, 0)
    log.append([made], [stamped], 1_000)
    return stamped


def test_a_follower_of_a_compacted_log_keeps_its_segments_together() -> None:
    """Where it rolls, batches may be missing on the leader. A gap between segments remains a sign of a loss."""
    disk = MemoryDisk()
    log = open_log(open_dir(disk), internal_segment_bytes=170)
    copied = [0, 1, 7, 8, 15, 16, 23, 1 << 33, (1 << 33) + 1]
    for offset in copied:
        copy(log, offset)
    assert [segment.base_offset for segment in log.segments] == [0, 2, 9, 17, 1 << 33]
    assert offsets(log) == copied
    for asked in (2, 5, 9, 12, 17, 24):
        piece = log.read(asked, 1, log.end_offset, at_least_one=True)
        assert piece is not None
        assert headers(piece.read())[0].base_offset == next(offset for offset in copied if offset >= asked)
    log.truncate_to(12)
    assert (offsets(log), log.end_offset) == ([0, 1, 7, 8], 12)
    for offset in (15, 16, 23):
        copy(log, offset)
    disk.kill()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=170)
    assert (offsets(log), directory.notes) == ([0, 1, 7, 8, 15, 16, 23], [])
