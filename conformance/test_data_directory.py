"""Kafka's data directory: what Apache Kafka wrote is taken over and served, what we wrote is read by Kafka's own tool.

Needs Java; without it everything here is skipped with the reason.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pytest

from conformance import brokers, visible
from conformance.arrange import Arranger
from conformance.clients import CODECS, Client, Message, eventually, gather, produce
from conformance.clients import client as make_client
from conformance.tools import Tools
from conformance.visible import Eyes
from kafkawire.api import init_producer_id
from kafkawire.api import produce as produce_api
from kafkawire.records import build

SETTINGS = {
    "auto.create.topics.enable": "false",
    "log.initial.task.delay.ms": "500",
    "log.flush.start.offset.checkpoint.interval.ms": "500",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
}
BEGAN = 1_700_000_000_000
TIMES = [BEGAN + 2, BEGAN + 3, BEGAN + 7, BEGAN + 1_000_000]
RECORDS = 30
COMPLAINT = re.compile(r"(?i)exception|mismatch|non-consecutive|out of order|isvalid: false|corrupt|error")


class Raw(NamedTuple):
    """An idempotent producer that sends the same bytes again whenever it likes."""

    producer_id: int
    epoch: int

    def send(self, port: int, topic: str, sequence: int, timestamp: int = BEGAN) -> tuple[int, int]:
        """(error, base offset) of two records."""
        records = [(b"raw", b"%d" % sequence), (b"raw", b"%d" % (sequence + 1))]
        sender = {"producer_id": self.producer_id, "producer_epoch": self.epoch, "base_sequence": sequence}
        batch = build(records, timestamp=timestamp, **sender)
        partition = produce_api.PartitionProduceData(index=0, records=bytes(batch))
        data = produce_api.TopicProduceData(name=topic, partition_data=[partition])
        eyes = Eyes(port)
        try:
            request = produce_api.Request(acks=-1, timeout_ms=10_000, topic_data=[data])
            (answer,) = eyes.ask("produce", 9, request).responses[0].partition_responses
            return answer.error_code, answer.base_offset
        finally:
            eyes.close()


def raw_producer(port: int) -> Raw:
    eyes = Eyes(port)
    try:
        answer = eyes.ask("init_producer_id", 4, init_producer_id.Request(transactional_id=None))
        assert answer.error_code == 0
        return Raw(answer.producer_id, answer.producer_epoch)
    finally:
        eyes.close()


def fill(broker: brokers.Broker, rng: random.Random) -> Raw:
    """Some of everything that a broker keeps."""
    client, admin = make_client("confluent", broker.bootstrap), Arranger(broker.bootstrap)
    try:
        admin.create("plain", 3, {"retention.ms": "-1"})
        admin.create("kept.by_key", 2, {"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000"})
        admin.create("rolled", 1, {"segment.bytes": "1048576", "retention.ms": "-1"})
        admin.create("stamped", 1, {"message.timestamp.type": "LogAppendTime"})
        admin.create("idempotent", 1, {"retention.ms": "-1"})
        admin.create("empty", 2)
        admin.create("again", 1, {"retention.ms": "1000000"})
        produce(client, "again", [Message(b"of an earlier topic", partition=0)])
        admin.delete("again")
        admin.await_gone("again")
        admin.create("again", 1)
        for number, codec in enumerate(CODECS):
            messages = [
                Message(
                    b"%d" % i, b"k%d" % i if i % 3 else None, (("h", b"v"), ("h", None)), (number + i) % 3, BEGAN + i
                )
                for i in range(RECORDS)
            ]
            produce(client, "plain", messages, codec=codec)
        keyed = [Message(None if i % 7 == 6 else b"%d" % i, b"key-%d" % (i % 5), partition=i % 2) for i in range(40)]
        produce(client, "kept.by_key", keyed)
        for i in range(12):
            filling = rng.randbytes(200_000)
            produce(client, "rolled", [Message(filling, b"%d" % i, (), 0, BEGAN + i)] * 2)
        admin.delete_records("rolled", 0, 5)
        produce(client, "stamped", [Message(b"x", partition=0, timestamp=BEGAN)] * 3)
        large = [Message(b"%d" % i * 5_000, partition=0) for i in range(10)]  # enough for a snapshot at our stop
        produce(client, "idempotent", large, idempotent=True)
        raw = raw_producer(broker.port)
        assert raw.send(broker.port, "idempotent", 0) == (0, 10)
        assert raw.send(broker.port, "idempotent", 2) == (0, 12)
        commit(client, admin)
        transact(broker)
        admin.alter("plain", {"max.message.bytes": "2000000", "retention.ms": "900000000000"})
        alter_broker(broker, "log.cleaner.threads", "2")
        return raw
    finally:
        admin.close()


def commit(client: Client, admin: Arranger) -> None:
    member = client.consumer("readers", ["plain"])
    gather(member, RECORDS * len(CODECS), 90)
    member.commit({("plain", 0): 7, ("plain", 2): 11})
    member.commit({("plain", 0): 9})
    member.close()
    admin.alter_offsets("by-hand", "rolled", {0: 6})


def transact(broker: brokers.Broker) -> None:
    """One transaction committed, one aborted, and the open one of a producer that died."""
    from confluent_kafka import Producer

    for name, end in (("first", "commit"), ("second", "abort"), ("third", "")):
        producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": name})
        producer.init_transactions(30)
        producer.begin_transaction()
        for i in range(3):
            producer.produce("plain", b"%s %d" % (name.encode(), i), partition=1, timestamp=BEGAN + 100)
        producer.flush(30)
        if end == "commit":
            producer.commit_transaction(30)
        elif end == "abort":
            producer.abort_transaction(30)


def end_what_was_open(broker: brokers.Broker) -> None:
    """Whoever had a transaction open comes back: it is aborted, and readers of what is committed get past it."""
    from confluent_kafka import Producer

    eyes = Eyes(broker.port)
    try:
        offsets = eyes.offsets("plain", 1, [])
        end, stable = offsets[1][3], offsets[4][3]
        assert stable == end - 3
        heir = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "third"})
        heir.init_transactions(60)
        eventually(lambda: eyes.offsets("plain", 1, [])[4][3] == end + 1, "the marker is written", timeout=60)
        aborted = eyes.batches("plain", 1, stable, committed=True)["aborted"]
        assert stable in {first for _, first in aborted}
    finally:
        eyes.close()


def alter_broker(broker: brokers.Broker, key: str, value: str) -> None:
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    wanted = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    for future in admin.incremental_alter_configs([wanted]).values():
        future.result(30)


def tree(directory: pathlib.Path) -> dict[str, tuple[str, int]]:
    """Every file's digest and time of modification."""
    return {
        str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def run(*words: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(brokers.ROOT), str(brokers.ROOT / "protocol")])
    command = [sys.executable, "-m", "pykafkad", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": path})


class Filled(NamedTuple):
    """An Apache Kafka's directory after its end, and what its clients saw before."""

    data: pathlib.Path
    seen: dict[str, Any]
    raw: Raw
    clean: bool


@pytest.fixture(scope="module", params=["stopped", "killed"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    if missing := brokers.apache_missing():
        pytest.skip(missing)
    apache = brokers.Apache(tmp_path_factory.mktemp("apache"), SETTINGS)
    apache.start()
    try:
        raw = fill(apache, random.Random(1))
        refused = run("import", apache.data, apache.directory / "other")
        assert (refused.returncode, "is running on it" in refused.stderr) == (2, True), refused.stderr
        seen = visible.everything(apache.port, TIMES)
        starts = apache.data / "log-start-offset-checkpoint"  # what it has not written down yet, a kill takes back
        eventually(lambda: "rolled 0 5" in starts.read_text(), "the deletion of records is durable")
        if request.param == "stopped":
            apache.stop(60)
    finally:
        apache.kill()
    yield Filled(apache.data, seen, raw, request.param == "stopped")


@pytest.mark.timeout(300)
def test_an_apache_kafka_is_taken_over(filled: Filled, tmp_path: pathlib.Path) -> None:
    before = tree(filled.data)
    ours = brokers.Pykafkad(tmp_path, SETTINGS)
    done = run("import", filled.data, ours.data)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "nothing is said to what is no terminal"
    linked = [path for path in ours.data.rglob("*.log") if path.stat().st_nlink > 1]
    ours.start()
    try:
        seen = visible.everything(ours.port, TIMES)
        assert not (lines := visible.different(filled.seen, seen)), "\n".join(lines)
        # The producer goes on where it stopped: what it sends again is known, what follows is taken.
        assert filled.raw.send(ours.port, "idempotent", 2) == (0, 12)
        assert filled.raw.send(ours.port, "idempotent", 4) == (0, 14)
        fresh = raw_producer(ours.port)
        assert fresh.producer_id > filled.raw.producer_id, "producer ids are not handed out twice"
        end_what_was_open(ours)
        produce(make_client("confluent", ours.bootstrap), "rolled", [Message(b"here", partition=0)])
        assert ours.stop() == 0
    finally:
        ours.kill()
    assert tree(filled.data) == before, "the source is as it was"
    if filled.clean:  # nothing of this was synced before the kill, so all of it may have to be mended
        assert linked, "both are on one volume"


def dumped(tools: Tools, files: Iterable[pathlib.Path], *options: str) -> str:
    """What Kafka's dump tool says of each file, one by one: of several at once it misses offsets between them."""
    said = []
    for path in files:
        ended = tools.run("kafka-dump-log", "--files", str(path), *options)
        # Of a log that doesn't begin at 0 it complains that its first offset doesn't follow -1.
        heard = re.sub(r"Non-consecutive offsets in [^\n]*\n\s*-1 is followed by \d+", "", ended.out + ended.err)
        complaint = COMPLAINT.search(heard)
        assert ended.code == 0, f"{path}: {ended.err}"
        assert complaint is None, f"{path}: {ended.out}{ended.err}"
        said.append(ended.out)
    return "".join(said)


@pytest.mark.timeout(300)
def test_what_we_write_is_read_by_kafkas_dump_tool(tools: Tools, tmp_path: pathlib.Path) -> None:
    with brokers.running("pykafkad", tmp_path, SETTINGS) as ours:
        raw = fill(ours, random.Random(2))
        ours.stop()
        files = [path for path in sorted(ours.data.rglob("0*")) if path.stat().st_size]
    suffixes = {path.suffix for path in files}
    by_suffix = {suffix: [path for path in files if path.suffix == suffix] for suffix in suffixes}
    logs = {path for path in by_suffix[".log"] if not path.parent.name.startswith("__")}
    said = dumped(tools, sorted(logs), "--deep-iteration", "--print-data-log", "--max-message-size", "2000000")
    assert {codec for codec in CODECS if f"compresscodec: {codec}" in said} == set(CODECS)
    assert "headerKeys: [h,h]" in said
    assert said.count("endTxnMarker: COMMIT") == said.count("endTxnMarker: ABORT") == 1
    indexes = [path for path in by_suffix[".index"] + by_suffix[".timeindex"] if path.with_suffix(".log") in logs]
    assert len({path.suffix for path in indexes}) == 2
    for option in ("--index-sanity-check", "--verify-index-only"):
        dumped(tools, indexes, option)
    dumped(tools, indexes)
    snapshots = dumped(tools, by_suffix[".snapshot"])
    assert f"producerId: {raw.producer_id} producerEpoch: 0" in snapshots
    assert re.search(r"currentTxnFirstOffset: (OptionalLong\[\d+\]|\d+)", snapshots), "the open transaction"
    aborted = dumped(tools, by_suffix[".txnindex"])
    assert "version: 0 producerId:" in aborted
    groups = [path for path in by_suffix[".log"] if path.parent.name.startswith("__consumer_offsets-")]
    said = dumped(tools, groups, "--offsets-decoder")
    assert '"group":"readers","topic":"plain","partition":0' in said
    assert '"group":"by-hand","topic":"rolled","partition":0' in said
    coordinated = [path for path in by_suffix[".log"] if path.parent.name.startswith("__transaction_state-")]
    said = dumped(tools, coordinated, "--transaction-log-decoder")
    assert all(f'"transactionalId":"{name}"' in said for name in ("first", "second", "third"))


@pytest.mark.timeout(300)
def test_apache_kafka_opens_partitions_that_we_closed(tmp_path: pathlib.Path) -> None:
    """Those with a few records have neither indexes nor a snapshot: Kafka makes them, and knows the producers."""
    if missing := brokers.apache_missing():
        pytest.skip(missing)
    topics = ["small", "large"]
    with brokers.running("pykafkad", tmp_path / "ours", SETTINGS) as ours:
        admin, client = Arranger(ours.bootstrap), make_client("confluent", ours.bootstrap)
        for topic in topics:
            admin.create(topic, 1)
        produce(client, "large", [Message(b"x" * 10_000, partition=0) for _ in range(20)])
        produce(client, "small", [Message(b"x", partition=0) for _ in range(20)])
        admin.close()
        raw, now = raw_producer(ours.port), int(time.time() * 1000)  # a producer is forgotten after a day
        for topic in topics:
            assert raw.send(ours.port, topic, 0, now) == (0, 20)
        assert ours.stop() == 0
    indexed = {topic for topic in topics if list(ours.data.glob(f"{topic}-0/*.index"))}
    assert indexed == {"large"}
    apache = brokers.Apache(tmp_path / "apache", SETTINGS)
    apache.start()
    try:
        admin = Arranger(apache.bootstrap)
        for topic in topics:
            admin.create(topic, 1)
        admin.close()
        assert apache.stop(60) in (0, 143)
        for topic in topics:
            theirs = apache.data / f"{topic}-0"
            for path in theirs.iterdir():
                if path.name != "partition.metadata":  # which names the topic by the id that it has there
                    path.unlink()
            for path in (ours.data / f"{topic}-0").iterdir():
                if path.name != "partition.metadata":
                    shutil.copy2(path, theirs)
        apache.start()
        for topic in topics:
            assert raw.send(apache.port, topic, 0, now) == (0, 20), "what is sent again is known"
            assert raw.send(apache.port, topic, 2, now) == (0, 22)
            reader = make_client("confluent", apache.bootstrap).consumer("readers-of-" + topic, [topic])
            assert len(gather(reader, 24, 90)) == 24
            reader.close()
    finally:
        apache.kill()
