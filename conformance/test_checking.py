"""A round of `make check-transactions`: transactions under faults keep their word, and a bug against it is found."""

from __future__ import annotations

import pathlib

import pytest

from conformance.checking.judging import Fate
from conformance.checking.plants import PLANTS
from conformance.checking.rounds import STUCK, Tally, faults_of, run


@pytest.mark.ours
@pytest.mark.timeout(240)
def test_transactions_under_faults(kind: str, tmp_path: pathlib.Path) -> None:
    tally = Tally()
    found = run(tmp_path, seed=1, tally=tally, more=lambda: tally.rounds < 1)
    assert found is None, found
    assert tally.fates[Fate.COMMITTED] and tally.fates[Fate.ABORTED] and tally.records


@pytest.mark.ours
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "plant", ["pending-offsets-count-although-aborted", "a-batch-of-the-transaction-before-joins-this-one"]
)
def test_a_planted_bug_is_found(kind: str, tmp_path: pathlib.Path, plant: str) -> None:
    tally = Tally()
    faults = faults_of(PLANTS[plant].faults)
    found = run(tmp_path, seed=1, tally=tally, more=lambda: tally.rounds < 4, plants=[plant], faults=faults)
    assert found is not None and found.kinds - {STUCK}
