"""A log moves to another directory while it is written, and no crash on the way loses or doubles a record."""

from __future__ import annotations

import errno

import pytest

from kafkawire.batches import headers
from kafkawire.records import build
from pykafkad.errors import StorageFailed
from pykafkad.model import TopicPartition
from pykafkad.storage import names, settling
from pykafkad.storage.checkpoints import KAFKAS, encode_offsets
from pykafkad.storage.directory import SYNC_TOGETHER, LogDir
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.moving import Mirror
from tests.kit.disk import Died, MemoryDisk
from tests.storage.helpers import TOPIC_ID, append, batch, open_dir, open_log, read_all

UNIQUE = "0123456789abcdef0123456789abcdef"
SEGMENT = 2_000


def filled(log: PartitionLog, batches: int = 40) -> None:
    for _ in range(batches):
        append(log, batch(3, size=50))


def setting(disk: MemoryDisk) -> tuple[LogDir, LogDir, PartitionLog, Mirror]:
    a, b = open_dir(disk, "/a"), open_dir(disk, "/b")
    log = open_log(a, internal_segment_bytes=SEGMENT, index_interval_bytes=200)
    filled(log)
    return a, b, log, Mirror(log, a, b, UNIQUE)


def caught_up(mirror: Mirror) -> Mirror:
    while mirror.copy():
        pass
    return mirror


def moved(mirror: Mirror) -> str:
    """Swapped, after whatever has come meanwhile was copied too."""
    while (old := mirror.swap()) is None:
        caught_up(mirror)
    return old


def contents(log: PartitionLog, disk: MemoryDisk) -> dict[str, bytes]:
    return {name: disk.read(f"{log.directory}/{name}") for name in disk.list(log.directory)}


def test_a_log_moves_with_all_its_files_and_goes_on() -> None:
    disk = MemoryDisk()
    a, b, log, mirror = setting(disk)
    held = log.read(0, 1 << 20, log.end_offset, at_least_one=True)
    caught_up(mirror)
    assert (mirror.end_offset, mirror.missing, mirror.ready) == (log.end_offset, 0, True)
    append(log, batch(2))  # while it is being copied
    assert mirror.missing > 0
    before = read_all(log)
    old = moved(mirror)
    assert old == f"/a/t-0.{UNIQUE}-delete" and log.directory == "/b/t-0" and log.log_dir == "/b"
    assert held is not None and len(held.read()) == len(held)
    assert read_all(log) == before
    append(log, batch(3))
    log.flush()
    a.doom(old, 0)
    assert a.purge(0) == 1 and not any("t-0" in name for name in disk.list("/a"))
    assert (list(a.logs), [key.topic for key in b.logs]) == ([], ["t"])
    end, files = log.end_offset, contents(log, disk)
    a.close(True)
    b.close(True)
    for name, data in files.items():  # copied, not made anew
        if name.endswith(".log"):
            assert contents(log, disk)[name].startswith(data)
    again = open_log(open_dir(disk, "/b"), internal_segment_bytes=SEGMENT)
    assert again.end_offset == end and len(read_all(again)) == 42


def test_what_was_durable_is_durable_in_the_new_place_before_the_old_one_has_lost_its_name() -> None:
    for seed in range(30):
        disk = MemoryDisk(seed)
        _, _, log, mirror = setting(disk)
        caught_up(mirror)
        append(log, batch(2))
        log.flush()  # the topic has flush.messages=1
        end = log.end_offset
        moved(mirror)
        disk.crash()
        directory = next(d for d in (open_dir(disk, "/b"), open_dir(disk, "/a")) if complete(d))
        again = open_log(directory, internal_segment_bytes=SEGMENT)
        assert again.end_offset == end and len(read_all(again)) == 41


def complete(directory: LogDir) -> bool:
    """Whether the log is here after a crash; a mirror whose time had come gets its name, as ``LogDirs`` does it."""
    for marked in directory.marked:
        if marked.suffix == "-future" and directory.disk.exists(f"/a/t-0.{UNIQUE}-delete"):
            directory.promote(marked)
    return bool(directory.found())


