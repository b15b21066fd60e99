"""The test of the test: bugs planted in the storage layer, each of which the lives of ``test_lives.py`` must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kafkawire.errors import WireError
from pykafkad.errors import StorageFailed
from pykafkad.state.epochs import Epochs
from pykafkad.state.sequences import Producers
from pykafkad.storage import recovery, segment, snapshots
from pykafkad.storage.directory import LogDir
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.segment import CorruptSegment, Segment
from pykafkad.storage.snapshots import encode
from pykafkad.storage.transactions import TransactionIndex
from tests.kit.disk import MemoryDisk, MemoryFile
from tests.kit.lives import Life
from tests.storage import test_lives

Plant = Callable[[pytest.MonkeyPatch], None]


def the_directory_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PartitionLog, "_sync_directory", lambda log: None)


def a_flush_syncs_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryFile, "fsync", lambda file: None)


def the_recovery_point_is_trusted_too_far(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PartitionLog, "trusted_below", property(lambda log: log.end_offset))


def the_crc_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    class Any_:
        def __ne__(self, other: object) -> bool:
            return False

    patch.setattr(recovery, "crc32c", lambda data: Any_())


def an_append_returns_before_the_write(patch: pytest.MonkeyPatch) -> None:
    append, waiting = MemoryFile.append, {}

    def later(file: MemoryFile, *buffers: Any) -> None:
        if not file.path.endswith(".log"):
            return append(file, *buffers)
        if (held := waiting.pop(file, None)) is not None:
            position, file.size = file.size, held[0]
            append(file, *held[1])
            file.size = position
        waiting[file] = file.size, [bytes(buffer) for buffer in buffers]
        file.size += sum(map(len, buffers))

    patch.setattr(MemoryFile, "append", later)


def epochs_that_were_cut_off_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Epochs, "truncate_from_end", lambda epochs, end: False)


def producers_are_not_brought_up_to_date(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "load_producers", lambda *arguments: None)
    patch.setattr(Producers, "restore", lambda producers, entries: None)


def indexes_are_not_built_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Segment, "forget_indexes", lambda segment: None)


def checkpoints_go_on_vouching(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LogDir, "_amend", lambda directory, limits: None)


def a_cut_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PartitionLog, "_sync_cut", lambda log: None)


def a_torn_tail_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Segment, "cut", lambda segment, size: None)


def aborted_transactions_are_not_found_again(patch: pytest.MonkeyPatch) -> None:
    load = recovery.load_producers
    patch.setattr(recovery, "load_producers", lambda *arguments: load(*arguments[:-1]))


def aborted_transactions_stay_where_their_marker_is_cut_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TransactionIndex, "truncate", lambda index, offset: None)


def open_transactions_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(snapshots, "encode", closed := lambda entries: encode([(*entry[:7], -1) for entry in entries]))
    patch.setattr(segment, "encode", closed)


def every_gap_is_taken_for_compactions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "is_thinned", lambda header: True)


MUTANTS: list[Plant] = [
    the_directory_is_not_synced,
    a_flush_syncs_nothing,
    the_recovery_point_is_trusted_too_far,
    the_crc_is_not_checked,
    an_append_returns_before_the_write,
    epochs_that_were_cut_off_are_kept,
    producers_are_not_brought_up_to_date,
    indexes_are_not_built_anew,
    checkpoints_go_on_vouching,
    a_cut_is_not_synced,
    a_torn_tail_stays,
    aborted_transactions_are_not_found_again,
    aborted_transactions_stay_where_their_marker_is_cut_off,
    open_transactions_are_forgotten,
    every_gap_is_taken_for_compactions,
]


STORIES: list[Callable[[], None]] = [
    story
    for name, story in vars(test_lives).items()
    if name.startswith("test_") and name != "test_any_life_and_any_death"
]


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_noticed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one of the short lives, or else by long ones."""

    @settings(max_examples=3_000, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.integers(0, 1 << 30), test_lives.CONFIG, st.lists(test_lives.STEP, min_size=3, max_size=40))
    def lives(seed: int, config: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
        test_lives.live(Life(MemoryDisk(seed), **config), [*steps, ("die", "power")])

    plant(monkeypatch)
    with pytest.raises((AssertionError, StorageFailed, CorruptSegment, WireError, LookupError)):
        for story in STORIES:
            story()
        lives()
