"""Where replicas go: spread over racks first, over brokers next, leaders evenly over all.

Brokers are arranged so that neighbours are in different racks as long as that is possible. Partition by partition the
leader moves one place on, and the followers take the next places, so that each broker leads and follows equally often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def arranged(racks: Mapping[int, str | None]) -> list[int]:
    """Broker ids, taken in turn from each rack."""
    by_rack: dict[str, list[int]] = {}
    for broker in sorted(racks):
        by_rack.setdefault(racks[broker] or "", []).append(broker)
    rows = [by_rack[rack] for rack in sorted(by_rack)]
    order: list[int] = []
    for turn in range(max((len(row) for row in rows), default=0)):
        order.extend(row[turn] for row in rows if turn < len(row))
    return order


def place(racks: Mapping[int, str | None], partitions: int, factor: int, start: int) -> list[tuple[int, ...]]:
    """Replica lists for ``partitions`` partitions; ``racks`` are the usable brokers, ``start`` any number.

    ``factor`` must not exceed the number of brokers. Over three racks a partition with three replicas is in all three.
    """
    assert 0 < factor <= len(racks)
    order = arranged(racks)
    return [_replicas(order, racks, start + index, factor) for index in range(partitions)]


def _replicas(order: Sequence[int], racks: Mapping[int, str | None], first: int, factor: int) -> tuple[int, ...]:
    count = len(order)
    # Each time around the ring the followers begin one place further on, so that the same brokers don't always pair.
    shift = first // count % (count - 1) if count > 1 else 0
    leader = order[first % count]
    others = [order[(first + 1 + (shift + step) % (count - 1)) % count] for step in range(count - 1)]
    chosen, used = [leader], {racks[leader]}
    for broker in others:
        if len(chosen) < factor and racks[broker] not in used:
            chosen.append(broker)
            used.add(racks[broker])
    for broker in others:
        if len(chosen) < factor and broker not in chosen:
            chosen.append(broker)
    return tuple(chosen)


def refuse_replicas(replicas: Sequence[int], brokers: Iterable[int], size: int | None) -> str | None:
    """Why a replica list given by hand can't be; None if it can."""
    if not replicas:
        return "The manual partition assignment includes an empty replica list."
    known = set(brokers)
    for position, broker in enumerate(replicas):
        if broker not in known:
            return f"The manual partition assignment includes broker {broker}, but no such broker is registered."
        if broker in replicas[:position]:
            return f"The manual partition assignment includes the broker {broker} more than once."
    if size is not None and len(replicas) != size:
        return (
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is not "
            f"consistent with previous partitions, which have {size} replica(s)."
        )
    return None
