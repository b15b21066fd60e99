"""Transactions while a cleaner walks through a log: which data were aborted, and which markers nobody needs any more.

A marker may go when no data of its transaction are left; an aborted transaction stays in the cleaned segment's
``.txnindex`` as long as its marker does. Everything below the last stable offset is decided, and the indexes of aborted
transactions say how.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from kafkawire.batches import TRANSACTIONAL, BatchHeader
from pykafkad.model import Aborted

_MARKER_TYPE = Struct(">2xh")
_ABORT, _COMMIT = 0, 1


class _Open:
    __slots__ = ("entry", "seen")

    def __init__(self, entry: Aborted) -> None:
        self.entry = entry
        self.seen = False
        """Whether a batch of it is still in the log."""


class Contradiction(ValueError):
    """A marker says of a transaction what the indexes don't, which have no checksum: nobody knows what was aborted."""


class Transactions:
    """Show it every batch in order; it says which may be discarded."""

    def __init__(self, aborted: Iterable[Aborted]) -> None:
        self._ahead = sorted(aborted, key=lambda entry: entry.first_offset, reverse=True)
        self._aborted: dict[int, _Open] = {}
        self._committed: set[int] = set()
        self.kept: list[Aborted] = []
        """Aborted transactions whose markers were met and must stay: the cleaned segment's index. Emptied by
        ``take_kept``.
        """

    def take_kept(self) -> list[Aborted]:
        kept, self.kept = self.kept, []
        return kept

    def data(self, header: BatchHeader) -> bool:
        """A batch of records: whether it was aborted."""
        if not header.attributes & TRANSACTIONAL:
            return False
        self._reach(header.last_offset)
        aborted = self._aborted.get(header.producer_id)
        if aborted is None:
            self._committed.add(header.producer_id)
            return False
        aborted.seen = True
        return True

    def marker(self, header: BatchHeader, key: bytes | None) -> bool:
        """A control batch and the key of its record, None if it has none: whether nothing is left of the
        transaction. Contradiction when it had another end than was thought.
        """
        self._reach(header.last_offset)
        if key is None or len(key) < _MARKER_TYPE.size:
            return True  # emptied by an earlier round
        (kind,) = _MARKER_TYPE.unpack_from(key)
        if kind == _ABORT:
            aborted = self._aborted.pop(header.producer_id, None)
            if aborted is not None and aborted.seen:
                self.kept.append(aborted.entry)
                return False
            if aborted is None and header.producer_id in self._committed:
                raise Contradiction(f"no index lists the transaction of producer {header.producer_id} that ends here")
            return True
        if kind == _COMMIT:
            if header.producer_id in self._aborted:
                raise Contradiction(f"an index lists the transaction of producer {header.producer_id} as aborted")
            if header.producer_id in self._committed:
                self._committed.discard(header.producer_id)
                return False
            return True
        return False

    def _reach(self, offset: int) -> None:
        ahead = self._ahead
        while ahead and ahead[-1].first_offset <= offset:
            entry = ahead.pop()
            self._aborted.setdefault(entry.producer_id, _Open(entry))
