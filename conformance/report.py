"""REPORT.md: what every client met at our broker and at Apache Kafka, with what fails first.

    python -m conformance.report

Reads what the runs left in `conformance/results`: scenarios.json (pytest --results), pair.json (the scenarios on two
Apache Kafkas, which judges the scenarios), differential.json and the third-party suites' files. Whatever isn't there is
said not to be there.
"""

from __future__ import annotations

import datetime
import json
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from conformance.brokers import APACHE_VERSION
from conformance.clients import CLIENTS
from conformance.differential import report as frame_report
from conformance.outcomes import CANNOT, FAILED, MISSING, PASSED

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results"
OURS, APACHE, AGAIN = "pykafkad", "apache", "apache-again"
NAMES = {OURS: "pykafkad", APACHE: "Apache Kafka", AGAIN: "Apache Kafka again"}
SUITES = ("librdkafka", "kafka-python")
SHOWN = 40  # rows of the longest lists


class Place(NamedTuple):
    client: str
    family: str
    scenario: str


Outcomes = Mapping[Place, Mapping[str, Any]]


def load(name: str) -> Any:
    where = RESULTS / f"{name}.json"
    return json.loads(where.read_text()) if where.exists() else None


def outcomes(run: Any, broker: str) -> dict[Place, Mapping[str, Any]]:
    """All that is known of one broker."""
    return {
        Place(client, family, scenario): outcome
        for client, brokers in (run or {"clients": {}})["clients"].items()
        for family, scenarios in brokers.get(broker, {"families": {}})["families"].items()
        for scenario, outcome in scenarios.items()
    }


def of(known: Outcomes, outcome: str) -> set[Place]:
    return {place for place, what in known.items() if what["outcome"] == outcome}


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell(field) for field in row)} |"
    yield ""


def count(places: Iterable[Mapping[str, Any]]) -> str:
    """passed, and what else there was, in one cell."""
    said = Counter(what["outcome"] for what in places)
    if not said:
        return ""
    parts = [str(said[PASSED])]
    parts += [f"**{said[FAILED]} failed**"] if said[FAILED] else []
    parts += [f"{said[CANNOT]} cannot"] if said[CANNOT] else []
    parts += [f"{said[MISSING]} left out"] if said[MISSING] else []
    return ", ".join(parts)


