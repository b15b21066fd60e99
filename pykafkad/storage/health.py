"""Whether a log directory can still be relied on: what its logs and threads found out, in one place for all of them.

Three kinds of bad news, told apart because they end differently:

- The disk is full, or may not be written just now: nothing was lost. Writes are refused until one succeeds; reads go
  on.
- The disk is broken: a write failed for good, or a sync failed. After a failed fsync the kernel may have dropped what
  it could not write and calls it clean, so a second fsync that succeeds proves nothing: the directory is offline
  until the broker is started again and recovery has read what is really there.
- A read failed: it costs the reader its answer, and nobody else anything.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

from pykafkad.errors import StorageFailed

BROKEN = frozenset(
    getattr(errno, name)
    for name in ("EIO", "ENXIO", "ENODEV", "EUCLEAN", "EBADMSG", "ESTALE", "ENOTCONN", "EREMOTEIO")
    if hasattr(errno, name)
)
"""What a write fails with when the volume is gone or damaged."""
NEVER_SYNCED = frozenset((errno.ENOENT, errno.EMFILE, errno.ENFILE, errno.EACCES))
"""What opening a file in order to sync it may fail with: the sync itself did not take place."""


class Health:
    """Of one log directory. ``fail`` may be called from any thread."""

    __slots__ = ("_lock", "failure", "log_dir", "on_failure", "refusal")

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir
        self.failure = ""
        """What took the directory offline; empty while it is online. Never taken back."""
        self.refusal = ""
        """Why the last write was refused; empty once one has succeeded. The event loop's."""
        self.on_failure: Callable[[], None] | None = None
        """Told once, in the thread that met the failure."""
        self._lock = threading.Lock()

    def fail(self, reason: str) -> None:
        with self._lock:
            if self.failure:
                return
            self.failure = reason
        if self.on_failure is not None:
            self.on_failure()

    def check(self) -> None:
        """StorageFailed when the directory is offline: nothing that it still does may be believed."""
        if self.failure:
            raise StorageFailed(self.log_dir, f"offline: {self.failure}")

    def judge_write(self, reason: str, error: BaseException) -> StorageFailed:
        """A write, rename or truncation failed."""
        if isinstance(error, OSError) and error.errno in BROKEN:
            self.fail(reason)
        return StorageFailed(self.log_dir, reason)

    def judge_sync(self, reason: str, error: BaseException) -> StorageFailed:
        """A sync failed."""
        if not isinstance(error, OSError) or error.errno not in NEVER_SYNCED:
            self.fail(reason)
        return StorageFailed(self.log_dir, reason)
