"""The broker's log as BROKER_LOGGER resources show it: one logger, ``root``, with Kafka's names for its levels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.logs import log
from pykafkad.runtime.config_rules import Alteration, Op, refuse_broker_id
from pykafkad.runtime.config_view import Shown, Source

ROOT = "root"

# Kafka's levels, and the ones that the log has.
_LEVELS = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERROR": "error",
    "FATAL": "error",
}
_SHOWN = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR"}


def shown(wanted: Collection[str] = ()) -> list[Shown]:
    if wanted and ROOT not in wanted:
        return []
    return [Shown(ROOT, _SHOWN[log.level], Source.BROKER_LOGGER, False, False, 0, (), "")]


def alter(name: str, node_id: int, alterations: Sequence[Alteration], validate_only: bool) -> Refused | None:
    """Change levels of this process, all or none."""
    if not name:
        return Refused(ErrorCode.INVALID_REQUEST, "Node id must be an integer, but it is: ")
    if (refused := refuse_broker_id(name, node_id)) is not None:
        return refused
    for one in alterations:
        if one.op in (Op.APPEND, Op.SUBTRACT):
            detail = f"{Op(one.op).name} operation is not allowed for the BROKER_LOGGER resource"
            return Refused(ErrorCode.INVALID_REQUEST, detail)
        if one.key != ROOT:
            return Refused(ErrorCode.INVALID_CONFIG, f"Logger {one.key} does not exist!")
        if one.op == Op.DELETE:
            return Refused(ErrorCode.INVALID_REQUEST, "Removing the log level of the root logger is not allowed")
        if one.value not in _LEVELS:
            detail = (
                f"Cannot set the log level of {one.key} to {one.value} as it is not a supported log level. "
                f"Valid log levels are {', '.join(sorted(_LEVELS))}"
            )
            return Refused(ErrorCode.INVALID_CONFIG, detail)
    if not validate_only:
        for one in alterations:
            log.set_level(_LEVELS[one.value or ""])
    return None
