"""What the suites share: where foreign code is kept, which settings both brokers run with, what an outcome is."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from conformance import brokers

CACHE = pathlib.Path(os.environ.get("PYKAFKAD_CONFORMANCE_CACHE", pathlib.Path.home() / ".cache/pykafkad-conformance"))
KAFKA_VERSION = brokers.APACHE_VERSION

# What librdkafka's own cluster helper sets, for one broker; Kafka's default delay, since tests of groups count on
# members that join together (the brokers here otherwise have none); and an authorizer that lets everyone in until it is
# told otherwise, so that tests of ACLs have somebody to talk to.
SETTINGS = {
    "auto.create.topics.enable": "true",
    "num.partitions": "4",
    "delete.topic.enable": "true",
    "group.initial.rebalance.delay.ms": "3000",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


class Missing(Exception):
    """A tool isn't there; the text is the one line that says so."""


@dataclasses.dataclass
class Outcome:
    """What one test came to against one broker: passed, failed, skipped or timeout, and its own words for it."""

    state: str
    detail: str = ""
    seconds: float = 0
    parts: int = 0  # sub-tests that passed, where the suite counts them

    def asdict(self) -> dict[str, object]:
        return {k: v for k, v in dataclasses.asdict(self).items() if v or k == "state"}


@contextlib.contextmanager
def running(kind: str, directory: pathlib.Path, settings: dict[str, str]) -> Iterator[brokers.Broker]:
    """A fresh broker in a directory of its own; both kinds are told their address, which some tests ask for."""
    broker = brokers.KINDS[kind](pathlib.Path(tempfile.mkdtemp(prefix="broker-", dir=directory)), settings)
    broker.overrides["advertised.listeners"] = f"PLAINTEXT://{broker.bootstrap}"
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@contextlib.contextmanager
def once(directory: pathlib.Path) -> Iterator[bool]:
    """True for the one process that is to fill `directory`; the others wait for it and get False."""
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "done"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


def run(command: Sequence[str], log: pathlib.Path, cwd: pathlib.Path, timeout: float) -> None:
    """A step of a build; what it printed is in `log`."""
    with log.open("ab") as out:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=timeout
        )
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed, see {log}")


def shorten(text: str, limit: int = 300) -> str:
    """One line, which says nothing about whose machine it was."""
    line = " ".join(text.replace(f"{CACHE}/", "").split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
