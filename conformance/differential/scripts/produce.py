"""Produce: batches of every kind, good and bad, and how what was refused is named."""

from __future__ import annotations

import struct
from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.side import Side
from kafkawire.batches import seal
from kafkawire.records import Record, build

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def produce(
    side: Side, version: int, what: str, records: bytes | None, *, topic: str = "", index: int = 0, **more: Any
) -> Any:
    name = topic or side.own
    data = [{"index": index, "records": records}]
    tree = {"acks": -1, "timeout_ms": 5000, "transactional_id": None}
    tree["topic_data"] = [{"name": name, "topic_id": side.topic_ids.get(name, b"\7" * 16), "partition_data": data}]
    answer = side.ask("produce", version, what, on="p", wait=2.0, **(tree | more))
    if answer is None:
        side.drop("p")
    return answer


def asked(side: Side, *topics: tuple[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "topic_id": side.topic_ids.get(name, b"\7" * 16),
            "partition_data": [{"index": i, "records": side.batch()} for i in indexes],
        }
        for name, indexes in topics
    ]


def patched(batch: bytes, at: int, code: str, value: int, *, sealed: bool = True) -> bytes:
    """A batch with one header field changed, its checksum made right again."""
    changed = bytearray(batch)
    struct.pack_into(">" + code, changed, at, value)
    if sealed:
        seal(changed, 0, len(changed))
    return bytes(changed)


def bad_batches(side: Side) -> dict[str, bytes | None]:
    """What a broker can tell from a batch's header, or must keep as it is."""
    good, two = side.batch(), side.batch((b"a", b"b"))
    record = bytearray(good)
    record[62] ^= 0x40
    seal(record, 0, len(record))
    cases: dict[str, bytes | None] = {
        "no bytes": b"",
        "one byte": b"\0",
        "half a header": good[:30],
        "a header alone": good[:61],
        "half a batch": good[: len(good) - 3],
        "bytes behind the batch": good + b"\0\0\0",
        "half a second batch": good + good[:40],
        "two batches": good + good,
        "bad checksum": patched(good, 17, "I", 12345, sealed=False),
        "length 0": patched(good, 8, "i", 0, sealed=False),
        "length -1": patched(good, 8, "i", -1, sealed=False),
        "length too large": patched(good, 8, "i", 100_000, sealed=False),
        "length one less": patched(good, 8, "i", len(good) - 13, sealed=False),
        "magic 3": patched(good, 16, "b", 3, sealed=False),
        "magic -1": patched(good, 16, "b", -1, sealed=False),
        "magic 1": patched(good, 16, "b", 1, sealed=False),
        "magic 0": patched(good, 16, "b", 0, sealed=False),
        "count 0": patched(good, 57, "i", 0),
        "count 2 of 1": patched(good, 57, "i", 2),
        "count -1": patched(good, 57, "i", -1),
        "count of the largest": patched(good, 57, "i", (1 << 31) - 1),
        "last offset delta 5": patched(good, 23, "i", 5),
        "last offset delta -1": patched(good, 23, "i", -1),
        "last offset delta 0 of 2": patched(two, 23, "i", 0),
        "base offset 77": patched(good, 0, "q", 77),
        "base offset -1": patched(good, 0, "q", -1),
        "leader epoch 9": patched(good, 12, "i", 9),
        "codec 5": patched(good, 21, "h", 5),
        "codec 7": patched(good, 21, "h", 7),
        "log append time": patched(good, 21, "h", 0x08),
        "transactional": patched(good, 21, "h", 0x10),
        "control": patched(good, 21, "h", 0x20),
        "delete horizon": patched(good, 21, "h", 0x40),
        "reserved bits": patched(good, 21, "h", 0x0F00),
        "base timestamp -1": patched(good, 27, "q", -1),
        "base timestamp -5": patched(good, 27, "q", -5),
        "max timestamp 0": patched(good, 35, "q", 0),
        "all far ahead": side.batch(timestamp=side.moment + 10 * 86_400_000),
        "all long ago": side.batch(timestamp=1000),
        "no timestamp": side.batch(timestamp=-1),
        "producer without epoch": patched(good, 43, "q", 5),
        "epoch without producer": patched(good, 51, "h", 5),
        "sequence without producer": patched(good, 53, "i", 5),
        "producer -2": patched(good, 43, "q", -2),
        "bytes of a record changed": bytes(record),
        "too large": side.batch((b"x" * 200_000,)),
        "too large in two": side.batch((b"x" * 60_000,)) + side.batch((b"x" * 60_000,)),
        "null key and value": bytes(build([(None, None)], timestamp=side.moment)),
        "empty key and value": bytes(build([(b"", b"")], timestamp=side.moment)),
        "headers": bytes(build([Record(0, side.moment, b"k", b"v", [("h", b"1"), ("h", None), ("", b"")])])),
        "records of different times": bytes(
            build([Record(0, side.moment, b"k", b"1"), Record(1, side.moment - 5000, b"k", b"2")])
        ),
        "offsets with gaps": bytes(build([Record(0, side.moment, b"k", b"1"), Record(5, side.moment, b"k", b"2")])),
        "offsets backwards": bytes(build([Record(1, side.moment, b"k", b"1"), Record(0, side.moment, b"k", b"2")])),
    }
    for name, codec in (("gzip", GZIP), ("snappy", SNAPPY), ("lz4", LZ4), ("zstd", ZSTD)):
        packed = bytes(build([(b"k", b"v" * 500)] * 3, timestamp=side.moment, codec=codec))
        cases[name] = packed
        cases[f"{name}, count 9 of 3"] = patched(packed, 57, "i", 9)
        cases[f"{name}, bad checksum"] = patched(packed, 17, "I", 1, sealed=False)
    return cases


