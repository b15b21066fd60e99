"""Transactional producers of several clients behind one interface, each call tried again as its client asks for.

``Aborting``: the transaction can only be aborted. ``Gone``: the producer can't go on, and whoever was about to commit
doesn't know whether it did.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from conformance.checking.history import Key

PATIENCE_S = 20.0
TIMEOUT_MS = 3_000
"""Of transactions: pauses are longer than that."""

HUNG = 3
"""The exit code of a process whose client doesn't come back."""

Heard = Callable[[str, int], None]  # a value and its offset


class Aborting(Exception):
    """The transaction can only be aborted."""


class Gone(Exception):
    """``code``: with which the broker refused the producer, as far as its client tells."""

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.code = code


@contextlib.contextmanager
def coming_back() -> Iterator[None]:
    """Around a call that some clients don't return from, whatever they were told: then the process ends, there being no
    other way out. The run says how often that happened.
    """
    hung = threading.Timer(2 * TIMEOUT_MS / 1000, os._exit, (HUNG,))
    hung.daemon = True
    hung.start()
    try:
        yield
    finally:
        hung.cancel()


class Producer(Protocol):
    def init(self) -> None: ...

    def begin(self) -> None: ...

    def send(self, key: Key, value: str) -> None: ...

    def flush(self) -> None:
        """Until everything that was sent is answered."""

    def offsets(self, offsets: dict[Key, int], member: Any) -> None:
        """``member``: what the consumer calls its group's metadata."""

    def commit(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


class Confluent:
    """librdkafka, which speaks transaction version 1."""

    def __init__(self, bootstrap: str, transactional_id: str, heard: Heard) -> None:
        from confluent_kafka import Producer as Inner

        self._heard = heard
        self._inner = Inner(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TIMEOUT_MS,
                "linger.ms": 1,
                "retry.backoff.ms": 20,
                "retry.backoff.max.ms": 200,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            }
        )

    def _patiently(self, what: Callable[..., Any], *arguments: Any) -> None:
        from confluent_kafka import KafkaException

        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                what(*arguments)
                return
            except KafkaException as error:
                told = error.args[0]
                if told.txn_requires_abort():
                    raise Aborting(str(told)) from error
                if not told.retriable() or time.monotonic() > until:
                    raise Gone(str(told)) from error
                time.sleep(0.02)

    def init(self) -> None:
        self._patiently(self._inner.init_transactions, 10)

    def begin(self) -> None:
        self._patiently(self._inner.begin_transaction)

    def send(self, key: Key, value: str) -> None:
        self._patiently(lambda: self._inner.produce(key[0], value.encode(), partition=key[1], on_delivery=self._told))

    def _told(self, error: Any, message: Any) -> None:
        if error is None and message.offset() >= 0:
            self._heard(message.value().decode(), message.offset())

    def flush(self) -> None:
        from confluent_kafka import KafkaException

        try:
            self._inner.flush(PATIENCE_S)
        except (KafkaException, SystemError) as error:  # the latter is how a fatal error looks in a callback
            raise Gone(str(error)) from error

    def offsets(self, offsets: dict[Key, int], member: Any) -> None:
        """librdkafka 2.16 may wait for ever when the coordinator went away meanwhile, whatever the timeout."""
        from confluent_kafka import KafkaException, TopicPartition

        asked = [TopicPartition(*key, offset) for key, offset in offsets.items()]
        try:
            with coming_back():
                self._inner.send_offsets_to_transaction(asked, member, TIMEOUT_MS / 1000)
        except KafkaException as error:
            raise (Aborting if error.args[0].txn_requires_abort() else Gone)(str(error)) from error

    def commit(self) -> None:
        self._patiently(self._inner.commit_transaction, 10)

    def abort(self) -> None:
        self._patiently(self._inner.abort_transaction, 10)

    def close(self) -> None:
        from confluent_kafka import KafkaException

        with contextlib.suppress(KafkaException):  # it can't even flush once it is fenced
            self._inner.purge(in_queue=True, in_flight=True, blocking=False)
            self._inner.flush(0)


class KafkaPython:
    """kafka-python, which speaks it too, in code of its own."""

    def __init__(self, bootstrap: str, transactional_id: str, heard: Heard) -> None:
        from kafka import KafkaProducer

        self._heard = heard
        self._sent: list[tuple[str, Any]] = []
        self._make = partial(
            KafkaProducer,
            bootstrap_servers=bootstrap,
            transactional_id=transactional_id,
            transaction_timeout_ms=TIMEOUT_MS,
            linger_ms=1,
            retry_backoff_ms=20,
            reconnect_backoff_ms=20,
            reconnect_backoff_max_ms=100,
            request_timeout_ms=10_000,
            delivery_timeout_ms=30_000,
            max_block_ms=PATIENCE_S * 1000,
            metrics_enabled=False,
        )
        self._inner: Any = None

    def _do(self, what: Callable[[], Any]) -> None:
        from kafka import errors

        try:
            what()
        except (errors.ProducerFencedError, errors.IllegalStateError, errors.KafkaTimeoutError) as error:
            raise Gone(repr(error)) from error
        except errors.KafkaError as error:
            raise Aborting(repr(error)) from error

    def init(self) -> None:
        def init() -> None:
            self._inner = self._make()  # which asks the broker for its name already
            self._inner.init_transactions()

        self._do(init)

    def begin(self) -> None:
        self._sent = []
        self._do(self._inner.begin_transaction)

    def send(self, key: Key, value: str) -> None:
        def send() -> None:
            self._sent.append((value, self._inner.send(key[0], value.encode(), partition=key[1])))

        self._do(send)

    def flush(self) -> None:
        def flush() -> None:
            for value, future in self._sent:
                self._heard(value, future.get(PATIENCE_S).offset)
            self._sent = []

        self._do(flush)

    def offsets(self, offsets: dict[Key, int], member: Any) -> None:
        raise NotImplementedError

    def commit(self) -> None:
        self.flush()
        with coming_back():
            self._do(self._inner.commit_transaction)

    def abort(self) -> None:
        with coming_back():
            self._do(self._inner.abort_transaction)

    def close(self) -> None:
        from kafka.errors import KafkaError

        if self._inner is not None:
            with contextlib.suppress(KafkaError):
                self._inner.close(timeout=0)


def make(client: str, bootstrap: str, transactional_id: str, heard: Heard) -> Producer:
    from conformance.checking.asynchronous import Aiokafka
    from conformance.checking.bumping import Bumping

    makers: dict[str, Callable[[str, str, Heard], Producer]] = {
        "aiokafka": Aiokafka,
        "confluent": Confluent,
        "kafka-python": KafkaPython,
        "version 2": Bumping,
    }
    return makers[client](bootstrap, transactional_id, heard)
