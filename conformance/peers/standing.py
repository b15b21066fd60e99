"""What there is to see while nothing moves: the broker's transactions and groups, and where a program's threads are."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from conformance.brokers import ROOT, Broker
from conformance.peers.program import Program

QUESTIONS = (
    ("transactions", "list"),
    ("transactions", "held"),
    ("transactions", "find-hanging"),
    ("groups", "list", "--state"),
    ("groups", "describe", "--all-groups"),
    ("groups", "describe", "--all-groups", "--members", "--verbose"),
)
ANSWER_SECONDS = 60
DUMP_SECONDS = 3.0


def account(broker: Broker, programs: Sequence[Program], directory: pathlib.Path) -> pathlib.Path:
    """Writes it down beside the logs; asked while all of them still run, since afterwards nobody can tell."""
    where = directory / "standing.txt"
    with where.open("w") as file:
        for question in QUESTIONS:
            file.write(f"$ pykafkad {' '.join(question)}\n{_ask(broker.bootstrap, question)}\n")
        for program in programs:
            file.write(f"threads of {program.name}\n{_threads(program)}\n")
    return where


def _ask(bootstrap: str, question: Sequence[str]) -> str:
    words = [sys.executable, "-m", "pykafkad", *question, "--bootstrap-server", bootstrap]
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "protocol"), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            words,
            env=dict(os.environ) | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWER_SECONDS} s"
    return done.stdout.decode(errors="replace")


def _threads(program: Program) -> str:
    """A JVM writes its threads on SIGQUIT, among whatever else it says."""
    if not program.running():
        return "it doesn't run"
    before = program.log_file.stat().st_size
    program.signal(signal.SIGQUIT)
    until = time.monotonic() + DUMP_SECONDS
    while time.monotonic() < until:  # its end can't be told from the rest of the log
        if b"JNI global refs" in (said := program.log_file.read_bytes()[before:]):
            break
        time.sleep(0.05)
    return said.decode(errors="replace")
