"""What transactions leave in a log, and what readers are told of it: histories by chance, the same on both sides.

Several producers write into the same partitions, some in transactions that they commit or abort and some plainly, under
both transaction versions; in between, readers of both isolation levels ask from anywhere, with any limit.
"""

from __future__ import annotations

import time
from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.scripts.fetch import fetch
from conformance.differential.scripts.transactions import Producer
from conformance.differential.side import Side

PARTITIONS = 2
LONGEST = 900_000  # transaction.max.timeout.ms: a slow machine mustn't end transactions on one side alone
STEPS = 60
TICK = 0.002  # s: markers bear the broker's clock, and which of two in one millisecond is the latest would be chance
SIZES = (10, 10, 200, 30_000)  # of a record; enough of the last kind make a second segment


class Writer:
    """A transactional producer, with its sequences."""

    def __init__(self, side: Side, name: str, topic: str, *, bumps: bool) -> None:
        self.producer = Producer(side, f"-{name}", topic=topic)
        self.side, self.topic, self.bumps = side, topic, bumps
        self.sequences = [0] * PARTITIONS
        self.added: set[int] = set()
        self.producer.init(timeout=LONGEST)

    def write(self, partition: int, size: int, count: int, what: str = "write", **how: Any) -> Any:
        who, sequence = self.producer.who, self.sequences[partition]
        if partition not in self.added and not self.bumps:
            self.producer.add(partition)
        self.added.add(partition)
        settings = {"producer_id": who[0], "producer_epoch": who[1], "base_sequence": sequence, "transactional": True}
        batch = self.side.batch((b"x" * size,) * count, **(settings | how))
        answer = self.side.ask(
            "produce",
            12 if self.bumps else 9,
            what,
            transactional_id=self.producer.name,
            acks=-1,
            timeout_ms=5000,
            topic_data=[{"name": self.topic, "partition_data": [{"index": partition, "records": batch}]}],
        )
        if answer is not None and answer.responses[0].partition_responses[0].error_code == 0:
            self.sequences[partition] = sequence + count
        return answer

    def end(self, *, commit: bool) -> None:
        time.sleep(TICK)
        self.producer.end(5 if self.bumps else 3, commit=commit)
        if self.bumps:
            self.sequences = [0] * PARTITIONS
        self.added.clear()


@each_version("fetch")
def histories(side: Side, version: int) -> None:
    dice, topic = side.random, side.own
    side.topic(topic, PARTITIONS, segment_bytes=1 << 20, index_interval_bytes=dice.choice((0, 300, 4096)))
    writers = [Writer(side, str(n), topic, bumps=version % 2 == 1) for n in range(3)]
    ends = [0] * PARTITIONS
    for step in range(STEPS):
        partition = dice.randrange(PARTITIONS)
        writer, commit = dice.choice(writers), dice.random() < 0.4
        size, count = dice.choice(SIZES), dice.randint(1, 3)
        match dice.choices(("write", "plain", "end", "read"), (6, 1, 3, 4))[0]:
            case "write":
                writer.write(partition, size, count)
            case "plain":
                side.fill(topic, partition)
            case "end":
                if writer.added:
                    writer.end(commit=commit)
            case "read":
                read(side, version, topic, f"step {step}", ends)
                look(side, topic, f"step {step}")
    for writer in writers:
        if writer.added:
            writer.end(commit=False)
    for offset in range(0, max(ends), 5):
        fetch(side, version, f"from {offset}", [(topic, 0, offset)], isolation_level=1, max_wait_ms=0)
    look(side, topic, "at the end")


def read(side: Side, version: int, topic: str, what: str, ends: list[int]) -> None:
    """From anywhere in what was seen so far, under both isolation levels and with any limit."""
    dice = side.random
    parts = [(topic, index, dice.randint(0, ends[index])) for index in range(PARTITIONS)]
    limits = {"partition_max_bytes": dice.choice((100, 1_000, 70_000, 1 << 21))}
    total = dice.choice((1_000, 70_000, 1 << 21))
    for level in (1, 0):
        answer = fetch(
            side,
            version,
            f"{what} level {level}",
            parts,
            isolation_level=level,
            max_wait_ms=0,
            max_bytes=total,
            partition=limits,
        )
        if answer is not None:
            for one in (one for found in answer.responses for one in found.partitions):
                ends[one.partition_index] = max(ends[one.partition_index], one.high_watermark)


