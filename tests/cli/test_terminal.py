"""``pykafkad produce`` and ``pykafkad consume`` against a broker."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Started, start, stop


def test_lines_go_in_and_come_out(pykafkad: Run, topic: str) -> None:
    words = ["--property", "parse.key=true", "--property", "key.separator=:"]
    assert pykafkad("produce", topic, *words, stdin="".join(f"k{n}:v{n}\n" for n in range(20))) == (0, "", "")
    read = pykafkad("consume", topic, "--from-beginning", "--max-messages", "20", "--property", "print.key=true")
    assert sorted(read.out.splitlines()) == sorted(f"k{n}\tv{n}" for n in range(20))
    assert read.err == "20 records\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs(pykafkad: Run, topic: str, codec: str) -> None:
    assert pykafkad("produce", topic, "--compression-codec", codec, "--partition", "0", stdin="a\nb\n").code == 0
    assert pykafkad("consume", topic, "--partition", "0", "--offset", "0", "--max-messages", "2").out == "a\nb\n"


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(pykafkad: Run, topic: str, acks: str) -> None:
    assert pykafkad("produce", topic, "--acks", acks, "--partition", "0", stdin="a").code == 0
    assert pykafkad("consume", topic, "--from-beginning", "--max-messages", "1").out == "a\n"


def test_headers_and_null(pykafkad: Run, topic: str) -> None:
    into = ["parse.key=true", "parse.headers=true", "null.marker=NULL"]
    words = [word for item in into for word in ("--property", item)]
    pykafkad("produce", topic, *words, stdin="trace:1,kind:x\tkey\tNULL\n")
    out_of = ["print.key=true", "print.headers=true", "print.offset=true"]
    words = [word for item in out_of for word in ("--property", item)]
    read = pykafkad("consume", topic, "--from-beginning", "--max-messages", "1", *words)
    assert read.out == "Offset:0\ttrace:1,kind:x\tkey\tnull\n"


def test_a_topic_is_made_for_a_producer(pykafkad: Run) -> None:
    assert pykafkad("produce", "made-by-a-producer", stdin="a\n").code == 0
    assert pykafkad("consume", "made-by-a-producer", "--from-beginning", "--max-messages", "1").out == "a\n"


def test_nothing_came_for_so_long(pykafkad: Run, topic: str) -> None:
    assert pykafkad("consume", topic, "--from-beginning", "--timeout-ms", "300") == (0, "", "0 records\n")


def test_only_what_comes_after_the_start(pykafkad: Run, topic: str) -> None:
    pykafkad("produce", topic, stdin="before\n")
    assert pykafkad("consume", topic, "--timeout-ms", "300").out == ""


def test_a_group_goes_on_where_it_was(pykafkad: Run, topic: str) -> None:
    pykafkad("produce", topic, "--partition", "0", stdin="a\nb\nc\n")
    words = ["consume", topic, "--group", f"resumes-{topic}", "--from-beginning", "--max-messages"]
    assert pykafkad(*words, "2").out == "a\nb\n"
    assert pykafkad(*words, "1").out == "c\n"


def test_ctrl_c_commits_and_leaves(broker: Started, pykafkad: Run, topic: str) -> None:
    pykafkad("produce", topic, "--partition", "0", stdin="a\nb\n")
    group = f"interrupted-{topic}"
    command = [sys.executable, "-m", "pykafkad", "consume", topic, "--group", group, "--from-beginning"]
    with subprocess.Popen(
        [*command, "--bootstrap-server", broker.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as consumer:
        assert consumer.stdout is not None and consumer.stderr is not None
        assert [consumer.stdout.readline(), consumer.stdout.readline()] == ["a\n", "b\n"]
        consumer.send_signal(signal.SIGINT)
        assert (consumer.stdout.read(), consumer.stderr.read(), consumer.wait()) == ("", "2 records\n", 0)
    [state] = pykafkad("groups", "describe", group, "--state", "--json").json
    assert state["members"] == 0
    offsets = {row["partition"]: row["current_offset"] for row in pykafkad("groups", "lag", group, "--json").json}
    assert offsets[0] == 2


@pytest.mark.parametrize("words", [[], ["--group", "patient"]], ids=["alone", "member"])
def test_a_broker_may_restart_meanwhile(tmp_path: Path, words: list[str]) -> None:
    first = start(tmp_path)
    at = ["--bootstrap-server", first.address]

    def produce(line: str) -> None:
        subprocess.run([sys.executable, "-m", "pykafkad", "produce", "t", *at], input=line, text=True, check=True)

    produce("before")
    command = [sys.executable, "-m", "pykafkad", "consume", "t", "--from-beginning", "--max-messages", "2"]
    with subprocess.Popen(
        [*command, *words, *at], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "before\n"
        stop(first)
        second = start(tmp_path, listeners=f"PLAINTEXT://{first.address}")
        produce("after")
        assert consumer.communicate(timeout=60) == ("after\n", "2 records\n")
    stop(second)


def test_a_line_without_its_key(pykafkad: Run, topic: str) -> None:
    wrong = pykafkad("produce", topic, "--property", "parse.key=true", stdin="k\tv\nv\n")
    assert (wrong.code, wrong.err) == (1, "pykafkad produce: line 2 has no '\\t' after a key\n")


def test_a_record_that_is_too_large(pykafkad: Run, topic: str) -> None:
    pykafkad("configs", "alter", "--topic", topic, "--add-config", "max.message.bytes=100")
    wrong = pykafkad("produce", topic, stdin="x" * 200)
    assert wrong.code == 1 and "MESSAGE_TOO_LARGE" in wrong.err and wrong.err.count("\n") == 1


def test_an_unknown_topic(pykafkad: Run) -> None:
    wrong = pykafkad("consume", "nowhere", "--from-beginning")
    assert wrong.code == 1 and "UNKNOWN_TOPIC_OR_PARTITION" in wrong.err
