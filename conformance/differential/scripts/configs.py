"""Configs of topics, brokers, groups, metrics: described, set, appended to, subtracted from, deleted, refused."""

from __future__ import annotations

import time
from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.scripts.topics import CONFIGS
from conformance.differential.side import Side

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def describe(side: Side, version: int, what: str, kind: int, name: str, keys: list[str] | None, **more: Any) -> None:
    resource = {"resource_type": kind, "resource_name": name, "configuration_keys": keys}
    side.ask("describe_configs", version, what, resources=[resource], **({"include_synonyms": True} | more))


@each_version("describe_configs")
def described(side: Side, version: int) -> None:
    side.topic(side.own, retention_ms=5000, cleanup_policy="compact")
    common = ["retention.ms", "cleanup.policy", "segment.ms", "flush.ms", "segment.jitter.ms", "max.message.bytes"]
    names = ((TOPIC, "nope"), (TOPIC, ""), (TOPIC, "a b"), (BROKER, "7"), (BROKER, "x"), (LOGGER, "x"), (LOGGER, "7"))
    names += ((0, ""), (METRICS, "m"), (METRICS, ""), (GROUP, "g"), (GROUP, ""), (99, ""), (-1, "x"))
    for kind, name in names:
        describe(side, version, f"{kind} {name!r}", kind, name, ["retention.ms"])
    describe(side, version, "a topic's", TOPIC, side.own, common)
    describe(side, version, "a topic's, without synonyms", TOPIC, side.own, common, include_synonyms=False)
    describe(side, version, "a topic's, all", TOPIC, side.own, None)
    describe(side, version, "a topic's, none", TOPIC, side.own, [])
    describe(side, version, "keys twice and unknown", TOPIC, side.own, ["nope", "retention.ms", "retention.ms"])
    describe(side, version, "a group's", GROUP, "g", None)
    describe(side, version, "metrics", METRICS, "m", None)
    describe(side, version, "the cluster's default", BROKER, "", None)
    describe(
        side, version, "a topic's, with documentation", TOPIC, side.own, ["retention.ms"], include_documentation=True
    )
    two = [{"resource_type": TOPIC, "resource_name": name, "configuration_keys": common} for name in (side.own, "nope")]
    side.ask("describe_configs", version, "two", resources=two)
    side.ask("describe_configs", version, "twice", resources=[two[0], two[0]])
    side.ask("describe_configs", version, "nothing", resources=[])


@script(alone=True)
def broker(side: Side) -> None:
    """Every setting of the broker, one by one."""
    resource = {"resource_type": BROKER, "resource_name": "1", "configuration_keys": None}
    answer = side.tell("describe_configs", 4, resources=[resource])
    for key in sorted({config.name for config in answer.results[0].configs} | set(BROKER_KEYS)):
        if key in BROKER_KEYS:
            describe(side, 4, key, BROKER, "1", [key])


BROKER_KEYS = (
    "auto.create.topics.enable", "background.threads", "compression.type", "connections.max.idle.ms",
    "default.replication.factor", "delete.topic.enable", "fetch.max.bytes", "group.max.session.timeout.ms",
    "group.max.size", "group.min.session.timeout.ms", "log.cleaner.enable", "log.cleanup.policy",
    "log.flush.interval.messages", "log.flush.interval.ms", "log.flush.scheduler.interval.ms",
    "log.index.interval.bytes", "log.message.timestamp.type",
    "log.retention.bytes", "log.retention.hours", "log.retention.minutes", "log.retention.ms", "log.roll.hours",
    "log.roll.jitter.hours", "log.roll.jitter.ms", "log.roll.ms",
    "log.segment.bytes", "max.connections", "max.connections.per.ip", "message.max.bytes",
    "min.insync.replicas", "node.id", "num.io.threads", "num.network.threads", "num.partitions",
    "num.replica.fetchers", "offset.metadata.max.bytes", "offsets.retention.minutes", "offsets.topic.num.partitions",
    "queued.max.requests", "replica.lag.time.max.ms", "request.timeout.ms", "socket.request.max.bytes",
    "ssl.keystore.password", "transaction.max.timeout.ms", "unclean.leader.election.enable",
)  # fmt: skip


