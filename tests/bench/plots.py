"""The pictures of docs/performance.md, drawn from the same JSON as its tables; bars are medians, whiskers all runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figure import METRICS, Results
from tests.bench.figures import FIGURES
from tests.bench.ratios import OURS, THEIRS, Spread, number, ratio, spread, values

NAMES = {OURS: "pykafkad", THEIRS: "Apache Kafka"}
COLOURS = {OURS: "#2a78b5", THEIRS: "#9a9a9a"}
REACHED, MISSED = "#3b8f4a", "#c4572e"


def pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110}
    return plt


def found(results: Results, name: str, kind: str, metric: str) -> Spread | None:
    return spread(values(results["runs"].get(name, {}).get(kind, []), metric))


def bars(axis: Any, results: Results, bars: Sequence[tuple[str, str, str]], title: str, log: bool = False) -> int:
    """Two bars for each (figure, metric, label) that was measured; how many were there to draw."""
    bars = [one for one in bars if any(found(results, one[0], kind, one[1]) for kind in (OURS, THEIRS))]
    least = float("inf")
    drawn = 0
    width = 0.38
    for side, kind in enumerate((OURS, THEIRS)):
        for i, (name, metric, _) in enumerate(bars):
            if (one := found(results, name, kind, metric)) is None:
                continue
            at = i + (side - 0.5) * width
            whiskers = [[one.median - one.low], [one.high - one.median]]
            axis.bar(at, one.median, width, yerr=whiskers, color=COLOURS[kind], ecolor="#404040", capsize=2)
            axis.annotate(
                number(one.median), (at, one.high), (0, 2), textcoords="offset points", ha="center", fontsize=7
            )
            drawn += 1
            least = min(least, one.low)
    axis.set_xticks(range(len(bars)), [label for *_, label in bars])
    axis.set_title(title, fontsize=10)
    axis.margins(y=0.12)
    if log and 0 < least < float("inf"):
        axis.set_yscale("log")
        axis.set_ylim(bottom=10 ** math.floor(math.log10(least) - 0.1))
    return drawn


def legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=COLOURS[kind], label=NAMES[kind]) for kind in (OURS, THEIRS)]
    figure.legend(handles=handles, loc="lower center", ncol=2, frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))


def goals(plt: Any, results: Results) -> Any:
    """Every goal as one line: the ratio with its spread, and a mark where it should be."""
    rows = []
    for figure in FIGURES:
        runs = results["runs"].get(figure.name, {})
        for metric, goal in figure.goals.items():
            both = ratio(values(runs.get(OURS, []), metric), values(runs.get(THEIRS, []), metric))
            if both and not goal.unit:
                rows.append((f"{figure.name}: {METRICS[metric].text}", both, goal))
    if not rows:
        return None
    drawing, axis = plt.subplots(figsize=(9, 0.34 * len(rows) + 1.2))
    for i, (_, both, goal) in enumerate(reversed(rows)):
        colour = REACHED if goal.reached(both.median) else MISSED
        axis.plot([both.low, both.high], [i, i], color=colour, linewidth=2.5, alpha=0.5)
        axis.plot(both.median, i, "o", color=colour, markersize=6)
        axis.plot(goal.bound, i, marker="<" if goal.sign == "≤" else ">", color="#202020", markersize=6)
    axis.axvline(1, color="#b0b0b0", linewidth=1)
    axis.set_xscale("log")
    axis.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)])
    ticks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
    low = min(min(both.low, goal.bound) for _, both, goal in rows) * 0.8
    high = max(max(both.high, goal.bound) for _, both, goal in rows) * 1.25
    axis.set_xticks([t for t in ticks if low <= t <= high], [f"{t:g}" for t in ticks if low <= t <= high])
    axis.set_xticks([], minor=True)
    axis.set_xlim(low, high)
    axis.grid(axis="x", color="#e4e4e4")
    axis.set_title("pykafkad / Apache Kafka: median and spread of pairs; triangles are the goals", fontsize=10)
    drawing.tight_layout()
    return drawing


def produce(plt: Any, results: Results) -> Any:
    drawing, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(10, 6.4))
    sizes = [("produce/1KB/1", "1 KB\n1 in flight"), ("produce/1KB/5", "1 KB\n5"), ("produce/1KB/50", "1 KB\n50")]
    sizes.append(("produce/16KB", "16 KB\n5"))
    drawn = bars(a, results, [(n, "cpu_us", label) for n, label in sizes], "broker CPU per request, µs")
    drawn += bars(b, results, [(n, "rate", label) for n, label in sizes], "requests per second, one connection")
    large = [
        ("produce/256KB", "256 KB"),
        ("produce/1MB", "1 MB"),
        ("produce/16-connections/256KB", "256 KB\n16 connections"),
    ]
    drawn += bars(c, results, [(n, "cpu_s_gb", label) for n, label in large], "broker CPU per GB, s")
    drawn += bars(d, results, [(n, "mb_s", label) for n, label in large], "throughput, MB/s")
    legend(drawing)
    return drawing if drawn else None


def fetch(plt: Any, results: Results) -> Any:
    drawing, (a, b) = plt.subplots(1, 2, figsize=(10, 3.8))
    ways = [("hot/1", "hot"), ("hot/5", "hot\n5 in flight"), ("fan-out/4", "4\nconsumers"), ("fan-out/16", "16")]
    ways.append(("cold", "cold"))
    drawn = bars(a, results, [(f"fetch/{n}", "cpu_s_gb", label) for n, label in ways], "broker CPU per GB, s")
    drawn += bars(b, results, [(f"fetch/{n}", "mb_s", label) for n, label in ways], "throughput, MB/s")
    legend(drawing)
    return drawing if drawn else None


def latency(plt: Any, results: Results) -> Any:
    drawing, axes = plt.subplots(1, 4, figsize=(11, 3.8), sharey=True)
    drawn = 0
    at = [("100", "100/s"), ("500", "500/s"), ("2000", "2,000/s"), ("company", "500/s in company")]
    for axis, (name, title) in zip(axes, at, strict=True):
        shown = [(f"latency/{name}", metric, METRICS[metric].text) for metric in ("p50_ms", "p99_ms", "p999_ms")]
        drawn += bars(axis, results, shown, f"{title}, ms", log=True)
    legend(drawing)
    return drawing if drawn else None


def transactions(plt: Any, results: Results) -> Any:
    drawing, axes = plt.subplots(1, 3, figsize=(11, 3.8))
    sizes = [("1", "1 record"), ("10", "10"), ("100", "100"), ("1000", "1,000"), ("java", "Java\n10 records")]
    drawn = 0
    for axis, metric in zip(axes, ("cpu_us_txn", "commit_p50_ms", "commit_p99_ms"), strict=True):
        title = f"{METRICS[metric].text}, {METRICS[metric].unit}"
        drawn += bars(axis, results, [(f"transactions/{n}", metric, label) for n, label in sizes], title, log=True)
    legend(drawing)
    return drawing if drawn else None


def life(plt: Any, results: Results) -> Any:
    drawing, (a, b) = plt.subplots(1, 2, figsize=(10, 3.8))
    times = [("life/start", "ready_ms", "ready"), ("life/first-record", "consumed_ms", "first record\nconsumed")]
    times.append(("life/10000-partitions", "ready_ms", "ready with\n10,000 partitions"))
    drawn = bars(a, results, times, "milliseconds from the start", log=True)
    memory = [("life/start", "idle_mb", "idle"), ("life/after-load", "loaded_mb", "after load")]
    memory += [("life/5000-connections", "connected_mb", "5,000\nconnections")]
    memory += [("life/10000-partitions", "partitions_mb", "10,000\npartitions")]
    drawn += bars(b, results, memory, "memory (RSS), MB", log=True)
    legend(drawing)
    return drawing if drawn else None


PLOTS: dict[str, Callable[[Any, Results], Any]] = {
    "goals": goals,
    "produce": produce,
    "fetch": fetch,
    "latency": latency,
    "transactions": transactions,
    "life": life,
}


def draw(results: Results, directory: Path) -> list[str]:
    """Names of the pictures that there was something for."""
    plt = pyplot()
    directory.mkdir(exist_ok=True)
    drawn = []
    for name, plot in PLOTS.items():
        if picture := plot(plt, results):
            picture.savefig(directory / f"{name}.png", metadata={"Software": None})
            drawn.append(name)
        plt.close("all")
    return drawn
