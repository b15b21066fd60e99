"""Transactions at their edges: epochs that run out, offsets whose group goes away, and whatever chance asks for."""

from __future__ import annotations

from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.scripts.members import Group
from conformance.differential.scripts.transactional_log import LONGEST, PARTITIONS, described
from conformance.differential.scripts.transactions import EMPTY, Identity, Producer
from conformance.differential.settings import COMMON
from conformance.differential.side import Side
from conformance.differential.wire import Connection, Nothing, read_answer
from kafkawire.keys import request_class
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, partition_for

LAST = 32_766  # the last epoch that a producer may have
INIT_PRODUCER_ID = 22
LOADING = 14
AT_ONCE = 400
OFFSETS_PARTITIONS = int(COMMON["offsets.topic.num.partitions"])


def climb(producer: Producer, epoch: int) -> Identity:
    """Use up the epochs below this one."""
    side, one = producer.side, request_class(INIT_PRODUCER_ID)
    ask = one(transactional_id=producer.name, transaction_timeout_ms=LONGEST)
    connection = Connection(side.host, side.port)
    while producer.who[1] < epoch:
        due = min(epoch - producer.who[1], AT_ONCE)
        for _ in range(due):
            connection.request("init_producer_id", 4, ask)
        for _ in range(due):
            answer = read_answer(INIT_PRODUCER_ID, 4, connection.receive(10))
            assert not isinstance(answer, Nothing) and answer.error_code in (0, LOADING), answer
            if not answer.error_code:
                producer.who = (answer.producer_id, answer.producer_epoch)
    connection.close()
    return producer.who


@script()
def fenced_at_the_last_epoch(side: Side) -> None:
    """Nobody is left to come: what the abort leaves must be good for the one who was there, and for the next."""
    side.topic(side.own, 2)
    for shown in (False, True):
        one = Producer(side, f"-{shown}", topic=side.own)
        old = climb(one, LAST)
        one.add(0)
        one.init(shown=old if shown else EMPTY, what="while it is open")
        one.settle()
        one.describe("aborted")
        for version in (3, 5):
            for commit in (True, False):
                one.end(version, commit=commit, who=old, what=f"version {version} by the old one,")
        if shown:
            one.init(shown=old, what="the old one shown")
            one.init(shown=one.who, what="the next")
        one.init(what="another")
        one.add(0)
        one.end(5, commit=True, what="which goes on,")
        one.init(shown=old, what="the old one much later")


@script()
def ended_at_the_last_epoch(side: Side) -> None:
    side.topic(side.own, 2)
    for version, begun, commit in ((5, True, True), (5, True, False), (5, False, False), (3, True, True)):
        one = Producer(side, f"-{version}-{begun}-{commit}", topic=side.own)
        old = climb(one, LAST)
        if begun:
            one.add(0)
        one.end(version, commit=commit)
        one.describe("ended")
        one.end(version, commit=commit, who=old, what="again")
        one.end(version, commit=not commit, who=old, what="the opposite")
        one.init(shown=old, what="the old one shown")
        one.init(shown=old, what="the old one shown again")
        one.init(shown=(old[0], LAST + 1), what="an epoch that is nobody's")
        one.add(0, who=old, what="add by the old one")
        one.init(what="another")


