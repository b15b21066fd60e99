"""Pages that are written from declarations are current."""

from __future__ import annotations

from pathlib import Path

from pykafkad.config.document import document

DOCS = Path(__file__).parents[1] / "docs"


def test_settings() -> None:
    page = (DOCS / "settings.md").read_text()
    assert page == document(), "run `make rewrite`, or python -m pykafkad.config.document > docs/settings.md"
