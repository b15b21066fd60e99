"""Keyed deadlines over a heap, compared with a plain dict."""

from __future__ import annotations

import random

from pykafkad.state.deadlines import Deadlines


def test_the_earliest_is_what_was_set_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    assert deadlines.earliest is None
    deadlines.set("b", 20)
    deadlines.set("a", 10)
    assert deadlines.earliest == 10
    assert deadlines.pop_due(9) is None
    assert deadlines.pop_due(10) == "a"
    assert deadlines.pop_due(10) is None
    assert deadlines.earliest == 20


def test_pushing_back_and_pulling_forward() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 10)
    deadlines.set("a", 30)
    assert deadlines.earliest == 30
    deadlines.set("a", 5)
    assert deadlines.earliest == 5
    assert deadlines.pop_due(5) == "a"
    assert deadlines.pop_due(100) is None
    assert len(deadlines) == 0


def test_equal_deadlines_come_in_the_order_they_were_set() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key in "cab":
        deadlines.set(key, 7)
    assert [deadlines.pop_due(7) for _ in range(3)] == ["c", "a", "b"]


def test_a_cancelled_key_never_comes() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1)
    deadlines.set("b", 2)
    deadlines.cancel("a")
    deadlines.cancel("unknown")
    assert deadlines.earliest == 2 and "a" not in deadlines and deadlines.get("b") == 2


def test_against_a_plain_dict() -> None:
    dice = random.Random(3)
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, int] = {}
    now = 0
    for _ in range(5000):
        key, choice = dice.randrange(20), dice.random()
        if choice < 0.6:
            at = now + dice.randrange(100)
            deadlines.set(key, at)
            model[key] = at
        elif choice < 0.75:
            deadlines.cancel(key)
            model.pop(key, None)
        else:
            now += dice.randrange(30)
            while (due := deadlines.pop_due(now)) is not None:
                assert model.pop(due) <= now
            assert all(at > now for at in model.values())
        assert deadlines.earliest == min(model.values(), default=None)
    assert len(deadlines._heap) < 400  # heartbeats don't pile up
