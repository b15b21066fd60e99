"""Files of a log that are out of the way and not off the disk yet: ``.deleted`` until file.delete.delay.ms is over,
since unlinking a large file takes long, and somebody may still want to look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from pykafkad.storage import names
from pykafkad.storage.segment import Place, Segment


class Leaving:
    __slots__ = ("_files",)

    def __init__(self) -> None:
        self._files: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._files)

    def add(self, files: Iterable[str], when: int) -> None:
        """Names that end with ``.deleted``, and when they may go."""
        self._files += [(when, name) for name in files]

    def rename(self, place: Place, segments: Sequence[Segment], when: int, *, with_snapshots: bool = False) -> None:
        """Take the segments' files out of the way. Open slices of them stay readable."""
        suffixes = (*names.SEGMENT_SUFFIXES, names.SNAPSHOT) if with_snapshots else names.SEGMENT_SUFFIXES
        for segment in segments:
            segment.close()
            for suffix in suffixes:
                its = place if suffix == names.SNAPSHOT else segment.place  # it may not have its own name yet
                path = its.path(segment.base_offset, suffix)
                if place.disk.exists(path):
                    place.disk.rename(path, path + names.DELETED)
                    self._files.append((when, path.rpartition("/")[2] + names.DELETED))

    def purge(self, place: Place, now: int) -> int:
        """Remove what may go; returns how many. May run in a thread beside ``add`` and ``rename``."""
        due = [item for item in tuple(self._files) if item[0] <= now]
        for item in due:
            place.disk.remove(f"{place.directory}/{item[1]}")
            with suppress(ValueError):  # two purges at once: the other was faster
                self._files.remove(item)  # one by one: the loop may add to the list meanwhile
        return len(due)

    def forget(self) -> None:
        """The log moved, and they stayed behind."""
        self._files.clear()
