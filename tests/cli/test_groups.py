"""``pykafkad groups`` against a broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def group(pykafkad: Run, topic: str) -> str:
    """A group that has read six records, two in each partition, and gone."""
    for partition in "012":
        pykafkad("produce", topic, "--partition", partition, stdin="a\nb\n")
    name = f"readers-of-{topic}"
    read = pykafkad("consume", topic, "--group", name, "--from-beginning", "--max-messages", "6")
    assert sorted(read.out.split()) == ["a", "a", "a", "b", "b", "b"]
    return name


def committed(pykafkad: Run, group: str) -> dict[int, int]:
    return {row["partition"]: row["current_offset"] for row in pykafkad("groups", "describe", group, "--json").json}


def test_lag_in_records_and_seconds(pykafkad: Run, topic: str, group: str) -> None:
    pykafkad("produce", topic, "--partition", "1", stdin="c\n")
    rows = {row["partition"]: row for row in pykafkad("groups", "lag", group, "--json").json}
    assert {index: row["lag"] for index, row in rows.items()} == {0: 0, 1: 1, 2: 0}
    assert rows[0]["lag_seconds"] == 0
    assert 0 <= rows[1]["lag_seconds"] < 60


def test_a_group_is_listed_and_described(pykafkad: Run, topic: str, group: str) -> None:
    [row] = pykafkad("groups", "list", group, "--json").json
    assert (row["group"], row["type"], row["state"]) == (group, "classic", "Empty")
    [state] = pykafkad("groups", "describe", group, "--state", "--json").json
    assert (state["state"], state["members"]) == ("Empty", 0)
    described = pykafkad("groups", "--describe", "--group", group).out.splitlines()
    assert described[0] == f"group {group} has no active members (Empty)"
    assert described[1].split()[:6] == ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"]
    assert len(described) == 2 + 3


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (["--to-earliest"], {0: 0, 1: 0, 2: 0}),
        (["--to-latest"], {0: 2, 1: 2, 2: 2}),
        (["--to-current"], {0: 2, 1: 2, 2: 2}),
        (["--to-offset", "1"], {0: 1, 1: 1, 2: 1}),
        (["--to-offset", "100"], {0: 2, 1: 2, 2: 2}),
        (["--shift-by", "-1"], {0: 1, 1: 1, 2: 1}),
        (["--shift-by", "-9"], {0: 0, 1: 0, 2: 0}),
        (["--to-datetime", "2001-01-01T00:00:00.000"], {0: 0, 1: 0, 2: 0}),
        (["--to-datetime", "2999-01-01T00:00:00.000"], {0: 2, 1: 2, 2: 2}),
        (["--by-duration", "PT1H"], {0: 0, 1: 0, 2: 0}),
    ],
)
def test_every_way_of_resetting(pykafkad: Run, group: str, way: list[str], expected: dict[int, int]) -> None:
    shown = pykafkad("groups", "reset-offsets", group, "--all-topics", *way, "--json")
    assert {row["partition"]: row["new_offset"] for row in shown.json} == expected
    assert committed(pykafkad, group) == {0: 2, 1: 2, 2: 2}, "a dry run changes nothing"
    assert pykafkad("groups", "reset-offsets", group, "--all-topics", *way, "--execute").code == 0
    assert committed(pykafkad, group) == expected


def test_a_reset_of_one_partition(pykafkad: Run, topic: str, group: str) -> None:
    words = ["groups", "--reset-offsets", "--group", group, "--topic", f"{topic}:0,2", "--to-earliest", "--execute"]
    assert pykafkad(*words).code == 0
    assert committed(pykafkad, group) == {0: 0, 1: 2, 2: 0}


def test_a_plan_goes_through_a_file(pykafkad: Run, topic: str, group: str, tmp_path: Path) -> None:
    plan = pykafkad("groups", "reset-offsets", group, "--all-topics", "--to-offset", "1", "--export").out
    assert plan.splitlines() == [f"{topic},0,1", f"{topic},1,1", f"{topic},2,1"]
    path = tmp_path / "plan.csv"
    path.write_text(plan)
    assert pykafkad("groups", "reset-offsets", group, "--from-file", str(path), "--execute").code == 0
    assert committed(pykafkad, group) == {0: 1, 1: 1, 2: 1}


def test_a_plan_that_is_none(pykafkad: Run, group: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("orders,zero,1\n")
    wrong = pykafkad("groups", "reset-offsets", group, "--from-file", str(path))
    assert wrong.code == 1 and "line 1: not topic,partition,offset" in wrong.err


def test_offsets_are_forgotten(pykafkad: Run, topic: str, group: str) -> None:
    assert pykafkad("groups", "delete-offsets", group, "--topic", f"{topic}:1").code == 0
    assert committed(pykafkad, group) == {0: 2, 2: 2}


def test_a_group_is_deleted(pykafkad: Run, group: str) -> None:
    assert pykafkad("groups", "delete", group).out == f"deleted {group}\n"
    gone = pykafkad("groups", "describe", group)
    assert (gone.code, gone.err) == (1, f"pykafkad groups: there is no group {group}\n")


def test_a_group_that_was_never_there_can_be_given_offsets(pykafkad: Run, topic: str) -> None:
    words = ["groups", "reset-offsets", "new-group", "--topic", topic, "--to-earliest", "--execute"]
    assert pykafkad(*words).code == 0
    assert committed(pykafkad, "new-group") == {0: 0, 1: 0, 2: 0}
