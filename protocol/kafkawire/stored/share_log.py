"""Records of ``__share_group_state``.

Snapshots and updates of a share partition (KIP-932).
"""

from __future__ import annotations

from typing import Annotated, Any

from kafkawire.codec import decode, encode_into
from kafkawire.errors import WireError
from kafkawire.schema import (
    ZERO_UUID,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
    tag,
)


@message(api_key=0, versions=between(0, 0))
class ShareSnapshotKey:
    group_id: String = ""
    topic_id: Uuid = ZERO_UUID
    partition: Int32 = 0


@message(api_key=0, versions=between(0, 0), flexible=since(0))
class ShareSnapshotValue:
    snapshot_epoch: Int32 = 0
    state_epoch: Int32 = 0
    leader_epoch: Int32 = 0
    start_offset: Int64 = 0
    delivery_complete_count: Annotated[Int32, tag(0)] = -1
    create_timestamp: Int64 = 0
    write_timestamp: Int64 = 0
    state_batches: list[StateBatch] = array()


@struct
class StateBatch:
    first_offset: Int64 = 0
    last_offset: Int64 = 0
    delivery_state: Int8 = 0
    delivery_count: Int16 = 0


@message(api_key=1, versions=between(0, 0))
class ShareUpdateKey:
    group_id: String = ""
    topic_id: Uuid = ZERO_UUID
    partition: Int32 = 0


@message(api_key=1, versions=between(0, 0), flexible=since(0))
class ShareUpdateValue:
    snapshot_epoch: Int32 = 0
    leader_epoch: Int32 = 0
    start_offset: Int64 = 0
    delivery_complete_count: Annotated[Int32, tag(0)] = -1
    state_batches: list[StateBatch] = array()


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
    0: (ShareSnapshotKey, ShareSnapshotValue),
    1: (ShareUpdateKey, ShareUpdateValue),
}
