"""ConsumerGroupDescribe (API key 69): show groups of the consumer protocol (KIP-848) and their members."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
    String,
    Uuid,
    array,
    between,
    default,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 1)


@message(api_key=69, versions=_VERSIONS, flexible=since(0))
class Request:
    group_ids: list[String] = array()
    include_authorized_operations: Bool = False


@message(api_key=69, versions=_VERSIONS, flexible=since(0))
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
    instance_id: String | None = None
    rack_id: String | None = None
    member_epoch: Int32 = 0
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = array()
    subscribed_topic_regex: String | None = None
    assignment: Assignment = default()
    target_assignment: Assignment = default()
    member_type: Annotated[Int8, since(1), ignorable] = -1


@struct
class Assignment:
    topic_partitions: list[TopicPartitions] = array()


@struct
class TopicPartitions:
    topic_id: Uuid = ZERO_UUID
    topic_name: String = ""
    partitions: list[Int32] = array()
