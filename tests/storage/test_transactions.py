"""Whatever becomes of a log, its index of aborted transactions says what its batches say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkawire.batches import header_at, stamp
from pykafkad.errors import StorageFailed
from pykafkad.model import Aborted, TopicPartition
from pykafkad.state.sequences import Producers, marker_batch, read_marker
from pykafkad.storage.indexes import CorruptIndex
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.moving import Mirror
from pykafkad.storage.transactions import decode, encode
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log, read_all

KEY = TopicPartition("t", 0)
INDEX = f"/data/t-0/{0:020d}.txnindex"
# Written by Apache Kafka 4.3.1: a producer that aborted two transactions, and one whose transaction lay around both.
KAFKA_INDEX = """
0000 0000000000000bb9 0000000000000003 0000000000000005 0000000000000000
"""


class Life:
    """A log with transactions. What must be in the index is made from the log itself, by the slowest way."""

    def __init__(self, seed: int = 0) -> None:
        self.disk = MemoryDisk(seed)
        self.open()

    def open(self) -> None:
        self.directory = open_dir(self.disk)
        self.producers = Producers()
        self.log: PartitionLog = open_log(
            self.directory, producers=self.producers, internal_segment_bytes=1_000, index_interval_bytes=200
        )

    def write(self, producer: int, *, transactional: bool = True) -> None:
        made = batch(2, producer_id=producer, producer_epoch=0, base_sequence=0, transactional=transactional)
        for header in append(self.log, made):
            self.producers.replay(header)

    def end(self, producer: int, commit: bool) -> None:
        raw, base = marker_batch(producer, 0, commit, 0, 1_000), self.log.end_offset
        stamp(raw, 0, base, 0)
        header = header_at(raw, 0)
        aborted = None if commit else self.producers.would_abort(producer, base)
        self.log.append_marker(raw, header, aborted, 1_000)
        assert self.producers.replay(header, raw) == aborted

    def truth(self) -> list[Aborted]:
        """What the log's own batches say."""
        found: list[Aborted] = []
        open_now: dict[int, int] = {}
        for segment in self.log.segments:
            for header, chunk, at in segment.batches():
                if not header.is_control:
                    open_now.setdefault(header.producer_id, header.base_offset)
                elif (first := open_now.pop(header.producer_id, None)) is not None:
                    ending = read_marker(chunk[at : at + header.length])
                    assert ending is not None
                    if not ending.commit:
                        stable = min(open_now.values(), default=header.base_offset + 1)
                        found.append(Aborted(header.producer_id, first, header.base_offset, stable))
        return found

    def verify(self) -> None:
        truth = self.truth()
        indexed = [
            entry for segment in self.log.segments if segment.transactions for entry in segment.transactions.entries()
        ]
        assert indexed == truth
        for segment in self.log.segments:
            if segment.transactions:
                path = segment.transactions.path
                assert decode(self.disk.read(path), path) == segment.transactions.entries()
        end = self.log.end_offset
        for start in range(0, end, 3):
            for until in (start + 1, start + 7, end):
                expected = [one for one in truth if one.last_offset >= start and one.first_offset < until]
                assert self.log.aborted(start, until) == expected


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("end"), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("end"), st.integers(1, 4), st.just(False)),
        st.tuples(st.just("sync")),
        st.tuples(st.just("checkpoint")),
        st.tuples(st.just("truncate"), st.floats(0, 0.99)),
        st.tuples(st.just("kill")),
        st.tuples(st.just("crash")),
        st.tuples(st.just("restart")),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30), STEPS)
def test_the_index_is_what_the_log_says(seed: int, steps: list[tuple[Any, ...]]) -> None:
    life = Life(seed)
    for step, *arguments in [*steps, ("crash",)]:
        match step:
            case "write":
                life.write(*arguments)
            case "end":
                life.end(*arguments)
            case "sync":
                life.log.flush()
            case "checkpoint":
                life.directory.checkpoint([life.log], {KEY: life.log.end_offset})
            case "truncate":
                bases = [header.base_offset for header in read_all(life.log)]
                if bases:
                    life.log.truncate_to(bases[int(arguments[0] * len(bases))])
                    life.log.flush()
            case "kill":
                life.disk.kill()
                life.open()
            case "crash":
                life.disk.crash()
                life.open()
            case "restart":
                life.log.close()
                life.directory.close(clean=True)
                life.open()
        life.verify()