def unreadable_batches(side: Side) -> dict[str, bytes]:
    """Batches whose headers are in order and say something else than what is inside."""
    good = side.batch()
    cases = {"max timestamp far ahead": patched(good, 35, "q", 1 << 60)}
    for name, codec in (("gzip", GZIP), ("snappy", SNAPPY), ("lz4", LZ4), ("zstd", ZSTD)):
        cases[f"{name} that isn't"] = patched(good, 21, "h", codec)
        cases[f"{name}, cut inside"] = _cut_inside(
            bytes(build([(b"k", b"v" * 500)] * 3, timestamp=side.moment, codec=codec))
        )
    return cases


def _cut_inside(packed: bytes) -> bytes:
    """A batch whose compressed records end too soon."""
    cut = bytearray(packed[:-6])
    struct.pack_into(">i", cut, 8, len(cut) - 12)
    seal(cut, 0, len(cut))
    return bytes(cut)


@each_version("produce")
def batches(side: Side, version: int) -> None:
    side.topic(side.own)
    for what, records in bad_batches(side).items():
        produce(side, version, what, records)
    _read_back(side, side.own)


def _read_back(side: Side, topic: str) -> None:
    """All that was taken, as it lies in the log."""
    partition = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 22}
    topics = [{"topic": topic, "partitions": [partition]}]
    side.ask("fetch", 11, "read back", max_wait_ms=0, min_bytes=0, max_bytes=1 << 24, topics=topics)


@each_version("produce")
def insides(side: Side, version: int) -> None:
    """Each in a partition of its own, so that offsets can be compared."""
    cases = unreadable_batches(side)
    side.topic(side.own, len(cases))
    for index, (what, records) in enumerate(cases.items()):
        produce(side, version, what, records, index=index)


@each_version("produce")
def shapes(side: Side, version: int) -> None:
    """Whom a request names, how often, and with which acks."""
    side.topic(side.own, 2)
    other = side.own + "-other"
    side.topic(other)
    own = side.own

    def ask(what: str, *topics: tuple[str, tuple[int, ...]], **more: Any) -> None:
        tree = {"acks": -1, "timeout_ms": 5000, "topic_data": asked(side, *topics)}
        if side.ask("produce", version, what, on="p", wait=2.0, **(tree | more)) is None:
            side.drop("p")

    for acks in (1, -1, 2, -2, 32767):
        ask(f"acks {acks}", (own, (0,)), acks=acks)
    ask("known and unknown partitions", (own, (0, 1, 2, -1)))
    ask("a partition twice", (own, (0, 0)))
    ask("a topic twice", (own, (0,)), (own, (1,)))
    ask("a topic twice, the same partition", (own, (0,)), (own, (0,)))
    ask("two topics", (own, (1, 0)), (other, (0,)))
    ask("unknown topic among others", (own, (0,)), ("nope", (0,)), (other, (0,)))
    ask("unknown topics", ("nope", (0, 1)), ("nowhere", (0,)))
    ask("bad name", ("a b", (0,)))
    ask("no name", ("", (0,)))
    ask("no partitions", (own, ()))
    ask("no topics")
    ask("timeout 0", (own, (0,)), timeout_ms=0)
    ask("timeout -1", (own, (0,)), timeout_ms=-1)
    ask("internal", ("__consumer_offsets", (0,)))
    ask("transactional id, nothing transactional", (own, (0,)), transactional_id="t")
    data = asked(side, (own, (0,)))
    side.send("produce", version, "acks 0", on="z", acks=0, timeout_ms=1000, topic_data=data)
    side.receive("z", 0.5)
    side.send(
        "produce",
        version,
        "acks 0, unknown topic",
        on="y",
        acks=0,
        timeout_ms=1000,
        topic_data=asked(side, ("nope", (0,))),
    )
    side.receive("y", 2)


