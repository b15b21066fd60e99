"""Swaps that fail or are off leave the log as it was, whatever the moment."""

from __future__ import annotations

import errno
import itertools
from contextlib import suppress

import pytest

from pykafkad.errors import StorageFailed
from pykafkad.storage import names
from pykafkad.storage.cleaning.clean import clean
from pykafkad.storage.cleaning.job import Cleaned
from pykafkad.storage.swap import Swap
from tests.kit.disk import Died, MemoryDisk
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


def test_the_next_round_takes_away_what_a_swap_that_was_off_could_not() -> None:
    """Left alone, a crash after that round would put it in the place of what has become of the log since."""
    log = dirty()
    job = log.job(segment_bytes=500)
    told = list(clean(log.disk, job.directory, job, lambda count: None, lambda: 0.0))
    assert isinstance(told[1], Cleaned)
    swap = Swap(log.log.place, told[1].bases, told[1].bytes)
    swap.announce()
    log.disk.failing["remove", names.SWAP] = OSError(errno.EACCES, "Permission denied")
    with pytest.raises(OSError, match="Permission"):
        swap.discard()
    log.disk.failing.clear()
    log.clean()
    assert not log.files(names.SWAP) and not log.files(names.CLEANED)
    before = log.batches()
    log.disk.kill()
    log.open()
    assert log.batches() == before


def test_what_is_left_of_a_swap_goes_before_what_says_that_it_is_off() -> None:
    for fatal, power in itertools.product(range(12), (False, True)):
        log = dirty(MemoryDisk(fatal))
        first_group(log).announce()
        swap = log.files(names.SWAP)
        for name in swap:  # as an announcement leaves it that was broken off
            log.disk.open(f"{log.log.directory}/{name.replace(names.SWAP, names.CLEANED)}", create=True)
        log.disk.sync_directory(log.log.directory)
        before = log.batches()
        job = log.job()
        log.disk.cut_after = fatal
        with suppress(Died):
            for _ in clean(log.disk, job.directory, job, lambda count: None, lambda: 0.0):
                break
        log.disk.crash() if power else log.disk.kill()
        log.open()
        assert log.batches() == before


def test_a_swap_whose_end_failed_half_way_ends_when_it_is_tried_again() -> None:
    log = dirty()
    swap = first_group(log)
    swap.announce()
    assert log.log.replace_segments(swap, log.now)
    swap.settle()
    log.disk.failing["rename", names.INDEX + names.SWAP] = OSError(errno.ENOSPC, "No space left on device")
    log.disk.failing["rename", names.LOG] = OSError(errno.ENOSPC, "No space left on device")  # nor back
    with pytest.raises(OSError, match="No space"):
        swap.finish()
    log.disk.failing.clear()
    swap.finish()
    assert not log.files(names.SWAP)
    readable = log.batches()
    log.restart()
    assert log.batches() == readable


def test_segments_that_go_before_their_swap_has_ended_do_not_come_back() -> None:
    log = dirty()
    swap = first_group(log)
    swap.announce()
    assert log.log.replace_segments(swap, log.now)
    log.log.advance_start(log.log.end_offset)
    assert log.log.retain(log.now, log.log.end_offset)
    log.restart()
    assert (log.log.start_offset, [one.base_offset for one in log.log.segments]) == (12, [12])
