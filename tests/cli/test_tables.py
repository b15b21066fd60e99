"""Aligned columns for people, JSON for programs."""

from __future__ import annotations

import json

import pytest

from pykafkad.cli.tables import show, table

ROWS = [
    {"topic": "a", "partition": 0, "isr": [1, 2], "controller": True, "lag": None},
    {"topic": "orders", "partition": 11, "isr": [], "controller": False, "lag": 5},
]


def test_columns_are_aligned_numbers_to_the_right() -> None:
    assert table(ROWS, list(ROWS[0])).splitlines() == [
        "TOPIC   PARTITION  ISR  CONTROLLER  LAG",
        "a               0  1,2  yes           -",
        "orders         11  -    no            5",
    ]


def test_json_is_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_nothing_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    show([], as_json=False, empty="nothing is committed")
    assert capsys.readouterr().out == "nothing is committed\n"
    show([], as_json=True, empty="nothing is committed")
    assert json.loads(capsys.readouterr().out) == []
