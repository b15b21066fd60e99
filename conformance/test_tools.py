"""Kafka's own console tools against a broker: what they print is compared word for word with what they print of Apache
Kafka (transcripts/*.txt), and what no transcript can hold is asked here."""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance import brokers, transcript
from conformance.clients import CODECS, Message, gather, produce
from conformance.clients import client as make_client
from conformance.conftest import Given
from conformance.tools import Ended, Tools

TRANSCRIPTS = sorted((pathlib.Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(broker: brokers.Broker, tools: Tools, tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    steps = transcript.parse(path.read_text())
    player = transcript.Player(tools, broker.bootstrap, tmp_path)
    different = list(transcript.differences(player, steps))
    if os.environ.get("REWRITE"):
        path.write_text("".join(f"{line}\n" for step in steps for line in step.text()))
    elif different:
        raise AssertionError("said otherwise:\n" + "\n".join(different))


@pytest.fixture
def ask(broker: brokers.Broker, tools: Tools) -> Callable[..., Ended]:
    """One tool, its address added; it must end well unless `code` says otherwise."""

    def run(tool: str, *args: str, code: int = 0, stdin: str = "") -> Ended:
        ended = tools.run(tool, "--bootstrap-server", broker.bootstrap, *args, stdin=stdin)
        assert ended.code == code, f"{tool} {' '.join(args)}: exit code {ended.code}\n{ended.out}{ended.err}"
        return ended

    return run


Ask = Callable[..., Ended]


def table(text: str) -> list[list[str]]:
    """The words of each line that has any, the head left out."""
    return [line.split() for line in text.splitlines() if line.strip()][1:]


def objects(text: str) -> Iterator[Any]:
    """JSON after JSON, with or without line ends."""
    decoder, at = json.JSONDecoder(), 0
    while text := text[at:].lstrip():
        found, at = decoder.raw_decode(text)
        yield found


def test_group_with_a_member(broker: brokers.Broker, ask: Ask, topic: str) -> None:
    client = make_client("confluent", broker.bootstrap)
    ask("kafka-topics", "--create", "--topic", topic, "--partitions", "2")
    produce(client, topic, [Message(b"%d" % i, partition=i % 2) for i in range(10)])
    group = f"group-{topic}"
    member = client.consumer(group, [topic])
    gather(member, 10)
    member.commit({(topic, 0): 2, (topic, 1): 5})
    try:
        offsets = table(ask("kafka-consumer-groups", "--describe", "--group", group).out)
        assert [line[:6] for line in sorted(offsets)] == [
            [group, topic, "0", "2", "5", "3"],
            [group, topic, "1", "5", "5", "0"],
        ]
        assert {line[7] for line in offsets} == {"/127.0.0.1"}, "the member's host"
        ((_, member_id, host, client_id, count, *_),) = table(
            ask("kafka-consumer-groups", "--describe", "--group", group, "--members", "--verbose").out
        )
        assert (host, client_id, count) == ("/127.0.0.1", "rdkafka", "2")
        assert member_id == offsets[0][6]
        state = ask("kafka-consumer-groups", "--describe", "--group", group, "--state").out
        assert table(state) == [[group, broker.bootstrap, "(1)", "range", "Stable", "1"]]
        listed = table(ask("kafka-consumer-groups", "--list", "--state", "Stable").out)
        assert [group, "Stable"] in listed
        assert [group, "Classic", "consumer"] in table(ask("kafka-groups", "--list").out)
        reset = ("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
        assert "inactive" in ask("kafka-consumer-groups", *reset).out
        said = ask("kafka-consumer-groups", "--delete", "--group", group).out
        assert "GroupNotEmptyException" in said
        said = ask("kafka-consumer-groups", "--delete-offsets", "--group", group, "--topic", topic).out
        assert "GroupSubscribedToTopicException" in said
    finally:
        member.close()
    ask("kafka-consumer-groups", "--delete", "--group", group)
    assert group not in ask("kafka-consumer-groups", "--list").out.split()


def test_committed_offsets_as_kafka_stores_them(broker: brokers.Broker, ask: Ask, topic: str) -> None:
    """Kafka's own formatter reads __consumer_offsets."""
    client = make_client("confluent", broker.bootstrap)
    ask("kafka-topics", "--create", "--topic", topic)
    produce(client, topic, [Message(b"x", partition=0)] * 3)
    group = f"group-{topic}"
    member = client.consumer(group, [topic])
    gather(member, 3)
    member.commit()
    member.close()
    found = []
    for kind in ("OffsetsMessageFormatter", "GroupMetadataMessageFormatter"):
        said = ask(
            "kafka-console-consumer",
            *("--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "4000"),
            *("--formatter", f"org.apache.kafka.tools.consumer.{kind}"),
        )
        found.append([record for record in objects(said.out) if record["key"]["data"].get("group") == group])
    offsets, metadata = found
    assert offsets[-1]["key"]["data"] == {"group": group, "topic": topic, "partition": 0}
    assert offsets[-1]["value"]["data"]["offset"] == 3
    assert metadata[0]["key"]["data"] == {"group": group}
    states = [record["value"]["data"] for record in metadata]
    assert ("consumer", 1) in [(state["protocolType"], len(state["members"])) for state in states]
    assert states[-1]["members"] == []


def test_dump_log(broker: brokers.Broker, tools: Tools, ask: Ask, topic: str) -> None:
    """Kafka's dump tool reads the files."""
    if isinstance(broker, Given):
        pytest.skip("the files of a broker given by address are out of reach")
    client = make_client("confluent", broker.bootstrap)
    ask("kafka-topics", "--create", "--topic", topic, "--config", "segment.bytes=1048576")
    filling = random.Random(1).randbytes(40_000).hex()  # two segments: the first has its indexes
    for i in range(30):
        value = f"value-{i} {filling}".encode()
        produce(client, topic, [Message(value, b"k%d" % i, (("h", b"v"),), 0)], codec=CODECS[i % 5])
    files = sorted((broker.data / f"{topic}-0").glob("0*"))
    done = [path for path in files if path.stem == f"{0:020}"]
    assert {".log", ".index", ".timeindex"} <= {path.suffix for path in done}
    logs = ",".join(str(path) for path in files if path.suffix == ".log")
    said = tools.run("kafka-dump-log", "--files", logs, "--print-data-log", "--deep-iteration")
    assert said.code == 0, said.err
    for i in range(30):
        assert f"payload: value-{i} " in said.out
    assert said.out.count("isvalid: true") == 30
    assert "," in logs, "there are two segments"
    assert {codec for codec in CODECS if f"compresscodec: {codec}" in said.out} == set(CODECS)
    indexes = [str(path) for path in done if path.suffix in (".index", ".timeindex")]
    for option in ("--index-sanity-check", "--verify-index-only"):
        said = tools.run("kafka-dump-log", "--files", ",".join(indexes), option)
        assert said.code == 0, said.err
        assert "mismatch" not in (said.out + said.err).lower()
        assert "exception" not in (said.out + said.err).lower()
    member = client.consumer(f"group-{topic}", [topic])
    gather(member, 30)
    member.commit()
    member.close()
    logs = ",".join(str(path) for path in sorted(broker.data.glob("__consumer_offsets-*/*.log")) if path.stat().st_size)
    said = tools.run("kafka-dump-log", "--files", logs, "--offsets-decoder")
    assert said.code == 0, said.err
    assert f'"group":"group-{topic}","topic":"{topic}","partition":0' in said.out


def test_performance_tools(ask: Ask, topic: str) -> None:
    ask("kafka-topics", "--create", "--topic", topic, "--partitions", "2")
    size = ("--topic", topic, "--num-records", "2000")
    said = ask("kafka-producer-perf-test", *size, "--record-size", "100", "--throughput", "-1").out
    assert "2000 records sent" in said
    ((*_, count, _, _, _, _, _),) = table(ask("kafka-consumer-perf-test", *size, "--timeout", "20000").out)
    assert count == "2000,"
    options = ("--topic", topic, "--num-records", "20", "--producer-acks", "all", "--record-size", "20")
    assert "Percentiles" in ask("kafka-e2e-latency", *options).out


def test_verifiable_producer_and_consumer(broker: brokers.Broker, tools: Tools, ask: Ask, topic: str) -> None:
    ask("kafka-topics", "--create", "--topic", topic)
    options = ("--topic", topic, "--max-messages", "50", "--acks", "-1")
    said = tools.run_alone("kafka-verifiable-producer", "--bootstrap-server", broker.bootstrap, *options).out
    events = [json.loads(line) for line in said.splitlines()]
    sent = [event["offset"] for event in events if event["name"] == "producer_send_success"]
    assert sent == list(range(50))
    group = ("--group-id", f"group-{topic}")
    said = ask("kafka-verifiable-consumer", "--topic", topic, "--max-messages", "50", "--verbose", *group).out
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["offset"] for event in events if event["name"] == "record_data"] == list(range(50))
    committed = [event for event in events if event["name"] == "offsets_committed"]
    assert committed[-1]["success"]
    assert committed[-1]["offsets"] == [{"topic": topic, "partition": 0, "offset": 50}]


def test_versions_are_usable(ask: Ask) -> None:
    """For each API that is served, the tool's client and the broker have a version in common, and it is the newest."""
    said = ask("kafka-broker-api-versions").out
    assert "(id: 1 rack: null isFenced: false)" in said
    served = re.findall(r"(\w+)\((\d+)\): (?:(\d+) to )?(\d+) \[usable: (\d+)\]", said)
    assert len(served) > 45
    assert all(newest == usable for _, _, _, newest, usable in served)


def test_quorum_and_features(broker: brokers.Broker, ask: Ask) -> None:
    said = ask("kafka-metadata-quorum", "describe", "--status").out
    status = {name: value.strip() for name, value in (line.split(":", 1) for line in said.splitlines() if line)}
    assert status["LeaderId"] == "1"
    assert status["MaxFollowerLag"] == "0"
    assert status["CurrentObservers"] == "[]"
    (voter,) = json.loads(status["CurrentVoters"])
    assert voter["id"] == 1
    assert len(voter["directoryId"]) == 22
    ((node, directory, *_, role),) = table(ask("kafka-metadata-quorum", "describe", "--replication").out)
    assert (node, directory, role) == ("1", voter["directoryId"], "Leader")
    said = ask("kafka-features", "describe").out
    assert re.search(r"Feature: metadata.version\s+SupportedMinVersion: 3.3-IV3\s+SupportedMaxVersion: 4.3-IV0", said)
    said = ask("kafka-features", "upgrade", "--feature", "metadata.version=99", code=1).out
    assert "Could not upgrade metadata.version to 99" in said
    ask("kafka-features", "disable", "--feature", "nonsense.version", code=1)


USER = ("--entity-type", "users", "--entity-name", "alice")
UNSUPPORTED = {
    "quotas": ("kafka-configs", "--alter", *USER, "--add-config", "consumer_byte_rate=1000"),
    "scram": ("kafka-configs", "--alter", *USER, "--add-config", "SCRAM-SHA-256=[password=secret]"),
    "share group": ("kafka-share-groups", "--describe", "--group", "nobody"),
    "streams group": ("kafka-streams-groups", "--describe", "--group", "nobody"),
}


@pytest.mark.ours
@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_is_not_served_is_said_clearly(broker: brokers.Broker, tools: Tools, what: str) -> None:
    tool, *args = UNSUPPORTED[what]
    ended = tools.run(tool, "--bootstrap-server", broker.bootstrap, *args, timeout=20)
    assert "UnsupportedVersionException: The node does not support" in ended.out + ended.err


def test_a_transactional_id_that_nobody_has(broker: brokers.Broker, tools: Tools) -> None:
    command = ("kafka-transactions", "--bootstrap-server", broker.bootstrap)
    ended = tools.run(*command, "describe", "--transactional-id", "nobody", timeout=60)
    assert ended.code == 1
    assert "id could not be found" in (ended.out + ended.err).lower()
    assert tools.run(*command, "list", timeout=60).code == 0