@script()
def settings(side: Side) -> None:
    """What a topic's configs make of the same batches."""
    newest = side.served["produce"].last
    plain, packed = side.batch((b"a", b"b")), side.batch((b"a" * 900, b"b" * 900), codec=GZIP)
    variants: dict[str, dict[str, object]] = {
        "append-time": {"message_timestamp_type": "LogAppendTime"},
        "gzip": {"compression_type": "gzip"},
        "zstd": {"compression_type": "zstd"},
        "lz4": {"compression_type": "lz4"},
        "snappy": {"compression_type": "snappy"},
        "uncompressed": {"compression_type": "uncompressed"},
        "compact": {"cleanup_policy": "compact"},
        "small": {"max_message_bytes": "100"},
        "narrow": {"message_timestamp_before_max_ms": "1000", "message_timestamp_after_max_ms": "1000"},
        "replicas": {"min_insync_replicas": "2"},
    }
    for name, configs in variants.items():
        topic = f"{side.own}-{name}"
        side.topic(topic, **configs)
        for version in (3, 7, newest):
            produce(side, version, f"{name} plain", plain, topic=topic)
            produce(side, version, f"{name} packed", packed, topic=topic)
            produce(side, version, f"{name} null key", bytes(build([(None, b"v")], timestamp=side.moment)), topic=topic)
            produce(side, version, f"{name} null keys among others", _some_without_key(side), topic=topic)
            produce(side, version, f"{name} now", side.batch(timestamp=side.moment + 3_600_000), topic=topic)
            produce(side, version, f"{name} acks 1", plain, topic=topic, acks=1)
        _read_back(side, topic)


def _some_without_key(side: Side) -> bytes:
    return bytes(build([(b"k", b"1"), (None, b"2"), (None, b"3")], timestamp=side.moment))


@each_version("init_producer_id")
def idempotent(side: Side, version: int) -> None:
    """A producer's life: sequences in order, again, with gaps, wrapped around, from older and newer epochs."""
    side.topic(side.own, 2)
    newest = side.served["produce"].last
    made = side.ask("init_producer_id", version, "new", transactional_id=None, transaction_timeout_ms=1000)
    producer, epoch = made.producer_id, made.producer_epoch

    def send(what: str, sequence: int, epoch: int = epoch, values: int = 1, index: int = 0, said: int = newest) -> None:
        batch = side.batch(
            [b"v%d" % i for i in range(values)], producer_id=producer, producer_epoch=epoch, base_sequence=sequence
        )
        produce(side, said, what, batch, index=index)

    send("first", 0)
    send("second", 1, values=3)
    send("duplicate", 1, values=3)
    send("duplicate, shorter", 1, values=2)
    send("gap", 9)
    send("before", 0)
    send("next", 4)
    for sequence in (5, 6, 7, 8, 9, 10):
        send("in a row", sequence)
    send("older than five batches", 4)
    send("of the last five", 7)
    send("older version", 11, said=3)
    send("newer epoch, not 0", 5, epoch + 1)
    send("newer epoch", 0, epoch + 1)
    send("older epoch", 12, epoch)
    send("negative sequence", -1, epoch + 1)
    send("negative epoch", 0, -1)
    send("unknown there, not 0", 5, epoch + 1, index=1)
    send("unknown there", 0, epoch + 1, index=1)
    send("to the end of the numbers", (1 << 31) - 1, epoch + 2, index=1)
    two = side.batch((b"a",), producer_id=producer, producer_epoch=epoch + 1, base_sequence=1)
    produce(side, newest, "two batches of a producer", two + two)
    side.ask("describe_producers", 0, "", topics=[{"name": side.own, "partition_indexes": [0, 1, 7]}])
    for known, at in ((producer, epoch), (producer, epoch + 5), (producer, -1), (-1, 3), (producer + 100_000, 0)):
        what = f"bump {'known' if known == producer else (known < 0 and 'none') or 'unknown'} {at - epoch}"
        asked_for = {"transactional_id": None, "transaction_timeout_ms": 1000}
        side.ask("init_producer_id", version, what, producer_id=known, producer_epoch=at, **asked_for)
    for timeout in (0, -1, 2_147_483_647):
        side.ask(
            "init_producer_id", version, f"timeout {timeout}", transactional_id=None, transaction_timeout_ms=timeout
        )
    side.ask("init_producer_id", version, "empty id", transactional_id="", transaction_timeout_ms=1000)
