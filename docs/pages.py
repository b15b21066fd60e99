"""Writes the pages of docs/ that are generated: ``python -m docs.pages``, or with ``--check`` says which are stale."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pykafkad.config.document import document as settings

HERE = Path(__file__).parent
PAGES: dict[str, Callable[[], str]] = {"settings.md": settings}


def stale() -> list[str]:
    """Pages that no longer say what the sources say."""
    return [name for name, write in PAGES.items() if _read(HERE / name) != write()]


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main(arguments: list[str]) -> int:
    found = stale()
    if arguments == ["--check"]:
        for name in found:
            print(f"docs/{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if found else 0
    for name in found:
        (HERE / name).write_text(PAGES[name]())
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
