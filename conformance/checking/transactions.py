"""Writers and movers, a process each: transactions of several sends to several partitions, some aborted on purpose.

A mover takes what writers have committed, and commits the offsets of what it took together with what it made of it.
"""

from __future__ import annotations

import time
from typing import Any

from conformance.checking.history import Key
from conformance.checking.process import ASIDE, LANE, MADE, MOVED, Setting, pause, positions
from conformance.checking.producers import TIMEOUT_MS, Aborting, Gone, Producer, make
from conformance.checking.sources import Lane, Subscribed

ABORTED = 0.25  # of all transactions, on purpose


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
            self.journal.write("init", by=self.instance, id=self.setting.transactional_id, timeout_ms=TIMEOUT_MS)
            producer = make(self.setting.client, self.setting.bootstrap, self.setting.transactional_id, self.heard)
            try:
                producer.init()
                self.journal.write("ready", by=self.instance)
                while self.going():
                    self.step(producer)
            except (Gone, Aborting) as why:
                self.journal.write("gone", by=self.instance, why=str(why), code=getattr(why, "code", ""))
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
        keys = self.setting.partitions(MOVED, LANE, ASIDE)
        self.chance.shuffle(keys)
        keys = keys[: self.chance.randrange(2, len(keys) + 1)]
        sends = [(key, "") for key in keys for _ in range(self.chance.choice((1, 1, 2, 5)))]
        abort = self.chance.random() < ABORTED
        if abort:  # somewhere on the way
            sends = sends[: self.chance.randrange(1, len(sends) + 1)]
        self.transact(producer, sends, abort=abort)
        time.sleep(self.chance.choice((0, 0.01, 0.05)))


class Mover(Transactor):
    """Whenever it isn't sure to have committed what it took, it takes it again from the offsets that its group has."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.source = Lane(setting) if setting.client == "aiokafka" else Subscribed(setting)
        self.sure = False

    def run(self) -> None:
        super().run()
        self.source.close()

    def step(self, producer: Producer) -> None:
        if not self.sure:
            self.sure = self.source.rewind()
            return
        taken = self.source.take(self.chance.choice((1, 5, 30)))
        if not taken:
            self.sure = taken is not None
            return
        made = self.setting.partitions(MADE)
        sends = [(self.chance.choice(made), "<" + one.value) for one in taken]
        offsets = {one.key: one.offset + 1 for one in taken}
        self.sure = False
        self.sure = self.transact(producer, sends, offsets, self.source.member(), abort=self.chance.random() < ABORTED)
