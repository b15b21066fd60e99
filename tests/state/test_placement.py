"""Replicas are spread over racks and brokers, leaders evenly."""

from __future__ import annotations

from collections import Counter

import pytest

from pykafkad.state.placement import arranged, place, refuse_replicas

SIX = {1: "a", 2: "b", 3: "c", 4: "a", 5: "b", 6: "c"}


def test_neighbours_are_in_different_racks() -> None:
    assert arranged(SIX) == [1, 2, 3, 4, 5, 6]
    assert arranged({1: "a", 2: "a", 3: "b"}) == [1, 3, 2]
    assert arranged({2: None, 1: None}) == [1, 2]


def test_one_broker_leads_everything() -> None:
    assert place({7: None}, 3, 1, 5) == [(7,), (7,), (7,)]


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
@pytest.mark.parametrize("start", [0, 1, 17])
def test_no_broker_twice_and_everybody_equally_often(factor: int, start: int) -> None:
    plan = place(SIX, 60, factor, start)
    assert all(len(set(replicas)) == factor for replicas in plan)
    assert set(Counter(replicas[0] for replicas in plan).values()) == {10}
    counts = Counter(broker for replicas in plan for broker in replicas)
    assert max(counts.values()) - min(counts.values()) <= 60 * factor // 6 // 5 + 1


@pytest.mark.parametrize("start", [0, 4, 5])
def test_three_replicas_in_three_racks(start: int) -> None:
    assert all({SIX[broker] for broker in replicas} == {"a", "b", "c"} for replicas in place(SIX, 30, 3, start))


def test_the_same_brokers_do_not_always_pair() -> None:
    plan = place(dict.fromkeys(range(1, 5), None), 24, 2, 0)
    assert len(set(plan)) > 8


@pytest.mark.parametrize(
    ("replicas", "size", "said"),
    [
        ([1, 2], None, None),
        ([1, 2], 2, None),
        ([], None, "empty replica list"),
        ([9], None, "includes broker 9, but no such broker"),
        ([1, 1], None, "more than once"),
        ([1], 2, "1 replica(s)"),
    ],
)
def test_lists_by_hand(replicas: list[int], size: int | None, said: str | None) -> None:
    reason = refuse_replicas(replicas, [1, 2, 3], size)
    assert (reason is None) if said is None else (reason is not None and said in reason)
