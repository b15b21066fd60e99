"""What classic consumers put into JoinGroup and SyncGroup: opaque to the broker, save for listing topics.

Each blob begins with its version (int16).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from kafkawire.codec import Buffer, decode, encode_into
from kafkawire.errors import TrailingBytes, WireError
from kafkawire.schema import Bytes, Int32, String, array, between, ignorable, message, since, struct

NEWEST = 3
T = TypeVar("T")


@message(versions=between(0, NEWEST))
class Subscription:
    topics: list[String] = array()
    user_data: Bytes | None = None
    owned_partitions: Annotated[list[TopicPartition], since(1), ignorable] = array()
    generation_id: Annotated[Int32, since(2), ignorable] = -1
    rack_id: Annotated[String | None, since(3), ignorable] = None


@message(versions=between(0, NEWEST))
class Assignment:
    assigned_partitions: list[AssignmentTopicPartition] = array()
    user_data: Bytes | None = None


@struct
class TopicPartition:
    topic: Annotated[String, since(1)] = ""
    partitions: Annotated[list[Int32], since(1)] = array()


@struct
class AssignmentTopicPartition:
    topic: String = ""
    partitions: list[Int32] = array()


def read_subscription(blob: Buffer) -> Subscription:
    """What a member subscribes to; WireError if the blob is none."""
    return _read(Subscription, blob)


def read_assignment(blob: Buffer) -> Assignment:
    """What a member was given; WireError if the blob is none."""
    return _read(Assignment, blob)


def write_subscription(subscription: Subscription, version: int = NEWEST) -> bytes:
    return _write(subscription, version)


def write_assignment(assignment: Assignment, version: int = NEWEST) -> bytes:
    return _write(assignment, version)


def _read(cls: type[T], blob: Buffer) -> T:
    version = int.from_bytes(bytes(blob[:2]), "big", signed=True)
    if len(blob) < 2 or version < 0:
        raise WireError("no version before the consumer protocol's fields")
    if version <= NEWEST:
        return decode(cls, version, blob, 2)
    try:
        return decode(cls, NEWEST, blob, 2)
    except TrailingBytes as more:  # what newer versions have added, behind the fields that we know
        assert isinstance(more.decoded, cls)
        return more.decoded


def _write(message: Any, version: int) -> bytes:
    out = bytearray(version.to_bytes(2, "big"))
    encode_into(message, version, out)
    return bytes(out)
