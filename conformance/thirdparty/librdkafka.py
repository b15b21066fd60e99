"""librdkafka's own test runner, built from the sources that its Node package carries.

One process runs the tests of one number: the runner chooses by number. Its quick mode is never used, since that skips
most of what it then reports as passed. Tests that need no broker (the runner's "local" ones) say nothing about one and
are left out.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time

from conformance.thirdparty import kafka_home
from conformance.thirdparty.suite import CACHE, KAFKA_VERSION, Missing, Outcome, once, run, shorten

PACKAGE = "@confluentinc/kafka-javascript"
PACKAGE_VERSION = "1.10.1"
JOBS = "-j2"
PATIENCE = 600.0  # seconds for a process, if it has one test
# Long tests made of parts, where one part must not hide the others: each part is run, and counts, by itself.
BY_PART = ("0081", "0113")
# Tests that ask for three copies of their topics and need no more than one, which is all that one broker has. 0101 does
# need them: it fetches from followers.
THREE_COPIES = ("0098", "0103", "0107", "0111")
MULTIPLIER = 2  # of the runner's own timeouts: machines that build and test at once are slow

ENTRY = re.compile(r"_TEST\((\d\w+),([^;]*?)(?=_TEST\(|\{NULL\})", re.S)
SCENARIO = re.compile(r'\.scenario = "([^"]*)"')
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ROW = re.compile(r"^\|\s*(\d{4}\w+)\s*\|\s*(\w+)\s*\|\s*([\d.]+)s\s*\|(.*)$", re.M)
SAID = re.compile(r"=+ Test (\d{4}\w+) (PASSED|FAILED|SKIPPED) =+")
RUNNING = re.compile(r"=+ Running test (\d{4}\w+) =+")
FAILURE = re.compile(r'^### Test "(\d{4}\w+)[^"]*" failed at .*\n(.*)$', re.M)
SKIPPED = re.compile(r"^\[(\d{4}\w+)\s*/[^]]*\] WARN: SKIPPING TEST: (.*)$", re.M)
COPIES = re.compile(r"(create_topic(?:_wait_exists)?\([^;]*?), 3(, 5000)?\);")
FUNCTION = re.compile(r"^(?:static )?(?:void|int)\s+(\w+)\(|^ +(SUB_TEST)(?:_QUICK)?\(", re.M)
PART_SKIPPED = re.compile(r"^\[\d{4}\w+\s*/[^\n]*\] \[ [^\n]*: SKIP: (.*?)\s*\]?$", re.M)
PART = re.compile(r"^\[(\d{4}\w+)\s*/[^\n]*\] \[ [^\n]*: PASS \(", re.M)


class Tests:
    """The built runner and the tests it knows: {number: {scenario: [name…]}}."""

    def __init__(self, tree: pathlib.Path) -> None:
        self.tree = tree
        self.directory = tree / "tests"
        self.version = source_version(tree)
        self.wanted: dict[str, dict[str, list[str]]] = {}
        self.local = 0
        table = (self.directory / "test.c").read_text().split("struct test tests[] = {")[1].split("{NULL}}")[0]
        for name, rest in ENTRY.findall(table + "{NULL}"):
            if "TEST_F_LOCAL" in rest:
                self.local += 1
            elif "TEST_F_MANUAL" not in rest:
                scenario = found[1].split(",")[0] if (found := SCENARIO.search(rest)) else "default"
                self.wanted.setdefault(name[:4], {}).setdefault(scenario, []).append(name)

    def names(self) -> list[str]:
        return [n for scenarios in self.wanted.values() for names in scenarios.values() for n in names]

    def environment(self, bootstrap: str, conf: pathlib.Path) -> dict[str, str]:
        conf.write_text(f"bootstrap.servers={bootstrap}\ntest.timeout.multiplier={MULTIPLIER}\n")
        return dict(os.environ) | {
            "RDKAFKA_TEST_CONF": str(conf),
            "TEST_KAFKA_VERSION": KAFKA_VERSION,
            "KAFKA_PATH": str(kafka_home.make(CACHE / "kafka-home")),
            "BROKERS": bootstrap,
            "BROKER_ADDRESS_1": bootstrap,
            "BROKER_ADDRESS_2": bootstrap,
            "LD_LIBRARY_PATH": f"{self.tree}/src:{self.tree}/src-cpp",
        }

    def parts(self, number: str) -> list[str]:
        """The functions that are sub-tests of a test run by part; one empty name for all others."""
        if number not in BY_PART:
            return [""]
        found, function = dict[str, None](), ""
        for name, mark in FUNCTION.findall(next(self.directory.glob(f"{number}-*.c*")).read_text()):
            function = name or function
            if mark:
                found[function] = None
        return list(found)

    def rows(self, number: str, scenario: str, part: str) -> list[str]:
        """What a run reports on."""
        return [f"{name}/{part}" if part else name for name in self.wanted[number][scenario]]

    def run(self, number: str, scenario: str, part: str, bootstrap: str, work: pathlib.Path) -> dict[str, Outcome]:
        """What became of the tests of one number, or of a part of one; the runner's output stays in `work`."""
        names = self.wanted[number][scenario]
        work.mkdir(parents=True, exist_ok=True)
        log = work / f"{number}-{part or scenario}.log"
        command = ["./test-runner", "-p1", "-L", "-s", scenario]
        environment = self.environment(bootstrap, log.with_suffix(".conf")) | {"TESTS": number}
        if part:
            environment["SUBTESTS"] = f"{part}:"
        began = time.monotonic()
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what it starts (Java programs) ends with it
            )
            try:
                code: int | None = process.wait(PATIENCE * len(names))
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output = COLOUR.sub("", log.read_text(errors="replace"))
        outcomes = judge(output, names, code, time.monotonic() - began)
        if not part:
            return outcomes
        for outcome in outcomes.values():
            if outcome.state == "passed" and not outcome.parts:
                if (why := PART_SKIPPED.search(output)) is None:
                    return {}  # not a part of this test, but of its local sister in the same file
                outcome.state, outcome.detail = "skipped", why[1]
        return {f"{name}/{part}": outcome for name, outcome in outcomes.items()}


