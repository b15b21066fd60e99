"""Swaps that fail or are off leave the log as it was, whatever the moment."""

from __future__ import annotations

import errno

import pytest

from pykafkad.errors import StorageFailed
from pykafkad.storage import names
from pykafkad.storage.cleaning.clean import clean
from pykafkad.storage.cleaning.job import Cleaned
from pykafkad.storage.swap import Swap
from tests.kit.disk import MemoryDisk
from tests.storage.cleaning.rounds import CompactedLog


class Stubborn(MemoryDisk):
    """A disk that refuses the n-th rename, and only that one."""

    refuses: int | None = None

    def rename(self, path: str, new_path: str) -> None:
        if self.refuses is not None:
            self.refuses -= 1
            if self.refuses < 0:
                self.refuses = None
                raise OSError(errno.ENOSPC, "No space left on device", path)
        super().rename(path, new_path)


def dirty(disk: MemoryDisk | None = None) -> CompactedLog:
    log = CompactedLog(disk, internal_segment_bytes=400)
    for number in range(12):
        log.write((b"k%d" % (number % 2), b"v" * 100))
    log.roll()
    log.config["internal_segment_bytes"] = 4_000
    log.restart()
    return log


def first_group(log: CompactedLog) -> Swap:
    job = log.job()
    told = next(clean(log.disk, job.directory, job, lambda count: None, lambda: 0.0))
    assert isinstance(told, Cleaned)
    return Swap(log.log.place, told.bases, told.bytes)


@pytest.mark.parametrize("step", range(40))
def test_a_rename_that_fails_is_undone(step: int) -> None:
    disk = Stubborn()
    log = dirty(disk)
    before = log.batches()
    swap = first_group(log)
    disk.refuses = step
    try:
        swap.announce()
        assert log.log.replace_segments(swap, log.now)
        swap.settle()
        swap.finish()
    except (OSError, StorageFailed):
        assert disk.refuses is None
    else:
        before = log.batches()
    assert log.batches() == before or len(log.batches()) < len(before), "the old segments, or the new one"
    readable = log.batches()
    log.restart()
    assert [header.base_offset for header, _ in log.batches()][-1] == 11
    assert not log.files(names.SWAP) and not log.files(names.CLEANED)
    assert {r.key for _, records in log.batches() for r in records} == {b"k0", b"k1"}
    assert log.batches() == readable or len(log.batches()) <= len(readable)


def test_a_log_that_was_cut_meanwhile_takes_no_swap() -> None:
    log = dirty()
    swap = first_group(log)
    swap.announce()
    log.log.truncate_to(3)
    before = log.batches()
    assert not log.log.replace_segments(swap, log.now)
    assert log.batches() == before and not log.files(names.SWAP)


def test_slices_are_served_between_the_steps() -> None:
    log = dirty()
    swap = first_group(log)
    swap.announce()
    before = log.batches()
    assert log.log.replace_segments(swap, log.now)
    between = log.batches()
    swap.settle()
    swap.finish()
    assert log.batches() == between and len(between) < len(before)
    assert log.log.segments[0].path.endswith(names.LOG)
