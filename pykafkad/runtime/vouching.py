"""Before records enter a partition as part of a transaction: does the transaction's coordinator know of it?

Only the first batch of a transaction on a partition has to ask (KIP-890). Under transaction version 2 asking also adds
the partition to the transaction, which older clients do by AddPartitionsToTxn beforehand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.state.verification import Guard

if TYPE_CHECKING:
    from pykafkad.runtime.node import Node
    from pykafkad.runtime.partition import Partition

Where = tuple[str, int]
Vouched = dict[Where, Guard | Refused]
"""What to show when a batch is appended, or why it mustn't be; nothing for whom nobody need vouch."""


class Producer(NamedTuple):
    """Who writes; ``epoch_bumps``: its client speaks transaction version 2."""

    transactional_id: str
    producer_id: int
    epoch: int
    epoch_bumps: bool


@dataclass(frozen=True, slots=True)
class Unverified(Refused):
    """The coordinator didn't vouch, or couldn't be asked."""


def vouch(
    node: Node,
    producer: Producer,
    batches: Sequence[tuple[Partition, int]],
    now: int,
    translate: Callable[[ErrorCode], Refused],
    *,
    at_once: bool = False,
) -> Vouched | asyncio.Future[Vouched]:
    """Ask about what needs it: for each partition, the first sequence of what is to be appended there.

    ``translate`` makes the coordinator's refusal one that this API's clients know. ``at_once``: for who can't wait, and
    has it asked again where the answer isn't yes.
    """
    vouched: Vouched = {}
    asked: list[Where] = []
    transactional_id, producer_id, epoch, epoch_bumps = producer
    if not (node.partitions.config.transaction_partition_verification_enable or epoch_bumps):
        return vouched
    for partition, sequence in batches:
        guard = partition.vouch(producer_id, epoch, sequence, now, epoch_bumps=epoch_bumps)
        if isinstance(guard, Refused):
            vouched[partition.topic, partition.index] = Unverified(guard.code)
        elif guard is not None:
            vouched[partition.topic, partition.index] = guard
            asked.append((partition.topic, partition.index))
    if not asked:
        return vouched

    def take(codes: Sequence[ErrorCode]) -> Vouched:
        for where, code in zip(asked, codes, strict=True):
            if code is not ErrorCode.NONE:
                vouched[where] = translate(code)
        return vouched

    codes = node.transactions.verify(transactional_id, producer_id, epoch, asked, now, add=epoch_bumps, at_once=at_once)
    if not isinstance(codes, asyncio.Future):
        return take(codes)
    answer: asyncio.Future[Vouched] = asyncio.get_running_loop().create_future()

    def answered(future: asyncio.Future[list[ErrorCode]]) -> None:
        if answer.done():
            return
        failed = asyncio.CancelledError() if future.cancelled() else future.exception()
        if failed is None:
            answer.set_result(take(future.result()))
        elif isinstance(failed, asyncio.CancelledError):
            answer.cancel()
        else:
            answer.set_exception(failed)

    codes.add_done_callback(answered)
    return answer
