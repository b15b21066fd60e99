"""Transcripts as tests: a command, ``----``, what came of it. ``make rewrite`` records anew; read the diff.

A file is a sequence of cases, parted by blank lines; lines that begin with ``#`` are for the reader. A case is one or
more command lines, a line of four dashes, and the expected outcome. With REWRITE set, expectations are written
instead of compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "scripts"
RULE = "----"
Run = Callable[[str], list[str]]


def scripts(folder: str) -> list[Path]:
    return sorted((SCRIPTS / folder).glob("*.txt"))


def play(path: Path, run: Run) -> None:
    """Give every command line to ``run``; what it returns must be what stands in the file."""
    played = []
    for block in path.read_text().strip().split("\n\n"):
        comments = [line for line in block.splitlines() if line.startswith("#")]
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        commands = lines[: lines.index(RULE)] if RULE in lines else lines
        outcome = [line for command in commands for line in run(command)]
        parts = [*comments, *([*commands, RULE, *outcome] if commands else [])]
        played.append("\n".join(parts))
    text = "\n\n".join(played) + "\n"
    if os.environ.get("REWRITE"):
        path.write_text(text)
    else:
        assert text == path.read_text(), f"{path.name} differs; REWRITE=1 records anew"
