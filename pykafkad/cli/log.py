"""Read a broker's files: batches, records, indexes, group records."""

from __future__ import annotations

import argparse

from pykafkad.cli import dump

ACTIONS = ("dump",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    about = "print what a file, or all of a directory, says"
    dump.add_arguments(actions.add_parser("dump", help=about, description=about, allow_abbrev=False))


def run(args: argparse.Namespace) -> int:
    return dump.run(args)
