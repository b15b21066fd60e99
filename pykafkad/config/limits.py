"""Numbers and rules that several tables of settings share."""

from __future__ import annotations

import re

from pykafkad.config.setting import accepted_by

INT_MAX = 2147483647
LONG_MAX = 9223372036854775807
DOUBLE_MAX = 1.7976931348623157e308

GZIP_LEVEL = accepted_by(
    "[1,...,9] or -1",
    lambda level: None if level == -1 or 1 <= level <= 9 else "Value must be between 1 and 9 or equal to -1",
)

# Patterns are compiled at first use: most starts need none of them.
_REPLICA = "[0-9]+:[0-9]+"


def _refuse_replicas(entries: tuple[str, ...]) -> str | None:
    if entries == ("*",) or all(re.fullmatch(_REPLICA, entry) for entry in entries):
        return None
    return "must be the literal '*' or a list of replicas in the form [partitionId]:[brokerId],..."


REPLICA_LIST = accepted_by("[partitionId]:[brokerId],[partitionId]:[brokerId],...", _refuse_replicas)

_DURATION = r"by_duration:P(?!$)([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]{1,9})?S)?)?"


def _refuse_reset(policy: str) -> str | None:
    if policy in ("latest", "earliest") or re.fullmatch(_DURATION, policy, re.IGNORECASE):
        return None
    return "Invalid value; it must be latest, earliest or by_duration: with an ISO 8601 duration"


OFFSET_RESET = accepted_by("[latest, earliest, by_duration:PnDTnHnMn.nS]", _refuse_reset)
