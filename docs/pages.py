"""Writes the pages of docs/ that are generated: ``python -m docs.pages``, or with ``--check`` says which are stale.

What a table says is said once, where the program reads it; tests/test_docs.py fails when a page has fallen behind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent


def settings() -> str:
    from pykafkad.config.document import document

    return document()


def metrics() -> str:
    from pykafkad.metrics import DECLARED

    lines = [
        "# Metrics",
        "",
        "Written by `make docs` from the declarations in `pykafkad/metrics.py`; edit those.",
        "",
        "`/metrics` on `http.listen` gives these in Prometheus' text format, under the names that dashboards made for",
        "Kafka's JMX exporter ask for. A summary has `_count`, `_sum` and quantiles.",
        "",
        "| Name | Kind | Labels | Meaning |",
        "|---|---|---|---|",
    ]
    for name, declared in sorted(DECLARED.items()):
        lines.append(f"| `{name}` | {declared.kind} | {', '.join(declared.labels)} | {declared.help} |")
    return "\n".join([*lines, ""])


def apis() -> str:
    from kafkawire.keys import API
    from pykafkad.api import RANGES

    lines = [
        "# APIs",
        "",
        "Written by `make docs` from `kafkawire/keys.py` and the table of handlers in `pykafkad/api/__init__.py`.",
        "",
        f"The wire package knows {len(API)} APIs; this broker serves {len(RANGES)} of them. What is served is what",
        "ApiVersions tells clients.",
        "",
        "| Key | API | Served | Known | Flexible since | Handler |",
        "|---|---|---|---|---|---|",
    ]
    for key, api in sorted(API.items()):
        served = RANGES.get(key)
        lines.append(
            f"| {key} | {api.name} | {_range(served.min_version, served.max_version) if served else '–'} | "
            f"{_range(api.min_version, api.max_version)} | "
            f"{'–' if api.flexible_since is None else api.flexible_since} | "
            f"{f'`pykafkad/api/{served.module}.py`' if served else '–'} |"
        )
    return "\n".join([*lines, ""])


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def cli() -> str:
    from pykafkad.cli.main import COMMANDS, load

    lines = [
        "# Commands",
        "",
        "Written by `make docs` from the commands' own option tables; `pykafkad COMMAND --help` says the same.",
        "",
        "`serve` runs a broker, `log` reads its files, `import` takes over Kafka's ([import.md](import.md)); the",
        "others speak Kafka's protocol and work with any broker.",
        "Options have the names that they have in Kafka's tools, and where those write the action as an option",
        "(`--create --topic orders`) that works as well as `create orders`. Exit codes: 0 done, 1 it couldn't be done,",
        "2 it was asked wrongly, 130 interrupted; what went wrong is one line on stderr.",
        "",
    ]
    for name, about in COMMANDS.items():
        lines += [f"## pykafkad {name}", ""]
        if name == "version":
            lines += [about[0].upper() + about[1:] + ".", ""]
            continue
        module = load(name)
        parser = argparse.ArgumentParser(prog=f"pykafkad {name}", add_help=False)
        module.add_arguments(parser)
        lines += [(module.__doc__ or "").strip(), "", *_options(parser)]
    return "\n".join(lines).rstrip() + "\n"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The options of a command, then its actions; those that every action has are told once, before them."""
    own, actions = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            actions = list(action.choices.items())
        else:
            own.append(_row(action))
    shared: list[str] = []
    if len(actions) > 1:
        rows = [[_row(action) for action in sub._actions if action.dest != "help"] for _, sub in actions]
        shared = [row for row in rows[0] if all(row in others for others in rows)]
    yield from _table([*own, *shared])
    for name, sub in actions:
        yield from (f"**{name}** — {sub.description}.", "")
        rows_of_its_own = [_row(action) for action in sub._actions if action.dest != "help"]
        yield from _table([row for row in rows_of_its_own if row not in shared])


def _table(rows: list[str]) -> Iterator[str]:
    if rows:
        yield from ("| | |", "|---|---|", *rows, "")


def _row(action: argparse.Action) -> str:
    words = ", ".join(f"`{word}`" for word in action.option_strings)
    value = ""
    if action.nargs != 0:
        value = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
        value = f"`{value}`" if not words else f" `{value}`"
    if words and action.nargs == "?":
        value = f" [{value.strip()}]"
    meaning = (action.help or "").replace("|", "\\|")
    return f"| {words}{value.replace('|', chr(92) + '|')} | {meaning} |"


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings, "metrics.md": metrics, "apis.md": apis, "cli.md": cli}


def stale() -> list[str]:
    """Pages that no longer say what the sources say."""
    return [name for name, write in PAGES.items() if _read(HERE / name) != write()]


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main(arguments: list[str]) -> int:
    found = stale()
    if arguments == ["--check"]:
        for name in found:
            print(f"docs/{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if found else 0
    for name in found:
        (HERE / name).write_text(PAGES[name]())
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
