"""Writers and movers, a process each: transactions of several sends to several partitions, some aborted on purpose.

A mover takes what writers have committed, and commits the offsets of what it took together with what it made of it.
"""

from __future__ import annotations

import time
from typing import Any

from conformance.checking.history import Key
from conformance.checking.process import Setting, pause, positions
from conformance.checking.producers import Aborting, Gone, Producer, make

ABORTED = 0.25  # of all transactions, on purpose
MOVED, MADE, ASIDE = "moved", "made", "aside"
GROUP = "movers"


class Transactor:
    """One process under one transactional id: a producer as long as it lasts, then another one."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.journal, self.chance, self.orders = setting.journal, setting.chance, setting.orders
        self.made = 0
        self.count = 0
        self.instance = ""
        self.producer: Producer | None = None
        self.names: dict[str, str] = {}  # value -> transaction, of values that nobody has heard of yet

    def run(self) -> None:
        while self.going():
            self.made += 1
            self.instance = f"{self.setting.name}#{self.made}"
            self.journal.write("init", by=self.instance, id=self.setting.transactional_id)
            producer = make(self.setting.client, self.setting.bootstrap, self.setting.transactional_id, self.heard)
            try:
                producer.init()
                self.journal.write("ready", by=self.instance)
                while self.going():
                    self.step(producer)
            except (Gone, Aborting) as why:
                self.journal.write("gone", by=self.instance, why=str(why))
                time.sleep(self.chance.uniform(0.1, 1))  # two under one name would do nothing but fence each other
            finally:
                producer.close()

    def going(self) -> bool:
        return self.orders.going()

    def step(self, producer: Producer) -> None:
        raise NotImplementedError

    def heard(self, value: str, offset: int) -> None:
        self.journal.write("told", txn=self.names.pop(value), value=value, offset=offset)

    def transact(
        self,
        producer: Producer,
        sends: list[tuple[Key, str]],
        offsets: dict[Key, int] | None = None,
        member: Any = None,
        *,
        abort: bool,
    ) -> bool:
        """Send, and commit or abort. Whether it was committed; Gone if nobody knows."""
        self.count += 1
        name = f"{self.instance}.{self.count}"
        journal = self.journal
        journal.write("begin", txn=name, by=self.instance)
        stop = self.chance.randrange(1, len(sends) + 1) if self.orders.paused() else 0
        try:
            producer.begin()
            for number, (key, origin) in enumerate(sends):
                if stop and number == stop:
                    self._pause(producer)
                value = f"{name}.{number}{origin}"
                self.names[value] = name
                journal.write("send", txn=name, key=key, value=value)
                producer.send(key, value)
            if stop == len(sends):
                self._pause(producer)
            elif self.chance.random() < 0.5:
                producer.flush()
                time.sleep(self.chance.choice((0, 0.01, 0.05, 0.1)))
            if offsets is not None:
                journal.write("offsets", txn=name, offsets=positions(offsets))
                producer.offsets(offsets, member)
                time.sleep(self.chance.choice((0, 0, 0.1)))
            if not abort:
                journal.write("commit", txn=name)
                producer.commit()
                journal.write("ended", txn=name, outcome="committed")
                return True
        except Aborting as why:
            journal.write("refused", txn=name, why=str(why))
        journal.write("abort", txn=name)
        producer.abort()
        journal.write("ended", txn=name, outcome="aborted")
        return False

    def _pause(self, producer: Producer) -> None:
        """In the middle of a transaction, what was sent so far being in the log."""
        producer.flush()
        self.journal.write("paused", by=self.instance)
        pause()
        self.journal.write("goes on", by=self.instance)


class Writer(Transactor):
    def step(self, producer: Producer) -> None:
        keys = self.setting.partitions(MOVED, ASIDE)
        self.chance.shuffle(keys)
        keys = keys[: self.chance.randrange(2, len(keys) + 1)]
        sends = [(key, "") for key in keys for _ in range(self.chance.choice((1, 1, 2, 5)))]
        self.transact(producer, sends, abort=self.chance.random() < ABORTED)
        time.sleep(self.chance.choice((0, 0.01, 0.05)))


class Mover(Transactor):
    """A member of the group. Whenever it isn't sure to have committed what it took, it takes it again from the offsets
    that the group has.
    """

    def __init__(self, setting: Setting) -> None:
        from confluent_kafka import Consumer

        super().__init__(setting)
        self.mine: list[Any] = []
        self.changed = True
        self.consumer = Consumer(
            {
                "bootstrap.servers": setting.bootstrap,
                "group.id": GROUP,
                "session.timeout.ms": 2_000,
                "heartbeat.interval.ms": 300,
                "max.poll.interval.ms": 8_000,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "retry.backoff.ms": 20,
                "log_level": 0,
            }
        )
        self.consumer.subscribe([MOVED], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.revoked)

    def assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self.mine, self.changed = partitions, True

    def revoked(self, consumer: Any, partitions: list[Any]) -> None:
        self.mine, self.changed = [], True

    def run(self) -> None:
        super().run()
        self.consumer.close()

    def step(self, producer: Producer) -> None:
        self.changed = False
        messages = [one for one in self.consumer.consume(self.chance.choice((1, 5, 30)), 0.1) if not one.error()]
        if not messages:
            return
        if self.changed:  # some of these may be of partitions that are another's by now
            self.rewind()
            return
        member = self.consumer.consumer_group_metadata()
        made = self.setting.partitions(MADE)
        sends = [(self.chance.choice(made), "<" + one.value().decode()) for one in messages]
        offsets = {(one.topic(), one.partition()): one.offset() + 1 for one in messages}
        committed = False
        try:
            committed = self.transact(producer, sends, offsets, member, abort=self.chance.random() < ABORTED)
        finally:
            if not committed:
                self.rewind()

    def rewind(self) -> None:
        """Back to the offsets of the group, which are told once no transaction can change them any more."""
        from confluent_kafka import OFFSET_BEGINNING, KafkaException

        while self.mine and self.going():
            try:
                there = self.consumer.committed(self.mine, timeout=5)
                for one in there:
                    one.offset = one.offset if one.offset >= 0 else OFFSET_BEGINNING
                    self.consumer.seek(one)
                return
            except KafkaException:
                time.sleep(0.02)
                if not self.consumer.assignment():
                    return
