"""What the transaction coordinator says: identities, partitions, ends, and what can be asked about them.

An end takes its time on Apache Kafka: it is waited for before something else is asked.
"""

from __future__ import annotations

import time
from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.side import PATIENCE, Side

MINUTE = 60_000
EMPTY, NOBODY = (-1, -1), (999_999_999, 3)
Identity = tuple[int, int]


class Producer:
    """One transactional id, and what it was given last."""

    def __init__(self, side: Side, suffix: str = "", topic: str = "") -> None:
        self.side = side
        self.name = f"{side.own}{suffix}"
        self.topic = topic
        self.who: Identity = EMPTY
        find(side, self.name)

    def init(self, version: int = 4, *, shown: Identity = EMPTY, timeout: int = MINUTE, what: str = "init") -> Identity:
        """Ask for an identity, again while the coordinator is busy with what was before. What was given is compared."""
        tree: dict[str, Any] = {"transactional_id": self.name, "transaction_timeout_ms": timeout}
        if version >= 3:
            tree |= {"producer_id": shown[0], "producer_epoch": shown[1]}
        answer = self.side.ask("init_producer_id", version, what, **tree)
        if answer is not None and answer.error_code == 0:
            self.who = (answer.producer_id, answer.producer_epoch)
        return self.who

    def add(self, *partitions: int, version: int = 3, who: Identity | None = None, what: str = "add") -> Any:
        return self.side.ask("add_partitions_to_txn", version, what, **announcing(self, partitions, who or self.who))

    def end(self, version: int, *, commit: bool, who: Identity | None = None, what: str = "end") -> Any:
        producer_id, epoch = who or self.who
        answer = self.side.ask(
            "end_txn",
            version,
            f"{what} {'commit' if commit else 'abort'}",
            transactional_id=self.name,
            producer_id=producer_id,
            producer_epoch=epoch,
            committed=commit,
        )
        if answer is not None and answer.error_code == 0 and version >= 5:
            self.who = (answer.producer_id, answer.producer_epoch)
        self.settle()
        return answer

    def settle(self) -> None:
        """Until no partition has yet to hear of an end."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.side.tell("describe_transactions", 0, transactional_ids=[self.name])
            if answer and not answer.transaction_states[0].transaction_state.startswith("Prepare"):
                return
            time.sleep(0.02)
        raise TimeoutError(f"{self.name} never completed")

    def describe(self, what: str) -> None:
        self.side.ask("describe_transactions", 0, what, transactional_ids=[self.name])


def find(side: Side, name: str) -> None:
    """Bring the coordinator into being, and wait until it has loaded."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        answer = side.tell("find_coordinator", 4, coordinator_keys=[name], key_type=1)
        if answer and not answer.coordinators[0].error_code:
            told = side.tell("describe_transactions", 0, transactional_ids=[name])
            if told and told.transaction_states[0].error_code in (0, 105):
                return
        time.sleep(0.05)
    raise TimeoutError("the transaction coordinator never came")


def announcing(producer: Producer, partitions: tuple[int, ...], who: Identity) -> dict[str, Any]:
    return {
        "v3_and_below_transactional_id": producer.name,
        "v3_and_below_producer_id": who[0],
        "v3_and_below_producer_epoch": who[1],
        "v3_and_below_topics": [{"name": producer.topic, "partitions": list(partitions)}],
    }


@each_version("init_producer_id")
def identities(side: Side, version: int) -> None:
    side.topic(side.own, 2)
    one = Producer(side, topic=side.own)
    one.init(version, what="first")
    one.init(version, what="second")
    for timeout in (0, -1, 900_000, 900_001, 1):
        one.init(version, timeout=timeout, what=f"timeout {timeout}")
    if version < 3:
        return
    first = one.init(version, what="anew")
    second = one.init(version, shown=first, what="shown")
    one.init(version, shown=first, what="shown again")
    one.init(version, shown=second, what="the next")
    one.init(version, shown=first, what="an old one")
    producer_id, epoch = one.who
    for what, shown in {
        "a later epoch": (producer_id, epoch + 1),
        "another producer's": (producer_id + 1, epoch),
        "nobody's": NOBODY,
        "an epoch alone": (-1, 0),
        "an id alone": (0, -1),
        "less than nothing": (-2, -2),
    }.items():
        one.init(version, shown=shown, what=f"shown {what}")
    other = Producer(side, "-other")
    other.init(version, shown=NOBODY, what="an id that nobody has used, shown somebody's identity")


