"""Rounds: what stays, what goes, and what a consumer sees of it."""

from __future__ import annotations

import pytest

from kafkawire.batches import HEADER_SIZE, assemble, header_at
from pykafkad.storage import names
from pykafkad.storage.cleaning.clean import clean
from pykafkad.storage.segment import CorruptSegment
from tests.storage.cleaning.rounds import CompactedLog


def seen(log: CompactedLog) -> list[tuple[int, bytes | None, bytes | None]]:
    return [(record.offset, record.key, record.value) for _, records in log.batches() for record in records]


def test_of_each_key_the_last_record_stays_where_it_was() -> None:
    log = CompactedLog()
    log.write((b"a", b"1"), (b"b", b"1"))
    log.write((b"a", b"2"), (b"c", b"1"))
    log.roll()
    log.write((b"a", b"3"))
    done = log.clean()
    assert (done.end, log.log.cleaned_offset) == (4, 4)
    assert seen(log) == [(1, b"b", b"1"), (2, b"a", b"2"), (3, b"c", b"1"), (4, b"a", b"3")]


@pytest.mark.parametrize("codec", range(5))
def test_a_batch_keeps_its_header_and_its_codec(codec: int) -> None:
    log = CompactedLog()
    made = {"producer_id": 7, "producer_epoch": 3, "base_sequence": 10, "codec": codec}
    before = log.write((b"a", b"1" * 50), (b"b", b"2" * 50), (b"c", b"3" * 50), **made)
    log.write((b"a", b"4"), (b"c", b"5"))
    log.roll()
    log.clean()
    header, records = log.batches()[0]
    assert [(record.offset, record.key) for record in records] == [(1, b"b")]
    kept = ("base_offset", "last_offset_delta", "producer_id", "producer_epoch", "base_sequence", "attributes")
    assert [getattr(header, name) for name in kept] == [getattr(before, name) for name in kept]
    assert header.count == 1 and header.leader_epoch == before.leader_epoch


def test_a_tombstone_stays_until_its_horizon() -> None:
    log = CompactedLog(delete_retention_ms=500)
    log.write((b"a", b"1"), (b"b", b"1"))
    log.write((b"a", None), (b"c", b"1"))
    log.roll()
    log.clean()
    header, records = log.batches()[1]
    assert header.delete_horizon == log.now + 500 and header.count == 2
    assert [record.timestamp for record in records] == [log.now] * 2, "the horizon changes no record's time"
    log.now += 499
    log.clean()
    assert (2, b"a", None) in seen(log)
    log.now += 1
    log.clean()
    assert seen(log) == [(1, b"b", b"1"), (3, b"c", b"1")]


@pytest.mark.parametrize("lie", ["the aborted one is another's", "a committed one is listed", "it is gone"])
def test_an_index_that_says_of_a_transaction_what_its_marker_does_not_cleans_nothing(lie: str) -> None:
    """Aborted records would be kept for good, or committed ones lost; and no other copy would tell."""
    log = CompactedLog()
    for producer, commit in ((8, True), (9, False)):
        first = log.log.end_offset
        options = {"producer_id": producer, "producer_epoch": 0, "base_sequence": 0, "transactional": True}
        log.write((b"k%d" % producer, b"1"), **options)
        log.end_transaction(producer, commit=commit, first_offset=first)
    log.roll()
    path = f"{log.log.directory}/{log.files(names.TXN_INDEX)[0]}"
    if lie == "the aborted one is another's":
        log.disk.flip_bit(path, 9, 1)  # 9 becomes 11
    elif lie == "a committed one is listed":
        log.disk.flip_bit(path, 9)  # 9 becomes 8
        log.disk.flip_bit(path, 17, 1)  # and it began with that one
    else:
        log.disk.remove(path)
    before = log.batches()
    with pytest.raises(CorruptSegment, match="producer"):
        log.clean()
    assert log.batches() == before


def test_aborted_records_go_and_their_marker_after_them() -> None:
    log = CompactedLog(delete_retention_ms=500)
    log.write((b"a", b"1"))
    header = log.write((b"a", b"2"), producer_id=9, producer_epoch=0, base_sequence=0, transactional=True)
    log.end_transaction(9, commit=False, first_offset=header.base_offset)
    log.write((b"b", b"1"))
    log.roll()
    log.clean()
    assert log.committed() == [(0, b"a", b"1"), (3, b"b", b"1")]
    assert [h.count for h, _ in log.batches()] == [1, 0, 1, 1], "the producer's sequence and the marker"
    assert len(log.aborted()) == 1
    log.producers.expire(log.now + 1, 0)
    log.clean()
    assert [h.count for h, _ in log.batches()] == [1, 1, 1] and len(log.aborted()) == 1
    log.clean()  # nothing is left of the data, so the marker gets its horizon
    assert [h.count for h, _ in log.batches()] == [1, 1, 1] and not log.aborted()
    log.now += 500
    log.clean()
    assert [h.count for h, _ in log.batches()] == [1, 1]


