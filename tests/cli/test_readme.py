"""What the README tells people to type works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Started

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = re.findall(r"^    (.+)$", README, re.MULTILINE)


def test_the_script(broker: Started) -> None:
    [script] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert script.count("127.0.0.1:9092") == 2
    script = script.replace("127.0.0.1:9092", broker.address)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "b'hello'\n"), ran.stderr


def test_our_commands(pykafkad: Run) -> None:
    typed = [command.split()[1:] for command in COMMANDS if command.startswith(".venv/bin/pykafkad ")]
    assert len(typed) >= 4
    for words in typed:
        # A consumer that is not told when to stop goes on for ever; this one stops when nothing comes.
        words = [*words, "--timeout-ms", "300"] if words[0] == "consume" else words
        assert pykafkad(*words).code == 0, words


def test_kcat(broker: Started) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed")
    typed = [command for command in COMMANDS if "kcat -b" in command]
    assert len(typed) == 2
    for command in typed:
        command = command.replace("127.0.0.1:9092", broker.address).replace("greetings", "greetings-by-kcat")
        ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
    assert "hello" in ran.stdout
