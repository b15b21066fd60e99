"""What an installed pykafkad is, and that the files people copy are true."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pykafkad.config import Config, read_properties

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from this tree, without a network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_a_wheel_installs_two_names(wheel: list[str]) -> None:
    top = {name.partition("/")[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == {"pykafkad", "kafkawire"}


def test_a_wheel_holds_every_source_file(wheel: list[str]) -> None:
    for package, folder in (("pykafkad", ROOT / "pykafkad"), ("kafkawire", ROOT / "protocol/kafkawire")):
        sources = {f"{package}/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.py")}
        assert sources <= set(wheel)
        assert f"{package}/py.typed" in wheel


def test_the_example_settings_are_accepted() -> None:
    config = Config.load(read_properties(str(ROOT / "config/server.properties")))
    assert not config.unknown
    assert config.data_dirs == ("/var/lib/pykafkad",)


def test_the_compose_file_gives_settings_that_exist() -> None:
    from pykafkad.config import from_environment

    text = (ROOT / "docker-compose.yml").read_text()
    environment = dict(re.findall(r"^ +(KAFKA_[A-Z_]+): (\S+)$", text, re.MULTILINE))
    assert len(environment) == text.count(" KAFKA_")
    properties = read_properties(str(ROOT / "config/server.properties"))
    properties.update_from(from_environment(environment))
    config = Config.load(properties)
    assert not config.unknown
    assert config.http_listen == "0.0.0.0:9644"


def test_the_image_copies_what_is_there_and_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert sources
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in let_in, source


def test_the_image_is_a_python_that_we_support() -> None:
    needed = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    used = re.findall(r"^FROM python:3\.(\d+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert needed and len(used) == 2 and all(int(minor) >= int(needed[1]) for minor in used)


def test_the_unit_starts_a_command_that_exists() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((ROOT / "config/pykafkad.service").read_text())
    program, command, properties = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/pykafkad") and command == "serve" and properties.endswith("/server.properties")
    assert unit["Service"]["StateDirectory"] == "pykafkad"  # /var/lib/pykafkad, where server.properties keeps data
