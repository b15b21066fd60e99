"""The load: threads that write, commit, delete and make topics, and remember what they were told.

Every stream pauses between rounds with everything it has sent answered. An idempotent producer sends again what was in
flight when the broker died, so from then on the log must hold each message once and in order: there is no "perhaps".
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conformance.patience import Patience

ANSWER_SECONDS = 60
SMALL = {"segment.ms": "100", "segment.bytes": "1048576", "file.delete.delay.ms": "100", "index.interval.bytes": "1000"}


class Lost(AssertionError):
    """What a client was told is not so."""


def producer(bootstrap: str, **settings: Any) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 1,
            "message.timeout.ms": ANSWER_SECONDS * 1000,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
            **settings,
        }
    )


def consumer(bootstrap: str, group: str = "reader", **settings: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "enable.partition.eof": True,
            "log_level": 0,
            **settings,
        }
    )


def patiently(what: Callable[[], Any]) -> Any:
    """Again and again while the broker is away."""
    patience = Patience(ANSWER_SECONDS)
    while True:
        try:
            return what()
        except (KafkaException, TimeoutError) as error:
            final = isinstance(error, KafkaException) and error.args[0].code() in _FINAL
            if patience.ended() or final:
                raise
            time.sleep(0.05)


_FINAL = {KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.INVALID_CONFIG}


def create(admin: AdminClient, topic: str, partitions: int, **configs: str) -> None:
    settings = SMALL | {key.replace("_", "."): value for key, value in configs.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, config=settings)], request_timeout=10)[topic].result(20)


class Stream:
    """A thread that repeats ``step`` while it may, and comes to rest between rounds."""

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        self.bootstrap = bootstrap
        self.chance = chance
        self.failure: BaseException | None = None
        self._going = threading.Event()
        self._resting = threading.Event()
        self._resting.set()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._going.wait()
            if self._ended:
                return
            try:
                self.step()
                if not self._going.is_set():
                    self.settle()
                    self._resting.set()
            except BaseException as error:
                self.failure = error
                self._resting.set()
                return

    def go(self) -> None:
        self._resting.clear()
        self._going.set()

    def rest(self) -> None:
        """Until everything is answered."""
        self._going.clear()
        if not self._resting.wait(ANSWER_SECONDS + 30):
            raise Lost(f"{type(self).__name__} had no answer for {ANSWER_SECONDS + 30} s")
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        self._ended = True
        self._going.set()

    def step(self) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        """Wait for answers."""

    def check(self) -> int:
        """Compare what is stored with what was said; returns the number of records looked at."""
        raise NotImplementedError


class Writing(Stream):
    """Idempotent producers: what is sent, and that all of it was taken."""

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        self.producer = producer(bootstrap)
        self.refused: list[str] = []
        super().__init__(bootstrap, chance)

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self.producer.produce(topic, value, key, partition, on_delivery=self._heard)
                break
            except BufferError:
                self.producer.poll(0.05)
        self.producer.poll(0)

    def _heard(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self.refused.append(f"{message.topic()}-{message.partition()} {message.value()[:20]!r}: {error}")

    def settle(self) -> None:
        if self.producer.flush(ANSWER_SECONDS + 20):
            raise Lost("the producer has messages that nobody answered")
        if self.refused:
            raise Lost(f"{len(self.refused)} messages were refused, the first: {self.refused[0]}")


def read(bootstrap: str, topic: str, partition: int, start: int, settings: dict[str, Any] | None = None) -> list[Any]:
    """Every message from ``start`` (or where the log starts by now) to its end."""
    reader = consumer(bootstrap, **(settings or {}))
    found: list[Any] = []
    try:
        here = TopicPartition(topic, partition, start)
        low, high = patiently(lambda: reader.get_watermark_offsets(here, timeout=10))
        here.offset = max(start, low)
        if here.offset > high:
            raise Lost(f"{topic}-{partition} ends at {high}, {start} was read before")
        reader.assign([here])
        patience = Patience(ANSWER_SECONDS)
        while not patience.ended():
            for message in reader.consume(5_000, 1.0):
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    return found
                elif not error.retriable():
                    raise Lost(f"{topic}-{partition}: {error}")
        raise Lost(f"{topic}-{partition} can't be read to its end")
    finally:
        reader.close()
