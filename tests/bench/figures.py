"""All figures in the order in which they are taken: births first, while no other broker runs; heavy things last."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench import compaction, fetch, latency, life, produce, small, transactions
from tests.bench.figure import Figure

FIGURES: Sequence[Figure] = [
    *life.FIRST,
    *transactions.FIRST,
    *small.FIGURES,
    *produce.FIGURES,
    *fetch.FIGURES,
    *latency.FIGURES,
    *transactions.FIGURES,
    *compaction.FIGURES,
    *life.LAST,
]

FAMILIES = {
    "life": "Starting, resting, growing",
    "produce": "Produce",
    "fetch": "Fetch",
    "latency": "End to end",
    "transactions": "Transactions",
    "small": "Small requests",
}


def chosen(only: Sequence[str]) -> list[Figure]:
    """Those whose name begins with one of these, at a slash or in full; all when none is named."""
    return [f for f in FIGURES if not only or any(f.name == name or f.name.startswith(f"{name}/") for name in only)]
