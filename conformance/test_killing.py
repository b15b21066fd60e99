"""A few rounds of `make kill`: kill -9 under load, and everything that was acknowledged is there."""

from __future__ import annotations

import pathlib

import pytest

from conformance.killing.rounds import Tally, run


@pytest.mark.timeout(240)
def test_kill_9_under_load(kind: str, tmp_path: pathlib.Path) -> None:
    if kind != "pykafkad":
        pytest.skip("of our broker only")
    assert run(tmp_path, rounds=4, seed=1, tally=Tally()) is None
