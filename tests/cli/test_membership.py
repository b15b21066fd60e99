"""The range assignor shares out as Kafka's does."""

from __future__ import annotations

from pykafkad.cli.membership import range_assignment


def test_neighbours_stay_together_and_the_first_take_what_is_over() -> None:
    assert range_assignment({"b": ["t"], "a": ["t"], "c": ["t"]}, {"t": 7}) == {
        "a": {"t": [0, 1, 2]},
        "b": {"t": [3, 4]},
        "c": {"t": [5, 6]},
    }


def test_only_subscribers_get_partitions_and_some_get_none() -> None:
    assert range_assignment({"a": ["t"], "b": ["t", "u"], "c": ["u"]}, {"t": 1, "u": 2}) == {
        "a": {"t": [0]},
        "b": {"u": [0]},
        "c": {"u": [1]},
    }