def test_entries_are_kafkas() -> None:
    entries = [Aborted(3001, 3, 5, 0)]
    assert encode(entries) == bytes.fromhex(KAFKA_INDEX)
    assert decode(encode(entries), "x") == entries


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 33,
        encode([Aborted(1, 0, 5, 6), Aborted(1, 2, 5, 6)]),
        encode([Aborted(1, 9, 5, 6)]),
        b"\0\1" + encode([Aborted(1, 0, 5, 6)])[2:],
    ],
)
def test_what_is_no_index_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptIndex):
        decode(content, "x")


def test_a_damaged_index_is_built_anew() -> None:
    life = Life()
    life.write(1)
    life.end(1, commit=False)
    life.log.close()
    life.directory.close(clean=True)
    life.disk.flip_bit(INDEX, 12)  # the first offset lies behind the last
    life.open()
    life.verify()
    assert life.truth()


def test_a_marker_that_cannot_be_written_aborts_nothing() -> None:
    life = Life()
    life.write(1)
    for where in (".txnindex", ".log"):
        life.disk.failing["append", where] = OSError("full")
        with pytest.raises(StorageFailed):
            life.end(1, commit=False)
        life.disk.failing.clear()
        assert life.log.aborted(0, 100) == []
        life.verify()
    life.end(1, commit=False)
    life.verify()
    assert life.log.aborted(0, 100) == [Aborted(1, 0, 2, 3)]


def test_indexes_move_with_their_log_to_another_directory() -> None:
    life = Life()
    for producer in range(1, 30):
        life.write(producer)
        life.end(producer, commit=False)
    target = open_dir(life.disk, "/other")
    mirror = Mirror(life.log, life.directory, target, "0" * 32)
    while mirror.swap() is None:
        mirror.copy()
    life.disk.remove_tree("/data")
    life.write(30)
    life.end(30, commit=False)
    life.verify()
    assert len(life.truth()) == 30


def test_the_search_ends_where_everything_was_over() -> None:
    """Of a long life it looks at the segments that matter, and not at those behind."""
    life = Life()
    for producer in range(1, 200):
        life.write(producer)
        life.end(producer, commit=False)
    segments = life.log.segments
    assert len(segments) > 10
    for segment in segments:
        segment.close()
    before = life.disk.io["open"]
    first = segments[1].base_offset + 1
    assert [one.first_offset for one in life.log.aborted(first, first + 1)] == [first]
    assert life.disk.io["open"] == before + 1


def test_indexes_go_with_their_segments() -> None:
    life = Life()
    for producer in range(1, 30):
        life.write(producer)
        life.end(producer, commit=False)
    life.log.advance_start(life.log.segments[2].base_offset)
    assert life.log.retain(1_000, life.log.end_offset) == 2
    assert INDEX not in [f"/data/t-0/{name}" for name in life.disk.list("/data/t-0")]
    life.log.purge_deleted(1 << 60)
    assert not [name for name in life.disk.list("/data/t-0") if name.endswith(".deleted")]
    start = life.log.start_offset
    assert all(one.last_offset >= start for one in life.log.aborted(start, life.log.end_offset))


def test_how_far_a_piece_reaches_is_read_from_the_index_as_kafka_does() -> None:
    """Its search for the first batch behind a piece passes over the index's first entry if that fits exactly."""
    life = Life()
    for producer in range(1, 7):
        life.write(producer)
    life.end(6, commit=False)
    segment = life.log.segments[0]
    (first, at), (second, _), *_ = segment.offsets.entries()
    assert segment.offsets.ceiling(at - 1) == first
    assert segment.offsets.ceiling(at) == second == segment.offsets.ceiling(at + 1)
    segment.seal()
    assert segment.offsets.ceiling(at) == second
    assert segment.offsets.ceiling(segment.size) is None