@each_version("incremental_alter_configs")
def increments(side: Side, version: int) -> None:
    own = side.own
    side.topic(own)

    def ask(what: str, kind: int, name: str, *changes: tuple[str, int, str | None], **more: Any) -> None:
        configs = [{"name": key, "config_operation": op, "value": value} for key, op, value in changes]
        resources = [{"resource_type": kind, "resource_name": name, "configs": configs}]
        side.ask("incremental_alter_configs", version, what, wait=10, resources=resources, **more)

    def after(what: str, *keys: str) -> None:
        describe(side, 4, what, TOPIC, own, list(keys))

    for key, value in CONFIGS:
        ask(f"set {key}={value}", TOPIC, own, (key, SET, value))
    after("after all of them", "retention.ms", "cleanup.policy", "segment.bytes", "compression.type")
    ask("append", TOPIC, own, ("cleanup.policy", APPEND, "delete"))
    after("appended", "cleanup.policy")
    ask("append again", TOPIC, own, ("cleanup.policy", APPEND, "delete"))
    ask("append nonsense", TOPIC, own, ("cleanup.policy", APPEND, "nope"))
    ask("subtract", TOPIC, own, ("cleanup.policy", SUBTRACT, "compact"))
    after("subtracted", "cleanup.policy")
    ask("subtract what isn't there", TOPIC, own, ("cleanup.policy", SUBTRACT, "compact"))
    ask("append to no list", TOPIC, own, ("retention.ms", APPEND, "5"))
    ask("subtract from no list", TOPIC, own, ("retention.ms", SUBTRACT, "5"))
    ask("delete", TOPIC, own, ("retention.ms", DELETE, None))
    after("deleted", "retention.ms")
    ask("delete again", TOPIC, own, ("retention.ms", DELETE, None))
    ask("delete unknown", TOPIC, own, ("nope", DELETE, None))
    ask("delete with a value", TOPIC, own, ("segment.bytes", DELETE, "1"))
    ask("set to null", TOPIC, own, ("retention.ms", SET, None))
    ask("a key twice", TOPIC, own, ("retention.ms", SET, "1"), ("retention.ms", SET, "2"))
    ask("set and delete", TOPIC, own, ("retention.ms", SET, "1"), ("retention.ms", DELETE, None))
    ask("operation 4", TOPIC, own, ("retention.ms", 4, "1"))
    ask("good and bad", TOPIC, own, ("retention.ms", SET, "77"), ("segment.bytes", SET, "x"))
    after("good and bad", "retention.ms", "segment.bytes")
    ask("only checked", TOPIC, own, ("retention.ms", SET, "78"), validate_only=True)
    after("only checked", "retention.ms")
    for kind, name in ((TOPIC, "nope"), (TOPIC, ""), (TOPIC, "a b"), (0, "x"), (99, "x"), (BROKER, "7"), (BROKER, "x")):
        ask(f"{kind} {name!r}", kind, name, ("retention.ms", SET, "1"))
    group = f"{own}-group"
    for key, value in (("consumer.session.timeout.ms", "50000"), ("consumer.session.timeout.ms", "1"), ("nope", "1")):
        ask(f"a group's {key}={value}", GROUP, group, (key, SET, value))
    ask("no group", GROUP, "", ("consumer.session.timeout.ms", SET, "50000"))
    metrics = f"{own}-metrics"
    for key, value in (
        ("interval.ms", "5000"),
        ("interval.ms", "1"),
        ("metrics", "a,b"),
        ("match", "client_id=x"),
        ("match", "x"),
    ):
        ask(f"metrics {key}={value}", METRICS, metrics, (key, SET, value))
    describe(side, 4, "a group's", GROUP, group, None)
    describe(side, 4, "metrics", METRICS, metrics, None)
    for kind in ([METRICS], [GROUP], [TOPIC], [BROKER], [LOGGER], [99], [0], [-1], [METRICS, 99], []):
        for listed in (0, 1):
            side.ask("list_config_resources", listed, f"{kind}", resource_types=kind)

            def keep(answer: Any) -> None:
                found = answer.config_resources
                answer.config_resources = [r for r in found if r.resource_name in (own, group, metrics, "1")]

            side.show(keep)
    ask("a group's, back", GROUP, group, ("consumer.session.timeout.ms", DELETE, None))
    ask(
        "metrics, back",
        METRICS,
        metrics,
        ("interval.ms", DELETE, None),
        ("metrics", DELETE, None),
        ("match", DELETE, None),
    )


