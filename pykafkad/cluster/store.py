"""The cluster store: what every broker must agree on, behind one small interface.

Keys are short paths, values are bytes, and every committed transaction raises one number, the revision. Nobody locks:
a writer says which revisions of which keys it has read, and the transaction happens whole or not at all. Readers keep
a picture of the whole store and follow it with a watch. A key that hangs on a lease goes when its owner stops renewing.

Consensus is the engine's business. ``tests/cluster/contract.py`` is what an engine must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    value: bytes
    revision: int  # of the transaction that wrote it last


class Snapshot(NamedTuple):
    """The whole store, or the part under a prefix, at one revision."""

    revision: int
    entries: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Transaction:
    """Writes that happen together, if every condition holds: key -> revision it must have, 0 for "must not exist"."""

    conditions: Mapping[str, int] = field(default_factory=dict)
    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()
    lease: int = 0  # must be alive, if not 0
    leased: Mapping[str, bytes] = field(default_factory=dict)  # puts that go with the lease


class Changes(NamedTuple):
    """What a watch tells: everything that happened after the last call, up to ``revision``.

    ``whole`` is for a watcher that was away too long: ``puts`` is then the whole store and the past is forgotten.
    """

    revision: int
    puts: Mapping[str, Entry]
    deletes: tuple[str, ...]
    whole: bool = False


class StoreUnavailable(Exception):
    """The store cannot be reached or written: what only reads goes on, what changes must wait."""


class Watch(Protocol):
    def close(self) -> None: ...


class Store(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def range(self, prefix: str = "") -> Snapshot: ...

    async def commit(self, transaction: Transaction) -> int | None:
        """The transaction's revision, or None when a condition did not hold (or its lease is gone)."""

    def watch(self, after: int, on_changes: Callable[[Changes], None]) -> Watch:
        """Call ``on_changes`` on the event loop, in order, with everything committed after a revision.

        A commit of this process is told before ``commit`` returns.
        """

    async def grant(self, ttl_ms: int) -> int:
        """A new lease's number."""

    async def renew(self, lease: int) -> bool:
        """Whether the lease is still there and lives for its whole time again."""

    async def revoke(self, lease: int) -> None:
        """End a lease and every key that hangs on it."""
