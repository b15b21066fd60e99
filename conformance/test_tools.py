"""Kafka's own console tools against a broker: what they print is compared word for word with what they print of Apache
Kafka (transcripts/*.txt), and what no transcript can hold is asked here."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Iterator

import pytest

from conformance import brokers, transcript
from conformance.tools import Tools

TRANSCRIPTS = sorted((pathlib.Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.fixture(scope="session")
def tools() -> Iterator[Tools]:
    if missing := brokers.apache_missing():
        pytest.skip(missing)
    if shutil.which("javac") is None:
        pytest.skip("Kafka's tools are left out: javac is missing (apt-get install openjdk-17-jdk-headless)")
    made = Tools()
    yield made
    made.close()


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
