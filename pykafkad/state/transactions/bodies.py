"""What the transaction machine answers: plain values, without a trace of API versions.

``Refused`` (pykafkad/errors.py) takes the place of any of these when the whole request is refused.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.state.transactions.phases import TopicIndex


class Identity(NamedTuple):
    """What a producer goes on with, after InitProducerId or after an EndTxn of transaction version 2."""

    producer_id: int
    epoch: int


class Added(NamedTuple):
    """The partitions belong to the transaction."""


class Verified(NamedTuple):
    """Whether each of the partitions that were asked about belongs to the transaction."""

    codes: tuple[ErrorCode, ...]


class Described(NamedTuple):
    state: str
    timeout_ms: int
    started_at: int  # ms, −1 if nothing was begun
    producer_id: int
    epoch: int
    partitions: tuple[TopicIndex, ...]


class ListedTransaction(NamedTuple):
    transactional_id: str
    producer_id: int
    state: str
    started_at: int


class Listed(NamedTuple):
    transactions: tuple[ListedTransaction, ...]