def look(side: Side, topic: str, what: str) -> None:
    for level in (0, 1):
        for timestamp in (-1, -2, -3, side.moment):
            asked = [{"partition_index": index, "timestamp": timestamp} for index in range(PARTITIONS)]
            side.ask(
                "list_offsets",
                8,
                f"{what} level {level} time {timestamp}",
                replica_id=-1,
                isolation_level=level,
                topics=[{"name": topic, "partitions": asked}],
            )
    described(side, topic, what)


def described(side: Side, topic: str, what: str) -> None:
    asked = [{"name": topic, "partition_indexes": list(range(PARTITIONS))}]
    side.ask("describe_producers", 0, f"{what} producers", topics=asked)


@each_version("produce", alone=True)
def refusals(side: Side, version: int) -> None:
    """Batches that may not enter, and what is said of them in each version. Alone, since Apache Kafka asks its
    coordinator for several clients at once, and then answers them all as the first one's version would have it.
    """
    topic = side.own
    side.topic(topic, PARTITIONS)
    one = Producer(side, topic=topic)
    producer_id, epoch = one.init()

    def ask(what: str, partition: int = 0, name: str | None = one.name, **how: Any) -> None:
        settings = {"producer_id": producer_id, "producer_epoch": epoch, "base_sequence": 0, "transactional": True}
        batch = side.batch((b"v",), **(settings | how))
        partitions = [{"index": partition, "records": batch}]
        topics = [{"name": topic, "topic_id": side.topic_ids[topic], "partition_data": partitions}]
        side.ask("produce", version, what, transactional_id=name, acks=-1, timeout_ms=5000, topic_data=topics)

    ask("nothing begun")
    ask("no transactional id", name=None)
    ask("nobody's transactional id", name=f"{side.own}-nobody")
    ask("another producer id", producer_id=producer_id + 1000)
    ask("a later epoch", producer_epoch=epoch + 1)
    ask("no partition", partition=PARTITIONS)
    ask("plain, with a transactional id", transactional=False)
    one.end(5 if version >= 12 else 3, commit=False)
    producer_id, epoch = one.init()
    one.add(0)
    ask("a partition that wasn't added", partition=1)
    ask("a late sequence", base_sequence=5)
    ask("first")
    ask("first again")
    ask("second", base_sequence=1)
    ask("a gap", base_sequence=9)
    ask("plain while it is open", base_sequence=2, transactional=False)
    ask("an earlier epoch", producer_epoch=epoch - 1)
    described(side, topic, "open")
    one.end(3, commit=True)
    ask("first, once more", base_sequence=0)
    ask("after the end", base_sequence=2)
    described(side, topic, "over")


@each_version("write_txn_markers")
def markers(side: Side, version: int) -> None:
    """What a coordinator, or an operator, may end."""
    topic = side.own
    side.topic(topic, PARTITIONS)
    writer = Writer(side, "one", topic, bumps=False)
    producer_id, epoch = writer.producer.who

    def ask(what: str, *partitions: int, name: str = topic, transaction_version: int = 0, **more: Any) -> None:
        marker = {
            "producer_id": producer_id,
            "producer_epoch": epoch,
            "transaction_result": False,
            "coordinator_epoch": 0,
            "topics": [{"name": name, "partition_indexes": list(partitions)}],
        }
        if version >= 2:
            marker["transaction_version"] = transaction_version
        side.ask("write_txn_markers", version, what, markers=[marker | more])
        described(side, topic, what)

    writer.write(0, 10, 1)
    ask("an earlier epoch", 0, producer_epoch=epoch - 1)
    ask("no such partition", PARTITIONS)
    ask("no such topic", 0, name="nope")
    ask("nothing open there", 1)
    ask("version 2, the same epoch", 0, transaction_version=2)
    ask("version 2, nothing open, the same epoch", 1, transaction_version=2)
    ask("abort", 0)
    ask("abort again", 0)
    ask("a later coordinator", 0, coordinator_epoch=5)
    ask("an earlier coordinator", 0, coordinator_epoch=4)
    ask("a later epoch", 0, producer_epoch=epoch + 5, coordinator_epoch=5)
    ask("nobody", 0, producer_id=999_999)
    ask("offsets of nobody", 0, name="__consumer_offsets")
    side.ask("write_txn_markers", version, "none", markers=[])
    for offset in range(6):
        fetch(side, 12, f"from {offset}", [(topic, 0, offset)], isolation_level=1, max_wait_ms=0)


