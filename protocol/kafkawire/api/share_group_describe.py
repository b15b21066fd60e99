"""ShareGroupDescribe (API key 77): show share groups and their members."""

from __future__ import annotations

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    default,
    message,
    since,
    struct,
)

_VERSIONS = between(1, 1)


@message(api_key=77, versions=_VERSIONS, flexible=since(0))
class Request:
    group_ids: list[String] = array()
    include_authorized_operations: Bool = False


@message(api_key=77, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    groups: list[DescribedGroup] = array()


@struct
class DescribedGroup:
    error_code: Int16 = 0
    error_message: String | None = None
    group_id: String = ""
    group_state: String = ""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    assignor_name: String = ""
    members: list[Member] = array()
    authorized_operations: Int32 = -2147483648


@struct
class Member:
    member_id: String = ""
    rack_id: String | None = None
    member_epoch: Int32 = 0
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = array()
    assignment: Assignment = default()


@struct
class Assignment:
    topic_partitions: list[TopicPartitions] = array()


@struct
class TopicPartitions:
    topic_id: Uuid = ZERO_UUID
    topic_name: String = ""
    partitions: list[Int32] = array()
