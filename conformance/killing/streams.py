"""The streams of a kill round: what each does to the broker, and what must be true of it afterwards."""

from __future__ import annotations

import random
import time
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from conformance.killing.load import Lost, Stream, Writing, consumer, create, patiently, read
from conformance.killing.transactions import Transactions


class Numbers(Writing):
    """Numbers in several partitions, on a topic that keeps all and on one whose old segments go."""

    PARTITIONS = 3
    BURST = 40

    def __init__(self, bootstrap: str, chance: random.Random, admin: AdminClient) -> None:
        create(admin, "kept", self.PARTITIONS, retention_ms="-1")
        create(admin, "short", 1, retention_bytes="100000")
        self.sent = {("kept", n): 0 for n in range(self.PARTITIONS)} | {("short", 0): 0}
        self.seen = dict.fromkeys(self.sent, (0, 0))  # the next offset to look at, and the number it must have
        super().__init__(bootstrap, chance)

    def step(self) -> None:
        topic, partition = self.chance.choice(list(self.sent))
        padding = bytes(self.chance.choice((0, 10, 300)))
        for _ in range(self.BURST):
            number = self.sent[topic, partition]
            self.sent[topic, partition] += 1
            self.send(topic, partition, b"%d" % (number % 50), b"%d " % number + padding)
        self.producer.poll(0)
        time.sleep(self.chance.choice((0.005, 0.02, 0.05)))

    def check(self) -> int:
        count = 0
        for (topic, partition), sent in self.sent.items():
            offset, number = self.seen[topic, partition]
            for message in read(self.bootstrap, topic, partition, offset):
                found = int(message.value().split(b" ")[0])
                if topic == "short" and message.offset() > offset:  # retention went on
                    number += message.offset() - offset
                if (message.offset(), found) != (message.offset(), number):
                    raise Lost(f"{topic}-{partition} offset {message.offset()} holds {found}, {number} is due")
                if topic == "kept" and message.offset() != offset:
                    raise Lost(f"{topic}-{partition} offset {offset} is not there, {message.offset()} is")
                offset, number, count = message.offset() + 1, number + 1, count + 1
            if number != sent and not (topic == "short" and number < sent and self._emptied(offset)):
                raise Lost(f"{topic}-{partition} ends with {number}, {sent} were acknowledged")
            self.seen[topic, partition] = offset, number
        return count

    def _emptied(self, offset: int) -> bool:
        """Retention may have taken all that there was; then the log begins where it ends."""
        low, high = patiently(
            lambda: consumer(self.bootstrap).get_watermark_offsets(TopicPartition("short", 0), timeout=10)
        )
        return bool(low == high == self.sent["short", 0] and offset <= low)


class Keys(Writing):
    """A compacted topic: hot keys that are written over and over, cold ones that are written once, and deletions."""

    HOT = 30

    def __init__(self, bootstrap: str, chance: random.Random, admin: AdminClient) -> None:
        create(
            admin,
            "compacted",
            1,
            cleanup_policy="compact",
            min_cleanable_dirty_ratio="0.01",
            max_compaction_lag_ms="500",
            delete_retention_ms="0",
        )
        self.last: dict[bytes, bytes | None] = {}
        self.count = 0
        super().__init__(bootstrap, chance)

    def step(self) -> None:
        for _ in range(25):
            self.count += 1
            key = b"hot%d" % self.chance.randrange(self.HOT)
            if self.count % 20 == 0:
                key = b"cold%d" % self.count
            value = b"" if self.count % 33 == 0 else b"%d " % self.count + bytes(100)
            self.last[key] = value
            self.send("compacted", 0, key, value)
        self.producer.poll(0)
        time.sleep(self.chance.choice((0.01, 0.05)))

    def check(self) -> int:
        found: dict[bytes, bytes] = {}
        messages = read(self.bootstrap, "compacted", 0, 0)
        before = -1
        for message in messages:
            if message.offset() <= before:
                raise Lost(f"compacted: offset {message.offset()} comes behind {before}")
            before = message.offset()
            found[message.key()] = message.value()
        for key, value in self.last.items():
            if found.get(key) != value:
                raise Lost(f"compacted: {key!r} is {(found.get(key) or b'nothing')[:20]!r}, {value[:20]!r} was last")  # type: ignore[index]
        if found.keys() - self.last.keys():
            raise Lost(f"compacted: foreign keys {sorted(found.keys() - self.last.keys())[:3]}")
        return len(messages)


class Commits(Stream):
    """Committed offsets: never behind what was answered, never ahead of what was asked."""

    GROUPS = 3

    def __init__(self, bootstrap: str, chance: random.Random, admin: AdminClient) -> None:
        create(admin, "committed", 1)
        self.members = [consumer(bootstrap, f"group-{n}") for n in range(self.GROUPS)]
        self.answered = [0] * self.GROUPS
        self.asked = [0] * self.GROUPS
        super().__init__(bootstrap, chance)

    def step(self) -> None:
        n = self.chance.randrange(self.GROUPS)
        self.asked[n] += 1
        offset = self.asked[n]
        try:
            self.members[n].commit(offsets=[TopicPartition("committed", 0, offset)], asynchronous=False)
            self.answered[n] = offset
        except KafkaException:
            pass  # the broker died; it may have taken this or not

    def check(self) -> int:
        for n, member in enumerate(self.members):
            here = [TopicPartition("committed", 0)]
            committed = patiently(lambda member=member, here=here: member.committed(here, timeout=10))[0].offset
            if not self.answered[n] <= max(committed, 0) <= self.asked[n]:
                raise Lost(
                    f"group-{n} is at {committed}, {self.answered[n]} was answered and {self.asked[n]} asked for"
                )
        return self.GROUPS


class Topics(Writing):
    """One topic that is deleted and made anew all the time, each with a few records of its own."""

    def __init__(self, bootstrap: str, chance: random.Random, admin: AdminClient) -> None:
        self.admin = admin
        self.life = 0
        self.whole = False
        """Whether this life's records are all acknowledged and nobody has asked for its deletion yet."""
        super().__init__(bootstrap, chance)

    def step(self) -> None:
        if self.life:
            self.whole = False
            patiently(self._delete)
        self.life += 1
        patiently(self._create)
        # A new producer for a new topic: sequence numbers begin anew with it.
        one = Writing(self.bootstrap, self.chance)
        for number in range(self.chance.randrange(1, 200)):
            one.send("fleeting", 0, None, b"%d:%d" % (self.life, number))
            self.count = number + 1
        one.settle()
        one.end()
        self.whole = True

    def _delete(self) -> None:
        try:
            self.admin.delete_topics(["fleeting"], request_timeout=10)["fleeting"].result(20)
        except KafkaException as error:
            if error.args[0].code() != 3:  # it went at the first attempt, whose answer was lost
                raise

    def _create(self) -> None:
        try:
            create(self.admin, "fleeting", 1)
        except KafkaException as error:
            if error.args[0].code() != 36:
                raise

    def settle(self) -> None:
        pass

    def check(self) -> int:
        if not self.whole:
            return 0
        found = [message.value() for message in read(self.bootstrap, "fleeting", 0, 0)]
        if found != [b"%d:%d" % (self.life, number) for number in range(self.count)]:
            raise Lost(f"fleeting: {found[:2]} … {found[-2:]}, life {self.life} has {self.count}")
        return len(found)


STREAMS: list[Any] = [Numbers, Keys, Commits, Topics, Transactions]
