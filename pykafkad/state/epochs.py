"""Which leader wrote what: the first offset of every leader epoch in a log, in order.

A follower that lost touch asks "where does epoch e end?" and cuts its log there; a consumer asks the same to notice
that the log it read was cut. The log keeps this list in ``leader-epoch-checkpoint``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

NO_EPOCH = -1
NO_OFFSET = -1


class Epochs:
    """Both columns rise strictly. Empty means that nothing with an epoch was ever written."""

    __slots__ = ("_epochs", "_starts")

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        self._epochs: list[int] = []
        self._starts: list[int] = []
        for epoch, start in entries:
            self.assign(epoch, start)

    @property
    def latest(self) -> int:
        """The newest epoch, -1 when there is none."""
        return self._epochs[-1] if self._epochs else NO_EPOCH

    @property
    def latest_start(self) -> int:
        return self._starts[-1] if self._starts else NO_OFFSET

    @property
    def entries(self) -> list[tuple[int, int]]:
        """(epoch, first offset), oldest first."""
        return list(zip(self._epochs, self._starts, strict=True))

    def assign(self, epoch: int, offset: int) -> bool:
        """``epoch`` writes from ``offset`` on; True when that was news.

        Entries that contradict it (a later start, a higher epoch) are dropped: the log's content is the authority.
        """
        if epoch < 0 or offset < 0:
            return False
        if self._epochs and epoch == self._epochs[-1] and offset >= self._starts[-1]:
            return False
        while self._epochs and (self._epochs[-1] >= epoch or self._starts[-1] >= offset):
            self._epochs.pop()
            self._starts.pop()
        self._epochs.append(epoch)
        self._starts.append(offset)
        return True

    def end_of(self, epoch: int, log_end: int) -> tuple[int, int]:
        """(the largest epoch known that is at most the asked one, the offset where it ends), as
        OffsetForLeaderEpoch answers.
        """
        if epoch == NO_EPOCH:
            return NO_EPOCH, NO_OFFSET
        if self._epochs and epoch == self._epochs[-1]:
            return epoch, log_end
        above = bisect_right(self._epochs, epoch)
        if above == len(self._epochs):
            return NO_EPOCH, NO_OFFSET
        if above == 0:
            return epoch, self._starts[0]
        return self._epochs[above - 1], self._starts[above]

    def end_under(self, epoch: int, log_end: int, ours: tuple[int, int] | None) -> tuple[int, int]:
        """The same as a leader says it, whose own epoch (with its start) has begun even if nothing was written yet."""
        latest = self.latest
        if ours is not None and latest < ours[0] and latest <= epoch >= 0:
            if epoch == ours[0]:
                return epoch, log_end
            if epoch > ours[0]:
                return NO_EPOCH, NO_OFFSET
            return latest if latest >= 0 else epoch, ours[1]
        return self.end_of(epoch, log_end)

    def epoch_at(self, offset: int) -> int:
        """The epoch that wrote ``offset``; -1 when it lies before everything known."""
        index = bisect_right(self._starts, offset)
        return self._epochs[index - 1] if index else NO_EPOCH

    def truncate_from_end(self, end: int) -> bool:
        """The log now ends at ``end``: forget epochs that start there or later. True when something went."""
        before = len(self._epochs)
        while self._starts and self._starts[-1] >= end:
            self._starts.pop()
            self._epochs.pop()
        return len(self._epochs) != before

    def truncate_from_start(self, start: int) -> bool:
        """The log now starts at ``start``: the epoch that wrote that offset begins there now, older ones are gone."""
        index = bisect_right(self._starts, start)
        if index == 0 or (index == 1 and self._starts[0] == start):
            return False
        self._starts[index - 1] = start
        del self._epochs[: index - 1], self._starts[: index - 1]
        return True

    def clear(self) -> None:
        self._epochs.clear()
        self._starts.clear()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epochs) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Epochs({self.entries})"