@each_version("init_producer_id")
def fencing(side: Side, version: int) -> None:
    """A transaction is open when a producer asks for an identity."""
    side.topic(side.own, 2)
    for ending in (1, 2):
        one = Producer(side, f"-{ending}", topic=side.own)
        old = one.init(version)
        one.add(0)
        if version >= 3 and ending == 2:
            one.init(version, shown=old, what="open, shown")
        else:
            one.init(version, what="open")
        one.settle()
        one.describe("fenced")
        one.add(0, who=old, what="add by the old one")
        one.end(3, commit=True, who=old, what="end by the old one,")
        one.end(5, commit=True, who=old, what="end by the old one,")
        if version >= 3:
            one.init(version, shown=old, what="the old one shown")
        one.init(version, what="after")
        one.end(5, commit=False, what="nothing begun,")


@each_version("add_partitions_to_txn")
def partitions(side: Side, version: int) -> None:
    side.topic(side.own, 3)
    one = Producer(side, topic=side.own)
    who = one.init()
    if version >= 4:
        _batched(side, version, one)
        return

    def ask(what: str, topics: list[tuple[str, list[int]]], who: Identity = who, name: str = one.name) -> None:
        side.ask(
            "add_partitions_to_txn",
            version,
            what,
            v3_and_below_transactional_id=name,
            v3_and_below_producer_id=who[0],
            v3_and_below_producer_epoch=who[1],
            v3_and_below_topics=[{"name": topic, "partitions": those} for topic, those in topics],
        )

    ask("none", [])
    one.describe("after none")
    ask("a topic without partitions", [(side.own, [])])
    ask("unknown partition", [(side.own, [0, 3, -1])])
    ask("unknown topic", [(side.own, [0]), ("nope", [0])])
    ask("no name", [("", [0])])
    ask("another id", [(side.own, [0])], NOBODY)
    ask("another epoch", [(side.own, [0])], (who[0], who[1] + 1))
    ask("an earlier epoch", [(side.own, [0])], (who[0], who[1] - 1))
    ask("nobody's id", [(side.own, [0])], name=f"{side.own}-nobody")
    ask("no id", [(side.own, [0])], name="")
    one.describe("nothing was added")
    ask("one", [(side.own, [1])])
    ask("twice", [(side.own, [1, 1]), (side.own, [1])])
    ask("internal", [("__consumer_offsets", [0])])
    ask("more", [(side.own, [0, 1])])
    one.describe("three")
    one.end(3, commit=True)
    ask("the next transaction", [(side.own, [2])])
    one.describe("one")
    one.end(3, commit=False)


def _batched(side: Side, version: int, one: Producer) -> None:
    two = Producer(side, "-two", topic=side.own)
    two.init()

    def entry(producer: Producer, *partitions: int, verify: bool, epoch: int = 0, topic: str = "") -> dict[str, Any]:
        return {
            "transactional_id": producer.name,
            "producer_id": producer.who[0],
            "producer_epoch": producer.who[1] + epoch,
            "verify_only": verify,
            "topics": [{"name": topic or side.own, "partitions": list(partitions)}],
        }

    def ask(what: str, *transactions: dict[str, Any]) -> None:
        side.ask("add_partitions_to_txn", version, what, transactions=list(transactions))

    ask("verify nothing added", entry(one, 0, verify=True))
    ask("add", entry(one, 0, verify=False))
    ask("verify one of two", entry(one, 0, 1, verify=True))
    ask("two", entry(one, 1, verify=False), entry(two, 2, verify=True))
    ask("both ways", entry(one, 2, verify=True), entry(two, 2, verify=False))
    ask("another epoch", entry(one, 0, verify=True, epoch=1), entry(two, 2, verify=False, epoch=1))
    ask("unknown partition", entry(one, 0, 7, verify=False), entry(two, 7, verify=True))
    ask("unknown topic", entry(one, 0, verify=False, topic="nope"), entry(two, 7, verify=True, topic="nope"))
    nobody = entry(one, 0, verify=True) | {"transactional_id": f"{side.own}-nobody"}
    ask("nobody's id", nobody, nobody | {"verify_only": False, "transactional_id": f"{side.own}-noone"})
    ask("no id", nobody | {"transactional_id": ""})
    ask("no topics", entry(two, verify=True) | {"topics": []})
    one.describe("added")
    one.end(5, commit=True)
    ask("after the end", entry(one, 0, verify=True), entry(two, 0, verify=False))


