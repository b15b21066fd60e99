"""Pages that are written from declarations are current."""

from __future__ import annotations

from docs.pages import stale


def test_generated_pages_are_current() -> None:
    assert not stale(), "run `make docs`"
