"""AlterPartitionReassignments (API key 45): begin moving partitions to other brokers, or call it off."""

from __future__ import annotations

from typing import Annotated

from kafkawire.schema import (
    Bool,
    Int16,
    Int32,
    String,
    array,
    between,
    ignorable,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 1)


@message(api_key=45, versions=_VERSIONS, flexible=since(0))
class Request:
    timeout_ms: Int32 = 60000
    allow_replication_factor_change: Annotated[Bool, since(1)] = True
    topics: list[ReassignableTopic] = array()


@struct
class ReassignableTopic:
    name: String = ""
    partitions: list[ReassignablePartition] = array()


@struct
class ReassignablePartition:
    partition_index: Int32 = 0
    replicas: list[Int32] | None = None


@message(api_key=45, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    allow_replication_factor_change: Annotated[Bool, since(1), ignorable] = True
    error_code: Int16 = 0
    error_message: String | None = ""
    responses: list[ReassignableTopicResponse] = array()


@struct
class ReassignableTopicResponse:
    name: String = ""
    partitions: list[ReassignablePartitionResponse] = array()


@struct
class ReassignablePartitionResponse:
    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = ""
