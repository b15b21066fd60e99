"""Putting a cleaned segment in the place of those it was made from, so that a crash at any moment leaves one or the
others.

Kafka's protocol, by names alone. The new files are complete and synced as ``.cleaned``; they are renamed to ``.swap``,
the old ones to ``.deleted``, and ``.swap`` is taken off. Found at a start:

- ``.cleaned``: not complete, or not meant yet. They go, and so do ``.swap`` files at or behind the least of them: their
  renaming wasn't finished, and nothing old was touched.
- only ``.swap``: meant. Whatever old segments they stand for go, and the swap is finished.

Renames reach the disk in the order in which they were made, on every journalling file system; nothing is synced between
them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pykafkad.storage import names
from pykafkad.storage.disk import Disk
from pykafkad.storage.pool import Pool
from pykafkad.storage.segment import Place, Segment


def swap_in(disk: Disk, directory: str, bases: Sequence[int]) -> list[str]:
    """Let the ``.cleaned`` files of ``bases[0]`` take the place of the segments ``bases``. Returns the names of the old
    files, which are to be removed later. OSError: everything is named as before, as far as the disk lets us.
    """
    there = set(disk.list(directory))
    base = bases[0]
    for name in there:  # left over from a round that was given up: recovery would take this swap for unfinished
        unfinished = _base(name, names.CLEANED)
        if unfinished is not None and unfinished < base:
            disk.remove(f"{directory}/{name}")
    ours = [names.file_name(base, suffix) for suffix in names.SEGMENT_SUFFIXES]
    ours = [name for name in ours if name + names.CLEANED in there]
    old = [names.file_name(one, suffix) for one in bases for suffix in names.SEGMENT_SUFFIXES]
    # What the producers' state was at the old borders serves nobody when the borders are gone.
    old += [names.file_name(one, names.SNAPSHOT) for one in bases[1:]]
    old = [name for name in old if name in there]
    steps = [(name + names.CLEANED, name + names.SWAP) for name in ours]
    steps += [(name, name + names.DELETED) for name in old]
    steps += [(name + names.SWAP, name) for name in ours]
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
    return [name + names.DELETED for name in old]


def replaced(
    place: Place, segments: Sequence[Segment], bases: Sequence[int], size: int
) -> tuple[list[Segment], list[str]] | None:
    """A log's segments when ``bases`` have become one of ``size`` bytes, and the files to be removed; None if they are
    not neighbours of it any more, or the active one is among them. OSError as in ``swap_in``.
    """
    first = next((number for number, one in enumerate(segments) if one.base_offset == bases[0]), -1)
    old = segments[first : first + len(bases)]
    if [one.base_offset for one in old] != list(bases) or segments[-1] in old:
        return None
    removed = swap_in(place.disk, place.directory, bases)
    for segment in old:
        segment.close()
    new = Segment(place, bases[0], size=size, new=False, now=old[0].created_ms, index_limit=old[0].index_limit)
    new.durable = True
    return [*segments[:first], new, *segments[first + len(bases) :]], removed


def make_durable(place: Place) -> None:
    """Let no power cut undo the swaps any more. May run in a worker thread."""
    try:
        place.disk.sync_directory(place.directory)
    except OSError as error:
        raise place.health.judge_sync(f"sync {place.directory}: {error}", error) from error


def finish_swaps(place: Place, found: set[str]) -> list[str]:
    """Undo or finish what a crash interrupted; ``found``, the names in the folder, is brought up to date. Returns what
    was done, for the log.
    """
    disk = place.disk

    def remove(name: str) -> None:
        disk.remove(f"{place.directory}/{name}")
        found.discard(name)

    unfinished = [base for name in found if (base := _base(name, names.CLEANED)) is not None]
    for name in sorted(found):
        swapped = _base(name, names.SWAP)
        if name.endswith(names.CLEANED) or (swapped is not None and swapped >= min(unfinished, default=swapped + 1)):
            remove(name)
    notes = []
    for base in sorted(base for name in found if (base := _base(name, names.SWAP, names.LOG)) is not None):
        end = _end_of(place, base)
        for name in sorted(found):
            old = _base(name)
            # The state of producers at the beginning of the segment holds as before.
            if old is not None and base <= old < end and name != names.file_name(base, names.SNAPSHOT):
                remove(name)
        notes.append(f"finished the swap of compacted segment {base}")
    for name in sorted(name for name in found if name.endswith(names.SWAP)):
        final = name.removesuffix(names.SWAP)
        disk.rename(f"{place.directory}/{name}", f"{place.directory}/{final}")
        found.discard(name)
        found.add(final)
    return notes


_SUFFIXES = (*names.SEGMENT_SUFFIXES, names.SNAPSHOT)


def _base(name: str, marker: str = "", *suffixes: str) -> int | None:
    """The offset in a file's name that ends with ``marker``; None when it is no such file."""
    if not name.endswith(marker):
        return None
    plain = name.removesuffix(marker)
    return next((base for s in suffixes or _SUFFIXES if (base := names.offset_of(plain, s)) is not None), None)


class _SwapPlace(Place):
    __slots__ = ()

    def path(self, offset: int, suffix: str) -> str:
        return Place.path(self, offset, suffix) + names.SWAP


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
