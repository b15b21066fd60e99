"""Group members as processes, so that one can be killed as a crash kills it: no leaving, no last commit.

`python -m conformance.members CLIENT BOOTSTRAP GROUP TOPIC JSON-OPTIONS` polls one consumer and prints a JSON line for
every change of its assignment and every record; SIGTERM closes the consumer and ends. `Member` is the other end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

from conformance.brokers import ROOT, dying_with_parent
from conformance.clients import client

Assignment = frozenset[tuple[str, int]]


class Member:
    """What one member said so far; `kill` is a crash, `leave` a farewell."""

    def __init__(self, name: str, bootstrap: str, group: str, topic: str, **options: object) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.going = True
        self.process = subprocess.Popen(
            [
                *dying_with_parent(),
                *(sys.executable, "-m", "conformance.members", name, bootstrap, group, topic, json.dumps(options)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            env=dict(os.environ) | {"PYTHONPATH": path},
            start_new_session=True,
        )
        self.history: list[Assignment] = []
        self.records: list[tuple[int, int]] = []
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, what = json.loads(line)
            if word == "assigned":
                self.history.append(frozenset((t, p) for t, p in what))
            else:
                self.records.append((what[0], what[1]))

    @property
    def assigned(self) -> Assignment:
        if self.going and self.process.poll() is not None:
            self.complaints.seek(0)
            raise AssertionError("a member died:\n" + self.complaints.read()[-2000:].decode(errors="replace"))
        return self.history[-1] if self.history else frozenset()

    def kill(self) -> None:
        self.going = False
        os.killpg(self.process.pid, signal.SIGKILL)  # the group: kcat is a child of its member
        self.process.wait()

    def leave(self) -> None:
        self.going = False
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()


def main(name: str, bootstrap: str, group: str, topic: str, options: str) -> None:
    going = True

    def end(*_: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, end)
    consumer = client(name, bootstrap).consumer(group, [topic], **json.loads(options))
    before: set[tuple[str, int]] | None = None
    while going:
        got = consumer.poll(0.05)
        now = consumer.assignment()
        if now != before:
            print(json.dumps(["assigned", sorted(now)]), flush=True)
            before = now
        for record in got:
            print(json.dumps(["record", [record.partition, record.offset]]), flush=True)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
