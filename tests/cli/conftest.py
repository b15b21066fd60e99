"""A broker as users start it, in a process of its own, for commands that ask one."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pykafkad.cli.main import main

QUICK = {
    "listeners": "PLAINTEXT://127.0.0.1:0",
    "http.listen": "127.0.0.1:0",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
}


class Started(NamedTuple):
    process: subprocess.Popen[str]
    address: str
    http: str


def start(data: Path, **overrides: str) -> Started:
    """``pykafkad serve`` on free ports; returns when it says that it listens."""
    settings = QUICK | {"log.dirs": str(data)} | overrides
    words = [word for key, value in settings.items() for word in ("--override", f"{key}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-m", "pykafkad", "serve", "--log-json", *words], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        said = json.loads(line)
        if said["event"] == "broker started":
            return Started(process, said["listeners"].partition("://")[2], said["http"])
    raise AssertionError("the broker ended before it listened")


def stop(started: Started) -> None:
    started.process.terminate()
    assert started.process.stderr is not None
    for _ in started.process.stderr:  # it may write a last line; without a reader that could block it
        pass
    assert started.process.wait() == 0
    started.process.stderr.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("data"))
    yield started
    stop(started)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def pykafkad(broker: Started) -> Run:
    """Run a command against the broker, in this process: a hundred interpreters would cost half a minute."""

    def run(*words: str, stdin: str = "") -> Outcome:
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        with (
            tempfile.TemporaryFile("w+") as typed,
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            typed.write(stdin)
            typed.seek(0)
            patch.setattr(sys, "stdin", typed)
            try:
                code = main([*words, "--bootstrap-server", broker.address])
            except SystemExit as ended:  # argparse
                code = int(ended.code or 0)
        assert isinstance(out.buffer, io.BytesIO)
        return Outcome(code, out.buffer.getvalue().decode(), err.getvalue())

    return run


_numbers = itertools.count()


@pytest.fixture
def topic(pykafkad: Run) -> str:
    """A topic of three partitions that nobody else uses."""
    name = f"topic-{next(_numbers)}"
    assert pykafkad("topics", "create", name, "--partitions", "3").code == 0
    return name