@each_version("alter_configs")
def replaced(side: Side, version: int) -> None:
    own = side.own
    side.topic(own, retention_ms=5000)

    def ask(what: str, *configs: tuple[str, str | None], kind: int = TOPIC, name: str = "", **more: Any) -> None:
        wanted = [{"name": key, "value": value} for key, value in configs]
        resources = [{"resource_type": kind, "resource_name": name or own, "configs": wanted}]
        side.ask("alter_configs", version, what, wait=10, resources=resources, **more)

    for key, value in CONFIGS:
        ask(f"{key}={value}", (key, value))
    ask("two", ("retention.ms", "6000"), ("cleanup.policy", "compact"))
    describe(side, 4, "two", TOPIC, own, ["retention.ms", "cleanup.policy"])
    ask("one", ("retention.ms", "7000"))
    describe(side, 4, "one", TOPIC, own, ["retention.ms", "cleanup.policy"])
    ask("a key twice", ("retention.ms", "1"), ("retention.ms", "2"))
    ask("none")
    describe(side, 4, "none", TOPIC, own, ["retention.ms", "cleanup.policy"])
    ask("only checked", ("retention.ms", "8000"), validate_only=True)
    for kind, name in (
        (TOPIC, "nope"),
        (TOPIC, "a b"),
        (0, "x"),
        (99, "x"),
        (BROKER, "7"),
        (BROKER, "x"),
        (GROUP, own),
    ):
        ask(f"{kind} {name!r}".replace(own, "own"), ("retention.ms", "1"), kind=kind, name=name)


@script(alone=True)
def dynamic(side: Side) -> None:
    """Settings of the running broker, of it alone and of all."""
    for name in ("1", ""):
        for key, value in DYNAMIC:
            configs = [{"name": key, "config_operation": SET, "value": value}]
            resources = [{"resource_type": BROKER, "resource_name": name, "configs": configs}]
            side.ask("incremental_alter_configs", 1, f"{name!r} {key}={value}", wait=10, resources=resources)
        describe(side, 4, f"{name!r} set", BROKER, name, [key for key, _ in DYNAMIC if key != "nope"])
        for key in dict.fromkeys(key for key, _ in DYNAMIC):
            configs = [{"name": key, "config_operation": DELETE, "value": None}]
            resources = [{"resource_type": BROKER, "resource_name": name, "configs": configs}]
            side.ask("incremental_alter_configs", 1, f"{name!r} {key} deleted", wait=10, resources=resources)


@script(alone=True)
def min_insync_replicas(side: Side) -> None:
    """The cluster has one from its beginning and keeps one, and no broker has its own."""
    key = "min.insync.replicas"

    def incrementally(what: str, name: str, op: int, value: str | None, **more: Any) -> None:
        configs = [{"name": key, "config_operation": op, "value": value}]
        resources = [{"resource_type": BROKER, "resource_name": name, "configs": configs}]
        side.ask("incremental_alter_configs", 1, f"{name!r} {what}", wait=10, resources=resources, **more)

    def replaced(what: str, name: str, *configs: tuple[str, str]) -> None:
        wanted = [{"name": key, "value": value} for key, value in configs]
        resources = [{"resource_type": BROKER, "resource_name": name, "configs": wanted}]
        side.ask("alter_configs", 2, f"{name!r} {what}", wait=10, resources=resources)

    def shown(what: str, value: str) -> None:
        default = {"resource_type": BROKER, "resource_name": "", "configuration_keys": [key]}
        for _ in range(100):  # Apache Kafka's broker hears of it after its controller has answered
            answer = side.tell("describe_configs", 4, resources=[default])
            if answer and answer.results[0].configs[0].value == value:
                break
            time.sleep(0.05)
        for kind, name in ((BROKER, ""), (BROKER, "1"), (TOPIC, side.own)):
            describe(side, 4, f"{what}: {kind} {name!r}", kind, name, [key])

    side.topic(side.own)
    shown("at first", "1")
    for name in ("1", ""):
        for what, op, value in (("set", SET, "2"), ("set badly", SET, "x"), ("set to 0", SET, "0")):
            incrementally(what, name, op, value)
        incrementally("deleted", name, DELETE, None)
        incrementally("deleted, only checked", name, DELETE, None, validate_only=True)
        incrementally("appended", name, APPEND, "2")
        replaced("replaced by none", name)
        replaced("replaced by another", name, ("log.retention.ms", "600000000"))
        replaced("replaced", name, (key, "3"))
        shown(f"{name!r} done", "1" if name else "3")
        replaced("back", name, *[(key, "1")][: not name])
    shown("at last", "1")


DYNAMIC = (
    ("log.retention.ms", "600000000"),
    ("log.retention.ms", "x"),
    ("message.max.bytes", "120000"),
    ("message.max.bytes", "-1"),
    ("log.cleaner.threads", "2"),
    ("num.io.threads", "9"),
    ("num.partitions", "5"),
    ("node.id", "3"),
    ("background.threads", "0"),
    ("compression.type", "gzip"),
    ("compression.type", "nope"),
    ("max.connections", "5000"),
    ("nope", "1"),
)
