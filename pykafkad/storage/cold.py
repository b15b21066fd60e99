"""Asking without waiting for the disk.

The event loop reads indexes and batch headers itself, since they are nearly always in the page cache. What isn't would
stop every connection for as long as the disk takes. So the loop asks with ``wait=False``: a read that would wait raises
``Cold`` instead, whose ``warm`` a worker thread calls; then the loop asks again. Nothing is handed over between the two
but pages in the kernel's cache, so there is nothing to lock and nothing to invalidate.
"""

from __future__ import annotations

from pykafkad.storage.disk import Buffer, File

_STEP = 256 * 1024


class Cold(Exception):
    """A stretch of a file that must come from the disk first."""

    def __init__(self, file: File, length: int, offset: int) -> None:
        super().__init__(f"{length} bytes at {offset} are not in memory")
        self._file = file  # held, so it stays open whatever the pool does meanwhile
        self._length = length
        self._offset = offset

    def warm(self) -> None:
        """Bring it in; for a worker thread. OSError when the disk can't."""
        end = self._offset + self._length
        for position in range(self._offset, end, _STEP):
            self._file.pread(min(_STEP, end - position), position)

    def adopt(self) -> None:
        """On the loop, before asking again."""


def take(file: File, length: int, offset: int, wait: bool) -> Buffer:
    """Bytes of a file; ``Cold`` if that takes the disk and may not ``wait``."""
    if wait:
        return file.pread(length, offset)
    data = file.peek(length, offset)
    if data is None:
        raise Cold(file, length, offset)
    return data