def judge(text: str, names: list[str], code: int | None, seconds: float) -> dict[str, Outcome]:
    """Read the runner's output: its table at the end, or, where it didn't come so far, what each test said last.

    `code` is how the runner ended, None when it had to be killed.
    """
    rows = {name: (state, float(took), detail.strip()) for name, state, took, detail in ROW.findall(text)}
    said = dict(SAID.findall(text))
    began = set(RUNNING.findall(text))
    blamed = {name for name, _ in FAILURE.findall(text)} | (began - set(said) - set(rows))  # for a bad end
    reasons: dict[str, str] = {}
    for name, reason in [*FAILURE.findall(text), *SKIPPED.findall(text)]:
        reasons.setdefault(name, reason)
    made: dict[str, Outcome] = {}
    for name in names:
        state, took, detail = rows.get(name, (said.get(name, ""), seconds, ""))
        detail = shorten(reasons.get(name) or detail)
        if state == "PASSED" and code != 0 and not blamed:
            state = "TIMEOUT" if code is None else "FAILED"
            detail = shorten(f"passed, then the runner ended with {code}: {tail(text)}")
        elif state not in ("PASSED", "SKIPPED", "FAILED") and code is None:
            state, detail = "TIMEOUT", detail or ("was running when time was up" if name in began else "not reached")
        elif "timed out (timeout set to" in detail:
            state = "TIMEOUT"
        elif state not in ("PASSED", "SKIPPED", "FAILED"):
            state, detail = "FAILED", detail or shorten(f"the runner ended with {code}: {tail(text)}")
        made[name] = Outcome(state.lower(), detail if state != "PASSED" else "", round(took, 1))
    for name in PART.findall(text):
        if name in made:
            made[name].parts += 1
    return made


def tail(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def source_version(tree: pathlib.Path) -> str:
    found = re.search(r"RD_KAFKA_VERSION\s+0x(\w\w)(\w\w)(\w\w)", (tree / "src/rdkafka.h").read_text())
    assert found is not None
    return ".".join(str(int(part, 16)) for part in found.groups())


def missing() -> str:
    packages = {"npm": "npm", "cc": "gcc", "c++": "g++", "make": "make"}
    lacking = [tool for tool in packages if shutil.which(tool) is None]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} missing (apt-get install {' '.join(packages[tool] for tool in lacking)})"


def prepare() -> Tests:
    """Fetch and build once. What is optional (zstd, OpenSSL; RapidJSON for four tests) is used if it is there."""
    if lacking := missing():
        raise Missing(f"librdkafka's tests are left out: {lacking}")
    where = CACHE / "librdkafka-tests" / f"{PACKAGE_VERSION}-one-copy"
    tree = where / "package/deps/librdkafka"
    with once(where) as mine:
        if mine:
            log = where / "build.log"
            print(f"building librdkafka and its tests, some five minutes: {log}")
            run(["npm", "pack", f"{PACKAGE}@{PACKAGE_VERSION}"], log, where, 300)
            with tarfile.open(next(where.glob("*.tgz"))) as archive:
                archive.extractall(where, filter="data")
            ask_for_one_copy(tree / "tests")
            run(["./configure", "--disable-gssapi", "--disable-curl"], log, tree, 300)
            run(["make", JOBS, "libs"], log, tree, 1800)
            run(["make", JOBS, "-C", "tests", "build"], log, tree, 1800)
    return Tests(tree)


def ask_for_one_copy(sources: pathlib.Path) -> None:
    for number in THREE_COPIES:
        for source in sources.glob(f"{number}-*.c*"):
            source.write_text(COPIES.sub(r"\1, 1\2);", source.read_text()))


def tidy(tests: Tests) -> None:
    """The runner leaves statistics beside itself."""
    for left in tests.directory.glob("stats_*.json"):
        left.unlink(missing_ok=True)
