"""How commands print: aligned columns for people, JSON for programs, from the same rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = "-"


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str] = (), empty: str = "") -> None:
    """Print rows; ``columns`` names those of the table and their order, ``empty`` what to say if there are none."""
    if as_json:
        print(json.dumps([dict(row) for row in rows], indent=2, default=str))
    elif rows:
        print(table(rows, columns or list(rows[0])))
    elif empty:
        print(empty)


def show_one(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, indent=2, default=str))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Columns as wide as their widest cell, numbers to the right."""
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    numeric = [
        all(isinstance(row.get(column), int | float | None) for row in rows) and not _flag(rows, column)
        for column in columns
    ]
    heads = [column.upper().replace("_", "-") for column in columns]
    widths = [max(len(head), *(len(line[i]) for line in cells)) for i, head in enumerate(heads)]
    lines = []
    for line in [heads, *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _flag(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return any(isinstance(row.get(column), bool) for row in rows)


def _text(value: Any) -> str:
    if value is None or value == "" or value == []:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)
