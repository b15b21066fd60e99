"""What a reviewer shouldn't have to see, read from the sources themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kafkawire.keys import API
from pykafkad.api import SERVED
from pykafkad.cli.main import COMMANDS, MODULES

ROOT = Path(__file__).parents[1]
PACKAGES = {"pykafkad": ROOT / "pykafkad", "kafkawire": ROOT / "protocol/kafkawire"}
SOURCES = sorted(path for folder in PACKAGES.values() for path in folder.rglob("*.py"))
TREES = [ROOT / "pykafkad", ROOT / "protocol", ROOT / "tests", ROOT / "conformance", ROOT / "docs"]
EVERYTHING = sorted(path for tree in TREES for path in tree.rglob("*.py"))

LINES_MOST = 700

# Where time, chance and tasks come from: everybody else is given them.
TIME = {
    "pykafkad/clock.py",
    # These read and write dates for people; they ask nobody for the time.
    "pykafkad/cli/dump.py",
    "pykafkad/cli/options.py",
}
CHANCE = {"pykafkad/runtime/coordinators.py"}
TASKS = {
    "pykafkad/runtime/tasks.py",
    # These hold the task that they make: its outcome is somebody's answer, or is waited for when they stop.
    "pykafkad/api/init_producer_id.py",
    "pykafkad/cluster/sqlite.py",
    "pykafkad/net/dispatch.py",
    "pykafkad/runtime/admin.py",
    "pykafkad/runtime/metadata.py",
}

# Modules that people or tools run, so that no other module imports them; and, of a library, what we don't use yet.
ENTRANCES = {
    "kafkawire.__main__",
    "kafkawire.stored.share_log",
    "kafkawire.stored.txn_log",
    "pykafkad.__main__",
    "pykafkad.config.document",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    for package, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            parts = path.relative_to(folder).with_suffix("").parts
            return ".".join((package, *(part for part in parts if part != "__init__")))
    raise AssertionError(path)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names, wherever in it, and ``package.name`` for ``from package import name``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_a_module_opens_with_why_it_exists() -> None:
    assert not [name_of(path) for path in EVERYTHING if not ast.get_docstring(tree_of(path))]


def test_a_file_is_one_idea() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert not {name: length for name, length in lengths.items() if length > LINES_MOST}


def test_nothing_is_left_over() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
    assert not {name_of(path): found[0] for path in EVERYTHING if (found := marks.search(path.read_text()))}


def test_an_except_names_what_it_expects() -> None:
    assert not [
        f"{name_of(path)}:{node.lineno}"
        for path in EVERYTHING
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and not node.type
    ]


def test_time_is_given() -> None:
    assert {name_of(path) for path in SOURCES if roots(path) & {"time", "datetime"}} == TIME


def test_chance_is_given() -> None:
    assert {name_of(path) for path in SOURCES if roots(path) & {"random", "secrets", "uuid"}} == CHANCE


def test_tasks_are_watched() -> None:
    assert {name_of(path) for path in SOURCES if any(makes_a_task(node) for node in ast.walk(tree_of(path)))} == TASKS


def test_no_task_is_dropped() -> None:
    """The loop holds tasks weakly: one that nobody keeps may vanish in the middle."""
    assert not [
        f"{name_of(path)}:{node.lineno}"
        for path in EVERYTHING
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Expr) and makes_a_task(node.value)
    ]


def makes_a_task(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
    return called in ("create_task", "ensure_future")


def test_every_file_is_imported_by_somebody() -> None:
    named = {name for path in SOURCES for name in imports(path)}
    named |= {f"pykafkad.api.{module}" for module in SERVED}
    named |= {f"kafkawire.api.{api.module}" for api in API.values()}
    named |= {f"pykafkad.cli.{MODULES.get(command, command)}" for command in COMMANDS}
    alone = {
        module
        for path in SOURCES
        if (module := module_of(path)) not in named | ENTRANCES and path.name != "__init__.py"
    }
    assert not alone


def test_a_served_api_has_its_two_files() -> None:
    for module in SERVED:
        assert (ROOT / "protocol/kafkawire/api" / f"{module}.py").is_file(), module
        assert (ROOT / "pykafkad/api" / f"{module}.py").is_file(), module
