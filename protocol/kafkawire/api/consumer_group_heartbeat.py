"""ConsumerGroupHeartbeat (API key 68): join, stay in and leave a group of the consumer protocol (KIP-848), all in one.

v1  a member may subscribe by regular expression, and brings its own member id.
"""

from __future__ import annotations

from typing import Annotated

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

_VERSIONS = between(0, 1)


@message(api_key=68, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    member_id: String = ""
    member_epoch: Int32 = 0
    instance_id: String | None = None
    rack_id: String | None = None
    rebalance_timeout_ms: Int32 = -1
    subscribed_topic_names: list[String] | None = None
    subscribed_topic_regex: Annotated[String | None, since(1)] = None
    server_assignor: String | None = None
    topic_partitions: list[TopicPartitions] | None = None


@struct
class TopicPartitions:
    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = array()


@message(api_key=68, versions=_VERSIONS, flexible=since(0))
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
