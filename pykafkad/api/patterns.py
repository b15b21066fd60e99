"""Patterns that a client sends, matched in time that grows with pattern and text alone.

Kafka takes RE2's language: regular expressions without back-references and look-around, which is what makes the bound
possible. Python's own matcher backtracks, so that a pattern of twenty characters could hold the broker up for hours;
its parser, however, knows the language. What it has parsed is run here as a set of places that the match can be in.
"""

from __future__ import annotations

import re

LONGEST = 10_000  # places: nested counted repetitions multiply


class BadPattern(ValueError):
    """Not a regular expression, or one that RE2 doesn't know."""


class Pattern:
    def __init__(self, text: str) -> None:
        try:
            self._compiled = re.compile(text)
        except re.error as error:
            raise BadPattern(str(error)) from None

    def matches(self, text: str) -> bool:
        return self._compiled.fullmatch(text) is not None
