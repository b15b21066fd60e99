"""What a run leaves behind: JSON for the report, lines for whoever waits, a page for whoever wonders."""

from __future__ import annotations

import json
import pathlib
import re
import sys
from collections import Counter
from typing import Any

from conformance.differential.meant import MEANT, Meant
from conformance.differential.running import Tally
from conformance.differential.wire import BY_NAME

RESULTS = pathlib.Path(__file__).parent.parent / "results"
PAGE = pathlib.Path(__file__).parent.parent / "DIFFERENCES.md"
KINDS = ("requests", "equal", "unserved", "meant", "different")
"""What becomes of an answer; ``unserved`` differs only by naming APIs and features that our broker doesn't serve."""


def as_json(tally: Tally, a: str, b: str, meant: tuple[Meant, ...]) -> dict[str, Any]:
    def counts(of: Counter[str]) -> dict[str, int]:
        return {kind: of[kind] for kind in KINDS}

    return {
        "a": a,
        "b": b,
        "total": counts(tally.total()) | {"texts": tally.texts},
        "apis": {kafkas_name(api): counts(of) for api, of in sorted(tally.apis.items())},
        "meant": [
            {"rule": m.rule, "reason": m.reason, "count": tally.meant[m], "differences": _excused(tally, m)}
            for m in meant
        ],
        "different": [d | {"api": kafkas_name(d["api"])} for d in tally.different],
        "once": [f"{kafkas_name(d['api'])} v{d['version']} {d['what']}" for d in tally.once],
    }


def _excused(tally: Tally, rule: Meant) -> list[str]:
    """A line for each difference; of lists of what isn't served their count says enough."""
    if rule.unserved:
        return []
    return [
        f"{kafkas_name(d['api'])} v{d['version']} {d['what']}: {_short(d['a'])} / {_short(d['b'])}"
        for by, d in tally.excused
        if by == rule
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def kafkas_name(module: str) -> str:
    return BY_NAME[module].name if module in BY_NAME else module


def write_json(where: pathlib.Path, result: dict[str, Any]) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def progress(done: int, of: int, tally: Tally) -> None:
    total = tally.total()
    line = (
        f"{done}/{of} scripts · {total['requests']:,} requests · {total['different']:,} differ · {tally.seconds:.0f} s"
    )
    if sys.stderr.isatty():
        print(f"\r{line}\033[K", end="" if done < of else "\n", file=sys.stderr, flush=True)
    elif done == of or done % 100 == 0:
        print(line, file=sys.stderr, flush=True)


def shares(total: dict[str, Any]) -> tuple[float, float]:
    """Per cent that are equal: over what both serve, and with every answer that differs at all counted as different."""
    asked = max(total["requests"], 1)
    return 100 * (total["equal"] + total["unserved"]) / asked, 100 * total["equal"] / asked


def summary(result: dict[str, Any], at_most: int) -> None:
    print(f"{result['a']} against {result['b']}\n")
    print(f"{'':32}" + "".join(f"{kind:>11}" for kind in KINDS))
    for api, counts in [*result["apis"].items(), ("all", result["total"])]:
        print(f"{api:32}" + "".join(f"{counts[kind]:>11,}" for kind in KINDS))
    total = result["total"]
    if total["requests"]:
        served, all_in_all = shares(total)
        print(
            f"\n{served:.2f} % equal over the APIs and features served, {all_in_all:.2f} % with those that aren't; "
            f"{total['texts']:,} answers have an error message that reads otherwise"
        )
    print(f"{len(result['once'])} differences of the first run were looked at again, the scripts by themselves")
    for entry in result["meant"]:
        print(f"  meant {entry['count']:>6} × {entry['rule']}")
    _kinds(result["different"], at_most)


def _kinds(differences: list[dict[str, Any]], at_most: int) -> None:
    seen: dict[str, list[dict[str, Any]]] = {}
    for entry in differences:
        a, b = (json.dumps(entry[side], ensure_ascii=False)[:400] for side in "ab")
        what = re.sub(r"^[^:]*: ", "", entry["what"])
        what = re.sub(r"\[\d+\]", "[]", what)
        seen.setdefault(f"{entry['api']} {what}\n    a: {a}\n    b: {b}", []).append(entry)
    print()
    for text, entries in list(seen.items())[:at_most]:
        versions = ",".join(str(v) for v in sorted({e["version"] for e in entries}))
        head, _, rest = text.partition("\n")
        print(f"{len(entries)} × {head}  (v{versions}; {entries[0]['what'].partition(': ')[0]})\n{rest}")
    if len(seen) > at_most:
        print(f"… and {len(seen) - at_most} more kinds, in the JSON file")


def page() -> str:
    """conformance/DIFFERENCES.md."""
    rows = "".join(f"| {m.request} | {m.kafka} | {m.ours} | {m.reason} |\n" for m in MEANT)
    return f"""# Where pykafkad answers otherwise than Apache Kafka 4.3.1, on purpose

Written from `conformance/differential/meant.py` by `python -m conformance.differential --page`; the rules there
recognise each of these when the same frames are sent to both brokers and the decoded answers are compared field by
field. Texts of error messages differ everywhere and mean the same; clients decide by code. How often each was met, and
each single answer that met it, is in `conformance/results/differential.json`.

Answers of ApiVersions are compared in what they say of the APIs and features that pykafkad serves. Those that agree
there and differ only by what isn't built are counted apart, as `unserved`, and both shares are told: with them, which
is the share over all APIs served, and without them.

A script that comes out different is run once more by itself when all others are done, and that counts. What differed
the first time is in the JSON file too, under `once`.

| Request | Apache Kafka | pykafkad | Why |
|---|---|---|---|
{rows}"""