def test_a_transaction_that_is_open_holds_cleaning_up() -> None:
    log = CompactedLog()
    log.write((b"a", b"1"))
    log.roll()
    log.write((b"a", b"2"), producer_id=9, producer_epoch=0, base_sequence=0, transactional=True)
    log.roll()
    log.write((b"a", b"3"))
    log.roll()
    assert log.job().first_uncleanable == 1
    log.clean()
    assert [offset for offset, _, _ in seen(log)] == [0, 1, 2]


def test_a_full_map_cleans_as_far_as_it_got() -> None:
    log = CompactedLog()
    for value in (b"1", b"2"):
        for key in (b"a", b"b", b"c", b"d"):
            log.write((key, value))
    log.roll()
    assert log.clean(map_bytes=24 * 4).end == 3
    assert [offset for offset, _, _ in seen(log)] == list(range(8)), "the keys' later records were not looked at"
    assert log.clean(map_bytes=24 * 6).end == 8
    assert [offset for offset, _, _ in seen(log)] == [4, 5, 6, 7]


def test_small_segments_become_one_that_ends_where_the_next_begins() -> None:
    log = CompactedLog(internal_segment_bytes=4_000)
    for number in range(20):
        log.write((b"a", b"%d" % number))
        log.roll()
    log.clean()
    assert [segment.base_offset for segment in log.log.segments] == [0, 20]
    assert log.batches()[-1][0].next_offset == 20
    assert seen(log) == [(19, b"a", b"19")]
    assert len(log.files(names.SNAPSHOT)) == 1, "of producers' states only that at a border that is left"
    log.restart()
    assert seen(log) == [(19, b"a", b"19")] and log.log.end_offset == 20 and log.log.cleaned_offset == 20


def test_the_last_batch_of_a_live_producer_stays_without_its_records() -> None:
    log = CompactedLog()
    log.write((b"a", b"1"), producer_id=7, producer_epoch=0, base_sequence=0)
    log.write((b"a", b"2"), producer_id=8, producer_epoch=0, base_sequence=0)
    log.write((b"a", b"3"))
    log.roll()
    log.clean()
    assert [(h.producer_id, h.count, h.last_sequence) for h, _ in log.batches()] == [(7, 0, 0), (8, 0, 0), (-1, 1, -1)]


def test_no_reader_is_given_an_empty_batch_alone() -> None:
    """Of a fetch without any record some clients conclude that there is nothing up to the log's end."""
    log = CompactedLog(internal_segment_bytes=100)  # for one batch each
    for value in (b"1", b"2", b"3"):
        log.write((b"a", value))
    log.clean()
    assert [s.base_offset for s in log.log.segments] == [0, 1, 2] and log.log.segments[0].size == HEADER_SIZE
    piece = log.log.read(0, 1_000, 3, at_least_one=True)
    assert piece is not None and header_at(piece.read(), 0).base_offset == 1
    piece = log.log.read(0, 1_000, 1, at_least_one=True)
    assert piece is not None and header_at(piece.read(), 0).next_offset == 1, "it is better than nothing"


def test_damage_is_told_and_nothing_is_changed() -> None:
    log = CompactedLog()
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.roll()
    path = log.log.segments[0].path
    log.disk.flip_bit(path, log.disk.size(path) - 3)
    before = log.disk.read(path)
    job = log.job()
    with pytest.raises(CorruptSegment, match=r"0\.log at \d+: .*CRC"):
        list(clean(log.disk, job.directory, job, lambda count: None, lambda: 0.0))
    assert log.disk.read(path) == before and not log.files(names.SWAP)


def test_records_that_make_no_sense_are_told_with_the_byte_where_their_batch_begins() -> None:
    log = CompactedLog()
    header = log.write((b"a", b"1"), (b"b", b"1"))
    log.write((b"a", b"2"))
    log.roll()
    path = log.log.segments[0].path
    file = log.disk.open(path)
    second = header_at(file.pread(file.size, 0), header.length)
    file.truncate(header.length)
    file.append(assemble(second, b"\xff" * 9))
    job = log.job()
    with pytest.raises(CorruptSegment, match=rf"0\.log at {header.length}: "):
        list(clean(log.disk, job.directory, job, lambda count: None, lambda: 0.0))


def test_readers_of_the_old_segment_go_on_reading() -> None:
    log = CompactedLog(file_delete_delay_ms=1_000)
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.roll()
    piece = log.log.read(0, 1_000, log.log.end_offset, at_least_one=True)
    assert piece is not None
    before = piece.read()
    log.clean()
    assert piece.read() == before
    assert log.log.purge_deleted(log.now + 999) == 0
    assert log.log.purge_deleted(log.now + 1_000) >= 3
    assert piece.read() == before
