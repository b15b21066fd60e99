"""Which part of a log is dirty, which may be cleaned, and how small segments are grouped: Kafka's arithmetic."""

from __future__ import annotations

from pykafkad.storage.cleaning.choice import dirt, must_roll
from pykafkad.storage.cleaning.grouping import Sizes, groups
from tests.storage.cleaning.rounds import CompactedLog


def five_segments(**config: object) -> CompactedLog:
    """Segments at 0, 1, 2, 3 with a record each, and an empty active one at 4."""
    log = CompactedLog(**config)
    for number in range(4):
        log.now = 1_000_000 + 1_000 * number
        log.write((b"k", b"v"))
        log.roll()
    return log


def test_everything_is_dirty_before_the_first_round() -> None:
    log = five_segments()
    found = dirt(log.log, 4, log.now)
    assert (found.first_dirty, found.first_uncleanable, found.clean_bytes, found.ratio) == (0, 4, 0, 1.0)


def test_the_checkpoint_parts_clean_from_dirty() -> None:
    log = five_segments()
    log.log.cleaned_offset = 3
    found = dirt(log.log, 4, log.now)
    assert (found.first_dirty, found.first_uncleanable) == (3, 4)
    assert found.clean_bytes == 3 * found.cleanable_bytes and found.ratio == 0.25


def test_the_segment_with_the_last_stable_offset_is_left_alone() -> None:
    log = five_segments()
    assert dirt(log.log, 2, log.now).first_uncleanable == 2
    assert dirt(log.log, 0, log.now).cleanable_bytes == 0


def test_so_are_segments_with_records_that_are_too_young() -> None:
    log = five_segments(min_compaction_lag_ms=2_500)
    assert dirt(log.log, 4, log.now + 1_000).first_uncleanable == 2
    assert dirt(log.log, 4, log.now + 3_000).first_uncleanable == 4


def test_a_checkpoint_outside_of_the_log_counts_for_nothing() -> None:
    log = five_segments()
    for offset in (99, -1):
        log.log.cleaned_offset = offset
        found = dirt(log.log, 4, log.now)
        assert (found.first_dirty, found.misplaced) == (0, True)


def test_the_oldest_dirty_record_may_wait_so_long() -> None:
    log = five_segments(max_compaction_lag_ms=5_000)
    log.log.cleaned_offset = 1
    assert dirt(log.log, 4, 1_006_000).overdue_ms == 0
    assert dirt(log.log, 4, 1_006_300).overdue_ms > 0
    assert not must_roll(log.log, 1_020_000), "an empty segment holds nobody up"
    log.write((b"k", b"v"))
    assert not must_roll(log.log, log.now + 5_000) and must_roll(log.log, log.now + 5_001)


def test_neighbours_are_grouped_up_to_the_limits_of_a_segment() -> None:
    small = [Sizes(base, base + 10, log=40, offset_index=8, time_index=12) for base in range(0, 50, 10)]
    assert [[one.base_offset for one in group] for group in groups(small, 100, 1_000)] == [[0, 10], [20, 30], [40]]
    assert [len(group) for group in groups(small, 1_000, 24)] == [2, 2, 1], "the time index is full first"
    assert [len(group) for group in groups(small, 10, 1_000)] == [1] * 5, "one that is too large stays by itself"


def test_offsets_must_stay_within_31_bits_of_the_first() -> None:
    far = 1 << 31
    wide = [Sizes(0, 10, 40, 8, 12), Sizes(10, far, 40, 8, 12), Sizes(far, far + 1, 40, 8, 12)]
    assert [[one.base_offset for one in group] for group in groups(wide, 1_000, 1_000)] == [[0, 10], [far]]
    wide[2] = Sizes(far, far + 1, 0, 0, 0)
    assert len(groups(wide, 1_000, 1_000)) == 1, "an empty segment has no offsets"
