"""ListPartitionReassignments (API key 46): list the moves of partitions that are under way."""

from __future__ import annotations

from kafkawire.schema import (
    Int16,
    Int32,
    String,
    array,
    between,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=46, versions=_VERSIONS, flexible=since(0))
class Request:
    timeout_ms: Int32 = 60000
    topics: list[Topics] | None = None


@struct
class Topics:
    name: String = ""
    partition_indexes: list[Int32] = array()


@message(api_key=46, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
    topics: list[OngoingTopicReassignment] = array()


@struct
class OngoingTopicReassignment:
    name: String = ""
    partitions: list[OngoingPartitionReassignment] = array()


@struct
class OngoingPartitionReassignment:
    partition_index: Int32 = 0
    replicas: list[Int32] = array()
    adding_replicas: list[Int32] = array()
    removing_replicas: list[Int32] = array()
