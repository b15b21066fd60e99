"""Records of ``__transaction_state``.

Key type 0 with the transactional id; a value is its version (int16) and fields.
"""

from __future__ import annotations

from typing import Annotated, Any

from kafkawire.schema import (
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    array,
    between,
    message,
    since,
    struct,
    tag,
)
from kafkawire.stored.framing import read_record
from kafkawire.stored.framing import write as write
from kafkawire.stored.framing import write_value as write_value


@message(api_key=0, versions=between(0, 0))
class TransactionLogKey:
    transactional_id: String = ""


@message(api_key=0, versions=between(0, 1), flexible=since(1))
class TransactionLogValue:
    producer_id: Int64 = 0
    previous_producer_id: Annotated[Int64, tag(0), since(1)] = -1
    next_producer_id: Annotated[Int64, tag(1), since(1)] = -1
    producer_epoch: Int16 = 0
    next_producer_epoch: Annotated[Int16, tag(3), since(1)] = -1
    transaction_timeout_ms: Int32 = 0
    transaction_status: Int8 = 0
    transaction_partitions: list[PartitionsSchema] | None = array()
    transaction_last_update_timestamp_ms: Int64 = 0
    transaction_start_timestamp_ms: Int64 = 0
    client_transaction_version: Annotated[Int16, tag(2), since(1)] = 0


@struct
class PartitionsSchema:
    topic: String = ""
    partition_ids: list[Int32] = array()


def read(key: bytes, value: bytes | None) -> tuple[Any, Any]:
    """A record's key and value: see ``framing.read_record``."""
    return read_record(_TYPES, key, value)


_TYPES: dict[int, tuple[type[Any], type[Any]]] = {
    0: (TransactionLogKey, TransactionLogValue),
}
