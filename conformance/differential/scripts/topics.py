"""A topic's life: made, seen, grown, deleted, made again; and all that is refused on the way."""

from __future__ import annotations

from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.side import Side


@each_version("create_topics")
def creation(side: Side, version: int) -> None:
    own = side.own
    side.topic(f"{own}-there")

    def ask(what: str, *topics: dict[str, Any], **more: Any) -> None:
        plain = {"num_partitions": 1, "replication_factor": 1}
        tree = {"topics": [plain | topic for topic in topics], "timeout_ms": 30000, "validate_only": False}
        side.ask("create_topics", version, what, wait=10, **(tree | more))

    for n, name in enumerate(("", ".", "..", "a b", "é", "x" * 250, f"{own}-there", "__consumer_offsets")):
        ask(f"name {n}", {"name": name})
    ask("a name that collides", {"name": f"{own}.there".replace("-there", ".there")}, {"name": f"{own}-a.b"})
    ask("dots and underscores", {"name": f"{own}-a_b"})
    ask("twice", {"name": f"{own}-twice"}, {"name": f"{own}-twice"})
    ask("none")
    for count in (0, -1, -2, 3, 10_001):
        ask(f"{count} partitions", {"name": f"{own}-{count}", "num_partitions": count}, validate_only=count > 100)
    for factor in (0, -1, -2, 2, 32767):
        ask(f"factor {factor}", {"name": f"{own}-f{factor}", "replication_factor": factor})
    auto = {"num_partitions": -1, "replication_factor": -1}
    for n, brokers in enumerate(([[1]], [[1], [1]], [[]], [[7]], [[1, 1]], [[1, 7]], [[-1]])):
        assigned = [{"partition_index": i, "broker_ids": ids} for i, ids in enumerate(brokers)]
        ask(f"assignment {n}", auto | {"name": f"{own}-as{n}", "assignments": assigned})
        ask(f"assignment {n} and a count", {"name": f"{own}-ac{n}", "assignments": assigned})
    gap = [{"partition_index": 0, "broker_ids": [1]}, {"partition_index": 2, "broker_ids": [1]}]
    ask("assignment with a gap", auto | {"name": f"{own}-gap", "assignments": gap})
    ask("assignment twice", auto | {"name": f"{own}-dup", "assignments": [gap[0], gap[0]]})
    for n, (key, value) in enumerate(CONFIGS):
        ask(f"config {key}={value}", {"name": f"{own}-c{n}", "configs": [{"name": key, "value": value}]})
    two = [{"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}]
    ask("a config twice", {"name": f"{own}-c2", "configs": two})
    ask("good and bad", {"name": f"{own}-good"}, {"name": "bad name"}, {"name": f"{own}-good2", "num_partitions": 0})


CONFIGS: tuple[tuple[str, str | None], ...] = (
    ("retention.ms", "1000"),
    ("retention.ms", "-1"),
    ("retention.ms", "-2"),
    ("retention.ms", "x"),
    ("retention.ms", ""),
    ("retention.ms", None),
    ("retention.ms", " 5 "),
    ("retention.ms", "9223372036854775808"),
    ("retention.bytes", "1.5"),
    ("cleanup.policy", "compact"),
    ("cleanup.policy", "compact,delete"),
    ("cleanup.policy", "delete, compact"),
    ("cleanup.policy", ""),
    ("cleanup.policy", "nope"),
    ("cleanup.policy", "COMPACT"),
    ("compression.type", "zstd"),
    ("compression.type", "brotli"),
    ("compression.gzip.level", "10"),
    ("compression.gzip.level", "0"),
    ("compression.gzip.level", "-1"),
    ("compression.zstd.level", "99"),
    ("max.message.bytes", "0"),
    ("max.message.bytes", "-1"),
    ("max.message.bytes", "2147483648"),
    ("min.insync.replicas", "0"),
    ("min.insync.replicas", "3"),
    ("segment.bytes", "13"),
    ("segment.bytes", "1048576"),
    ("segment.ms", "0"),
    ("segment.index.bytes", "3"),
    ("message.timestamp.type", "LogAppendTime"),
    ("message.timestamp.type", "logappendtime"),
    ("message.timestamp.before.max.ms", "-1"),
    ("min.cleanable.dirty.ratio", "1.5"),
    ("min.cleanable.dirty.ratio", "0.25"),
    ("min.cleanable.dirty.ratio", "NaN"),
    ("unclean.leader.election.enable", "TRUE"),
    ("unclean.leader.election.enable", "yes"),
    ("preallocate", "1"),
    ("remote.storage.enable", "true"),
    ("local.retention.ms", "5"),
    ("leader.replication.throttled.replicas", "0:1,1:1"),
    ("leader.replication.throttled.replicas", "*"),
    ("leader.replication.throttled.replicas", "nope"),
    ("max.compaction.lag.ms", "0"),
    ("min.compaction.lag.ms", "-1"),
    ("nope", "1"),
    ("", "1"),
    ("message.format.version", "3.0"),
    ("file.delete.delay.ms", "0"),
    ("flush.messages", "0"),
    ("index.interval.bytes", "-1"),
)


@each_version("metadata")
def seen(side: Side, version: int) -> None:
    own = side.own
    made = side.topic(own, 2)

    def ask(what: str, *topics: dict[str, Any], **more: Any) -> None:
        tree = {"topics": list(topics), "allow_auto_topic_creation": False}
        side.ask("metadata", version, what, **(tree | more))

    flags = {"include_topic_authorized_operations": True, "include_cluster_authorized_operations": True}
    if version >= 1:
        side.ask("metadata", version, "all", topics=None, allow_auto_topic_creation=False)
        side.show(_keep_own(side))
        ask("none")
    ask("one", {"name": own}, **flags)
    ask("twice", {"name": own}, {"name": own})
    ask("known and unknown", {"name": "zz"}, {"name": own}, {"name": "aa"}, **flags)
    for n, bad in enumerate(("", ".", "..", "a b", "x" * 250, "é")):
        ask(f"bad name {n}", {"name": bad})
        ask(f"bad name {n}, may be made", {"name": bad}, allow_auto_topic_creation=True)
    for name, topic_id in (
        ((None, made), (own, made), (None, b"\7" * 16), ("nope", b"\7" * 16)) if version >= 10 else ()
    ):
        ask(
            f"by {'name' if name else ''} {'its id' if topic_id == made else 'another'}",
            {"name": name, "topic_id": topic_id},
            **flags,
        )
    if version >= 12:
        ask("by id and by name", {"name": None, "topic_id": made}, {"name": own})


def _keep_own(side: Side) -> Any:
    def keep(answer: Any) -> None:
        answer.topics = [topic for topic in answer.topics if (topic.name or "").startswith(side.own)]

    return keep


@script()
def described(side: Side) -> None:
    """DescribeTopicPartitions, page by page."""
    own, other = side.own, side.own + "-b"
    side.topic(own, 3)
    side.topic(other, 2)

    def ask(what: str, *names: str, limit: int = 10, cursor: tuple[str, int] | None = None) -> None:
        at = cursor and {"topic_name": cursor[0], "partition_index": cursor[1]}
        topics = [{"name": name} for name in names]
        side.ask("describe_topic_partitions", 0, what, topics=topics, response_partition_limit=limit, cursor=at)

    for limit in (2000, 5, 4, 3, 2, 1, 0, -1):
        ask(f"limit {limit}", own, other, limit=limit)
        ask(f"limit {limit}, with an unknown one", own, "nope", limit=limit)
    ask("bad names", "zz", own, "a b")
    ask("twice", own, own)
    for name, index in (
        (own, 0),
        (own, 1),
        (own, 2),
        (own, 3),
        (own, 7),
        (own, -1),
        (other, 1),
        ("zz", 0),
        ("", 0),
        ("a", 5),
    ):
        ask(f"cursor {name.replace(own, 'own')} {index}", own, other, cursor=(name, index), limit=2)


@script()
def life(side: Side) -> None:
    """Made, filled, grown, deleted, made again, and what old ids and positions are good for then."""
    name = side.own
    made = side.topic(name, 1)
    side.fill(name, batches=3)
    for version in range(4):
        for n, (count, brokers) in enumerate(
            ((1, None), (0, None), (-1, None), (3, [[1]]), (2, [[7]]), (2, [[]]), (2, [[1, 1]]))
        ):
            assigned = None if brokers is None else [{"broker_ids": ids} for ids in brokers]
            topics = [{"name": name, "count": count, "assignments": assigned}]
            side.ask("create_partitions", version, f"refused {n}", wait=10, topics=topics, timeout_ms=30000)
        twice = [{"name": name, "count": 5, "assignments": None}] * 2
        side.ask("create_partitions", version, "twice", wait=10, topics=twice, timeout_ms=30000)
        others = [{"name": other, "count": 5, "assignments": None} for other in ("nope", "", "__consumer_offsets")]
        side.ask("create_partitions", version, "others", wait=10, topics=others, timeout_ms=30000, validate_only=True)
        grown = [{"name": name, "count": version + 2, "assignments": None}]
        side.ask("create_partitions", version, "grow", wait=10, topics=grown, timeout_ms=30000)
        side.await_topic(name, version + 2)
        side.ask("metadata", 12, "grown", topics=[{"name": name}])
    log_dirs = [{"topic": name, "partitions": [0, 1, 9]}]
    for version in side.served["describe_log_dirs"].each():
        side.ask("describe_log_dirs", version, "", topics=log_dirs)
    for version in side.served["delete_topics"].each():
        absent = [{"name": n, "topic_id": bytes(16)} for n in ("nope", "", "a b")]
        side.ask(
            "delete_topics",
            version,
            "unknown",
            wait=10,
            topics=absent,
            topic_names=["nope", "", "a b"],
            timeout_ms=30000,
        )
        twice = [{"name": name, "topic_id": bytes(16)}] * 2
        side.ask("delete_topics", version, "twice", wait=10, topics=twice, topic_names=[name, name], timeout_ms=30000)
    for n, (said, topic_id) in enumerate(((name, made), (None, bytes(16)), (None, b"\7" * 16))):
        topics = [{"name": said, "topic_id": topic_id}]
        side.ask("delete_topics", 6, f"refused {n}", wait=10, topics=topics, timeout_ms=30000)
    both = [{"name": name, "topic_id": bytes(16)}, {"name": None, "topic_id": made}]
    side.ask("delete_topics", 6, "by name and by id", wait=10, topics=both, timeout_ms=30000)
    side.ask("delete_topics", 6, "by id", wait=10, topics=both[1:], timeout_ms=30000)
    side.delete_topic(name)
    side.ask("metadata", 12, "gone", topics=[{"name": name}], allow_auto_topic_creation=False)
    side.ask("metadata", 12, "gone, by id", topics=[{"name": None, "topic_id": made}])
    again = side.topic(name, 1)
    assert again != made
    partition = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}
    for what, topic_id in (("the old id", made), ("the new id", again)):
        topics = [{"topic_id": topic_id, "partitions": [partition]}]
        side.ask("fetch", 13, what, max_wait_ms=0, min_bytes=0, max_bytes=1000, topics=topics)
        data = [{"topic_id": topic_id, "partition_data": [{"index": 0, "records": side.batch()}]}]
        side.ask("produce", 13, what, acks=-1, timeout_ms=1000, topic_data=data)
        side.ask("metadata", 12, what, topics=[{"name": None, "topic_id": topic_id}])
    latest = [{"name": name, "partitions": [{"partition_index": 0, "timestamp": -1}]}]
    side.ask("list_offsets", 7, "the log begins anew", replica_id=-1, topics=latest)
