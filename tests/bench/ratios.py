"""Numbers from runs: medians with their spread, and ratios of runs that were taken one right after the other.

The ratio is the median of the pairs' ratios, not the ratio of medians: what slows the machine for a minute slows both
halves of a pair.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

OURS, THEIRS = "pykafkad", "apache"


class Spread(NamedTuple):
    median: float
    low: float
    high: float
    runs: int


def spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def values(runs: Sequence[Mapping[str, float]], metric: str) -> list[float]:
    return [run[metric] for run in runs if metric in run]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Ours / theirs, pair by pair; a pair whose second half is missing or nothing doesn't count."""
    return spread([one / other for one, other in zip(ours, theirs, strict=False) if other > 0])


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of them don't exceed."""
    return ordered[max(0, math.ceil(len(ordered) * share - 1e-9) - 1)]


def number(value: float) -> str:
    """Three digits are all that any of this is good for."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{round(value, 3 - len(str(int(size)))):,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def shown(found: Spread | None) -> str:
    if found is None:
        return "–"
    if found.runs == 1:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)}–{number(found.high)})"
