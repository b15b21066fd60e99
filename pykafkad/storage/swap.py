"""Putting a cleaned segment in the place of those it was made from, so that a crash at any moment leaves one or the
others.

Kafka's protocol, by names alone. The new files are complete and synced as ``.cleaned``; they are renamed to ``.swap``,
the old ones to ``.deleted``, and ``.swap`` is taken off. Found at a start:

- ``.cleaned``: not complete, or not meant yet. They go, and so do ``.swap`` files at or behind the least of them: their
  renaming wasn't finished, and nothing old was touched.
- only ``.swap``: meant. Whatever old segments they stand for go, and the swap is finished.

Kafka makes these renames in one go and relies on a journal that keeps their order. POSIX promises no order, so here
the directory is synced between the steps: by a thread, while the log is served as it is after the step before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pykafkad.storage import names
from pykafkad.storage.pool import Pool
from pykafkad.storage.segment import Place, Segment

_SUFFIXES = (*names.SEGMENT_SUFFIXES, names.SNAPSHOT)


class _SwapPlace(Place):
    """Where the new segment is while its ``.swap`` hasn't been taken off."""

    __slots__ = ()

    @classmethod
    def beside(cls, place: Place) -> _SwapPlace:
        return cls(place.disk, place.log_dir, place.directory, place.files, place.indexes, place.health)

    def path(self, offset: int, suffix: str) -> str:
        return Place.path(self, offset, suffix) + names.SWAP


class Swap:
    """Steps in their order: ``announce`` and ``settle`` sync and may run in a thread; ``take`` and ``finish`` are the
    log's. OSError, with everything named as before the step, as far as the disk lets us.
    """

    def __init__(self, place: Place, bases: Sequence[int], size: int) -> None:
        """``size`` bytes are under the ``.cleaned`` names of ``bases[0]``, their names durable."""
        self.bases = list(bases)
        self.size = size
        self._place = place
        self._new: Segment | None = None
        self._names: list[str] = []

    def announce(self) -> None:
        """From here on a crash finishes the swap."""
        place, base = self._place, self.bases[0]
        there = set(place.disk.list(place.directory))
        for name in there:  # left over from a round that was given up: recovery would take this swap for unfinished
            unfinished = _base(name, names.CLEANED)
            if unfinished is not None and unfinished < base:
                place.disk.remove(f"{place.directory}/{name}")
        files = [names.file_name(base, suffix) for suffix in names.SEGMENT_SUFFIXES]
        self._names = [name for name in files if name + names.CLEANED in there]
        _rename(place, [(name + names.CLEANED, name + names.SWAP) for name in self._names])
        place.disk.sync_directory(place.directory)

    def take(self, segments: Sequence[Segment]) -> tuple[list[Segment], list[str]] | None:
        """The log's segments with the new one among them, and the names under which the old ones' files wait to be
        removed. None, and the swap is off, if ``bases`` are not neighbours in the log any more.
        """
        first = next((number for number, one in enumerate(segments) if one.base_offset == self.bases[0]), -1)
        old = segments[first : first + len(self.bases)]
        place = self._place
        if [one.base_offset for one in old] != self.bases or segments[-1] in old:
            self.discard()
            return None
        there = set(place.disk.list(place.directory))
        files = [names.file_name(base, suffix) for base in self.bases for suffix in names.SEGMENT_SUFFIXES]
        # What the producers' state was at the old borders serves nobody when the borders are gone.
        files += [names.file_name(base, names.SNAPSHOT) for base in self.bases[1:]]
        files = [name for name in files if name in there]
        try:
            _rename(place, [(name, name + names.DELETED) for name in files])
        except OSError:
            self.discard()
            raise
        for segment in old:
            segment.close()
        created, index_limit = old[0].created_ms, old[0].index_limit
        beside = _SwapPlace.beside(place)
        new = Segment(beside, self.bases[0], size=self.size, new=False, now=created, index_limit=index_limit)
        new.durable = True
        if names.file_name(new.base_offset, names.TXN_INDEX) in self._names:
            new.find_transactions()
        self._new = new
        after = [*segments[:first], new, *segments[first + len(self.bases) :]]
        return after, [name + names.DELETED for name in files]

    def settle(self) -> None:
        """The old names are gone for good. StorageFailed when the directory can't be synced."""
        make_durable(self._place)

    def finish(self) -> None:
        """The new segment gets its own name. What fails is to be tried again: until then the segment is found by nobody
        but its log.
        """
        new, place = self._new, self._place
        assert new is not None
        if new.place.directory == place.directory:  # else the log has moved, and found the new names where it moved to
            there = set(place.disk.list(place.directory))
            _rename(place, [(name + names.SWAP, name) for name in self._names if name + names.SWAP in there])
        new.close()
        new.place = place

    def discard(self) -> None:
        """The swap is off: nothing old was touched. What fails is to be tried again: the next start would take what is
        left for meant.
        """
        for name in self._names:
            self._place.disk.remove(f"{self._place.directory}/{name}{names.SWAP}")
        self._place.disk.sync_directory(self._place.directory)