@each_version("add_offsets_to_txn")
def offsets(side: Side, version: int) -> None:
    side.tell("find_coordinator", 4, coordinator_keys=[side.own], key_type=0)
    one = Producer(side)
    who = one.init()

    def ask(what: str, who: Identity = who, name: str = one.name, group: str = f"{side.own}-group") -> None:
        side.ask(
            "add_offsets_to_txn",
            version,
            what,
            transactional_id=name,
            producer_id=who[0],
            producer_epoch=who[1],
            group_id=group,
        )

    ask("another id", NOBODY)
    ask("another epoch", (who[0], who[1] + 1))
    ask("nobody's id", name=f"{side.own}-nobody")
    ask("no id", name="")
    ask("a group")
    ask("again")
    ask("no group", group="")
    one.describe("offsets")
    one.end(3, commit=True)
    one.describe("after")


@each_version("end_txn")
def ends(side: Side, version: int) -> None:
    """Every phase that can be waited for, every identity, both ends."""
    side.topic(side.own, 2)
    one = Producer(side, topic=side.own)
    who = one.init()
    for commit in (True, False):
        one.end(version, commit=commit, who=NOBODY, what="another id,")
        one.end(version, commit=commit, who=(who[0], who[1] + 1), what="a later epoch,")
        one.end(version, commit=commit, who=(who[0], who[1] - 1), what="an earlier epoch,")
    one.end(version, commit=True, what="nothing begun,")
    one.end(version, commit=False, what="nothing begun,")
    one.describe("nothing begun")
    for first in (True, False):
        for again in (True, False):
            before = one.who
            one.add(0, 1)
            one.end(version, commit=first)
            one.describe("ended")
            one.end(version, commit=again, who=before, what="the same again,")
            one.end(version, commit=not again, who=before, what="the opposite,")
            now = one.who
            one.end(version, commit=again, who=now, what="once more,")
            one.end(version, commit=again, who=(now[0], now[1] + 2), what="far ahead,")
            one.init(what="go on")
    one.name = ""
    side.ask("end_txn", version, "no id", transactional_id="", producer_id=who[0], producer_epoch=0, committed=True)


@script()
def mixed(side: Side) -> None:
    """One id, producers of both protocols in turn."""
    side.topic(side.own, 2)
    one = Producer(side, topic=side.own)
    one.init()
    for version in (3, 5, 3, 3, 5, 5, 2):
        one.add(0)
        before = one.who
        one.end(version, commit=version % 2 == 0)
        one.end(5 if version < 5 else 3, commit=version % 2 == 0, who=before, what="retried in the other protocol,")
        one.describe(f"after version {version}")
        one.init(shown=one.who, what="go on")


