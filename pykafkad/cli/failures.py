"""The two ways a command ends badly, each one line on stderr. Imports nothing, for the door imports it."""

from __future__ import annotations


class CommandFailed(Exception):
    """It can't be done now: no broker, a refusal, a missing file. Exit code 1."""

    exit_code = 1


class Misused(CommandFailed):
    """It was asked in a way that makes no sense. Exit code 2."""

    exit_code = 2
