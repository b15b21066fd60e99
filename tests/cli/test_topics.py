"""``pykafkad topics`` against a broker."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_a_topic_is_made_and_described(pykafkad: Run) -> None:
    made = pykafkad("topics", "create", "made", "--partitions", "2", "--config", "retention.ms=1000")
    assert (made.code, made.out) == (0, "created made\n")
    [described] = pykafkad("topics", "describe", "made", "--json").json
    assert described["partition_count"] == 2
    assert described["replication_factor"] == 1
    assert described["configs"] == {"retention.ms": "1000"}
    assert [partition["partition"] for partition in described["partitions"]] == [0, 1]
    assert pykafkad("topics", "describe", "--topic-id", described["id"], "--json").json == [described]


def test_kafkas_spelling(pykafkad: Run) -> None:
    assert pykafkad("topics", "--create", "--topic", "spelt", "--partitions", "1").code == 0
    assert "spelt" in pykafkad("topics", "--list").out.splitlines()
    assert "spelt" in pykafkad("topics", "--describe", "--topic", "spelt").out


def test_an_existing_topic(pykafkad: Run, topic: str) -> None:
    again = pykafkad("topics", "create", topic)
    assert again.code == 1
    assert again.err.startswith(f"pykafkad topics: {topic}: TOPIC_ALREADY_EXISTS: ") and again.err.count("\n") == 1
    assert pykafkad("topics", "create", topic, "--if-not-exists") == (0, "", "")


def test_validation_makes_nothing(pykafkad: Run) -> None:
    assert pykafkad("topics", "create", "imagined", "--validate-only").code == 0
    assert "imagined" not in pykafkad("topics", "list").out


def test_partitions_are_added(pykafkad: Run, topic: str) -> None:
    assert pykafkad("topics", "alter", topic, "--partitions", "5").code == 0
    assert len(pykafkad("topics", "offsets", topic, "--json").json) == 5
    fewer = pykafkad("topics", "alter", topic, "--partitions", "4")
    assert fewer.code == 1 and "INVALID_PARTITIONS" in fewer.err


def test_a_pattern_names_several(pykafkad: Run) -> None:
    for name in ("pattern.a", "pattern.b"):
        pykafkad("topics", "create", name)
    assert pykafkad("topics", "list", "pattern[.].").out.split() == ["pattern.a", "pattern.b"]
    assert pykafkad("topics", "delete", "pattern[.].").out.splitlines() == ["deleted pattern.a", "deleted pattern.b"]


def test_an_unknown_topic(pykafkad: Run) -> None:
    for action in ("describe", "delete"):
        missing = pykafkad("topics", action, "nowhere")
        assert (missing.code, missing.err) == (1, "pykafkad topics: no topic is called nowhere\n")
        assert pykafkad("topics", action, "nowhere", "--if-exists").code == 0
    assert pykafkad("topics", "offsets", "nowhere").code == 1


def test_offsets_and_deleted_records(pykafkad: Run, topic: str) -> None:
    pykafkad("produce", topic, "--partition", "1", stdin="a\nb\nc\n")
    ends = {row["partition"]: row["offset"] for row in pykafkad("topics", "offsets", topic, "--json").json}
    assert ends == {0: 0, 1: 3, 2: 0}
    assert pykafkad("topics", "delete-records", f"{topic}:1", "--before-offset", "2").code == 0
    [start] = pykafkad("topics", "offsets", f"{topic}:1", "--time", "earliest", "--json").json
    assert start["offset"] == 2
