"""Topics that a request names more than once, or without partitions, as Kafka sees them.

Kafka keeps what it is asked for by partition: a topic that is named twice is answered once with the partitions of both,
and a topic without partitions isn't answered at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

K = TypeVar("K", str, bytes, "str | bytes")
P = TypeVar("P")


def merged(topics: Iterable[tuple[K, list[P]]]) -> dict[K, list[P]]:
    """The partitions asked for under each name (or id), in the order in which they were asked for."""
    found: dict[K, list[P]] = {}
    for key, partitions in topics:
        if partitions:
            found[key] = found[key] + partitions if key in found else partitions
    return found


def refused_first(parted: Sequence[tuple[str | bytes, Any, Any]]) -> list[Any]:
    """Answers about topics, of which each comes in two parts (refused at once, passed on): first all that was refused.

    Answers under the same key become one, unless nothing was refused.
    """
    if not any(refused.partitions for _, refused, _ in parted):
        return [passed for _, _, passed in parted if passed.partitions]
    found: dict[str | bytes, Any] = {}
    for answers in ([(key, refused) for key, refused, _ in parted], [(key, passed) for key, _, passed in parted]):
        for key, answer in answers:
            if answer.partitions:
                found.setdefault(key, answer)
                if found[key] is not answer:
                    found[key].partitions.extend(answer.partitions)
    return list(found.values())
