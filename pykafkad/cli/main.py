"""The door: ``pykafkad COMMAND …``.

Every command is a module with ``add_arguments(parser)`` and ``run(args) -> int``, imported when it is the one that was
typed: ``pykafkad --help`` costs what Python costs. ``ACTIONS``, where a module has it, names the first words that
Kafka's own tools write as options (``topics --create`` for ``topics create``); both are understood.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from pykafkad.cli.failures import CommandFailed

COMMANDS = {
    "serve": "run a broker",
    "topics": "list, create, describe, alter, delete topics; their offsets",
    "groups": "list, describe, delete consumer groups; their lag; reset their offsets",
    "transactions": "list, describe, abort transactions; whom they keep waiting",
    "configs": "describe and alter the settings of topics, brokers and groups",
    "produce": "send lines from the terminal",
    "consume": "print records to the terminal",
    "cluster": "brokers, and the APIs that they serve",
    "log": "read a broker's files",
    "import": "take over a stopped single-node Kafka's data",
    "health": "ask a broker on this machine whether it is ready",
    "version": "say which pykafkad this is",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (it couldn't be done), 2 (it was asked wrongly) or 130 (interrupted)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        if words[1:2] and words[1] in COMMANDS:
            return main([words[1], "--help"])
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        words[0] = "version"
    if words[0] not in COMMANDS:
        print(f"pykafkad: {words[0]!r} is not a command (pykafkad --help lists them)", file=sys.stderr)
        return 2
    return run(words[0], words[1:])


def run(name: str, words: list[str]) -> int:
    """Import a command's module, parse, run, and say in one line what went wrong."""
    from pykafkad.errors import ConfigError

    try:
        return parse_and_run(name, words)
    except CommandFailed as failure:
        print(f"pykafkad {name}: {failure}", file=sys.stderr)
        return failure.exit_code
    except ConfigError as error:
        print(f"pykafkad {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parse_and_run(name: str, words: list[str]) -> int:
    if name == "version":
        from pykafkad import __version__

        print(f"pykafkad {__version__} (Python {sys.version.split()[0]})")
        return 0
    import argparse

    module = load(name)
    parser = argparse.ArgumentParser(
        prog=f"pykafkad {name}",
        description=(module.__doc__ or "").partition("\n")[0],
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    args = parser.parse_args(action_first(words, getattr(module, "ACTIONS", ())))
    code: int = module.run(args)
    sys.stdout.flush()
    return code


MODULES = {"import": "takeover"}  # a module of that name could not be imported


def load(name: str) -> ModuleType:
    return import_module(f"pykafkad.cli.{MODULES.get(name, name)}")


def action_first(words: list[str], actions: Sequence[str]) -> list[str]:
    """``--topic x --create`` as ``create --topic x``."""
    if words and words[0] in actions:
        return words
    for position, word in enumerate(words):
        if word.startswith("--") and word[2:] in actions:
            return [word[2:], *words[:position], *words[position + 1 :]]
    return words


def usage() -> str:
    lines = ["usage: pykafkad COMMAND …", "", "A Kafka broker, and commands for any Kafka broker.", ""]
    lines += [f"  {name:<12} {about}" for name, about in COMMANDS.items()]
    return "\n".join([*lines, "", "pykafkad COMMAND --help says more about each."])


if __name__ == "__main__":
    sys.exit(main())
