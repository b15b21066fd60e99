"""Writes ``conformance/FINDINGS.md`` from the results: counts, what fails and why, and the list of tests that count."""

from __future__ import annotations

from collections import Counter
from typing import Any

from conformance import brokers
from conformance.thirdparty import results

TITLES = {
    "librdkafka": "librdkafka's own tests (librdkafka {})",
    "kafka-python": "kafka-python's integration tests (kafka-python {})",
}
HEAD = f"""# What other people's test suites find

The test suites of two clients, run against pykafkad and against Apache Kafka {brokers.APACHE_VERSION}, one broker each,
with the same settings. A test that passes against Apache Kafka *counts*; the others say something about this
set-up or about the suite, and are listed at the end. A skipped test is never taken for a passed one. Written by
`make librdkafka-tests` and `make kafka-python-tests` from `conformance/results/`.
"""


def write() -> None:
    documents = []
    for suite in TITLES:
        if results.path(suite).exists():
            with results.editing(suite) as document:
                results.explain(document)
            documents.append(document)
    text = "\n".join([HEAD, *(section(d) for d in documents)])
    (results.HERE.parent / "FINDINGS.md").write_text(text)


def section(document: dict[str, Any]) -> str:
    tests: dict[str, Any] = document["tests"]
    counting = {n: row for n, row in tests.items() if row.get("apache") == "passed"}
    passed = [n for n, row in counting.items() if row.get("pykafkad") == "passed"]
    failing = {n: row for n, row in counting.items() if n not in passed}
    others = {n: row for n, row in tests.items() if n not in counting}
    lines = [f"## {TITLES[document['suite']].format(document['version'])}", ""]
    lines += [f"{len(tests)} tests, {len(counting)} count, {len(passed)} of those pass against pykafkad."]
    if document.get("left_out"):
        lines += [f"{document['left_out']} more need no broker, and are left out."]
    lines += [""]
    lines += counts(tests)
    if fixed := results.looked_into().get("fixed", {}).get(document["suite"]):
        lines += ["", "### What they found in our broker, fixed since", "", *(f"- {one}" for one in fixed)]
    if failing:
        lines += ["", "### Count and don't pass against pykafkad", "", "| test | outcome | reason |", "|---|---|---|"]
        lines += [f"| {n} | {row.get('pykafkad', 'not run')} | {reason(row)} |" for n, row in ranked(failing)]
    lines += ["", "### The list of tests that count", ""]
    lines += [f"Pass against both: {', '.join(f'`{n}`' for n in passed)}." if passed else "None pass against both."]
    if others:
        lines += ["", "### Don't pass against Apache Kafka here, so don't count", ""]
        lines += ["| test | Apache Kafka | pykafkad | what it says |", "|---|---|---|---|"]
        lines += [f"| {n} | {r.get('apache', 'not run')} | {r.get('pykafkad', 'not run')} | {said(r, 'apache')} |"
                  for n, r in others.items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def counts(tests: dict[str, Any]) -> list[str]:
    states = ["passed", "failed", "timeout", "skipped", "not run"]
    lines = ["| broker | " + " | ".join(states) + " |", "|---|" + "---:|" * len(states)]
    for broker, title in [("apache", "Apache Kafka"), ("pykafkad", "pykafkad")]:
        n = Counter(row.get(broker, "not run") for row in tests.values())
        lines.append(f"| {title} | " + " | ".join(str(n[s]) for s in states) + " |")
    return lines


def ranked(failing: dict[str, Any]) -> list[tuple[str, Any]]:
    """What nobody has looked into first, then bugs, then what isn't built yet."""
    order = ["bug", "machine", "their side", "not built"]

    def rank(item: tuple[str, Any]) -> tuple[int, str]:
        kind = item[1].get("reason", "").partition(":")[0]
        return (order.index(kind) if kind in order else -1, item[0])

    return sorted(failing.items(), key=rank)


def reason(row: dict[str, Any]) -> str:
    return clean(row.get("reason") or f"**not looked into yet**: {said(row, 'pykafkad')}")


def said(row: dict[str, Any], broker: str) -> str:
    return clean(row.get("detail", {}).get(broker, ""))


def clean(text: str) -> str:
    return text.replace("|", "\\|")