@pytest.mark.parametrize("told", [True, False], ids=["cleaned", "kafkas"])
def test_what_compaction_has_left_is_no_loss_in_the_new_place_either(told: bool) -> None:
    """Whenever the process dies; by now the topic's policy is delete."""
    fatal, swapped = 0, False
    while not swapped:
        disk = MemoryDisk(seed=fatal)
        a, b, log, _ = setting(disk)
        first, second = log.segments[:2]
        base, gone = second.base_offset, list(first.walk())[-1]
        kept = [header.crc for header in read_all(log) if header.base_offset != gone.base_offset]
        a.close(False)
        disk.open(first.path).truncate(gone.position)
        if told:
            disk.replace(f"/a/{names.CLEANER_OFFSETS}", encode_offsets({TopicPartition("t", 0): base}))
        else:
            disk.replace(f"/a/{names.META_PROPERTIES}", KAFKAS + disk.read(f"/a/{names.META_PROPERTIES}"))
        a = open_dir(disk, "/a")
        log = open_log(a, internal_segment_bytes=SEGMENT, index_interval_bytes=200)
        mirror = caught_up(Mirror(log, a, b, UNIQUE))
        disk.cut_after = fatal
        try:
            moved(mirror)
            b.checkpoint_cleaned()
            swapped = True
        except (Died, StorageFailed):
            pass
        disk.kill()
        (home,) = [directory for directory in (open_dir(disk, "/b"), open_dir(disk, "/a")) if complete(directory)]
        log = open_log(home, internal_segment_bytes=SEGMENT)
        assert [header.crc for header in read_all(log)] == kept, fatal
        fatal += 1


def test_a_crash_at_any_change_leaves_one_whole_log() -> None:
    fatal, swapped = 0, False
    while not swapped:
        disk = MemoryDisk(seed=fatal)
        _, _, log, mirror = setting(disk)
        log.flush()
        end = log.end_offset
        disk.cut_after = fatal
        try:
            moved(mirror)
            swapped = True
        except (Died, StorageFailed):
            pass
        disk.crash()
        homes = [directory for directory in (open_dir(disk, "/b"), open_dir(disk, "/a")) if complete(directory)]
        assert len(homes) == 1, fatal
        assert open_log(homes[0], internal_segment_bytes=SEGMENT).end_offset == end
        fatal += 1
    assert fatal > 50


def test_a_move_goes_on_after_a_restart_with_what_is_there() -> None:
    disk = MemoryDisk()
    a, b, log, mirror = setting(disk)
    for _ in range(6):
        mirror.copy()
    copied = mirror.size
    assert copied
    a.close(True)
    b.close(True)
    a, b = open_dir(disk, "/a"), open_dir(disk, "/b")
    assert [marked[:3] for marked in b.marked] == [("t", 0, UNIQUE)]
    log = open_log(a, internal_segment_bytes=SEGMENT)
    again = Mirror(log, a, b, UNIQUE)
    again.copy()
    assert again.size >= copied - SEGMENT
    assert moved(again)
    assert len(read_all(log)) == 40


def other_batch() -> bytes:
    """As long as those of ``filled``, and something else."""
    return build([(b"k%d" % number, b"other" * 10) for number in range(3)], timestamp=1_000)


def test_what_a_power_cut_took_from_the_source_does_not_come_back_by_the_mirror() -> None:
    for seed in range(60):
        disk = MemoryDisk(seed)
        _, _, log, mirror = setting(disk)
        caught_up(mirror)  # of a log that nobody has synced
        disk.crash()
        a, b = open_dir(disk, "/a"), open_dir(disk, "/b")
        log = open_log(a, internal_segment_bytes=SEGMENT, index_interval_bytes=200)
        while log.end_offset < 120:
            append(log, other_batch())
        written = [header.crc for header in read_all(log)]
        moved(Mirror(log, a, b, UNIQUE))
        assert [header.crc for header in read_all(log)] == written, seed
        a.close(True)
        b.close(True)
        again = open_log(open_dir(disk, "/b"), internal_segment_bytes=SEGMENT)
        assert [header.crc for header in read_all(again)] == written, seed


def test_a_source_that_was_cut_and_written_again_is_copied_again() -> None:
    """The move heard nothing of the cut: it came when the broker had died, or before the move went on."""
    disk = MemoryDisk()
    a, b, log, mirror = setting(disk)
    caught_up(mirror)
    log.truncate_to(60)
    while log.end_offset < 120:
        append(log, other_batch())
    written = [header.crc for header in read_all(log)]
    moved(Mirror(log, a, b, UNIQUE))
    assert [header.crc for header in read_all(log)] == written


