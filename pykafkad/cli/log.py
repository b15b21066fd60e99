"""Read a broker's files: batches, records, indexes, group records; check that they are as they were written; tell what
of them isn't synced yet.
"""

from __future__ import annotations

import argparse

from pykafkad.cli import dump, unsynced, verify

ACTIONS = ("dump", "unsynced", "verify")
_RUN = {"dump": dump.run, "unsynced": unsynced.run, "verify": verify.run}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    about = "print what a file, or all of a directory, says"
    dump.add_arguments(actions.add_parser("dump", help=about, description=about, allow_abbrev=False))
    about = "how much a power cut could take from a running broker now"
    unsynced.add_arguments(actions.add_parser("unsynced", help=about, description=about, allow_abbrev=False))
    about = "check every file of log directories for damage; a broker may be using them"
    verify.add_arguments(actions.add_parser("verify", help=about, description=about, allow_abbrev=False))


def run(args: argparse.Namespace) -> int:
    return _RUN[args.action](args)
