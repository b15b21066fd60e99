"""A program as a process that can be killed, stopped, frozen, and started where it was."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence

from conformance.brokers import dying_with_parent
from conformance.clients import toolchains
from conformance.killing.load import Lost
from conformance.patience import Patience

START = "START\n"
HERE = pathlib.Path(__file__).resolve().parent


def java(folder: str, main: str) -> list[str]:
    """What starts a main class of java/<folder>; toolchains.Missing where it can't be built."""
    home = HERE / "java" / folder
    return toolchains.jvm(f"peer-{folder}", home / "pom.xml", sorted(home.glob("*.java")), main)


def go(name: str) -> list[str]:
    """What starts the program of go/; toolchains.Missing where it can't be built."""
    return [toolchains.go_program(f"peer-{name}", HERE / "go")]


class Program:
    """``state`` is a directory of the program's own, which outlives it unless it is wiped."""

    def __init__(self, name: str, words: Sequence[str], directory: pathlib.Path) -> None:
        self.name = name
        self.words = list(words)
        self.directory = directory
        self.state = directory / name
        self.log_file = directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            log.write(START.encode())
            log.flush()
            self.process = subprocess.Popen(
                [*dying_with_parent(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.state,
                env=dict(os.environ),
            )

    def command(self) -> list[str]:
        return self.words

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout: float = 60) -> None:
        """SIGTERM, and its leave is taken properly."""
        assert self.process is not None
        self.process.terminate()
        patience = Patience(timeout)
        while self.running():
            if patience.ended():
                raise Lost(f"{self.name} didn't leave within {timeout:.0f} s of being asked to\n{self.last_words()}")
            time.sleep(0.02)

    def wipe(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)

    def last_words(self) -> str:
        """What it has said since it was started last, or the end of it."""
        said = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return said.rpartition(START)[2][-4000:]
