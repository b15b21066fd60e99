"""The differences that are meant, each as a rule that recognises it and the reason why it stays.

The table is short on purpose: whatever can be as Apache Kafka has it, is. conformance/DIFFERENCES.md is written from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from conformance.differential.comparing import Difference
from conformance.differential.side import Exchange

Excuses = Callable[[Exchange, Exchange, Difference], bool]


class Meant(NamedTuple):
    rule: str  # a name for the counts
    request: str
    kafka: str
    ours: str
    reason: str
    excuses: Excuses


MEANT: tuple[Meant, ...] = ()
