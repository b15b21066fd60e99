"""ShareGroupHeartbeat (API key 76): join, stay in and leave a share group."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(1, 1)


@message(api_key=76, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    member_id: String = ""
    member_epoch: Int32 = 0
    rack_id: String | None = None
    subscribed_topic_names: list[String] | None = None


@message(api_key=76, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    member_id: String | None = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: Assignment | None = None


@struct
class Assignment:
    topic_partitions: list[TopicPartitions] = array()


@struct
class TopicPartitions:
    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = array()
