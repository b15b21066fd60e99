"""Leader epochs: what OffsetForLeaderEpoch answers, and what truncation leaves."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pykafkad.state.epochs import Epochs


def test_end_of_follows_kafkas_table() -> None:
    epochs = Epochs([(2, 10), (4, 20), (7, 35)])
    assert epochs.end_of(7, 50) == (7, 50)  # the latest: up to the log's end
    assert epochs.end_of(4, 50) == (4, 35)
    assert epochs.end_of(5, 50) == (4, 35)  # in between: the one below
    assert epochs.end_of(1, 50) == (1, 10)  # below all: the first start
    assert epochs.end_of(8, 50) == (-1, -1)  # above all
    assert epochs.end_of(-1, 50) == (-1, -1)


def test_nothing_known() -> None:
    epochs = Epochs()
    assert (epochs.latest, epochs.epoch_at(5), epochs.end_of(0, 5)) == (-1, -1, (-1, -1))


def test_epoch_at() -> None:
    epochs = Epochs([(0, 0), (3, 10)])
    assert [epochs.epoch_at(offset) for offset in (0, 9, 10, 999)] == [0, 0, 3, 3]
    assert Epochs([(3, 10)]).epoch_at(9) == -1


def test_assign_tells_news_and_drops_what_contradicts() -> None:
    epochs = Epochs()
    assert epochs.assign(0, 0)
    assert not epochs.assign(0, 5)
    assert epochs.assign(2, 10)
    assert epochs.assign(3, 10)  # nothing was written under epoch 2
    assert epochs.entries == [(0, 0), (3, 10)]
    assert not epochs.assign(-1, 20)


def test_truncation() -> None:
    epochs = Epochs([(0, 0), (1, 10), (2, 20)])
    assert epochs.truncate_from_end(20)
    assert epochs.entries == [(0, 0), (1, 10)]
    assert not epochs.truncate_from_end(20)
    assert epochs.truncate_from_start(15)
    assert epochs.entries == [(1, 15)]
    assert not epochs.truncate_from_start(15)
    assert not Epochs([(1, 15)]).truncate_from_start(3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=20), st.integers(0, 50), st.integers(0, 50))
def test_both_columns_always_rise(steps: list[tuple[int, int]], end: int, start: int) -> None:
    epochs = Epochs(steps)
    epochs.truncate_from_end(end)
    epochs.truncate_from_start(start)
    entries = epochs.entries
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(entries))
