"""How much a power cut could take is known at any time."""

from __future__ import annotations

from pykafkad.storage.exposure import exposed
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log


def test_what_a_power_cut_could_take_is_known() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, internal_segment_bytes=400)
    assert exposed(log) == (0, 0)
    sizes = [header.length for _ in range(5) for header in append(log, batch(3, size=60))]
    assert exposed(log) == (15, sum(sizes))
    log.flush(6)  # in the second segment's beginning, which syncs what is there
    assert len(log.segments) == 5 and exposed(log) == (9, sum(sizes[2:]))
    log.flush()
    assert exposed(log) == (0, 0)
    append(log, batch(1, size=5))
    assert exposed(log) == (1, log.size - sum(sizes))
    directory.close(clean=True)
    log = open_log(open_dir(disk), internal_segment_bytes=400)
    assert exposed(log) == (0, 0)
    (more,) = append(log, batch(1, size=5))
    assert exposed(log) == (1, more.length)
