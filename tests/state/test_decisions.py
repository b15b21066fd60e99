"""Decisions are plain values."""

from __future__ import annotations

from pykafkad.state.decisions import NOTHING, Decision, Reply, Write


def test_decisions_compare_by_what_they_say() -> None:
    assert Decision() == NOTHING
    assert Decision((Write("k", None),), (Reply(1, "x"),)) == Decision((Write("k", None, 0),), (Reply(1, "x"),))
    assert Decision((), (Reply(1, "x"),)) != NOTHING