class Walk:
    """One transactional id of which anything is asked, under any identity that it ever had, or nearly had."""

    def __init__(self, side: Side, suffix: str, at: int = 0) -> None:
        self.side, self.dice, self.topic = side, side.random, side.own
        self.group = f"{side.own}{suffix}-group"
        side.tell("find_coordinator", 4, coordinator_keys=[self.group], key_type=0)
        self.producer = Producer(side, suffix, topic=side.own)
        self.producer.init(timeout=LONGEST)
        climb(self.producer, at)
        self.known = [self.producer.who]

    def step(self, number: int) -> None:
        dice, producer = self.dice, self.producer
        near = dice.choices((0, 1, -1), (12, 1, 1))[0]
        producer_id, epoch = dice.choice(self.known[-4:])
        who = (producer_id, min(max(epoch + near, 0), LAST + 1))
        version = dice.choice((3, 5, 5))
        said = f"{number} as {list(dict.fromkeys(one[0] for one in self.known)).index(producer_id)}.{who[1]}"
        match dice.choices(("init", "add", "end", "produce", "offsets", "verify"), (4, 4, 6, 6, 2, 1))[0]:
            case "init":
                # Kafka has no answer for a lost answer that brought the last epoch.
                shown = dice.random() < 0.5 and who[1] != LAST - 1
                what = f"{said}, shown" if shown else f"{number} anew"
                producer.init(shown=who if shown else EMPTY, timeout=LONGEST, what=what)
            case "add":
                producer.add(dice.randrange(PARTITIONS), who=who, what=said)
            case "end":
                producer.end(version, commit=dice.random() < 0.6, who=who, what=f"{said},")
            case "produce":
                self.produce(said, dice.choice((11, 12, 12)), dice.randrange(PARTITIONS), who)
            case "offsets":
                self.commit(said, dice.choice((4, 5)), who)
            case "verify":
                topics = [{"name": self.topic, "partitions": list(range(PARTITIONS))}]
                asked = self.named(who) | {"verify_only": dice.random() < 0.7, "topics": topics}
                self.side.ask("add_partitions_to_txn", 4, said, transactions=[asked])
        producer.settle()
        if producer.who != self.known[-1]:
            self.known.append(producer.who)

    def named(self, who: Identity) -> dict[str, Any]:
        return {"transactional_id": self.producer.name, "producer_id": who[0], "producer_epoch": who[1]}

    def produce(self, what: str, version: int, index: int, who: Identity) -> None:
        side = self.side
        batch = side.batch(
            (b"v",),
            producer_id=who[0],
            producer_epoch=who[1],
            base_sequence=self.dice.choice((0, 0, 0, 1, 2)),
            transactional=self.dice.random() < 0.9,
        )
        data = [{"name": self.topic, "partition_data": [{"index": index, "records": batch}]}]
        asked = {"transactional_id": self.producer.name, "acks": -1, "timeout_ms": 5000, "topic_data": data}
        side.ask("produce", version, what, **asked)

    def commit(self, what: str, version: int, who: Identity) -> None:
        if version < 5 and self.dice.random() < 0.8:
            self.side.ask("add_offsets_to_txn", 3, what, group_id=self.group, **self.named(who))
        offsets = [{"partition_index": 0, "committed_offset": self.dice.randrange(1000)}]
        topics = [{"name": self.topic, "partitions": offsets}]
        self.side.ask("txn_offset_commit", version, what, group_id=self.group, topics=topics, **self.named(who))

    def mine(self, answer: Any) -> None:
        """What is told of producers, without those of other scripts, and without offsets that depend on them."""
        ids = {producer_id for producer_id, _ in self.known}
        for one in (one for topic in answer.topics for one in topic.partitions):
            one.active_producers = [each for each in one.active_producers if each.producer_id in ids]
            for each in one.active_producers:
                each.current_txn_start_offset = min(each.current_txn_start_offset, 0)

    def look(self, what: str) -> None:
        side = self.side
        self.producer.describe(what)
        described(side, self.topic, what)
        asked = [{"name": OFFSETS_TOPIC, "partition_indexes": [partition_for(self.group, OFFSETS_PARTITIONS)]}]
        side.ask("describe_producers", 0, f"{what} offsets", topics=asked)
        side.show(self.mine)
        for level in (0, 1):
            asked = [{"partition_index": index, "timestamp": -1} for index in range(PARTITIONS)]
            topics = [{"name": self.topic, "partitions": asked}]
            side.ask("list_offsets", 8, f"{what} {level}", replica_id=-1, isolation_level=level, topics=topics)
        for stable in (True, False):
            groups = [{"group_id": self.group, "topics": None}]
            side.ask("offset_fetch", 8, f"{what} stable {stable}", groups=groups, require_stable=stable)


@script()
def by_chance(side: Side) -> None:
    """States times commands, as they come; each answer, and what it all has led to."""
    side.topic(side.own, PARTITIONS)
    for walk in range(3):
        one = Walk(side, f"-{walk}")
        for number in range(60):
            one.step(number)
            if number % 5 == 4:
                one.look(f"{walk} after {number}")


@script(alone=True)
def by_chance_at_the_last_epochs(side: Side) -> None:
    side.topic(side.own, PARTITIONS)
    one = Walk(side, "-one", LAST - 3)
    for number in range(60):
        one.step(number)
        one.look(f"after {number}")


