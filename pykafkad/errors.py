"""The ways of saying no: a refusal is a value, a bad peer is a WireError, a broken invariant an assertion."""

from __future__ import annotations

from dataclasses import dataclass

from kafkawire.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that can't be granted. Returned, never raised; a handler puts ``code`` into its response."""

    code: ErrorCode
    detail: str = ""


class StorageFailed(Exception):
    """A log directory refused a read, a write or a sync: its partitions answer KAFKA_STORAGE_ERROR."""

    def __init__(self, log_dir: str, reason: str) -> None:
        super().__init__(f"{log_dir}: {reason}")
        self.log_dir = log_dir
        self.reason = reason


class ConfigError(Exception):
    """A setting, a data directory or a command line that can't be used: one line for the user, exit code 2."""
