"""Transactions under kill -9: what was committed is there, all of it and once; what was aborted nobody sees."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from conformance.killing.load import ANSWER_SECONDS, Lost, Stream, create, producer, read

TOPIC = "moved"
PARTITIONS = 2


class Aborted(Exception):
    """The transaction came to nothing, says the client."""


class Transactions(Stream):
    """Transactions over two partitions, one after the other; a part of them is aborted."""

    def __init__(self, bootstrap: str, chance: random.Random, admin: AdminClient) -> None:
        create(admin, TOPIC, PARTITIONS, retention_ms="-1")
        self.count = 0
        self.sizes: dict[int, int] = {}
        """Messages in each partition of every transaction that was committed."""
        self.perhaps: dict[int, int] = {}
        """The same of those whose commit nobody answered."""
        self.producer: Producer | None = None
        self.bootstrap = bootstrap
        super().__init__(bootstrap, chance)

    def step(self) -> None:
        if self.producer is None:
            self.producer = producer(self.bootstrap, **{"transactional.id": "mover", "transaction.timeout.ms": 60_000})
            self._patiently(lambda: self._own.init_transactions(10))
        self.count += 1
        size = self.chance.randrange(1, 20)
        committing = False
        try:
            self._patiently(self._own.begin_transaction)
            for number in range(size):
                for partition in range(PARTITIONS):
                    self._own.produce(TOPIC, b"%d:%d" % (self.count, number), partition=partition)
            if self.chance.random() < 0.3:
                raise Aborted
            committing = True
            self._patiently(lambda: self._own.commit_transaction(10))
            self.sizes[self.count] = size
        except Aborted:
            try:
                self._patiently(lambda: self._own.abort_transaction(10))
            except (Aborted, KafkaException):
                self.producer = None
        except KafkaException:  # final for this producer: its successor ends what it left open
            self.producer = None
            if committing:
                self.perhaps[self.count] = size
        time.sleep(self.chance.choice((0.001, 0.01)))

    @property
    def _own(self) -> Producer:
        assert self.producer is not None
        return self.producer

    @staticmethod
    def _patiently(what: Callable[[], Any]) -> None:
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                what()
                return
            except KafkaException as error:
                told = error.args[0]
                if told.txn_requires_abort():
                    raise Aborted from error
                if not told.retriable() or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def check(self) -> int:
        looked_at = 0
        for partition in range(PARTITIONS):
            found = [
                tuple(map(int, message.value().split(b":")))
                for message in read(self.bootstrap, TOPIC, partition, 0, {"isolation.level": "read_committed"})
            ]
            looked_at += len(found)
            there = sorted({transaction for transaction, _ in found})
            sizes = self.perhaps | self.sizes
            if foreign := set(there) - sizes.keys():
                raise Lost(f"{TOPIC}-{partition}: transactions {sorted(foreign)[:3]} were not committed")
            if missing := self.sizes.keys() - set(there):
                raise Lost(f"{TOPIC}-{partition}: transactions {sorted(missing)[:3]} were committed")
            if found != [(transaction, number) for transaction in there for number in range(sizes[transaction])]:
                raise Lost(f"{TOPIC}-{partition}: a committed transaction is not there once, whole and in order")
        return looked_at