def make_durable(place: Place) -> None:
    """Let no power cut undo the renames any more."""
    try:
        place.disk.sync_directory(place.directory)
    except OSError as error:
        raise place.health.judge_sync(f"sync {place.directory}: {error}", error) from error


def _rename(place: Place, steps: Iterable[tuple[str, str]]) -> None:
    """All or none, as far as the disk lets us."""
    disk, directory = place.disk, place.directory
    done: list[tuple[str, str]] = []
    try:
        for source, target in steps:
            disk.rename(f"{directory}/{source}", f"{directory}/{target}")
            done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            try:
                disk.rename(f"{directory}/{target}", f"{directory}/{source}")
            except OSError:
                break
        raise


def finish_swaps(place: Place, found: set[str]) -> list[str]:
    """Undo or finish what a crash interrupted; ``found``, the names in the folder, is brought up to date. Returns what
    was done, for the log.
    """
    disk = place.disk

    def remove(doomed: Iterable[str]) -> None:
        for name in sorted(doomed):
            disk.remove(f"{place.directory}/{name}")
            found.discard(name)
        disk.sync_directory(place.directory)

    unfinished = {name: base for name in found if (base := _base(name, names.CLEANED)) is not None}
    if unfinished:
        least = min(unfinished.values())
        remove(name for name in tuple(found) if (base := _base(name, names.SWAP)) is not None and base >= least)
        remove(unfinished)  # last, because they say what the others are
    notes = []
    for base in sorted(base for name in found if (base := _base(name, names.SWAP, names.LOG)) is not None):
        end = _end_of(place, base)
        kept = names.file_name(base, names.SNAPSHOT)  # producers' state where the segment begins is what it was
        remove(n for n in tuple(found) if n != kept and (old := _base(n)) is not None and base <= old < end)
        notes.append(f"finished the swap of compacted segment {base}")
    swaps = sorted(name for name in found if name.endswith(names.SWAP))
    for name in swaps:
        final = name.removesuffix(names.SWAP)
        disk.rename(f"{place.directory}/{name}", f"{place.directory}/{final}")
        found.discard(name)
        found.add(final)
    if swaps:
        disk.sync_directory(place.directory)
    return notes


def _base(name: str, marker: str = "", *suffixes: str) -> int | None:
    """The offset in a file's name that ends with ``marker``; None when it is no such file."""
    if not name.endswith(marker):
        return None
    plain = name.removesuffix(marker)
    return next((base for s in suffixes or _SUFFIXES if (base := names.offset_of(plain, s)) is not None), None)


def _end_of(place: Place, base: int) -> int:
    """Behind the last batch of a ``.swap`` file, at least one offset behind its beginning."""
    swap = _SwapPlace(place.disk, place.log_dir, place.directory, Pool(1), Pool(1))
    size = place.disk.size(swap.path(base, names.LOG))
    segment = Segment(swap, base, size=size, new=False, now=0, index_limit=0)
    end = base + 1
    for header in segment.walk():
        end = max(end, header.next_offset)
    segment.close()
    return end