@each_version("list_transactions")
def listing(side: Side, version: int) -> None:
    side.topic(side.own, 1)
    producers = [Producer(side, suffix, side.own) for suffix in ("-idle", "-open", "-done")]
    for producer in producers:
        producer.init()
    producers[1].add(0)
    producers[2].add(0)
    producers[2].end(5, commit=True)

    def ask(what: str, **filters: Any) -> None:
        side.ask("list_transactions", version, what, **filters)

        def mine(answer: Any) -> None:
            answer.transaction_states = sorted(
                (one for one in answer.transaction_states if one.transactional_id.startswith(side.own)),
                key=lambda one: str(one.transactional_id),
            )

        side.show(mine)

    ids = [producer.who[0] for producer in producers]
    ask("all")
    for states in (["Ongoing"], ["ongoing"], ["Empty", "CompleteCommit"], ["Bogus", "Ongoing"], ["Bogus"], [""]):
        ask(f"states {states}", state_filters=states)
    for state in ("Dead", "PrepareEpochFence", "PrepareCommit", "PrepareAbort", "CompleteAbort"):
        ask(f"state {state}", state_filters=[state])
    ask("a producer", producer_id_filters=ids[:1])
    ask("two producers", producer_id_filters=ids[1:])
    ask("no producer", producer_id_filters=[-1])
    ask("both", producer_id_filters=ids, state_filters=["Ongoing"])
    if version >= 1:
        for duration in (-1, 0, 3_600_000, -5):
            ask(f"duration {duration}", duration_filter=duration)
        ask("long open", duration_filter=3_600_000, state_filters=["Ongoing"])
    if version >= 2:
        for end in ("-.*", "-(idle|open)", "-open$", "-op", "-[di][a-z]+e", r"-\w{4}", "-(?i:IDLE)", ""):
            ask(f"pattern own{end}", transactional_id_pattern=f"^{side.own}{end}" if end else None)
        for pattern in ("", ".*", "[", "(", "a{2,1}", "*", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b", "(?>a)", "a++",
                        r"\p{L}+", r"\pN", r"[[:alpha:]]", r"\Qa.b\E", r"\z", r"\A", r"\C", r"(?P<n>a)", r"(?<n>a)",
                        "a{1001}", "(?s).", "(?U)a+", r"\x41", r"\x{41}", r"\d\D\s\S\w\W\b\B", "a|", "|", "()", "[]a]",
                        "[^]", r"\8", "(?P=n)", "(?x)a", "a{,2}", "x{2}{3}", "(?-i)a", r"\u0041",
                        "(?#c)a"):  # fmt: skip
            ask(f"pattern {pattern}", transactional_id_pattern=pattern)


@each_version("describe_transactions")
def descriptions(side: Side, version: int) -> None:
    side.topic(side.own, 2)
    one = Producer(side, topic=side.own)
    for names in ([], [""], ["nobody"], [one.name, "", one.name]):
        side.ask("describe_transactions", version, f"{len(names)} names", transactional_ids=names)
    one.init(timeout=12_345)
    one.describe("empty")
    one.add(1, 0)
    one.describe("open")


@each_version("find_coordinator", since=1)
def coordinators(side: Side, version: int) -> None:
    find(side, side.own)
    for name in (side.own, "", "a" * 300, "é", "\0"):
        keys: dict[str, Any] = {"coordinator_keys": [name]} if version >= 4 else {"key": name}
        side.ask("find_coordinator", version, f"{name[:20]!r}", key_type=1, **keys)
    if version >= 4:
        side.ask("find_coordinator", version, "three", key_type=1, coordinator_keys=["a", "", "a"])
        side.ask("find_coordinator", version, "none", key_type=1, coordinator_keys=[])


@each_version("update_features", alone=True)
def features(side: Side, version: int) -> None:
    """The one feature that both have beside metadata.version; it ends as it was."""
    for level, kind in (
        (3, 1),
        (1, 1),
        (-1, 1),
        (1, 2),
        (1, 1),
        (2, 1),
        (0, 2),
        (0, 1),
        (2, 2),
        (2, 1),
        (0, 3),
        (2, 1),
    ):
        update: dict[str, Any] = {"feature": "transaction.version", "max_version_level": level}
        update |= {"upgrade_type": kind} if version else {"allow_downgrade": kind > 1}
        side.ask("update_features", version, f"{level} by {kind}", timeout_ms=10_000, feature_updates=[update])
        time.sleep(0.5)
        side.ask("api_versions", 4, f"after {level} by {kind}", client_software_name="a", client_software_version="1")

        def ours(answer: Any) -> None:
            for name in ("api_keys", "supported_features"):
                setattr(answer, name, [])
            answer.finalized_features = [one for one in answer.finalized_features if one.name == "transaction.version"]

        side.show(ours)
