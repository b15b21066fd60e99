"""One broker as a script sees it: ask, and everything asked and answered is kept for the comparison.

A script runs on both sides at once and never learns what the other side said; ids that a broker made up (of topics,
members, producers, sessions) are therefore simply the ones that came back.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from conformance.differential.trees import Tree, build
from conformance.differential.wire import BY_NAME, Connection, Nothing, read_answer, request_bytes
from kafkawire import records
from kafkawire.keys import request_class

WAIT = 3.0
"""Seconds after which an answer isn't expected any more."""

PATIENCE = 30.0
"""Seconds for what was asked for to come about."""


class Exchange(NamedTuple):
    api: str
    version: int
    what: str
    request: Tree | bytes
    answer: Any  # a message, or Nothing


class Versions(NamedTuple):
    first: int
    last: int

    def each(self) -> range:
        return range(self.first, self.last + 1)


class Side:
    """``served``: the versions of each API that both brokers have; ``moment``: the run's idea of now, in ms, the same
    on both sides; ``tag``: what tells this run's names from those of earlier runs on the same brokers."""

    def __init__(
        self, bootstrap: str, name: str, served: dict[str, Versions], seed: int, moment: int, tag: str
    ) -> None:
        host, _, port = bootstrap.rpartition(":")
        self.host, self.port = host, int(port)
        self.name = name
        self.own = name.replace(" ", "-") + tag
        """What the names of a script's topics and groups begin with."""
        self.served = served
        self.random = random.Random(f"{seed} {name}")
        self.moment = moment
        self.exchanges: list[Exchange] = []
        self.topic_ids: dict[str, bytes] = {}
        self._connections: dict[str, Connection] = {}
        self._pending: dict[str, list[tuple[str, int, str, Tree]]] = {}

    # -- asking

    def ask(self, api: str, version: int, what: str = "", /, *, on: str = "a", wait: float = WAIT, **tree: Any) -> Any:
        """Send, receive, keep; the message, or None where there was none."""
        self.send(api, version, what, on=on, **tree)
        return self.receive(on, wait)

    def send(self, api: str, version: int, what: str = "", /, *, on: str = "a", cid: str = "cli", **tree: Any) -> None:
        message = build(request_class(BY_NAME[api].key), tree, version)
        self._connection(on).request(api, version, message, cid)
        self._pending.setdefault(on, []).append((api, version, what, tree))

    def receive(self, on: str = "a", wait: float = WAIT, keep: Callable[[Any], Any] | None = None) -> Any:
        """The answer to the oldest request on a connection that has none yet."""
        if not self._pending.get(on):
            return None
        api, version, what, tree = self._pending[on].pop(0)
        answer = read_answer(BY_NAME[api].key, version, self._connection(on).receive(wait))
        if isinstance(answer, Nothing):  # an answer that comes later must not be taken for the next one's
            self.drop(on)
        self.exchanges.append(Exchange(api, version, what, tree, answer))
        return None if isinstance(answer, Nothing) else answer

    def tell(self, api: str, version: int, /, wait: float = 10.0, **tree: Any) -> Any:
        """Ask for the sake of what happens; the answer isn't compared."""
        answer = self.ask(api, version, on="quiet", wait=wait, **tree)
        del self.exchanges[-1]
        return answer

    def throw(self, key: int, version: int, what: str, frame: bytes, wait: float = 1.0) -> Any:
        """Bytes on a connection of their own, whatever they are; one answer is waited for."""
        connection = Connection(self.host, self.port)
        with contextlib.closing(connection):
            connection.send(frame)
            answer = read_answer(key, version, connection.receive(wait))
        self.exchanges.append(Exchange(NAMES.get(key, f"API {key}"), version, what, frame, answer))
        return answer

    def show(self, filter_it: Callable[[Any], Any]) -> None:
        """Change what is kept of the last answer: a script shares its broker and may see others' topics and groups."""
        last = self.exchanges[-1]
        if not isinstance(last.answer, Nothing):
            filter_it(last.answer)

    def drop(self, on: str) -> None:
        self._pending.pop(on, None)
        if found := self._connections.pop(on, None):
            found.close()

    def close(self) -> None:
        for on in list(self._connections):
            self.drop(on)

    def _connection(self, on: str) -> Connection:
        if on not in self._connections:
            self._connections[on] = Connection(self.host, self.port)
        return self._connections[on]

    # -- arranging

    def frame(self, api: str, version: int, tree: Tree) -> bytes:
        return request_bytes(api, version, build(request_class(BY_NAME[api].key), tree, version))

    def topic(self, name: str, partitions: int = 1, **configs: object) -> bytes:
        """Make a topic, wait until it is led; its id."""
        wanted = [{"name": k.replace("_", "."), "value": str(v)} for k, v in configs.items()]
        topics = [{"name": name, "num_partitions": partitions, "replication_factor": 1, "configs": wanted}]
        self.tell("create_topics", 7, topics=topics, timeout_ms=30000)
        return self.await_topic(name, partitions)

    def await_topic(self, name: str, partitions: int = 1) -> bytes:
        """Apache Kafka announces a topic a moment before all of its broker knows it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self.tell("metadata", 12, topics=[{"name": name}], allow_auto_topic_creation=False)
            found = answer.topics[0] if answer else None
            if found and not found.error_code and len(found.partitions) == partitions:
                asked = [{"partition_index": i, "timestamp": -2} for i in range(partitions)]
                ready = self.tell("list_offsets", 7, replica_id=-1, topics=[{"name": name, "partitions": asked}])
                if ready and not any(p.error_code for p in ready.topics[0].partitions):
                    self.topic_ids[name] = found.topic_id
                    return bytes(found.topic_id)
            time.sleep(0.05)
        raise TimeoutError(f"topic {name} never came")

    def delete_topic(self, name: str) -> None:
        self.tell("delete_topics", 5, topic_names=[name], timeout_ms=10000)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self.tell("metadata", 12, topics=[{"name": name}], allow_auto_topic_creation=False)
            if answer and answer.topics[0].error_code == 3:
                time.sleep(0.3)  # the partitions go a moment after the name
                return
            time.sleep(0.05)
        raise TimeoutError(f"topic {name} never went")

    def batch(self, values: Iterable[bytes | None] = (b"v",), **how: Any) -> bytes:
        how.setdefault("timestamp", self.moment)
        return bytes(records.build([(b"k", value) for value in values], **how))

    def fill(self, topic: str, partition: int = 0, batches: int = 1, **how: Any) -> None:
        """Records, in as many batches."""
        for i in range(batches):
            data = [{"index": partition, "records": self.batch((b"v%d" % i,), **how)}]
            self.tell("produce", 9, acks=-1, timeout_ms=5000, topic_data=[{"name": topic, "partition_data": data}])


NAMES = {api.key: api.module for api in BY_NAME.values()}
