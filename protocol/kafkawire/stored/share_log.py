"""Records of ``__share_group_state``.

Snapshots and updates of a share partition (KIP-932).
"""

from __future__ import annotations

from typing import Annotated, Any

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
from kafkawire.stored.framing import read_record
from kafkawire.stored.framing import write as write


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
    """A record's key and value: see ``framing.read_record``."""
    return read_record(_TYPES, key, value)


_TYPES: dict[int, tuple[type[Any], type[Any]]] = {
    0: (ShareSnapshotKey, ShareSnapshotValue),
    1: (ShareUpdateKey, ShareUpdateValue),
}
