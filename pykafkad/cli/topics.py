"""List, create, describe, alter and delete topics, and look up their offsets.

Kafka's spelling works too: --create --topic NAME for create NAME.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from pykafkad.cli.client import BrokerRefused, Client, check
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.options import add_connection, add_json, merge, pairs, topic_partitions
from pykafkad.cli.tables import show
from pykafkad.model import uuid_from_text, uuid_text

ACTIONS = ("list", "create", "describe", "alter", "delete", "delete-records", "offsets")
TIMEOUT_MS = 30_000
TOPIC = 2  # resource type in DescribeConfigs
SET_ON_TOPIC = 1  # config source in DescribeConfigs
TIMES = {"latest": -1, "earliest": -2, "max-timestamp": -3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.add_argument("names", nargs="*", metavar="TOPIC", help="a name, or a pattern where several make sense")
        added.add_argument("--topic", action="append", metavar="TOPIC", help="the same, in Kafka's spelling")
        add_connection(added)
        return added

    listing = action("list", "names of topics")
    listing.add_argument("--exclude-internal", action="store_true", help="leave out internal topics")
    add_json(listing)

    create = action("create", "make a topic")
    create.add_argument("--partitions", type=int, default=-1, help="default: the broker's num.partitions")
    create.add_argument(
        "--replication-factor", type=int, default=-1, help="default: the broker's default.replication.factor"
    )
    create.add_argument("--replica-assignment", metavar="ID:ID,ID:ID,…", help="brokers of each partition, by hand")
    create.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="repeatable")
    create.add_argument("--if-not-exists", action="store_true", help="an existing topic is fine")
    create.add_argument("--validate-only", action="store_true", help="check, make nothing")

    describe = action("describe", "partitions, leaders, replicas and overrides")
    describe.add_argument("--topic-id", metavar="ID", help="the topic with this id")
    describe.add_argument("--exclude-internal", action="store_true", help="leave out internal topics")
    describe.add_argument("--if-exists", action="store_true", help="an unknown topic is fine")
    describe.add_argument("--topics-with-overrides", action="store_true", help="only topics that override settings")
    for name, about in PARTITION_FILTERS.items():
        describe.add_argument(f"--{name}", action="store_true", help=f"only partitions {about[0]}")
    add_json(describe)

    alter = action("alter", "add partitions")
    alter.add_argument("--partitions", type=int, required=True, help="how many there shall be")
    alter.add_argument("--if-exists", action="store_true", help="an unknown topic is fine")

    delete = action("delete", "remove topics and all that is in them")
    delete.add_argument("--if-exists", action="store_true", help="an unknown topic is fine")

    records = action("delete-records", "let go of the oldest records: TOPIC:PARTITION or a whole TOPIC")
    records.add_argument("--before-offset", type=int, default=-1, help="the first offset to keep (default: the end)")

    offsets = action("offsets", "offsets of each partition")
    offsets.add_argument("--time", default="latest", metavar="latest|earliest|max-timestamp|MS", help="default latest")
    add_json(offsets)


def run(args: argparse.Namespace) -> int:
    names = merge(args.names, args.topic)
    with Client(args.bootstrap_server) as client:
        RUN[args.action](client, args, names)
    return 0


def list_topics(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    topics = [topic for topic in existing(client) if not (args.exclude_internal and topic.is_internal)]
    rows = [
        {"name": topic.name, "id": uuid_text(topic.topic_id), "partitions": len(topic.partitions)}
        for topic in chosen(topics, names, required=False)
    ]
    if args.json:
        show(rows, as_json=True)
    else:
        for row in rows:
            print(row["name"])


def create_topic(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    from kafkawire.api import create_topics
    from kafkawire.errors import ErrorCode

    configs = pairs(args.config, "--config")
    assignments = parse_assignment(args.replica_assignment) if args.replica_assignment else []
    if assignments and (args.partitions, args.replication_factor) != (-1, -1):
        raise Misused("--replica-assignment leaves nothing for --partitions and --replication-factor to say")
    request = create_topics.Request(
        topics=[
            create_topics.CreatableTopic(
                name=name,
                num_partitions=args.partitions,
                replication_factor=args.replication_factor,
                assignments=[
                    create_topics.CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
                    for index, brokers in enumerate(assignments)
                ],
                configs=[create_topics.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
            )
            for name in required(names)
        ],
        timeout_ms=TIMEOUT_MS,
        validate_only=args.validate_only,
    )
    failed = Failures()
    for result in client.controller().call(request).topics:
        if result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS and args.if_not_exists:
            continue
        if failed.note(result.error_code, result.name, result.error_message):
            print(f"{'could create' if args.validate_only else 'created'} {result.name}")
    failed.raise_first()


def describe_topics(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    topics = existing(client)
    if args.topic_id:
        wanted = as_topic_id(args.topic_id)
        topics = [topic for topic in topics if topic.topic_id == wanted]
        if not topics and not args.if_exists:
            raise CommandFailed(f"no topic has the id {args.topic_id}")
    topics = [
        topic
        for topic in chosen(topics, names, required=not args.if_exists)
        if not (args.exclude_internal and topic.is_internal)
    ]
    overrides = topic_overrides(client, [topic.name for topic in topics])
    if args.topics_with_overrides:
        topics = [topic for topic in topics if overrides[topic.name]]
    keep = [test for name, (_, test) in PARTITION_FILTERS.items() if getattr(args, name.replace("-", "_"))]
    rows = [describe_one(topic, overrides[topic.name], keep) for topic in topics]
    if keep:
        rows = [row for row in rows if row["partitions"]]
    if args.json:
        show(rows, as_json=True)
        return
    for row in rows:
        settings = ",".join(f"{key}={value}" for key, value in sorted(row["configs"].items()))
        print(
            f"{row['name']}  id {row['id']}  partitions {row['partition_count']}"
            f"  replication factor {row['replication_factor']}" + (f"  {settings}" if settings else "")
        )
        if not args.topics_with_overrides:
            show(row["partitions"], as_json=False)
            print()


def describe_one(topic: Any, overrides: dict[str, str], keep: Sequence[Any]) -> dict[str, Any]:
    partitions = sorted(topic.partitions, key=lambda partition: int(partition.partition_index))
    return {
        "name": topic.name,
        "id": uuid_text(topic.topic_id),
        "internal": topic.is_internal,
        "partition_count": len(partitions),
        "replication_factor": len(partitions[0].replica_nodes) if partitions else 0,
        "configs": overrides,
        "partitions": [
            {
                "partition": partition.partition_index,
                "leader": partition.leader_id if partition.leader_id >= 0 else None,
                "replicas": list(partition.replica_nodes),
                "isr": list(partition.isr_nodes),
                "offline": list(partition.offline_replicas),
            }
            for partition in partitions
            if not keep or any(test(partition) for test in keep)
        ],
    }


def alter_topic(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    from kafkawire.api import create_partitions

    topics = chosen(existing(client), required(names), required=not args.if_exists)
    request = create_partitions.Request(
        topics=[create_partitions.Topic(name=topic.name, count=args.partitions, assignments=None) for topic in topics],
        timeout_ms=TIMEOUT_MS,
    )
    failed = Failures()
    for result in client.controller().call(request).results if topics else ():
        if failed.note(result.error_code, result.name, result.error_message):
            print(f"{result.name} has {args.partitions} partitions")
    failed.raise_first()


def delete_topics(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    from kafkawire.api import delete_topics as api

    topics = chosen(existing(client), required(names), required=not args.if_exists)
    request = api.Request(
        topics=[api.DeleteTopicState(name=topic.name) for topic in topics],
        timeout_ms=TIMEOUT_MS,
    )
    failed = Failures()
    for result in client.controller().call(request, at_least=6).responses if topics else ():
        if failed.note(result.error_code, result.name, result.error_message):
            print(f"deleted {result.name}")
    failed.raise_first()


def delete_records(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    from kafkawire.api import delete_records as api
    from pykafkad.cli.client import by_leader, by_topic

    wanted = partitions_of(client, args.names + (args.topic or []))
    leaders = client.leaders(sorted({topic for topic, _ in wanted}))
    failed = Failures()
    for node_id, mine in by_leader(wanted, leaders).items():
        topics = [
            api.Topic(
                name=name,
                partitions=[api.Partition(partition_index=index, offset=args.before_offset) for index in indexes],
            )
            for name, indexes in by_topic(mine).items()
        ]
        for topic in client.broker(node_id).call(api.Request(topics=topics, timeout_ms=TIMEOUT_MS)).topics:
            for partition in topic.partitions:
                name = f"{topic.name}-{partition.partition_index}"
                if failed.note(partition.error_code, name, None):
                    print(f"{name} starts at {partition.low_watermark}")
    failed.raise_first()


def show_offsets(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    wanted = partitions_of(client, args.names + (args.topic or []))
    try:
        time = TIMES[args.time] if args.time in TIMES else int(args.time)
    except ValueError:
        raise Misused(f"--time: {args.time!r} is not latest, earliest, max-timestamp or milliseconds") from None
    rows = []
    for (topic, index), answer in sorted(client.offsets(dict.fromkeys(wanted, time)).items()):
        check(answer.error_code, f"{topic}-{index}")
        row = {"topic": topic, "partition": index, "offset": answer.offset if answer.offset >= 0 else None}
        rows.append(row | ({"timestamp": answer.timestamp} if answer.timestamp >= 0 else {}))
    columns = ["topic", "partition", "offset", *(["timestamp"] if any("timestamp" in row for row in rows) else [])]
    show(rows, as_json=args.json, columns=columns)


RUN = {
    "list": list_topics,
    "create": create_topic,
    "describe": describe_topics,
    "alter": alter_topic,
    "delete": delete_topics,
    "delete-records": delete_records,
    "offsets": show_offsets,
}

PARTITION_FILTERS = {
    "under-replicated-partitions": (
        "with replicas out of sync",
        lambda partition: len(partition.isr_nodes) < len(partition.replica_nodes),
    ),
    "unavailable-partitions": ("without a leader", lambda partition: partition.leader_id < 0),
}


class Failures:
    """Refusals of single topics in one answer: the others' results are printed, then the first refusal ends it."""

    def __init__(self) -> None:
        self._first: BrokerRefused | None = None

    def note(self, code: int, what: str, message: str | None) -> bool:
        """Whether it went well."""
        try:
            check(code, what, message)
        except BrokerRefused as refused:
            self._first = self._first or refused
            return False
        return True

    def raise_first(self) -> None:
        if self._first is not None:
            raise self._first


