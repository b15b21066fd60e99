"""Whatever a log directory lives through, after any death of the process or the power it is what it promised to be."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from pykafkad.model import TopicPartition
from pykafkad.storage import names
from tests.kit.disk import Died, MemoryDisk
from tests.kit.lives import PRODUCERS, TRANSACTIONAL, Life, Truth
from tests.storage.helpers import open_dir, open_log

INDEX = st.integers(0, 1)
PART = st.sampled_from((0.0, 0.2, 0.5, 0.8, 0.99, 1.0))
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=3)
SIZE = st.sampled_from((0, 10, 100, 400, 1_500))
PRODUCER = st.sampled_from((*PRODUCERS, *TRANSACTIONAL))
WRITE = st.tuples(st.just("write"), INDEX, COUNTS, SIZE, st.sampled_from((0, 0, 0, 1, 4)), PRODUCER)
END = st.tuples(st.just("end"), INDEX, st.sampled_from(TRANSACTIONAL), st.sampled_from((False, False, True)))
CUT = st.tuples(st.just("truncate"), INDEX, PART.filter(lambda part: part < 1))
BESIDE = st.one_of(
    st.tuples(st.just("write"), COUNTS, SIZE, st.just(0), PRODUCER),
    st.tuples(st.just("end"), st.sampled_from(TRANSACTIONAL), st.booleans()),
    st.tuples(st.just("roll")),
    st.tuples(st.just("retain")),
    st.tuples(st.just("delete_records"), PART),
    st.tuples(st.just("truncate"), PART.filter(lambda part: part < 1)),
    st.tuples(st.just("restart_at"), st.integers(0, 40)),
)
DEATH = st.sampled_from(("kill", "power", "power"))
STEP = st.one_of(
    WRITE,
    WRITE,
    WRITE,
    END,
    END,
    st.tuples(st.just("fail_to_write"), INDEX, COUNTS, SIZE, st.sampled_from((28, 30))),
    st.tuples(st.just("flush"), INDEX, PART),
    st.tuples(st.just("flush"), INDEX),
    st.builds(lambda index, moment, step: ("flush_beside", index, moment, *step), INDEX, st.integers(1, 12), BESIDE),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("settle"), INDEX, st.booleans()),
    st.builds(
        lambda index, together, moment, step: ("settle_beside", index, together, moment, *step),
        INDEX,
        st.booleans(),
        st.integers(1, 12),
        st.one_of(BESIDE, st.just(("flush",))),
    ),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("new_epoch")),
    st.tuples(st.just("roll"), INDEX),
    CUT,
    st.tuples(st.just("restart_at"), INDEX, st.integers(0, 40)),
    st.tuples(st.just("delete_records"), INDEX, PART),
    st.tuples(st.just("retain"), INDEX),
    st.tuples(st.just("delete_topic"), INDEX),
    st.tuples(st.just("arm"), st.integers(0, 40), DEATH),
    st.tuples(st.just("die"), DEATH),
    st.tuples(st.just("stop")),
    st.tuples(st.just("touch"), INDEX),
)
CONFIG = st.fixed_dictionaries(
    {
        "internal_segment_bytes": st.sampled_from((400, 1_000, 3_000)),
        "index_interval_bytes": st.sampled_from((0, 100, 400)),
        "retention_bytes": st.sampled_from((-1, 2_000)),
        "segment_index_bytes": st.sampled_from((60, 10_000)),
        "preallocate": st.booleans(),
    }
)


def live(life: Life, steps: list[tuple[Any, ...]]) -> None:
    for step in steps:
        note(f"{step}")
        life.do(*step)
    for index in life.truths:
        life.do("touch", index)


# The same lives at each `make test`; others at each `make fuzz`.
@settings(max_examples=300, derandomize="FUZZ" not in os.environ)
@given(st.integers(0, 1 << 30), CONFIG, st.lists(STEP, min_size=3, max_size=40))
def test_any_life_and_any_death(seed: int, config: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    live(Life(MemoryDisk(seed), **config), [*steps, ("die", "power")])


# Short lives: the plain promises, and what the long ones have found.


def test_what_was_not_synced_is_read_again() -> None:
    for seed in range(30):
        life = Life(MemoryDisk(seed), partitions=1, internal_segment_bytes=700)
        for _ in range(3):
            life.write(0, [1, 2], 100, 0, 7)
        life.flush(0)
        for _ in range(3):
            life.write(0, [1, 2], 100, 0, 7)
        life.checkpoint()
        life.die("power")
        life.touch(0)


def test_epochs_end_where_the_log_does() -> None:
    life = Life(MemoryDisk(), partitions=1)
    life.write(0, [1], 10, 0, -1)
    life.new_epoch()
    life.write(0, [1], 10, 0, -1)
    life.truncate(0, 0.5)
    life.die("kill")
    life.touch(0)


def test_a_topic_made_anew_is_not_held_to_the_offsets_of_its_predecessor() -> None:
    life = Life(MemoryDisk(), partitions=1)
    for _ in range(5):
        life.write(0, [4], 10, 0, -1)
    life.flush(0)
    life.delete_records(0, 0.9)
    life.checkpoint()
    life.delete_topic(0)
    life.write(0, [3], 10, 0, -1)
    life.die("kill")
    assert (life.log(0).start_offset, life.log(0).end_offset) == (0, 3)


def test_nor_after_a_death_between_the_two() -> None:
    life = Life(MemoryDisk(), partitions=1)
    life.write(0, [4], 10, 0, -1)
    life.flush(0)
    life.delete_records(0, 0.9)
    life.checkpoint()
    life.delete_topic(0)
    life.die("kill")
    life.write(0, [2], 10, 0, -1)
    life.die("kill")
    assert (life.log(0).start_offset, life.log(0).end_offset) == (0, 2)


def test_a_checkpoint_that_was_being_written_says_nothing_of_a_deleted_log() -> None:
    life = Life(MemoryDisk(), partitions=1)
    life.write(0, [4], 10, 0, -1)
    life.flush(0)
    log, directory = life.log(0), life.directory
    assert directory is not None
    life.delete_topic(0)
    directory.checkpoint([log], {})
    assert directory.disk.read(f"/data/{names.RECOVERY_POINTS}") == b"0\n0\n"


def test_a_cut_log_is_not_vouched_for_by_an_older_checkpoint() -> None:
    """What is written behind a cut and never synced is read again after a crash, though it lies below a recovery point
    that was once true.
    """
    for seed in range(20):
        life = Life(MemoryDisk(seed), partitions=1, internal_segment_bytes=200)
        for _ in range(10):
            life.write(0, [1], 10, 0, 7)
        life.flush(0)
        life.checkpoint()
        life.truncate(0, 0.2)
        for _ in range(10):
            life.write(0, [1], 20, 0, 7)
        life.die("power")
        life.touch(0)


def test_what_a_cut_took_never_comes_back() -> None:
    for seed in range(20):
        life = Life(MemoryDisk(seed), partitions=1, internal_segment_bytes=400)
        for _ in range(10):
            life.write(0, [1], 10, 0, 7)
        life.truncate(0, 0.5)
        life.new_epoch()
        life.write(0, [1], 10, 0, 7)
        life.die("power")
        life.touch(0)


def test_a_stop_before_everything_was_recovered_is_no_clean_one() -> None:
    life = Life(MemoryDisk())
    for index in (0, 1):
        life.write(index, [3, 3, 3], 300, 0, 7)
    life.die("kill")
    life.touch(0)
    life.stop()  # log 1 was never opened: nobody has seen what the crash did to it
    directory = open_dir(life.disk)
    assert not directory.clean
    open_log(directory, partition=0, topic_id=life.truths[0].topic_id)
    directory.close(True, wanted=[TopicPartition("t", 0)])  # it is nobody's, so it doesn't count
    assert open_dir(life.disk).clean


def test_a_second_crash_brings_nothing_back_that_recovery_had_cut() -> None:
    for seed in (140, 323, 449, 1030):  # those that brought something back
        life = Life(MemoryDisk(seed), partitions=1)
        life.write(0, [1] * 12, 300, 0, 7)
        life.die("power")
        life.touch(0)
        life.write(0, [1], 300, 0, 8)
        life.die("power")
        life.touch(0)


def test_epochs_reach_back_as_far_as_the_log_does() -> None:
    """DeleteRecords moved the start and the epochs with it; the crash undid only the one."""
    life = Life(MemoryDisk(1), partitions=1, internal_segment_bytes=200)
    for _ in range(3):
        life.write(0, [1], 50, 0, -1)
    life.stop()
    life.delete_records(0, 0.4)
    life.flush(0)
    life.die("power")
    assert life.log(0).start_offset == 0
    assert life.log(0).epochs.entries == [(0, 0)]


def test_indexes_that_recovery_built_are_synced_before_a_clean_stop() -> None:
    for seed in range(30):
        life = Life(MemoryDisk(seed), partitions=1, index_interval_bytes=0)
        life.write(0, [1] * 5, 10, 0, -1)
        life.die("kill")
        life.flush(0)
        life.stop()
        life.die("power")
        life.touch(0)


def test_producers_are_known_by_records_that_were_deleted_but_are_still_there() -> None:
    """Or the next batch of such a producer would be out of order."""
    life = Life(MemoryDisk(), partitions=1, internal_segment_bytes=300)
    life.write(0, [1], 10, 0, 7)
    life.write(0, [1], 250, 0, -1)  # a new segment, and with it a snapshot that knows of one batch
    life.write(0, [1], 10, 0, 7)
    life.delete_records(0, 1.0)
    life.checkpoint()
    life.die("kill")
    life.touch(0)
    (entry,) = life.producers[0].snapshot()
    assert (entry.last_sequence, entry.last_offset) == (1, 2)


def test_a_cut_leaves_a_durable_start_where_it_was() -> None:
    life = Life(MemoryDisk(), partitions=1)
    life.write(0, [1, 1, 3], 0, 0, -1)
    life.delete_records(0, 0.2)
    life.checkpoint()
    life.truncate(0, 0.0)
    life.die("power")
    assert (life.log(0).start_offset, life.log(0).end_offset) == (1, 1)


def test_a_flush_beside_the_sync_of_a_volume_makes_names_durable_itself() -> None:
    for seed in range(20):
        life = Life(MemoryDisk(seed), partitions=1)
        life.write(0, [1], 10, 0, -1)

        def flush_and_die(index: int, life: Life = life) -> None:
            life.flush(index)
            raise Died

        life.die_in = flush_and_die  # type: ignore[attr-defined]
        life.death = "power"
        life.do("settle_beside", 0, True, 1, "die_in")
        life.touch(0)


def transactions(life: Life) -> None:
    """Aborted, committed, and one that is open; the third producer's lies around the others'."""
    life.write(0, [1], 10, 0, 23)
    for commit in (False, True, False):
        for producer in (21, 22):
            life.write(0, [1, 2], 50, 0, producer)
        life.end(0, 21, commit)
        life.end(0, 22, not commit)


def test_what_was_aborted_and_what_is_open_is_known_after_any_death() -> None:
    for seed in range(20):
        for death in ("clean", "kill", "power"):
            life = Life(MemoryDisk(seed), partitions=1, internal_segment_bytes=(500, 2_000)[seed % 2])
            transactions(life)
            if seed % 3:
                life.flush(0, 0.5)
                life.checkpoint()
            life.stop() if death == "clean" else life.die(death)  # type: ignore[arg-type]
            assert life.log(0).end_offset or death == "power"


def test_a_marker_that_is_cut_off_has_aborted_nothing() -> None:
    for part in (0.3, 0.5, 0.7, 0.9):
        life = Life(MemoryDisk(), partitions=1, internal_segment_bytes=500)
        transactions(life)
        life.truncate(0, part)
        life.end(0, 21, True)
        life.end(0, 22, True)
        life.stop()
        life.touch(0)


def test_an_empty_log_that_has_settled_takes_records() -> None:
    """The power cut took the file's name and left the folder's; what settles then has no file."""
    life = Life(MemoryDisk(), partitions=1)
    life.write(0, [1], 10, 0, -1)
    life.die("kill")
    life.disk.remove(f"/data/t-0/{0:020d}.log")
    life.truths[0] = Truth(life.truths[0].topic_id, death="kill")
    life.settle(0, False)
    life.write(0, [1], 10, 0, -1)
    life.die("kill")
    life.touch(0)
