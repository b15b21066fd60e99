"""The one interface behind which stock clients stand, so that a scenario is written once and judged by each of them.

A driver translates and nothing more: it keeps its client's defaults wherever a scenario doesn't ask for something
else, because the defaults are what people run. What a client has no way to say stands in its `cannot` table with the
reason; a scenario that needs it is skipped by name and listed at the end of the run.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LOCAL = ("confluent", "aiokafka", "kafka-python", "kcat")  # what PyPI and Debian suffice for
REMOTE = (
    "java",
    "java-old",
    "kafkajs",
    "confluent-js",
    "platformatic",
    "franz-go",
    "sarama",
    "kafka-go",
    "rust-rdkafka",
    "rskafka",
)
CLIENTS = LOCAL + REMOTE
MODULES = {
    "confluent": "conformance.clients.confluent",
    "aiokafka": "conformance.clients.aiokafka_driver",
    "kafka-python": "conformance.clients.kafka_python",
    "kcat": "conformance.clients.kcat",
}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Message:
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Sent(NamedTuple):
    partition: int
    offset: int


class Failed(Exception):
    """The broker's refusal as the client passed it on; `code` is Kafka's number, or -1 when the client hides it."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Cannot(Exception):
    """The client has no way to say what it was asked to say: the scenario is skipped, with the reason."""


class Unanswered(Exception):
    """Nothing, or not enough, came before the deadline."""


Done = Callable[[Sent | Failed], None]


class Producer(Protocol):
    def start(self, topic: str, message: Message, done: Done) -> None: ...

    def flush(self, timeout: float) -> None: ...

    def begin(self) -> None: ...

    def commit(self) -> None:
        """Sends what is waiting, and returns once the coordinator has decided."""

    def abort(self) -> None: ...

    def send_offsets(self, consumer: Consumer, offsets: Mapping[tuple[str, int], int]) -> None:
        """As part of the transaction: where the consumer, made with the same `transactional`, goes on. Some clients
        take what it polled instead, so a scenario gives just that."""

    def close(self) -> None: ...


class Consumer(Protocol):
    def poll(self, timeout: float) -> list[Received]: ...

    def assignment(self) -> set[tuple[str, int]]: ...

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None: ...

    def seek(self, topic: str, partition: int, offset: int) -> None: ...

    def close(self) -> None: ...


class Admin(Protocol):
    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None: ...

    def delete(self, topic: str) -> None: ...

    def topics(self) -> dict[str, int]:
        """Every topic and how many partitions it has."""

    def grow(self, topic: str, partitions: int) -> None: ...

    def configs(self, topic: str) -> dict[str, str | None]: ...

    def alter(self, topic: str, configs: Mapping[str, str]) -> None: ...

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        """The new start of the log."""

    def groups(self) -> set[str]: ...

    def members(self, group: str) -> list[tuple[str, str | None]]:
        """(client id, instance id) of each member."""

    def group_state(self, group: str) -> str: ...

    def committed(self, group: str, topic: str) -> dict[int, int]: ...

    def alter_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None: ...

    def delete_offsets(self, group: str, topic: str, partitions: Sequence[int]) -> None: ...

    def delete_group(self, group: str) -> None: ...

    def brokers(self) -> dict[int, tuple[str, int]]:
        """Node id → (host, port)."""

    def broker_configs(self, broker: int) -> dict[str, str | None]: ...

    def close(self) -> None: ...


class Client(Protocol):
    name: str
    bootstrap: str
    cannot: Mapping[str, str]
    hides: frozenset[int]  # error codes that the client turns into "unknown"

    def version(self) -> str: ...

    def producer(self, **options: object) -> Producer:
        """Options: codec, acks (0, 1, "all"), idempotent, linger_ms, max_request (bytes), timeout_ms, batch (bytes),
        transactional (an id: the producer is initialised with it before this returns), transaction_ms."""

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        """Options: strategy (range, roundrobin, cooperative-sticky), instance, reset (earliest, latest), session_ms,
        limit (records), max_fetch (bytes), isolation (read_committed, read_uncommitted), transactional (the id of the
        producer that will send this consumer's offsets)."""

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        """`count` records of one partition from an offset on, with no group; Unanswered when they don't come."""

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        """ListOffsets: -1 the end, -2 the beginning, otherwise a time; None: nothing that late."""

    def partitions(self, topic: str) -> int: ...

    def admin(self) -> Admin: ...


def client(name: str, bootstrap: str) -> Client:
    if name in REMOTE:
        from conformance.clients import remote

        return remote.Driver(name, bootstrap)
    made: Client = importlib.import_module(MODULES[name]).Driver(bootstrap)
    return made


def available(name: str) -> str | None:
    """None when the client can run here, else the one line that says what is missing."""
    reason: str | None
    if name in REMOTE:
        reason = importlib.import_module("conformance.clients.remote").missing(name)
    else:
        reason = importlib.import_module(MODULES[name]).missing()
    return reason


def produce(
    client: Client, topic: str, messages: Iterable[Message], *, timeout: float = 30, **options: object
) -> list[Sent]:
    """Send all, wait for all; the first refusal is raised. Answers stand in the order in which they came."""
    answers: list[Sent | Failed] = []
    producer = client.producer(**options)
    n = 0
    try:
        for message in messages:
            producer.start(topic, message, answers.append)
            n += 1
        producer.flush(timeout)
    finally:
        producer.close()
    sent = []
    for answer in answers:
        if isinstance(answer, Failed):
            raise answer
        sent.append(answer)
    if len(sent) != n:
        raise Unanswered(f"{len(sent)} of {n} messages were answered within {timeout} s")
    return sent


def gather(consumer: Consumer, count: int, timeout: float = 30) -> list[Received]:
    """Poll until `count` records are there."""
    got: list[Received] = []
    deadline = time.monotonic() + timeout
    while len(got) < count:
        if time.monotonic() > deadline:
            raise Unanswered(f"{len(got)} of {count} records within {timeout} s")
        got += consumer.poll(0.2)
    return got


@contextlib.contextmanager
def refused(client: Client, *codes: int) -> Iterator[None]:
    """The block must end in one of these refusals, as far as the client lets one see which."""
    try:
        yield
    except Failed as refusal:
        if refusal.code in codes or (refusal.code == -1 and client.hides & set(codes)):
            return
        raise AssertionError(f"refused with {refusal}, expected {codes}") from refusal
    raise AssertionError(f"not refused, expected {codes}")


@contextlib.contextmanager
def fails(client: Client, *codes: int) -> Iterator[None]:
    """The block must fail, but many a client finds out by itself, waits in vain, or says so in a code of its own."""
    try:
        yield
    except Failed as refusal:
        if refusal.code in codes or refusal.code < 0:
            return
        raise AssertionError(f"refused with {refusal}, expected {codes}") from refusal
    except Unanswered:
        return
    raise AssertionError(f"not refused, expected {codes}")


def eventually(check: Callable[[], object], what: str, timeout: float = 30, pause: float = 0.05) -> None:
    """Wait for an event, not for seconds: the check is asked again until it is true or the deadline has passed."""
    deadline = time.monotonic() + timeout
    refusal: Failed | None = None
    while True:
        try:
            if check():
                return
        except Failed as error:  # not there yet, perhaps
            refusal = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}" + (f" (last refusal: {refusal})" if refusal else ""))
        time.sleep(pause)
