"""Whole lives of a compacted log: any writes, any rounds, death at any moment, and what a consumer sees afterwards."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pykafkad.storage import names
from tests.kit.disk import Died, MemoryDisk
from tests.storage.cleaning.rounds import CompactedLog, Seen, latest

RETENTION_MS = 300
KEYS = tuple(b"key %d" % number for number in range(6))


class Life:
    """A log, and everything that was ever written to it and came to count."""

    def __init__(self, seed: int) -> None:
        self.disk = MemoryDisk(seed)
        self.log = CompactedLog(self.disk, delete_retention_ms=RETENTION_MS, internal_segment_bytes=1_500)
        self.history: list[Seen] = []
        self.stamps: dict[int, int] = {}
        self.open: dict[int, tuple[int, list[Seen]]] = {}
        self.sequences: dict[int, int] = {}
        self.forgotten: set[int] = set()
        """Producers that were expired; an old snapshot may bring them back after a crash."""
        self.cleaned_below = 0
        """Behind this nothing may be missing."""
        self.horizons: dict[int, int] = {}
        """When the tombstone at an offset may go, as the first round that kept it decided."""

    # -- steps -------------------------------------------------------------------------------------------------------

    def write(self, records: list[tuple[int, bytes | None]], codec: int, producer: int, transactional: bool) -> None:
        pairs = [(KEYS[key], value) for key, value in records]
        options: dict[str, Any] = {"codec": codec}
        if producer:
            transactional = transactional or producer in self.open
            sequence = self.sequences.get(producer, 0)
            options |= {"producer_id": producer, "producer_epoch": 0, "base_sequence": sequence}
            options["transactional"] = transactional
            self.sequences[producer] = sequence + len(pairs)
            self.forgotten.discard(producer)
        else:
            transactional = False
        header = self.log.write(*pairs, **options)
        seen = [(header.base_offset + number, *pair) for number, pair in enumerate(pairs)]
        if transactional:
            self.open.setdefault(producer, (header.base_offset, []))[1].extend(seen)
        else:
            self.history += seen
        self.stamps.update((offset, self.log.now) for offset, _, _ in seen)

    def end(self, producer: int, commit: bool) -> None:
        if producer in self.open:
            first, seen = self.open.pop(producer)
            self.log.end_transaction(producer, commit=commit, first_offset=first)
            if commit:
                self.history = sorted(self.history + seen)

    def clean(self, slots: int) -> None:
        job = self.log.job(map_bytes=24 * slots)
        self.cleaned_below = max(self.cleaned_below, job.first_uncleanable)
        for offset, _, value in self.history:
            if value is None and offset < job.first_uncleanable:
                self.horizons.setdefault(offset, job.now + RETENTION_MS)
        self.log.clean(map_bytes=24 * slots)

    def die(self, after: int, slots: int, power: bool) -> None:
        """A round that its process doesn't survive, unless it is over before."""
        self.log.log.flush()  # what is lost of unsynced appends is another test's business
        self.disk.sync_all("/data")
        self.disk.cut_after = after
        try:
            self.clean(slots)
        except Died:
            pass
        self.disk.cut_after = None
        if power:
            self.disk.crash()
        else:
            self.disk.kill()
        self.log.open()

    # -- what must hold ------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        log = self.log
        stable = log.last_stable_offset
        expected = [one for one in self.history if one[0] < stable]
        seen = log.committed()
        assert [offset for offset, _, _ in seen] == sorted({offset for offset, _, _ in seen})
        assert set(seen) <= set(expected), "nothing but what was written and committed, and where it was written"
        assert [one for one in expected if one[0] >= self.cleaned_below] == [
            one for one in seen if one[0] >= self.cleaned_below
        ]
        newest = {key: (offset, value) for offset, key, value in expected}
        for key, (offset, value) in newest.items():
            gone = value is None and offset < self.cleaned_below and log.now >= self.horizons[offset]
            assert gone or (offset, key, value) in seen, "each key's last record"
        table = latest(expected)
        assert latest(seen) == table
        for start in {segment.base_offset for segment in log.log.segments} | {1, 7, 20}:
            if log.log.start_offset <= start <= log.log.end_offset:
                assert log.committed(start) == [one for one in seen if one[0] >= start]
                later = [one for one in expected if one[0] >= start]
                assert latest(log.committed(start)).items() <= table.items()
                assert latest(later) == latest(log.committed(start))
        for _, records in log.batches():
            for record in records:
                assert record.timestamp == self.stamps.get(record.offset, record.timestamp)
        self.verify_files()

    def verify_files(self) -> None:
        log = self.log
        segments = log.log.segments
        for number, segment in enumerate(segments):
            end = segments[number + 1].base_offset if number + 1 < len(segments) else log.log.end_offset
            headers = list(segment.walk())
            if headers and number + 1 < len(segments):
                assert headers[-1].next_offset == end, "a segment ends where the next begins"
            by_position = {header.position: header for header in headers}
            for offset, position in segment.offsets.entries():
                assert by_position[position].last_offset == offset
            assert segment.largest_timestamp == max((header.max_timestamp for header in headers), default=-1)
        for entry in log.producers.snapshot():
            if entry.last_offset >= 0 and entry.producer_id not in self.forgotten:
                assert any(h.last_offset == entry.last_offset for h, _ in log.batches()), "a live producer's last batch"

    def verify_clean(self) -> None:
        """After rounds that had room for everything: no key twice, no data of aborted transactions, no leftovers."""
        end = self.log.log.cleaned_offset or 0
        keys = [
            record.key
            for header, records in self.log.batches()
            for record in records
            if not header.is_control and record.offset < end
        ]
        assert len(keys) == len(set(keys))
        assert not self.log.files(names.CLEANED) and not self.log.files(names.SWAP)
        committed = {one for one in self.log.committed() if one[0] < end}
        assert len(committed) == len(keys)


