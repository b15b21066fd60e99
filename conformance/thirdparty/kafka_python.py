"""kafka-python's integration tests, from its source distribution.

They take a broker that somebody else runs by ``KAFKA_URI``. The distribution lacks two files that they import: the
mark of the package ``test`` and ``test/service.py``, whose part for a foreign broker is the few lines below.
"""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import subprocess
import sys
import tarfile
import xml.etree.ElementTree

from conformance.thirdparty.suite import CACHE, KAFKA_VERSION, Missing, Outcome, once, run, shorten

PATIENCE = 120  # seconds for a test
SETTINGS = {
    "node.id": "0",  # a test assigns replicas to this broker
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",  # another has members with short sessions
}
SERVICE = '''"""A broker that runs already, as far as the fixtures ask of it."""


class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def dump_logs(self):
        pass


class SpawnedService:
    def __init__(self, *args, **kwargs):
        raise RuntimeError("this run has a broker of its own")
'''


class Tests:
    def __init__(self, tree: pathlib.Path, version: str) -> None:
        self.tree = tree
        self.version = version

    def run(self, only: str, bootstrap: str, work: pathlib.Path) -> dict[str, Outcome]:
        """All tests, or those that pytest's -k finds; the log and the report stay in `work`."""
        work.mkdir(parents=True, exist_ok=True)
        report = work / "report.xml"
        environment = dict(os.environ) | {
            "KAFKA_URI": f"kafka://{bootstrap}",
            "KAFKA_VERSION": KAFKA_VERSION,
            "KAFKA_ROOT": str(work),  # must be a directory; nothing is run from it
            "PYTHONPATH": str(self.tree),
        }
        command = [sys.executable, "-m", "pytest", "test/integration", "-p", "no:cacheprovider", "-p", "no:xdist"]
        command += ["-o", f"addopts=--timeout={PATIENCE} --timeout-method=signal", "-o", "log_level=INFO", "-rA"]
        command += ["--junitxml", str(report), *(["-k", only] if only else [])]
        with (work / "pytest.log").open("wb") as log:
            subprocess.run(command, cwd=self.tree, env=environment, stdout=log, stderr=log, timeout=3600, check=False)
        if not report.exists():
            raise Missing(f"kafka-python's tests didn't run, see {work}/pytest.log")
        return read(report)


def read(report: pathlib.Path) -> dict[str, Outcome]:
    made: dict[str, Outcome] = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("test.integration.")
        outcome = Outcome("passed", seconds=round(float(case.get("time", 0)), 1))
        for child in case:
            text = shorten(child.get("message") or child.text or "")
            match child.tag:
                case "skipped":
                    outcome = Outcome("skipped", text)
                case "failure" | "error":
                    state = "timeout" if "Timeout (>" in text or "Timeout >" in text else "failed"
                    outcome = Outcome(state, text, outcome.seconds)
                case _:
                    pass
        made[f"{file}::{case.get('name')}"] = outcome
    return made


def prepare() -> Tests:
    version = importlib.metadata.version("kafka-python")
    where = CACHE / "kafka-python-tests" / version
    tree = where / f"kafka_python-{version}"
    with once(where) as mine:
        if mine:
            log = where / "fetch.log"
            fetch = ["pip", "download", "--no-deps", "--no-binary", ":all:", f"kafka-python=={version}"]
            run([sys.executable, "-m", *fetch], log, where, 300)
            with tarfile.open(next(where.glob("*.tar.gz"))) as archive:
                archive.extractall(where, filter="data")
            (tree / "test/__init__.py").touch()
            (tree / "test/service.py").write_text(SERVICE)
    return Tests(tree, version)
