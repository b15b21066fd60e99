"""Patience: it runs out while its owner looks, not while its owner sleeps."""

from __future__ import annotations

from conformance.patience import LOOK_SECONDS, Patience


def test_it_ends_after_its_seconds() -> None:
    now = [0.0]
    patience = Patience(10, lambda: now[0])
    looks = 0
    while not patience.ended():
        now[0] += 1
        looks += 1
    assert looks == 11


def test_something_new_makes_it_whole() -> None:
    now = [0.0]
    patience = Patience(3, lambda: now[0])
    for _ in range(10):
        now[0] += 2
        assert not patience.ended()
        patience.again()


def test_a_sleep_costs_no_more_than_a_look() -> None:
    now = [0.0]
    patience = Patience(2 * LOOK_SECONDS, lambda: now[0])
    now[0] += 10_000
    assert not patience.ended()
    now[0] += 10_000
    assert not patience.ended()
    now[0] += LOOK_SECONDS
    assert patience.ended()
