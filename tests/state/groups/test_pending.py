"""Pending offsets against the rule as Kafka has it: a record counts as of its offset in the log."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pykafkad.state.groups.offsets import Offsets
from pykafkad.state.groups.stored import OffsetCommitValue

PRODUCERS, PARTITIONS, GROUPS = (1, 2, 3), (0, 1), ("g", "h")
Place = tuple[str, int]


class ByLogOffset:
    """The obvious way: everything remembers where its record stands."""

    def __init__(self) -> None:
        self.end = 0
        self.committed: dict[Place, tuple[int, int]] = {}  # record offset, value
        self.pending: dict[tuple[int, Place], tuple[int, int]] = {}

    def commit(self, place: Place, value: int, producer: int | None) -> None:
        if producer is None:
            self.committed[place] = (self.end, value)
        else:
            self.pending[producer, place] = (self.end, value)
        self.end += 1

    def delete(self, place: Place) -> None:
        self.committed.pop(place, None)
        self.pending = {key: one for key, one in self.pending.items() if key[1] != place}
        self.end += 1

    def finish(self, producer: int, commit: bool) -> None:
        for (whose, place), one in list(self.pending.items()):
            if whose == producer:
                del self.pending[whose, place]
                if commit and one > self.committed.get(place, (-1, -1)):
                    self.committed[place] = one
        self.end += 1


PLACES = st.tuples(st.sampled_from(GROUPS), st.sampled_from(PARTITIONS))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), PLACES, st.integers(0, 99), st.sampled_from((*PRODUCERS, None))),
        st.tuples(st.just("commit"), PLACES, st.integers(0, 99), st.sampled_from(PRODUCERS)),
        st.tuples(st.just("delete"), PLACES),
        st.tuples(st.just("finish"), st.sampled_from(PRODUCERS), st.booleans()),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_offsets_are_those_of_the_log(steps: list[tuple[Any, ...]]) -> None:
    ours, theirs = Offsets(), ByLogOffset()
    for step, *arguments in steps:
        getattr(theirs, step)(*arguments)
        match step:
            case "commit":
                (group, partition), number, producer = arguments
                value = OffsetCommitValue(offset=number)
                ours.replay(group, "t", partition, value, -1 if producer is None else producer)
            case "delete":
                ((group, partition),) = arguments
                ours.replay(group, "t", partition, None)
            case "finish":
                ours.end(*arguments)
        for group in GROUPS:
            found = {(group, key[1]): value.offset for key, value in ours.of(group).items()}
            assert found == {place: one[1] for place, one in theirs.committed.items() if place[0] == group}
            for partition in PARTITIONS:
                unstable = any(place == (group, partition) for _, place in theirs.pending)
                assert ours.pending.unstable(group, ("t", partition)) == unstable
    for producer in PRODUCERS:
        ours.end(producer, False)
    assert not ours.pending.groups() and not ours.pending._by_group
