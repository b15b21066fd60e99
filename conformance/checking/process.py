"""What every process of a run has: a pen for the history, and an ear for its orders."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from typing import Any

from conformance.checking.history import Key, Read

MOVED, LANE, MADE, ASIDE = "moved", "lane", "made", "aside"
"""Topics: what movers share, what one of them has for itself, what they make of it, and what is nobody's business."""
GROUP, LANE_GROUP = "movers", "lane mover"


class Journal:
    """The history as a file that all processes append to: a line is one write, so that lines don't mix."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, what: str, **fields: Any) -> None:
        """Now, before the next thing happens: whoever writes down what it is about to ask does so before it asks."""
        line = json.dumps({"at": time.monotonic(), "what": what, **fields}) + "\n"
        os.write(self._file, line.encode())


class Orders:
    """Lines on stdin: ``pause`` is to be obeyed in the middle of the next transaction; ``pause, then leave`` too, and
    that transaction is the last. The end of input is obeyed as soon as nothing is left half done."""

    def __init__(self) -> None:
        self._pause = False
        self._leave = False
        self._going = True

    def going(self) -> bool:
        self._listen()
        return self._going and (self._pause or not self._leave)

    def paused(self) -> bool:
        """Whether to pause; true once for each order."""
        self._listen()
        pause, self._pause = self._pause, False
        return pause

    def _listen(self) -> None:
        while self._going and select.select([0], [], [], 0)[0]:
            said = os.read(0, 100)
            self._pause |= b"pause" in said
            self._leave |= b"leave" in said
            self._going = bool(said)


def pause() -> None:
    """Until somebody else lets this process go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Setting:
    """Who this process is, from its command line: one JSON document."""

    def __init__(self) -> None:
        asked = json.loads(sys.argv[1])
        self.name: str = asked["name"]
        self.bootstrap: str = asked["bootstrap"]
        self.client: str = asked["client"]
        self.transactional_id: str = asked["transactional_id"]
        self.keys: dict[str, int] = asked["keys"]
        """Partitions of each topic."""
        self.journal = Journal(asked["journal"])
        self.chance = random.Random(asked["seed"])
        self.orders = Orders()

    def partitions(self, *topics: str) -> list[Key]:
        return [(topic, partition) for topic in topics for partition in range(self.keys[topic])]


def written(reads: list[Read]) -> list[list[Any]]:
    return [[*read.key, read.offset, read.value] for read in reads]


def positions(offsets: dict[Key, int]) -> list[list[Any]]:
    return [[*key, offset] for key, offset in offsets.items()]
