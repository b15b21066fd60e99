"""docs/performance.md and .json: what lies between the page's two marks is written from the JSON, the rest by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figure import METRICS, Figure, Goal, Results, Run
from tests.bench.figures import FAMILIES, FIGURES
from tests.bench.ratios import OURS, THEIRS, Spread, number, ratio, shown, spread, values

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
Runs = Mapping[str, Sequence[Run]]


def load(docs: Path = DOCS) -> Results:
    path = docs / "performance.json"
    found: Results = json.loads(path.read_text()) if path.exists() else {}
    return found if "runs" in found else {"runs": {}}


def merge(results: Results, figure: Figure, runs: Runs, about: Mapping[str, Any]) -> bool:
    """Put this figure's runs in the place of earlier ones; False when they were refused.

    What was measured side by side gives way only to what was measured side by side.
    """
    before = results["runs"].get(figure.name, {})
    if THEIRS in before and THEIRS not in runs:
        return False
    results["runs"][figure.name] = {"date": about["date"], **{kind: list(found) for kind, found in runs.items()}}
    results["about"] = dict(results.get("about", {})) | dict(about)
    return True


# -- lines for the terminal


def lines(figure: Figure, runs: Runs) -> Iterator[str]:
    ours, theirs = runs.get(OURS, ()), runs.get(THEIRS, ())
    for metric in figure.shows:
        both = ratio(values(ours, metric), values(theirs, metric))
        words = [f"{figure.name:<28} {metric:<16}"]
        words += [f"{kind} {shown(spread(values(found, metric)))}" for kind, found in runs.items()]
        words.append(f"{METRICS[metric].unit}; ratio {shown(both)}" if both else METRICS[metric].unit)
        if (goal := figure.goals.get(metric)) and (judged := goal.of(spread(values(ours, metric)), both)):
            words.append(f"goal {goal} {verdict(goal, judged)}")
        yield "  ".join(words)
    if said := noise(ours, theirs):
        yield f"{figure.name:<28} {said}"


def verdict(goal: Goal, found: Spread) -> str:
    return "reached" if goal.reached(found.median) else "not reached"


def noise(ours: Sequence[Run], theirs: Sequence[Run]) -> str:
    steal = values([*ours, *theirs], "steal")
    words = [f"client {client(ours)}, {client(theirs)} % of a core" if client(ours) != "–" else ""]
    words += [f"steal at most {max(steal):.1f} %" if steal else ""]
    return "; ".join(filter(None, words))


def client(runs: Sequence[Run]) -> str:
    found = spread(values(runs, "client"))
    return f"{found.median:.0f}" if found else "–"


# -- the page


def table(head: str, rows: Sequence[str]) -> list[str]:
    return [head, "|" + "---|" * (head.count("|") - 1), *rows, ""] if rows else []


def goal_rows(results: Results) -> tuple[list[str], list[str]]:
    """The table of goals, and a line for each that isn't reached."""
    rows, missed = [], []
    for figure in FIGURES:
        runs = results["runs"].get(figure.name, {})
        ours, theirs = runs.get(OURS, []), runs.get(THEIRS, [])
        for metric, goal in figure.goals.items():
            one, other = values(ours, metric), values(theirs, metric)
            both = ratio(one, other)
            judged = goal.of(spread(one), both)
            said = verdict(goal, judged) if judged else "not measured"
            if judged and said == "not reached":
                missed.append(f"- {label(figure, metric)}: {shown(judged)} where {goal} was the goal.")
                said = "**not reached**"
            cells = [label(figure, metric), METRICS[metric].unit, shown(spread(one)), shown(spread(other))]
            rows.append(f"| {' | '.join([*cells, shown(both), str(goal), said])} |")
    return rows, missed


def label(figure: Figure, metric: str) -> str:
    if figure.family == "life" or metric == "first_txn_ms":  # these speak for themselves
        return METRICS[metric].text
    return f"{FAMILIES[figure.family]}, {figure.text}: {METRICS[metric].text}"


def family_rows(results: Results, family: str) -> list[str]:
    rows = []
    for figure in FIGURES:
        runs = results["runs"].get(figure.name)
        if figure.family != family or not runs:
            continue
        ours, theirs = runs.get(OURS, []), runs.get(THEIRS, [])
        steal = values([*ours, *theirs], "steal")
        beside = [f"{client(ours)}, {client(theirs)}", f"{max(steal):.1f}" if steal else "–"]
        for i, metric in enumerate(figure.shows):
            one, other = values(ours, metric), values(theirs, metric)
            what = METRICS[metric]
            cells = ["" if i else figure.text, what.text, what.unit, shown(spread(one)), shown(spread(other))]
            cells += [shown(ratio(one, other)), *(["", ""] if i else beside)]
            rows.append(f"| {' | '.join(cells)} |")
    return rows


PICTURES = {
    "goals": "Ratios to Apache Kafka beside what was wanted",
    "produce": "Produce: CPU and throughput by size of batch",
    "fetch": "Fetch: CPU and throughput, hot, cold and fanned out",
    "latency": "End to end latency by rate",
    "transactions": "Transactions: CPU and commit latency by records",
    "life": "Start and memory",
}


def picture(name: str, drawn: Sequence[str]) -> list[str]:
    return [f"![{PICTURES[name]}](img/{name}.png)", ""] if name in drawn else []


def generated(results: Results, drawn: Sequence[str] = ()) -> str:
    about = results.get("about", {})
    out = []
    if about:
        out += [f"- {name}: {value}" for name, value in about.items()] + [""]
    if not results["runs"]:
        out += ["Nothing is measured yet: `make bench` fills this in.", ""]
    rows, missed = goal_rows(results)
    out += ["### Goals", "", *picture("goals", drawn)]
    out += table("| figure | unit | pykafkad | Apache Kafka | ratio | goal | |", rows)
    if missed:
        out += ["Not reached, and explained [below](#goals-that-arent-reached):", "", *missed, ""]
    for family, title in FAMILIES.items():
        found = family_rows(results, family)
        if found:
            out += [f"### {title}", "", *picture(family, drawn)]
            out += table(
                "| figure | | unit | pykafkad | Apache Kafka | ratio | client, % of a core | steal, % |", found
            )
    days = sorted({runs["date"] for runs in results["runs"].values()})
    if len(days) > 1:
        out += [f"Figures were taken between {days[0]} and {days[-1]}; performance.json says which when.", ""]
    return "\n".join(out)


def write(results: Results, docs: Path = DOCS) -> None:
    (docs / "performance.json").write_text(json.dumps(rounded(results), indent=1) + "\n")
    path = docs / "performance.md"
    text = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    drawn = [name for name in PICTURES if (docs / f"img/{name}.png").exists()]
    path.write_text(spliced(text, generated(results, drawn)))


def spliced(text: str, new: str) -> str:
    """The page with what is between its marks replaced; what is written by hand stays as it is."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin and end, "docs/performance.md has lost its marks"
    return f"{head}{BEGIN}\n\n{new}\n{END}{tail}"


def rounded(value: Any) -> Any:
    """Four digits are more than a measurement has, and fewer than a diff can bear."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


__all__ = ["generated", "lines", "load", "merge", "number", "spliced", "write"]
