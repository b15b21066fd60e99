"""The door: lazy, and one line for whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pykafkad import __version__
from pykafkad.cli.main import COMMANDS, load, main

# What --help may import of ours. A command that everybody types has to come at once.
LIGHT = {"pykafkad", "pykafkad.cli", "pykafkad.cli.main", "pykafkad.cli.failures"}


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


def test_help_imports_next_to_nothing() -> None:
    program = (
        "import sys; from pykafkad.cli.main import main; main(['--help']);"
        "print(*sorted(m for m in sys.modules if m.split('.')[0] in ('pykafkad', 'kafkawire', 'argparse', 'asyncio')))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert set(out.splitlines()[-1].split()) == LIGHT


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "version"])
def test_every_command_is_a_module_of_the_same_shape(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = load(name)
    assert module.__doc__
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: pykafkad {name} ")
    for action in getattr(module, "ACTIONS", ()):
        with pytest.raises(SystemExit) as ended:
            main([name, f"--{action}", "--help"])
        assert ended.value.code == 0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"pykafkad {__version__} ")


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topic"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["topics", "list", "--bootstrap-server", "127.0.0.1:1"], 1, "no broker at 127.0.0.1:1 (connection refused)"),
        (["topics", "list", "--bootstrap-server", "nonsense"], 2, "'nonsense' is not host:port"),
        (["groups", "describe"], 2, "which group? (--all-groups for all)"),
        (["consume"], 2, "from which topic? (one)"),
        (["consume", "t", "--offset", "3"], 2, "--offset needs --partition"),
        (["produce", "a", "b"], 2, "to which topic? (one)"),
        (["health", "--http", "127.0.0.1:1"], 1, "no broker's HTTP at 127.0.0.1:1"),
        (["serve", "/nonexistent/server.properties"], 2, "/nonexistent/server.properties"),
        (["serve", "--override", "num.partitions=many"], 2, "num.partitions"),
    ],
)
def test_what_goes_wrong_is_one_line(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    err = capsys.readouterr().err
    assert err.startswith(f"pykafkad {words[0]}: ") and said in err and err.count("\n") == 1
