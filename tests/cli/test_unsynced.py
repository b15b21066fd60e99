"""``pykafkad log unsynced`` against a broker: how much a power cut could take."""

from __future__ import annotations

import json

import pytest

from pykafkad.cli.main import main
from tests.cli.conftest import Run, Started


def test_records_are_counted_until_they_are_synced(
    pykafkad: Run, broker: Started, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def unsynced() -> list[tuple[int, int]]:
        assert main(["log", "unsynced", "--http", broker.http, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert all(row["bytes"] > 0 for row in rows)
        return [(row["partition"], row["records"]) for row in rows if row["topic"] == topic]

    assert unsynced() == []
    assert pykafkad("produce", topic, "--partition", "0", stdin="a\nb\nc\n").code == 0
    assert unsynced() == [(0, 3)]
    altered = pykafkad("configs", "alter", "--topic", topic, "--add-config", "flush.messages=1")
    assert altered.code == 0, altered
    assert pykafkad("produce", topic, "--partition", "0", stdin="d\n").code == 0
    assert unsynced() == [], "answered means synced, and all before it too"


def test_who_is_not_there_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "unsynced", "--http", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
