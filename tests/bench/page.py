"""docs/performance.md: the table between its two marks is written from docs/performance.json, the prose is by hand."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"

# name: (what the table says, unit, goal)
ROWS: dict[str, tuple[str, str, str]] = {
    "start to ApiVersions": ("process start → first answered ApiVersions", "ms", "300"),
    "start to first record": ("process start → first record of a new group (librdkafka)", "ms", "1,200"),
    "idle memory": ("memory, idle (RSS)", "MB", "60"),
    "memory per idle connection": ("memory per idle connection, 2,000 of them", "KB", "10"),
    "produce 1 KB": ("CPU per Produce of one 1 KB batch, acks=1", "µs", "30"),
    "produce 16 KB": ("CPU per Produce of one 16 KB batch, acks=1", "µs", "40"),
    "produce per GB": ("CPU per GB produced in 256 KB batches", "s", "0.8"),
    "fetch per GB": ("CPU per GB fetched in 1 MB answers", "s", "0.2"),
    "metadata": ("CPU per Metadata of one topic", "µs", "25"),
    "offset commit": ("CPU per OffsetCommit of one partition", "µs", ""),
    "memory after load": ("memory after all of the above (RSS)", "MB", ""),
}
UNITS = {name: unit for name, (_, unit, _) in ROWS.items()}
Results = dict[str, dict[str, Any]]


def load() -> Results:
    path = DOCS / "performance.json"
    return json.loads(path.read_text()) if path.exists() else {}


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """This run's figures over those of earlier runs."""
    both = dict(before) | {k: v for k, v in now.items() if v is not None}
    for part in ("figures", "rates"):
        both[part] = dict(before.get(part, {})) | dict(now[part])
    return both


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(result: Mapping[str, Any] | None, name: str) -> str:
    runs = (result or {}).get("figures", {}).get(name)
    if not runs:
        return "–"
    middle = number(statistics.median(runs))
    return middle if len(runs) == 1 else f"{middle} ({number(min(runs))}–{number(max(runs))})"


def rate(result: Mapping[str, Any] | None, name: str) -> str:
    runs = (result or {}).get("rates", {}).get(name)
    return number(statistics.median(runs)) if runs else "–"


def table(results: Results) -> str:
    ours, theirs = results.get("pykafkad"), results.get("apache")
    lines = [
        "| figure | unit | goal | pykafkad | Apache Kafka, warm |",
        "|---|---|---|---|---|",
        *(
            f"| {text} | {unit} | {'≤ ' + goal if goal else ''} | {cell(ours, name)} | {cell(theirs, name)} |"
            for name, (text, unit, goal) in ROWS.items()
        ),
        "",
        "| requests per second on one connection, five in flight | pykafkad | Apache Kafka, warm |",
        "|---|---|---|",
    ]
    names = dict.fromkeys(n for r in (ours, theirs) if r for n in r.get("rates", {}))
    lines += [f"| {name} | {rate(ours, name)} | {rate(theirs, name)} |" for name in names]
    if ours and ours.get("moved"):
        ranked = sorted(ours["moved"].items(), key=lambda item: -item[1])
        moved = ", ".join(f"`{call}` {number(size / 1e6)} MB" for call, size in ranked)
        lines += ["", f"Bytes that system calls moved while 1 GB was fetched (strace): {moved}."]
    if ours:
        lines += ["", f"Measured {ours['date']} on: {ours['machine']}; {ours['python']}."]
    if theirs:
        lines.append(f"Apache Kafka {theirs.get('version', '')}: {theirs['date']}, {theirs['machine']}.")
    return "\n".join(lines) + "\n"


def write(results: Results) -> None:
    (DOCS / "performance.json").write_text(json.dumps(results, indent=1) + "\n")
    path = DOCS / "performance.md"
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    path.write_text(f"{head}{BEGIN}\n\n{table(results)}\n{END}{tail}")