def plural(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


class Report:
    def __init__(self) -> None:
        self.run, self.pair, self.differential = load("scenarios"), load("pair"), load("differential")
        self.ours, self.apache = outcomes(self.run, OURS), outcomes(self.run, APACHE)
        passed, failed = of(self.apache, PASSED), of(self.apache, FAILED)
        ours_failed = of(self.ours, FAILED)
        self.only_ours = ours_failed & passed
        self.both = ours_failed & failed
        self.unjudged = ours_failed - passed - failed
        self.only_apache = failed & of(self.ours, PASSED)

    def clients(self) -> list[str]:
        known = {place.client for place in (*self.ours, *self.apache)}
        return [name for name in CLIENTS if name in known]

    def verdict(self) -> str:
        if not self.ours:
            return "No scenario has been run yet."
        compared = of(self.ours, PASSED) | of(self.ours, FAILED)
        judged = compared & (of(self.apache, PASSED) | of(self.apache, FAILED))
        said = (
            f"Of {plural(len(compared), 'scenario')} put to pykafkad through {plural(len(self.clients()), 'client')}, "
            f"{len(of(self.ours, PASSED)):,} passed; {len(judged):,} were put to Apache Kafka {APACHE_VERSION} too"
        )
        if not judged:
            return f"{said}."
        if not self.only_ours:
            return f"{said}, and nothing that passes there fails here."
        return f"{said}, and {len(self.only_ours)} that pass there fail here."

    def text(self) -> str:
        lines = [self.verdict(), "", "# Beside Apache Kafka", ""]
        for section in (
            self.who,
            self.matrix,
            self.findings,
            self.judged,
            self.left_out,
            self.frames,
            self.suites,
        ):
            lines += section()
        return "\n".join(lines).rstrip() + "\n"

    def who(self) -> Iterator[str]:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        yield f"Written {today}: pykafkad {version('pykafkad')}, Apache Kafka {APACHE_VERSION}."
        yield "`python -m conformance.report` writes this page from what the last runs of each client left behind."
        yield ""
        missing = (self.run or {}).get("missing", {}).get("clients", {})
        rows = []
        for name in CLIENTS:
            runs = (self.run or {"clients": {}})["clients"].get(name, {})
            says = next((run["version"] for run in runs.values() if run.get("version")), "")
            dates = sorted({run["date"] for run in runs.values()})
            rows.append([name, says or f"not run: {missing.get(name, 'not asked for')}", ", ".join(dates)])
        yield from table(["client", "version", "run"], rows)
        for kind, why in (self.run or {}).get("missing", {}).get("brokers", {}).items():
            yield f"{NAMES.get(kind, kind)} wasn't asked: {why}"
            yield ""
        for crash in (self.run or {}).get("crashes", []):
            yield f"- A test process died in `{crash}`."

    def matrix(self) -> Iterator[str]:
        families = sorted({place.family for place in (*self.ours, *self.apache)})
        yield "## Clients, families, brokers"
        yield ""
        yield "How many passed; how many failed, asked for what the client cannot do, or were left out."
        yield ""
        rows = []
        for client in self.clients():
            for broker, known in ((OURS, self.ours), (APACHE, self.apache)):
                mine = {place: what for place, what in known.items() if place.client == client}
                if not mine:
                    continue
                cells = [count(what for place, what in mine.items() if place.family == f) for f in families]
                rows.append([client, NAMES[broker], *cells, count(mine.values())])
        for broker, known in ((OURS, self.ours), (APACHE, self.apache)):
            cells = [count(what for place, what in known.items() if place.family == f) for f in families]
            rows.append(["**all**", NAMES[broker], *cells, count(known.values())])
        yield from table(["client", "broker", *families, "all"], rows)

    def findings(self) -> Iterator[str]:
        yield "## Findings, the gravest first"
        yield ""
        yield from self.finding("Fails on pykafkad, passes on Apache Kafka", self.only_ours, self.ours)
        yield from self.finding("Fails on both", self.both, self.ours)
        yield from self.finding("Fails on Apache Kafka, passes on pykafkad", self.only_apache, self.apache)
        yield from self.finding("Fails on pykafkad, not asked of Apache Kafka", self.unjudged, self.ours)

    def finding(self, title: str, places: set[Place], known: Outcomes) -> Iterator[str]:
        yield f"### {title}: {len(places) or 'nothing'}"
        yield ""
        if not places:
            return
        grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
        for place in sorted(places):
            grouped[f"{place.family}: {place.scenario}", known[place].get("reason", "")].append(place.client)
        rows = [[len(who), scenario, ", ".join(who), why] for (scenario, why), who in grouped.items()]
        rows.sort(key=lambda row: (-int(str(row[0])), str(row[1])))
        yield from table(["clients", "scenario", "which", "the first line of the reason"], rows)

    def judged(self) -> Iterator[str]:
        yield "## The scenarios themselves: Apache Kafka beside Apache Kafka"
        yield ""
        one, two = outcomes(self.pair, APACHE), outcomes(self.pair, AGAIN)
        if not one or not two:
            yield "Not run (`pytest conformance --broker apache-pair --results conformance/results/pair.json`)."
            yield ""
            return
        both = one.keys() & two.keys()
        differ = {p for p in both if one[p]["outcome"] != two[p]["outcome"]}
        failed = {p for p in both if FAILED in (one[p]["outcome"], two[p]["outcome"])}
        who = ", ".join(name for name in CLIENTS if any(p.client == name for p in both))
        yield (
            f"{plural(len(both), 'scenario')} ({who}) on two Apache Kafkas: "
            f"{len(differ) or 'none'} with another outcome, {len(failed) or 'none'} failing on either."
        )
        yield ""
        if differ | failed:
            rows = [
                [
                    *(p.client, f"{p.family}: {p.scenario}", one[p]["outcome"], two[p]["outcome"]),
                    one[p].get("reason") or two[p].get("reason", ""),
                ]
                for p in sorted(differ | failed)
            ]
            yield from table(["client", "scenario", "the one", "the other", "reason"], rows)

    def left_out(self) -> Iterator[str]:
        yield "## What clients cannot"
        yield ""
        yield "No finding about a broker: the client has no way to ask."
        yield ""
        reasons: Counter[tuple[str, str]] = Counter()
        for place, what in self.ours.items():
            if what["outcome"] in (CANNOT, MISSING):
                reasons[place.client, what["reason"].partition(" cannot: ")[2] or what["reason"]] += 1
        rows = [
            [client, n, why] for (client, why), n in sorted(reasons.items(), key=lambda item: (item[0][0], -item[1]))
        ]
        yield from table(["client", "scenarios", "why"], rows)

    def frames(self) -> Iterator[str]:
        yield "## Frame by frame"
        yield ""
        if self.differential is None:
            yield "The wire-level differential hasn't been run (`python -m conformance.differential`)."
            yield ""
            return
        apis = self.differential["apis"]
        total = {kind: sum(api.get(kind, 0) for api in apis.values()) for kind in frame_report.KINDS}
        served, all_in_all = frame_report.shares(total)
        if (twins := load("differential-self")) is not None:
            found = twins["total"]
            yield (
                f"First Apache Kafka was held against another Apache Kafka: {found['requests']:,} answers compared, "
                f"{found['different']:,} differ. Only then does a difference say something about pykafkad."
            )
            yield ""
        yield (
            f"The same request frames to {self.differential['a']} and {self.differential['b']}: "
            f"{total['requests']:,} answers compared, {total['equal']:,} equal ({all_in_all:.2f} %), "
            f"{total['unserved']:,} equal but for naming APIs and features that aren't served ({served:.2f} % "
            f"with these), "
            f"{total['meant']:,} differ as meant, {total['different']:,} differ otherwise."
        )
        yield ""
        rows = [[name, *(a.get(kind, 0) for kind in frame_report.KINDS)] for name, a in sorted(apis.items())]
        yield from table(["API", *frame_report.KINDS], rows)
        if meant := self.differential.get("meant"):
            yield "What is meant, and why:"
            yield ""
            yield from table(["rule", "answers", "reason"], [[m["rule"], m["count"], m["reason"]] for m in meant])
        if different := self.differential.get("different"):
            yield f"What is not ({len(different)}):"
            yield ""
            yield from (f"- `{cell(json.dumps(d) if not isinstance(d, str) else d)[:400]}`" for d in different[:SHOWN])
            yield ""

    def suites(self) -> Iterator[str]:
        yield "## Other people's suites"
        yield ""
        rows, failing = [], []
        for name in SUITES:
            if (suite := load(name)) is None:
                rows.append([name, "", "not run", "", "", ""])
                continue
            tests = suite["tests"]
            counts = {t for t, by in tests.items() if by.get(APACHE) == PASSED}
            ours = {t for t in counts if tests[t].get(OURS) == PASSED}
            more = {t for t, by in tests.items() if by.get(OURS) == PASSED and t not in counts}
            rows.append([name, suite["version"], len(tests), len(counts), len(ours), len(more)])
            failing += [[name, t, tests[t].get(OURS, "not run")] for t in sorted(counts - ours)]
        head = ["suite", "version", "tests", "pass on Apache Kafka", "of these on pykafkad", "pass on pykafkad alone"]
        yield from table(head, rows)
        if failing:
            yield "Pass on Apache Kafka and not here; the reasons are in [FINDINGS.md](FINDINGS.md):"
            yield ""
            yield from table(["suite", "test", "here"], failing)


if __name__ == "__main__":
    report = Report()
    (HERE / "REPORT.md").write_text(report.text())
    print(report.verdict())
