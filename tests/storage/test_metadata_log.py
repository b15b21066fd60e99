"""A controller's log: what counts of snapshots and segments, and which holes can't be lived with."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkawire.records import build
from pykafkad.storage.disk import RealDisk
from pykafkad.storage.metadata_log import CorruptMetadata, read_metadata
from tests.kit.kraft import control, feature, frames, write_log, write_snapshot


def levels(folder: Path) -> list[int]:
    return [record.feature_level for record in read_metadata(RealDisk(), str(folder))]


def some(*numbers: int) -> list[object]:
    return [feature("f", number) for number in numbers]


def test_a_log_is_read_in_order_without_what_the_quorum_notes(tmp_path: Path) -> None:
    write_log(tmp_path, control(2, 0), frames(some(1, 2), 1), frames(some(3), 3))
    write_log(tmp_path, frames(some(4), 4), base=4)
    assert levels(tmp_path) == [1, 2, 3, 4]


def test_the_newest_snapshot_stands_for_the_log_before_it(tmp_path: Path) -> None:
    write_log(tmp_path, frames(some(1, 2), 0))  # the snapshot's end lies in the middle of a batch
    write_log(tmp_path, frames(some(3, 4, 5, 6), 2), base=2)
    write_snapshot(tmp_path, 1, some(100))
    write_snapshot(tmp_path, 4, some(200, 201))
    assert levels(tmp_path) == [200, 201, 5, 6]


def test_what_the_snapshot_sums_up_may_be_gone(tmp_path: Path) -> None:
    write_snapshot(tmp_path, 10, some(200))
    write_log(tmp_path, frames(some(11), 10), base=10)
    assert levels(tmp_path) == [200, 11]
    (tmp_path / f"{10:020}.log").unlink()
    assert levels(tmp_path) == [200]


def test_a_snapshot_that_was_not_finished_does_not_count(tmp_path: Path) -> None:
    write_snapshot(tmp_path, 1, some(100))
    write_snapshot(tmp_path, 2, some(200), whole=False)
    write_log(tmp_path, frames(some(1, 2, 3), 0))
    assert levels(tmp_path) == [100, 2, 3]


def test_a_torn_tail_is_the_end(tmp_path: Path) -> None:
    torn = frames(some(3), 2)
    write_log(tmp_path, frames(some(1, 2), 0), torn[:-3])
    assert levels(tmp_path) == [1, 2]
    write_log(tmp_path, frames(some(1, 2), 0), bytes(500))  # preallocated
    assert levels(tmp_path) == [1, 2]


def test_holes_are_refused(tmp_path: Path) -> None:
    write_log(tmp_path, frames(some(5), 5), base=5)
    with pytest.raises(CorruptMetadata, match="offsets 0 to 5 are missing"):
        levels(tmp_path)
    write_log(tmp_path, frames(some(1), 0)[:-1])
    with pytest.raises(CorruptMetadata, match="bytes behind offset 0 are no record batches"):
        levels(tmp_path)
    write_log(tmp_path, frames(some(1), 0), frames(some(3), 2))
    with pytest.raises(CorruptMetadata, match="offset 2 where 1 was due"):
        levels(tmp_path)


def test_records_of_a_newer_kafka_are_refused(tmp_path: Path) -> None:
    write_log(tmp_path, bytes(build([(None, b"\1\x7f\0\0")], timestamp=0)))
    with pytest.raises(CorruptMetadata, match="a metadata record of type 127"):
        levels(tmp_path)
