"""``pykafkad configs`` against a broker."""

from __future__ import annotations

from tests.cli.conftest import Run


def settings(pykafkad: Run, *words: str) -> dict[str, str]:
    return {row["key"]: row["value"] for row in pykafkad("configs", "describe", *words, "--json").json}


def test_a_topics_settings(pykafkad: Run, topic: str) -> None:
    assert settings(pykafkad, "--topic", topic) == {}
    added = "cleanup.policy=[compact,delete],retention.ms=1000"
    assert pykafkad("configs", "alter", "--topic", topic, "--add-config", added).code == 0
    expected = {"cleanup.policy": "compact,delete", "retention.ms": "1000"}
    assert settings(pykafkad, "--entity-type", "topics", "--entity-name", topic) == expected
    assert pykafkad("configs", "--alter", "--topic", topic, "--delete-config", "retention.ms").code == 0
    assert settings(pykafkad, "--topic", topic) == {"cleanup.policy": "compact,delete"}


def test_all_shows_defaults(pykafkad: Run, topic: str) -> None:
    rows = {row["key"]: row for row in pykafkad("configs", "describe", "--topic", topic, "--all", "--json").json}
    assert rows["segment.bytes"]["value"] == "1073741824"
    assert rows["segment.bytes"]["source"] == "default"


def test_a_brokers_settings(pykafkad: Run) -> None:
    assert settings(pykafkad, "--broker", "1")["listeners"].startswith("PLAINTEXT://")
    assert pykafkad("configs", "alter", "--broker-defaults", "--add-config", "log.cleaner.threads=2").code == 0
    assert settings(pykafkad, "--broker-defaults") == {"log.cleaner.threads": "2", "min.insync.replicas": "1"}
    assert pykafkad("configs", "alter", "--broker-defaults", "--delete-config", "log.cleaner.threads").code == 0


def test_validation_changes_nothing(pykafkad: Run, topic: str) -> None:
    words = ["--topic", topic, "--add-config", "retention.ms=5", "--validate-only"]
    assert pykafkad("configs", "alter", *words).code == 0
    assert settings(pykafkad, "--topic", topic) == {}


def test_refusals(pykafkad: Run, topic: str) -> None:
    wrong = pykafkad("configs", "alter", "--topic", topic, "--add-config", "retention.ms=soon")
    assert wrong.code == 1 and "INVALID_CONFIG" in wrong.err and wrong.err.count("\n") == 1
    assert pykafkad("configs", "alter", "--topic", topic).code == 2
    assert pykafkad("configs", "describe").code == 2