def existing(client: Client) -> list[Any]:
    return sorted((topic for topic in client.metadata().topics if not topic.error_code), key=lambda topic: topic.name)


def chosen(topics: list[Any], names: list[str], *, required: bool) -> list[Any]:
    """The topics of these names; a name that no topic has is a pattern. No names: all."""
    if not names:
        return topics
    found: dict[str, Any] = {}
    by_name = {topic.name: topic for topic in topics}
    for name in names:
        matching = [by_name[name]] if name in by_name else [t for t in topics if matches(name, t.name)]
        if not matching and required:
            raise CommandFailed(f"no topic is called {name}")
        found |= {topic.name: topic for topic in matching}
    return list(found.values())


def matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error as error:
        raise Misused(f"{pattern!r} is neither a topic nor a pattern ({error})") from None


def required(names: list[str]) -> list[str]:
    if not names:
        raise Misused("which topic?")
    return names


def partitions_of(client: Client, items: Sequence[str]) -> list[tuple[str, int]]:
    """``topic`` (all its partitions) and ``topic:0,1`` items as partitions; none: of every topic."""
    try:
        wanted = [topic_partitions(item) for item in items]
    except argparse.ArgumentTypeError as error:
        raise Misused(str(error)) from None
    topics = {topic.name: len(topic.partitions) for topic in existing(client)}
    found = []
    for name, indexes in wanted or [(name, None) for name in topics]:
        if name not in topics:
            raise CommandFailed(f"no topic is called {name}")
        found += [(name, index) for index in (range(topics[name]) if indexes is None else indexes)]
    return found


def topic_overrides(client: Client, names: list[str]) -> dict[str, dict[str, str]]:
    """What each topic sets itself."""
    from kafkawire.api import describe_configs as api

    if not names:
        return {}
    resources = [api.Resource(resource_type=TOPIC, resource_name=name, configuration_keys=None) for name in names]
    overrides: dict[str, dict[str, str]] = {name: {} for name in names}
    for result in client.any().call(api.Request(resources=resources)).results:
        check(result.error_code, result.resource_name, result.error_message)
        overrides[result.resource_name] = {
            config.name: config.value for config in result.configs if config.config_source == SET_ON_TOPIC
        }
    return overrides


def parse_assignment(text: str) -> list[list[int]]:
    """``1:2,2:3``: the brokers of partition 0, of partition 1, …"""
    try:
        return [[int(broker) for broker in partition.split(":")] for partition in text.split(",")]
    except ValueError:
        raise Misused(f"--replica-assignment: {text!r} is not broker ids like 1:2,2:3") from None


def as_topic_id(text: str) -> bytes:
    try:
        return uuid_from_text(text)
    except ValueError as error:
        raise Misused(f"--topic-id: {error}") from None
