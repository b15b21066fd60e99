"""The results as a file: ``conformance/results/<suite>.json``, one row per test, filled in as tests end.

A run of a few tests, or against one broker, changes their rows and cells only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import pathlib
import tomllib
from collections.abc import Iterator
from typing import Any

from conformance.thirdparty.suite import CACHE, Outcome

HERE = pathlib.Path(__file__).parent
RESULTS = HERE.parent / "results"


def path(suite: str) -> pathlib.Path:
    return RESULTS / f"{suite}.json"


def load(suite: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"suite": suite, "version": "", "tests": {}}
    return json.loads(path(suite).read_text()) if path(suite).exists() else empty


@contextlib.contextmanager
def editing(suite: str) -> Iterator[dict[str, Any]]:
    """The whole document, written back on the way out; one writer at a time, so that two runs may share it."""
    RESULTS.mkdir(exist_ok=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "results.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = load(suite)
        yield document
        document["tests"] = dict(sorted(document["tests"].items()))
        path(suite).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def save(suite: str, version: str, broker: str, outcomes: dict[str, Outcome], *, left_out: int = 0) -> None:
    with editing(suite) as document:
        document["version"] = version
        document["left_out"] = left_out
        for name, outcome in outcomes.items():
            row = document["tests"].setdefault(name, {})
            row[broker] = outcome.state
            row.setdefault("detail", {}).pop(broker, None)
            row.setdefault("parts", {}).pop(broker, None)
            if outcome.detail:
                row["detail"][broker] = outcome.detail
            if outcome.parts:
                row["parts"][broker] = outcome.parts
        explain(document)


def looked_into() -> dict[str, Any]:
    return tomllib.loads((HERE / "reasons.toml").read_text())


def explain(document: dict[str, Any]) -> None:
    """Give each failure that counts the reason that was found for it, and forget those that are over."""
    known = looked_into().get(document["suite"], {})
    for name, row in document["tests"].items():
        row.pop("reason", None)
        if name in known and row.get("pykafkad") != "passed":
            row["reason"] = known[name]
