"""The process that reads while others write: consumers, a thread each, and one that watches the group's offsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from conformance.checking.asynchronous import Reader
from conformance.checking.history import Key, Read
from conformance.checking.process import ASIDE, GROUP, LANE, LANE_GROUP, MADE, MOVED, Setting, positions, written

SEEK = 0.05  # of polls
TOPICS = [MOVED, LANE, MADE, ASIDE]


class Readers:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.keys = setting.partitions(*TOPICS)
        self.ended = threading.Event()

    def run(self) -> None:
        bootstrap = self.setting.bootstrap
        work = [
            threading.Thread(target=self.assigned, args=("committed", True, Librdkafka(bootstrap, committed=True))),
            threading.Thread(target=self.assigned, args=("uncommitted", False, Librdkafka(bootstrap, committed=False))),
            threading.Thread(target=self.assigned, args=("aiokafka", True, Reader(bootstrap))),
            threading.Thread(target=self.subscribed),
            threading.Thread(target=self.watch, args=(GROUP, MOVED)),
            threading.Thread(target=self.watch, args=(LANE_GROUP, LANE)),
        ]
        for thread in work:
            thread.start()
        while self.setting.orders.going():
            time.sleep(0.05)
        self.ended.set()
        for thread in work:
            thread.join()

    def assigned(self, name: str, committed: bool, consumer: Librdkafka | Reader) -> None:
        """Reads everything from where it was told to begin, and begins elsewhere now and then."""
        starts = dict.fromkeys(self.keys, 0)
        count = 0
        while not self.ended.is_set():
            count += 1
            me = f"{self.setting.name}-{name}-{count}"
            consumer.assign(starts)
            self.setting.journal.write("start", by=me, offsets=positions(starts))
            while not self.ended.is_set():
                reads = consumer.poll()
                for read in reads:
                    starts[read.key] = read.offset + 1
                self.note(me, committed, reads)
                if reads and self.setting.chance.random() < SEEK:
                    key = self.setting.chance.choice(self.keys)
                    starts[key] = self.setting.chance.randrange(starts[key] + 1)
                    break
        consumer.close()

    def subscribed(self) -> None:
        count = 0

        def again(*_: object) -> None:
            nonlocal count
            count += 1

        consumer = make_consumer(self.setting.bootstrap, committed=True, group=self.setting.name)
        consumer.subscribe(TOPICS, on_assign=again, on_revoke=again)
        while not self.ended.is_set():
            before = count
            reads = poll(consumer)
            if count == before:  # else nobody knows which of them came before the change
                self.note(f"{self.setting.name}-subscribed-{count}", True, reads)
        consumer.close()

    def watch(self, group: str, topic: str) -> None:
        """Whatever the group's offsets are at the moment, whether or not a transaction is about to change them."""
        consumer = make_consumer(self.setting.bootstrap, committed=False, group=group)
        while not self.ended.is_set():
            offsets = committed(consumer, self.setting.partitions(topic))
            if offsets is not None:
                self.setting.journal.write("watch", offsets=positions(offsets))
            time.sleep(0.03)
        consumer.close()

    def note(self, me: str, committed: bool, reads: list[Read]) -> None:
        if reads:
            self.setting.journal.write("poll", by=me, committed=committed, reads=written(reads))


class Librdkafka:
    def __init__(self, bootstrap: str, *, committed: bool) -> None:
        self._inner = make_consumer(bootstrap, committed=committed)

    def assign(self, offsets: dict[Key, int]) -> None:
        assign(self._inner, offsets)

    def poll(self) -> list[Read]:
        return poll(self._inner)

    def close(self) -> None:
        self._inner.close()


def make_consumer(
    bootstrap: str, *, committed: bool, group: str = "reader", more: Mapping[str, Any] | None = None
) -> Any:
    from confluent_kafka import Consumer

    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20,
            "log_level": 0,
            **(more or {}),
        }
    )


def assign(consumer: Any, offsets: dict[Key, int]) -> None:
    from confluent_kafka import TopicPartition

    consumer.assign([TopicPartition(*key, offset) for key, offset in offsets.items()])


def poll(consumer: Any, seconds: float = 0.1) -> list[Read]:
    messages = consumer.consume(200, seconds)
    return [
        Read((one.topic(), one.partition()), one.offset(), one.value().decode()) for one in messages if not one.error()
    ]


def committed(consumer: Any, keys: list[Key]) -> dict[Key, int] | None:
    """The offsets of the consumer's group; None: nobody answered."""
    from confluent_kafka import KafkaException, TopicPartition

    try:
        told = consumer.committed([TopicPartition(*key) for key in keys], timeout=5)
    except KafkaException:
        return None
    return {(one.topic, one.partition): one.offset for one in told if one.offset >= 0 and one.error is None}
