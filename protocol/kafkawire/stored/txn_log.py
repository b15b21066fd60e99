"""Records of ``__transaction_state``.

Key type 0 with the transactional id; a value is its version (int16) and fields.
"""

from __future__ import annotations

from typing import Annotated, Any

from kafkawire.codec import decode, encode_into
from kafkawire.errors import WireError
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
    """A record's key and value; an unknown type gives (None, None), a tombstone (key, None). WireError on garbage."""
    found = _TYPES.get(int.from_bytes(key[:2], "big", signed=True)) if len(key) >= 2 else None
    if found is None:
        return None, None
    key_class, value_class = found
    made = decode(key_class, key_class.__wire__.versions.first, key, 2)
    if value is None:
        return made, None
    if len(value) < 2:
        raise WireError("a stored value has no version")
    return made, decode(value_class, int.from_bytes(value[:2], "big", signed=True), value, 2)


def write(key: Any, value: Any, version: int) -> tuple[bytes, bytes | None]:
    """The bytes of a record: ``version`` is the value's; no value makes a tombstone."""
    out = bytearray(key.__wire__.key.to_bytes(2, "big"))
    encode_into(key, key.__wire__.versions.first, out)
    if value is None:
        return bytes(out), None
    body = bytearray(version.to_bytes(2, "big"))
    encode_into(value, version, body)
    return bytes(out), bytes(body)


_TYPES: dict[int, tuple[type[Any], type[Any]]] = {
    0: (TransactionLogKey, TransactionLogValue),
}
