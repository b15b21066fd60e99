"""What classic consumers put into JoinGroup and SyncGroup: opaque to the broker, save for listing topics.

Each blob begins with its version (int16).
"""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bytes,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)


@message(api_key=-1, versions=between(0, 3))
class ConsumerProtocolSubscription:
    topics: list[String] = array()
    user_data: Bytes | None = None
    owned_partitions: Annotated[list[TopicPartition], since(1), ignorable] = array()
    generation_id: Annotated[Int32, since(2), ignorable] = -1
    rack_id: Annotated[String | None, since(3), ignorable] = None


@struct
class TopicPartition:
    topic: Annotated[String, since(1)] = ""
    partitions: Annotated[list[Int32], since(1)] = array()


@message(api_key=-1, versions=between(0, 3))
class ConsumerProtocolAssignment:
    assigned_partitions: list[ConsumerProtocolAssignmentTopicPartition] = array()
    user_data: Bytes | None = None


@struct
class ConsumerProtocolAssignmentTopicPartition:
    topic: String = ""
    partitions: list[Int32] = array()
