"""Where a log begins and ends, and at what time: ListOffsets, OffsetForLeaderEpoch, DeleteRecords."""

from __future__ import annotations

from conformance.differential.scripts import each_version
from conformance.differential.side import Side

SPECIAL = (-1, -2, -3, -4, -5, -6, -7, -8)


@each_version("list_offsets")
def offsets(side: Side, version: int) -> None:
    topic = side.own
    side.topic(topic, 3)
    for i, minutes in enumerate((0, 5, 2, 2, 9)):
        side.fill(topic, timestamp=side.moment + minutes * 60_000 + i)
    side.tell("produce", 9, acks=-1, timeout_ms=5000, topic_data=[{"name": topic, "partition_data": [_three(side)]}])
    times = [0, 1, side.moment - 1, side.moment, side.moment + 1, side.moment + 120_001, side.moment + 300_001]
    times += [side.moment + 540_004, side.moment + 540_005, 1 << 60, (1 << 63) - 1, -(1 << 63)]
    for moment in (*SPECIAL, *times):
        what = f"time {moment if abs(moment) < 10 or moment > 1 << 50 else moment - side.moment}"
        for level in (0, 1):
            asked = [{"partition_index": i, "timestamp": moment} for i in (0, 1, 2, 3)]
            topics = [{"name": topic, "partitions": asked}, {"name": "nope", "partitions": asked[:1]}]
            side.ask("list_offsets", version, f"{what} {level}", replica_id=-1, isolation_level=level, topics=topics)
    for epoch in (0, 1, -2, 77):
        asked = [{"partition_index": 0, "timestamp": -1, "current_leader_epoch": epoch}]
        side.ask(
            "list_offsets", version, f"epoch {epoch}", replica_id=-1, topics=[{"name": topic, "partitions": asked}]
        )
    for replica in (0, 1, -2, -3):
        asked = [{"partition_index": 0, "timestamp": -1}]
        side.ask(
            "list_offsets",
            version,
            f"replica {replica}",
            replica_id=replica,
            topics=[{"name": topic, "partitions": asked}],
        )
    twice = [{"partition_index": 0, "timestamp": -1}, {"partition_index": 0, "timestamp": -2}]
    side.ask("list_offsets", version, "a partition twice", replica_id=-1, topics=[{"name": topic, "partitions": twice}])
    both = {"name": topic, "partitions": twice[:1]}
    side.ask("list_offsets", version, "a topic twice", replica_id=-1, topics=[both, both])


def _three(side: Side) -> dict[str, object]:
    return {"index": 1, "records": side.batch((b"a", b"b", b"c"), timestamp=side.moment + 60_000)}


@each_version("offset_for_leader_epoch")
def epochs(side: Side, version: int) -> None:
    topic = side.own
    side.topic(topic, 2)
    side.fill(topic, batches=3)
    for replica in (-1, 0, 1, -2, -3):
        for current in (-1, 0, 1, -2):
            for wanted in (-1, 0, 1, 5, -2):
                partition = {"partition": 0, "current_leader_epoch": current, "leader_epoch": wanted}
                topics = [{"topic": topic, "partitions": [partition, partition | {"partition": 7}]}]
                what = f"replica {replica} current {current} wanted {wanted}"
                side.ask("offset_for_leader_epoch", version, what, replica_id=replica, topics=topics)


@each_version("delete_records")
def deletions(side: Side, version: int) -> None:
    topic = side.own
    side.topic(topic, 2)
    side.fill(topic, batches=6)
    for offset in (2, 1, 2, -2, -3, 99, 4, -1, 6, 7):
        parts = [{"partition_index": 0, "offset": offset}]
        topics = [{"name": topic, "partitions": parts}]
        side.ask("delete_records", version, f"before {offset}", topics=topics, timeout_ms=5000)
        asked = [{"partition_index": 0, "timestamp": -2}]
        side.ask("list_offsets", 7, f"after {offset}", replica_id=-1, topics=[{"name": topic, "partitions": asked}])
    several = [{"partition_index": i, "offset": 0} for i in (0, 1, 2, -1)]
    for names in ([topic], ["nope"], [topic, "nope"], ["a b"], [""], ["__consumer_offsets"]):
        topics = [{"name": name, "partitions": several} for name in names]
        what = " ".join(names).replace(side.own, "own")
        side.ask("delete_records", version, f"of {what}", topics=topics, timeout_ms=5000)
    for timeout in (0, -1):
        topics = [{"name": topic, "partitions": several[1:2]}]
        side.ask("delete_records", version, f"timeout {timeout}", topics=topics, timeout_ms=timeout)
    compacted = f"{topic}-compacted"
    side.topic(compacted, cleanup_policy="compact")
    side.fill(compacted)
    topics = [{"name": compacted, "partitions": [{"partition_index": 0, "offset": 1}]}]
    side.ask("delete_records", version, "of a compacted topic", topics=topics, timeout_ms=5000)
