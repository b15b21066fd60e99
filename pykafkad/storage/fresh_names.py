"""Names that a power cut could still take: of files in a log's folder, and of the folder itself.

The loop makes and renames files while threads sync, perhaps two at a time. So a sync covers what had changed when it
began, and counts when it has ended: a second one that is faster finds the names as fresh as they are and syncs them
itself.
"""

from __future__ import annotations


class FreshNames:
    __slots__ = ("_folder", "_synced", "changes")

    def __init__(self, fresh: bool) -> None:
        self.changes = int(fresh)
        """Counts changes. Who is about to sync remembers it for ``synced``."""
        self._folder = self.changes
        self._synced = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.changes > self._synced

    @property
    def folder(self) -> bool:
        """Whether the folder's own name is one of them."""
        return self._folder > self._synced

    def add(self) -> None:
        """A file was made, renamed, removed, or written anew."""
        self.changes += 1

    def add_folder(self) -> None:
        """The folder was made or got another name, and so did all that is in it."""
        self.changes += 1
        self._folder = self.changes

    def synced(self, changes: int) -> None:
        """All names were synced, the folder's too, and ``changes`` was this much when that began."""
        self._synced = max(self._synced, changes)
