"""What a failing disk costs: a full one its writes, a broken one its directory, and neither a lie."""

from __future__ import annotations

import errno

import pytest

from pykafkad.errors import StorageFailed
from pykafkad.storage.directory import SYNC_TOGETHER
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log, read_all

EIO = OSError(errno.EIO, "I/O error")


def test_after_a_failed_sync_no_sync_counts_in_that_directory() -> None:
    disk = MemoryDisk()
    directory, other = open_dir(disk), open_dir(disk, "/other")
    one, two, elsewhere = open_log(directory, "one"), open_log(directory, "two"), open_log(other, "elsewhere")
    for log in (one, two, elsewhere):
        append(log, batch(3))
    disk.failing["fsync", "/one-0/00000000000000000000.log"] = EIO
    with pytest.raises(StorageFailed, match=r"flush one-0.*I/O error"):
        one.flush()
    disk.failing.clear()  # the kernel has dropped what it couldn't write, and says that all is well
    for log in (one, two):
        with pytest.raises(StorageFailed, match="offline: flush one-0"):
            log.flush()
        assert log.recovery_point == 0
    elsewhere.flush()
    assert elsewhere.recovery_point == 3 and not other.health.failure


def test_a_sync_that_succeeds_while_another_fails_proves_nothing() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(3))
    disk.before_fsync = lambda path: directory.health.fail("sync of another partition")
    with pytest.raises(StorageFailed, match="offline"):
        log.flush()
    assert log.recovery_point == 0


def test_a_failed_directory_is_not_marked_clean_and_writes_no_checkpoint() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(3))
    directory.health.fail("I/O error")
    with pytest.raises(StorageFailed):
        directory.checkpoint([log], {})
    with pytest.raises(StorageFailed):
        directory.close(True)
    assert not disk.exists("/data/.kafka_cleanshutdown")
    assert not open_dir(disk).clean  # and its lock is free


@pytest.mark.parametrize("operation", ["append", "replace"])
def test_a_write_that_fails_for_good_takes_the_directory_offline(operation: str) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    told: list[str] = []
    directory.health.on_failure = lambda: told.append(directory.health.failure)
    disk.failing[operation, ""] = EIO
    for _ in range(2):
        with pytest.raises(StorageFailed):
            append(log, batch(3))
    assert told == ["append t-0: [Errno 5] I/O error"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
def test_a_write_that_is_refused_for_now_does_not(code: int) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(1))
    disk.failing["append", ".log"] = OSError(code, "not now")
    with pytest.raises(StorageFailed):
        append(log, batch(3))
    assert not directory.health.failure and len(read_all(log)) == 1
    disk.failing.clear()
    append(log, batch(3))
    assert log.end_offset == 4


def test_a_read_that_fails_costs_that_read() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=200)
    for _ in range(6):
        append(log, batch(3))
    disk.failing["pread", ".log"] = EIO
    with pytest.raises(StorageFailed, match="read t-0"):
        log.read(1, 1 << 20, log.end_offset, at_least_one=True)
    disk.failing.clear()
    assert len(read_all(log)) == 6 and not directory.health.failure


@pytest.mark.parametrize("logs", [1, SYNC_TOGETHER])
def test_a_stop_on_a_full_disk_makes_everything_durable_that_was_written(logs: int) -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    opened = [open_log(directory, partition=number) for number in range(logs)]
    for log in opened:
        append(log, batch(3))
    disk.failing["replace", ""] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageFailed, match="No space"):
        directory.close(True)
    disk.failing.clear()
    disk.crash()
    directory = open_dir(disk)
    assert not directory.clean
    assert [open_log(directory, partition=number).end_offset for number in range(logs)] == [3] * logs