@each_version("end_txn", since=4)
def a_topic_that_is_deleted_meanwhile(side: Side, version: int) -> None:
    other = f"{side.own}-other"
    side.topic(side.own)
    side.topic(other)
    one = Producer(side, topic=side.own)
    one.init(timeout=LONGEST)
    one.add(0)
    one.topic = other
    one.add(0)
    side.delete_topic(side.own)
    one.describe("before the end")
    old = one.who
    one.end(version, commit=True)
    one.describe("after it")
    one.end(version, commit=True, who=old, what="again,")


@each_version("txn_offset_commit")
def members(side: Side, version: int) -> None:
    """Who may commit offsets of a group that has members."""
    topic = side.own
    side.topic(topic, 2)
    g = Group(side, 5, topic=topic)
    side.tell("find_coordinator", 4, coordinator_keys=[g.id], key_type=0)
    one = Producer(side, topic=topic)
    one.init()

    def commit(what: str, generation: int = -1, member: str = "", instance: str | None = None, **more: Any) -> None:
        partition = {"partition_index": 0, "committed_offset": 7} | more
        tree: dict[str, Any] = {"transactional_id": one.name, "group_id": g.id}
        tree |= {"producer_id": one.who[0], "producer_epoch": one.who[1]}
        if version >= 3:
            tree |= {"generation_id": generation, "member_id": member, "group_instance_id": instance}
        elif generation >= 0 or member or instance is not None:
            return
        topics = [{"name": topic, "partitions": [partition]}]
        side.ask("txn_offset_commit", version, what, topics=topics, **tree)

    def each(what: str, generation: int, member: str) -> None:
        commit(f"{what}: nobody")
        commit(f"{what}: the member", generation, member)
        commit(f"{what}: an earlier generation", generation - 1, member)
        commit(f"{what}: a later generation", generation + 1, member)
        commit(f"{what}: no generation", -1, member)
        commit(f"{what}: a stranger", generation, "stranger")
        commit(f"{what}: no member", generation)
        commit(f"{what}: an instance", generation, member, "i")
        commit(f"{what}: an instance alone", -1, "", "i")

    if version < 5:
        tree = {"transactional_id": one.name, "producer_id": one.who[0], "producer_epoch": one.who[1]}
        side.ask("add_offsets_to_txn", 3, "add", group_id=g.id, **tree)
    each("no group", 1, "m")
    answer = g.joined("found")
    member, generation = answer.member_id, answer.generation_id
    each("completing", generation, member)
    g.sync("alone", generation, member, {member: b"all"})
    each("stable", generation, member)
    g.join("one more", on="b", waiting=False)
    g.describe("preparing")
    each("preparing", generation, member)
    commit("no metadata", committed_metadata=None)
    commit("long metadata", committed_metadata="x" * 101)
    commit("an epoch", committed_leader_epoch=3)
    commit("a negative offset", committed_offset=-1)
    one.end(5 if version >= 5 else 3, commit=True)
    g.committed("in the end", {topic: [0]})


@script()
def groups_that_go(side: Side) -> None:
    """A group, or its offset, is deleted while a transaction has committed offsets for it."""
    topic = side.own
    side.topic(topic, 3)
    for kind in ("group", "offset", "topic", "aborted"):
        g = Group(side, 9, kind, topic=topic)
        g.fetch_version = 8
        side.tell("find_coordinator", 4, coordinator_keys=[g.id], key_type=0)
        one = Producer(side, f"-{kind}", topic=topic)
        one.init()

        def commit(what: str, *partitions: int, name: str = topic, one: Producer = one, g: Group = g) -> None:
            offsets = [{"partition_index": p, "committed_offset": p + 10} for p in partitions]
            tree = {"transactional_id": one.name, "producer_id": one.who[0], "producer_epoch": one.who[1]}
            topics = [{"name": name, "partitions": offsets}]
            side.ask("txn_offset_commit", 5, what, group_id=g.id, topics=topics, **tree)

        def look(what: str, g: Group = g) -> None:
            g.describe(what)
            g.listed(what)
            for stable in (True, False):
                g.committed(f"{what}, stable {stable}", {topic: [0, 1, 2]}, stable=stable)
                g.committed(f"{what}, all, stable {stable}", None, stable=stable)

        commit("pending", 0, 1)
        look("pending")
        if kind == "group":
            g.delete("with pending offsets", g.id)
            look("deleted")
            g.delete("again", g.id)
            commit("once more", 1)
            look("there again")
        elif kind == "offset":
            g.forget("a pending one", topic, 0)
            look("one is forgotten")
            g.forget("all", topic, 0, 1, 2)
            look("all are forgotten")
            g.forget("again", topic, 0, 1)
        elif kind == "topic":
            other = f"{topic}-other"
            side.topic(other)
            commit("in another topic", 0, name=other)
            side.delete_topic(other)
            g.committed("of a deleted topic", {other: [0]}, stable=True)
            look("a topic is deleted")
        one.end(5, commit=kind != "aborted")
        look("ended")
        g.delete("in the end", g.id)
        look("over")