@pytest.mark.parametrize("what", ["another topic's", "lost"])
def test_a_mirror_that_is_not_known_to_be_of_this_topic_begins_anew(what: str) -> None:
    disk = MemoryDisk()
    a, b, log, mirror = setting(disk)
    caught_up(mirror)
    if what == "lost":
        disk.remove(f"/b/t-0.{UNIQUE}-future/partition.metadata")
    a.delete_log(log)
    topic_id = TOPIC_ID if what == "lost" else bytes(range(1, 17))
    log = open_log(a, topic_id=topic_id, internal_segment_bytes=SEGMENT)
    for _ in range(40):
        append(log, other_batch())
    again = Mirror(log, a, b, UNIQUE)
    again.copy()
    assert again.end_offset <= log.segments[1].base_offset
    moved(again)
    assert [header.crc for header in read_all(log)] == [log_crc()] * 40
    assert b.topic_id(log.directory) == log.topic_id


def log_crc() -> int:
    (header,) = headers(other_batch())
    return header.crc


def test_a_segment_that_went_while_it_was_copied_leaves_no_file() -> None:
    disk = MemoryDisk()
    a, b = open_dir(disk, "/a"), open_dir(disk, "/b")
    log = open_log(a, internal_segment_bytes=SEGMENT)
    filled(log, 2)
    mirror = Mirror(log, a, b, UNIQUE)
    mirror.copy()  # of the newest, under its own name
    filled(log, 20)
    log.advance_start(60)
    log.retain(0, log.end_offset)
    moved(mirror)
    logs = sorted(name for name in disk.list(log.directory) if name.endswith(".log"))
    assert len(logs) == len(log.segments)


def test_retention_truncation_and_rolls_on_the_way() -> None:
    disk = MemoryDisk()
    _, _, log, mirror = setting(disk)
    caught_up(mirror)
    log.advance_start(40)
    log.retain(0, log.end_offset)
    log.truncate_to(90)
    assert not mirror.ready
    filled(log, 5)
    log.roll(0)
    caught_up(mirror)
    before = read_all(log)
    assert moved(mirror)
    assert read_all(log) == before
    logs = sorted(name for name in disk.list(log.directory) if name.endswith(".log"))
    assert len(logs) == len(log.segments)


@pytest.mark.parametrize("logs", [1, SYNC_TOGETHER])
def test_a_log_that_is_being_settled_moves_when_that_is_over(logs: int) -> None:
    """Else the sync of the old volume would vouch for files on the new one."""
    disk = MemoryDisk()
    a, _, log, mirror = setting(disk)
    caught_up(mirror)
    assert settling.prepare(log)
    assert not mirror.ready and mirror.swap() is None
    a.settle([log] * logs)
    assert mirror.ready
    assert settling.prepare(log) is False
    append(log, batch(2))
    assert settling.prepare(log)
    disk.failing["fsync", ".log" if logs == 1 else "/a"] = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(StorageFailed, match="Too many"):
        a.settle([log] * logs)
    disk.failing.clear()
    assert moved(mirror)
    assert len(read_all(log)) == 41


def test_a_moved_folder_is_durable_when_its_name_is_synced_and_no_sooner() -> None:
    disk = MemoryDisk()
    _, b, log, mirror = setting(disk)
    moved(mirror)
    assert settling.prepare(log) and not log.folder_durable
    seen = []
    disk.before_fsync = lambda _: seen.append(log.folder_durable)
    disk.failing["fsync", "/b"] = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(StorageFailed):
        b.settle([log] * SYNC_TOGETHER)
    assert not log.folder_durable
    disk.failing.clear()
    assert settling.prepare(log)
    b.settle([log] * SYNC_TOGETHER)
    assert log.folder_durable and seen and not any(seen)


def test_a_flipped_bit_stops_the_move_and_is_named() -> None:
    disk = MemoryDisk()
    _, b, log, mirror = setting(disk)
    second = log.segments[1]
    disk.flip_bit(second.path, 100)
    with pytest.raises(StorageFailed, match=rf"{second.path} at 0: batch \d+ fails its CRC"):
        caught_up(mirror)
    assert log.log_dir == "/a" and not b.health.failure
    mirror.discard()
    assert [name for name in disk.list("/b") if "t-0" in name] == []


def test_a_full_target_costs_the_move_nothing_but_time() -> None:
    disk = MemoryDisk()
    _, b, log, mirror = setting(disk)
    disk.failing["append", ".log.tmp"] = OSError(errno.ENOSPC, "No space left on device", "/b/t-0.x-future/y")
    with pytest.raises(StorageFailed, match="No space"):
        caught_up(mirror)
    assert not b.health.failure
    disk.failing.clear()
    assert moved(mirror) and len(read_all(log)) == 40
