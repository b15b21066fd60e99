"""How values are written on the command line."""

from __future__ import annotations

import argparse

import pytest

from pykafkad.cli.client import parse_servers
from pykafkad.cli.failures import Misused
from pykafkad.cli.main import action_first
from pykafkad.cli.options import (
    merge,
    milliseconds_of_datetime,
    milliseconds_of_duration,
    pairs,
    split_configs,
    topic_partitions,
)


def test_servers() -> None:
    assert parse_servers("a:1,b:9092,[::1]:3") == [("a", 1), ("b", 9092), ("::1", 3)]
    for wrong in ("", "a", "a:", "a:0", "a:65536", "a:x"):
        with pytest.raises(Misused):
            parse_servers(wrong)


def test_names_given_twice_count_once() -> None:
    assert merge(["a,b"], ["b", "c"]) == ["a", "b", "c"]
    assert merge([], None) == []


def test_pairs() -> None:
    assert pairs(["a=1", "b=x=y", "c="], "--config") == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(Misused, match="--config: 'a' is not key=value"):
        pairs(["a"], "--config")


def test_brackets_keep_commas() -> None:
    assert split_configs("a=1,cleanup.policy=[compact,delete],b=2") == ["a=1", "cleanup.policy=compact,delete", "b=2"]
    assert split_configs("") == []


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2024-01-02T03:04:05.678", 1704164645678),
        ("2024-01-02T03:04:05.678Z", 1704164645678),
        ("2024-01-02T04:04:05.678+01:00", 1704164645678),
        ("2024-01-02", 1704153600000),
    ],
)
def test_datetimes(text: str, milliseconds: int) -> None:
    assert milliseconds_of_datetime(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("P1D", 86_400_000),
        ("PT1H30M", 5_400_000),
        ("P1DT1S", 86_401_000),
        ("PT0.25S", 250),
        ("-PT1S", -1000),
        ("pt1m", 60_000),
    ],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert milliseconds_of_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1h", "P1M", "PT1"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        milliseconds_of_duration(text)


def test_topic_partitions() -> None:
    assert topic_partitions("t") == ("t", None)
    assert topic_partitions("t:0,2") == ("t", [0, 2])
    with pytest.raises(argparse.ArgumentTypeError):
        topic_partitions("t:x")


def test_kafkas_spelling_becomes_ours() -> None:
    actions = ("create", "list")
    assert action_first(["--topic", "x", "--create"], actions) == ["create", "--topic", "x"]
    assert action_first(["create", "x"], actions) == ["create", "x"]
    assert action_first(["--help"], actions) == ["--help"]
