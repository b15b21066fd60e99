"""What the written pages and the README point at is there, so that nobody is sent to a place that is gone."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PREFIXES = ("", "pykafkad/", "protocol/kafkawire/", "protocol/")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def find(name: str) -> Path | None:
    found = [ROOT / f"{prefix}{name}" for prefix in PREFIXES if (ROOT / f"{prefix}{name}").exists()]
    if not found and "/" not in name:
        found = list((ROOT / "pykafkad").rglob(name))
    return found[0] if found else None


@cache
def names_in(path: Path) -> frozenset[str]:
    """Every class and function of a file."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_in_the_code(page: Path) -> None:
    """`file.py : name` and `tests/file.py::name`."""
    text = page.read_text()
    gone = []
    for file, name in re.findall(r"`([\w./-]+\.py)(?: : |::)(\w+)`", text):
        path = find(file)
        if path is None or name not in names_in(path):
            gone.append(f"{file} : {name}")
    assert not gone


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files(page: Path) -> None:
    """`path/in/the/tree` in backticks, and links."""
    text = page.read_text()
    named = re.findall(r"`((?:pykafkad|protocol|tests|docs|config|conformance)/[\w./-]*)`", text)
    missing = [name for name in named if find(name) is None]
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing += [link for link in links if link and not (page.parent / link).exists()]
    assert not missing


def test_invariants_are_numbered_once_and_watched() -> None:
    text = (ROOT / "docs/invariants.md").read_text()
    entries = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    numbers = [int(number) for number in entries[::2]]
    assert numbers == sorted(set(numbers))
    assert all("tests/" in entry or "make check" in entry for entry in entries[1::2])


def test_the_make_targets_that_pages_name() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|    )make ([a-z-]+)", page.read_text()):
            assert target in targets, f"{name_of(page)}: make {target}"


def test_decisions_have_the_same_parts() -> None:
    for page in (ROOT / "docs/decisions").glob("*.md"):
        heads = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences", "What would change our mind"], name_of(page)
