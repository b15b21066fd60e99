"""How a shard of transactions is put together. Loaded with the first one: a broker without never pays for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pykafkad.runtime.endings import Endings, WriteMarker
from pykafkad.runtime.shard import Shard, StoredCodec
from pykafkad.state.transactions import stored
from pykafkad.state.transactions.ledger import TransactionMachine, TransactionSettings

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.config import Config
    from pykafkad.metrics import Cell
    from pykafkad.runtime.partition import Partition

TransactionShard = Shard[TransactionMachine]
_CODEC = StoredCodec(stored.write, stored.read)


def transaction_shard(
    partition: Partition,
    config: Config,
    clock: Clock,
    version: Callable[[], int],
    write: WriteMarker,
    exists: Callable[[str, int], bool],
    ended: dict[bool, Cell],
) -> tuple[TransactionShard, Endings]:
    """A shard, and what tells partitions of the ends that it decides."""
    settings = TransactionSettings(
        max_timeout_ms=config.transaction_max_timeout_ms, expiration_ms=config.transactional_id_expiration_ms
    )
    shard = Shard(
        partition,
        lambda: TransactionMachine(settings, version()),
        _CODEC,
        clock,
        write_timeout_ms=config.request_timeout_ms,
    )
    return shard, Endings(shard, write, exists, clock, ended)
