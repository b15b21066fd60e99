"""What a log's batches say about aborted transactions, to hold it against the ``.txnindex`` files.

These have no checksum. A bit that is flipped in one hides records that were committed, or shows some that were aborted,
and only the log can tell. So whoever reads a segment anyway shows its batches to an ``AbortedCheck``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from kafkawire.batches import CONTROL, TRANSACTIONAL, BatchHeader
from pykafkad.model import Aborted
from pykafkad.state.sequences import Producers, read_marker
from pykafkad.storage import names
from pykafkad.storage.disk import Buffer, Disk
from pykafkad.storage.indexes import TXN_ENTRY
from pykafkad.storage.snapshots import CorruptSnapshot, decode
from pykafkad.storage.transactions import VERSION, is_possible


class Difference(NamedTuple):
    position: int | None
    """Where the entry begins in the file, or should; None: there is no file."""
    reason: str


class AbortedCheck:
    """Begins at a segment's base offset, and goes through one segment after the other."""

    def __init__(self, disk: Disk, directory: str, base_offset: int) -> None:
        self._producers = Producers()
        self._end = base_offset
        self.exact = base_offset == 0
        """Whether the batches tell all there is to tell: who was open when the log begins is known, and none of them
        was taken out since.
        """
        path = f"{directory}/{names.file_name(base_offset, names.SNAPSHOT)}"
        try:
            self._producers.restore(decode(disk.read(path)))
            self.exact = True
        except (CorruptSnapshot, FileNotFoundError):
            pass
        self.found: list[Aborted] = []
        """What was aborted in the segment that is being shown."""
        self._markers: dict[int, int] = {}  # last offset of an abort marker -> its producer

    def add(self, header: BatchHeader, batch: Buffer) -> None:
        """The next batch, which is sound."""
        self.exact = self.exact and header.base_offset == self._end
        self._end = header.next_offset
        if header.attributes & CONTROL:
            marker = read_marker(bytes(batch))
            if marker is not None and not marker.commit:
                self._markers[header.last_offset] = header.producer_id
            if (aborted := self._producers.replay(header, bytes(batch))) is not None:
                self.found.append(aborted)
        elif header.attributes & TRANSACTIONAL:
            self._producers.replay(header)

    def skip(self) -> None:
        """A batch that can't be read."""
        self.exact = False

    def differences(self, data: bytes | None, newest: bool) -> Iterator[Difference]:
        """What is wrong in the index of the segment that was shown; ``data`` None: there is no such file. Then the
        next segment may be shown. ``newest``: it may grow while we look.
        """
        found, markers = self.found, self._markers
        self.found, self._markers = [], {}
        if data is None:
            if found:
                yield Difference(None, f"is missing, and {_said(found[0])}")
            return
        whole = len(data) - len(data) % TXN_ENTRY.size
        if whole < len(data):
            yield Difference(whole, f"{len(data) - whole} bytes are no whole entry")
        listed: list[Aborted] = []
        for at in range(0, whole, TXN_ENTRY.size):
            version, *fields = TXN_ENTRY.unpack_from(data, at)
            entry = Aborted(*fields)
            if version != VERSION or not is_possible(entry):
                yield Difference(at, f"{(version, *entry)} is no aborted transaction")
                return
            listed.append(entry)
        yield from self._exactly(listed, found, newest) if self.exact else self._about(listed, found, markers)

    def _exactly(self, listed: list[Aborted], found: list[Aborted], newest: bool) -> Iterator[Difference]:
        for number, (entry, due) in enumerate(zip_longest(listed, found)):
            at = number * TXN_ENTRY.size
            if entry == due or (due is None and newest and entry.last_offset >= self._end):
                continue
            if entry is None:
                yield Difference(at, f"ends, and {_said(due)}")
            elif due is None:
                yield Difference(at, f"lists {_told(entry)}, which the log doesn't know")
            else:
                yield Difference(at, f"lists {_told(entry)}, and {_said(due)}")
            return

    def _about(self, listed: list[Aborted], found: list[Aborted], markers: dict[int, int]) -> Iterator[Difference]:
        due = {one.last_offset: one for one in found}
        for number, entry in enumerate(listed):
            one = due.pop(entry.last_offset, None)
            if one is None:
                wrong = entry.last_offset < self._end and markers.get(entry.last_offset) != entry.producer_id
            else:
                wrong = one.producer_id != entry.producer_id or one.first_offset < entry.first_offset
            if wrong:
                yield Difference(number * TXN_ENTRY.size, f"no marker of {_told(entry)}")
                return
        for one in due.values():
            yield Difference(len(listed) * TXN_ENTRY.size, f"ends, and {_said(one)}")
            return


def _told(entry: Aborted) -> str:
    return (
        f"a transaction of producer {entry.producer_id} from {entry.first_offset} to {entry.last_offset},"
        f" stable up to {entry.last_stable_offset}"
    )


def _said(entry: Aborted) -> str:
    return f"the log has {_told(entry)}"
