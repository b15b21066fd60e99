"""The outcomes of scenarios, gathered from pytest's reports and kept as JSON: one place for each client and broker.

A run replaces what an earlier one knew about the same client, broker and family, and leaves the rest; so a matrix that
takes long can be run a client at a time.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import pathlib
from typing import Any, TypedDict

import pytest

PASSED, FAILED, CANNOT, MISSING = "passed", "failed", "cannot", "missing"


class Which(TypedDict):
    client: str
    broker: str
    family: str
    scenario: str


def which(item: pytest.Function) -> Which | None:
    """None for a test that no client takes part in."""
    params = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    client, broker = params.pop("client_name", None), params.pop("kind", None)
    if client is None or broker is None:
        return None
    others = [str(value)[:24] for value in params.values()]
    name = item.originalname.removeprefix("test_") + (f"[{'-'.join(others)}]" if others else "")
    return {"client": client, "broker": broker, "family": item.path.stem.removeprefix("test_"), "scenario": name}


def reason(report: pytest.TestReport) -> str:
    """The first line of what went wrong, or of why it was left out."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(crash.message if crash else report.longrepr).strip()
    return said.splitlines()[0][:300] if said else "no reason given"


class Outcomes:
    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.crashes: list[str] = []
        self.missing: dict[str, dict[str, str]] = {"clients": {}, "brokers": {}}

    def missing_client(self, name: str, why: str) -> None:
        self.missing["clients"][name] = why

    def missing_broker(self, kind: str, why: str) -> None:
        self.missing["brokers"][kind] = why

    def hear(self, report: pytest.TestReport) -> None:
        said = dict(report.user_properties)
        which: Which | None = said.get("scenario")  # type: ignore[assignment]
        if which is None:
            if report.failed and report.when == "???":  # what is left of a test whose process died
                self.crashes.append(report.nodeid)
            return
        run = self.clients.setdefault(which["client"], {}).setdefault(which["broker"], {"families": {}})
        if "version" in said:
            run["version"] = said["version"]
        scenarios = run["families"].setdefault(which["family"], {})
        if report.skipped:
            why = reason(report)
            outcome = CANNOT if why.startswith(f"{which['client']} cannot") else MISSING
            scenarios[which["scenario"]] = {"outcome": outcome, "reason": why}
        elif report.failed:
            scenarios[which["scenario"]] = {"outcome": FAILED, "reason": reason(report)}
        elif report.when == "call":
            scenarios[which["scenario"]] = {"outcome": PASSED, "seconds": round(report.duration, 2)}

    def keep(self, where: pathlib.Path) -> None:
        where.parent.mkdir(parents=True, exist_ok=True)
        with (where.parent / f".{where.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may end together
            whole = json.loads(where.read_text()) if where.exists() else {"clients": {}, "missing": {}}
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            for client, by_broker in self.clients.items():
                for broker, run in by_broker.items():
                    kept = whole["clients"].setdefault(client, {}).setdefault(broker, {"families": {}})
                    kept["families"] |= run["families"]
                    kept["date"] = today
                    kept["version"] = run.get("version") or kept.get("version", "")
            whole["crashes"] = self.crashes
            ran = set(self.clients)
            gone = whole["missing"].get("clients", {})
            whole["missing"] = {
                "clients": {k: v for k, v in gone.items() if k not in ran} | self.missing["clients"],
                "brokers": self.missing["brokers"],
            }
            where.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