@each_version("txn_offset_commit")
def pending(side: Side, version: int) -> None:
    """A group's offsets in a transaction: unstable, then there or not."""
    topic, group = side.own, f"{side.own}-group"
    side.topic(topic, PARTITIONS)
    side.tell("find_coordinator", 4, coordinator_keys=[group], key_type=0)
    one = Producer(side, topic=topic)
    one.init()

    def commit(what: str, *offsets: tuple[str, int, int], name: str = group, **more: Any) -> None:
        topics = [{"name": t, "partitions": [{"partition_index": p, "committed_offset": o}]} for t, p, o in offsets]
        tree = {
            "transactional_id": one.name,
            "group_id": name,
            "producer_id": one.who[0],
            "producer_epoch": one.who[1],
            "topics": topics,
        }
        side.ask("txn_offset_commit", version, what, **(tree | more))

    def stored(what: str) -> None:
        for stable in (True, False):
            for topics in ([{"name": topic, "partition_indexes": [0, 1]}], None):
                asked = [{"group_id": group, "topics": topics}]
                side.ask("offset_fetch", 8, f"{what} stable {stable}", groups=asked, require_stable=stable)

    def add() -> None:
        tree = {"transactional_id": one.name, "producer_id": one.who[0], "producer_epoch": one.who[1]}
        if version < 5:
            side.ask("add_offsets_to_txn", 3, "add", group_id=group, **tree)

    def end(*, commit: bool) -> None:
        one.end(5 if version >= 5 else 3, commit=commit)

    if version == 4:
        commit("nothing added", (topic, 0, 1))
    commit("no group", (topic, 0, 1), name="")
    commit("no topic", ("nope", 0, 1))
    commit("nobody", (topic, 0, 1), producer_id=999_999)
    add()
    commit("one", (topic, 0, 5), (topic, 7, 6), ("nope", 0, 1))
    stored("open")
    commit("two", (topic, 1, 9))
    if version >= 3:
        commit("a member that isn't there", (topic, 0, 1), generation_id=3, member_id="m")
    end(commit=True)
    stored("committed")
    add()
    commit("three", (topic, 0, 50))
    stored("open again")
    end(commit=False)
    stored("aborted")


@script()
def deleting(side: Side) -> None:
    """DeleteRecords through an open transaction, between batches."""
    topic = side.own
    side.topic(topic, PARTITIONS)
    writer = Writer(side, "one", topic, bumps=False)
    side.fill(topic, 0, batches=2)
    writer.write(0, 10, 2)
    side.fill(topic, 0, batches=2)
    for offset in (4, -1):
        asked = [{"name": topic, "partitions": [{"partition_index": 0, "offset": offset}]}]
        side.ask("delete_records", 2, f"below {offset}", topics=asked, timeout_ms=5000)
        look(side, topic, f"deleted below {offset}")
        for level in (0, 1):
            fetch(side, 12, f"from 5 level {level}", [(topic, 0, 5)], isolation_level=level, max_wait_ms=0)
    writer.write(0, 10, 1)
    writer.end(commit=False)
    look(side, topic, "ended")