VALUES = st.one_of(st.none(), st.binary(min_size=0, max_size=40))
RECORDS = st.lists(st.tuples(st.integers(0, len(KEYS) - 1), VALUES), min_size=1, max_size=5)
WRITE = st.tuples(st.just("write"), RECORDS, st.integers(0, 4), st.integers(0, 2), st.booleans())
STEPS = st.lists(
    st.one_of(
        WRITE,
        WRITE,
        WRITE,
        st.tuples(st.just("end"), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("roll")),
        st.tuples(st.just("wait"), st.integers(1, 2 * RETENTION_MS)),
        st.tuples(st.just("clean"), st.integers(3, 20)),
        st.tuples(st.just("die"), st.integers(0, 60), st.integers(3, 20), st.booleans()),
        st.tuples(st.just("restart")),
        st.tuples(st.just("forget")),
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), STEPS)
def test_any_life(seed: int, steps: list[tuple[Any, ...]]) -> None:
    life = Life(seed)
    for step, *arguments in steps:
        match step:
            case "write":
                life.write(*arguments)
            case "end":
                life.end(*arguments)
            case "roll":
                life.log.roll()
            case "wait":
                life.log.now += arguments[0]
            case "clean":
                life.clean(*arguments)
                life.verify()
            case "die":
                life.die(*arguments)
                life.verify()
            case "restart":
                life.log.restart()
                life.verify()
            case "forget":
                life.log.producers.expire(life.log.now, 50)
                life.forgotten |= set(life.sequences) - {e.producer_id for e in life.log.producers.snapshot()}
                life.sequences = {e.producer_id: e.last_sequence + 1 for e in life.log.producers.snapshot()}
    for producer in list(life.open):
        life.end(producer, True)
    life.log.roll()
    life.clean(1_000)
    life.verify()
    life.verify_clean()
    life.log.now += RETENTION_MS
    life.clean(1_000)
    life.verify()
    life.verify_clean()
    assert all(value is not None for offset, _, value in life.log.committed() if offset < life.cleaned_below)