@script()
def offsets_by_chance(side: Side) -> None:
    """Plain commits, those of several transactions, and deletions, in any order."""
    dice, topic = side.random, side.own
    side.topic(topic, PARTITIONS)
    groups = [Group(side, 9, name, topic=topic) for name in ("one", "two")]
    producers = [Producer(side, f"-{n}", topic=topic) for n in range(3)]
    for g in groups:
        g.fetch_version = 8
        side.tell("find_coordinator", 4, coordinator_keys=[g.id], key_type=0)
    for producer in producers:
        producer.init(timeout=LONGEST)
    for number in range(80):
        g, producer, index = dice.choice(groups), dice.choice(producers), dice.randrange(PARTITIONS)
        match dice.choices(("plain", "commit", "end", "forget", "delete"), (3, 8, 4, 1, 0.5))[0]:
            case "plain":
                g.commit(f"{number}", parts=((index, number, ""),))
            case "commit":
                offsets = [{"partition_index": index, "committed_offset": number}]
                tree = {"transactional_id": producer.name, "group_id": g.id, "producer_id": producer.who[0]}
                topics = [{"name": topic, "partitions": offsets}]
                side.ask("txn_offset_commit", 5, f"{number}", producer_epoch=producer.who[1], topics=topics, **tree)
            case "end":
                producer.end(5, commit=dice.random() < 0.7, what=f"{number}")
            case "forget":
                g.forget(f"{number}", topic, index)
            case "delete":
                g.delete(f"{number}")
        for stable in (True, False):
            g.committed(f"{number} stable {stable}", {topic: list(range(PARTITIONS))}, stable=stable)
        if number % 10 == 9:
            g.describe(f"{number}")
            g.listed(f"{number}")


@script()
def sequences_across_protocols(side: Side) -> None:
    """One producer id, transactions of both protocols and plain batches: where its sequences may begin and go on."""
    topic = side.own
    side.topic(topic, PARTITIONS)

    def produce(what: str, version: int, sequence: int, index: int = 0, *, transactional: bool = True) -> None:
        who = one.who
        how = {"producer_id": who[0], "producer_epoch": who[1], "transactional": transactional}
        batch = side.batch((b"v",), base_sequence=sequence, **how)
        data = [{"name": topic, "partition_data": [{"index": index, "records": batch}]}]
        asked = {"transactional_id": one.name, "acks": -1, "timeout_ms": 5000, "topic_data": data}
        side.ask("produce", version, f"{what} {sequence}", **asked)

    one = Producer(side, "-upgraded", topic=topic)
    one.init(timeout=LONGEST)
    one.add(0)
    for sequence in (0, 1):
        produce("version 1", 11, sequence)
    one.end(4, commit=True)
    for sequence in (5, 1, 2, 3):
        produce("version 2", 12, sequence)
    produce("version 2 elsewhere", 12, 2, 1)
    produce("version 2 elsewhere", 12, 0, 1)
    one.end(5, commit=True)
    for sequence in (4, 1, 0, 1):
        produce("version 2 again", 12, sequence)
    one.end(4, commit=False)
    one.add(0)
    for sequence in (1, 3, 2):
        produce("version 1 again", 11, sequence)
    one.end(5, commit=False)
    described(side, topic, "in the end")

    one = Producer(side, "-waiting", topic=topic)
    one.init(timeout=LONGEST)
    for sequence in (3, 1):
        produce("not added", 11, sequence)
    one.add(0)
    for sequence in (3, 0, 1, 0, 2, 1):
        produce("added", 11, sequence)
    one.end(4, commit=True)
    for sequence in (5, 4, 3):
        produce("not added again", 11, sequence)
    for sequence in (6, 4, 3, 4):
        produce("plain", 11, sequence, transactional=False)
    produce("version 2", 12, 3, 1)
    for sequence in (3, 0, 1):
        produce("plain elsewhere", 12, sequence, 1, transactional=False)
    described(side, topic, "in the end")
