"""CreateTopics (API key 19): create topics, or only say whether that would work.

v4  number of partitions and replication factor may be left to the broker (-1).
v5  flexible; the answer tells the settings that the topic got.   v7  and the topic id.
"""

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
    ignorable,
    message,
    since,
    struct,
    tag,
)

_VERSIONS = between(2, 7)


@message(api_key=19, versions=_VERSIONS, flexible=since(5))
class Request:
    topics: list[CreatableTopic] = array()
    timeout_ms: Int32 = 60000
    validate_only: Bool = False


@struct
class CreatableTopic:
    name: String = ""
    num_partitions: Int32 = 0
    replication_factor: Int16 = 0
    assignments: list[CreatableReplicaAssignment] = array()
    configs: list[CreatableTopicConfig] = array()


@struct
class CreatableReplicaAssignment:
    partition_index: Int32 = 0
    broker_ids: list[Int32] = array()


@struct
class CreatableTopicConfig:
    name: String = ""
    value: String | None = ""


@message(api_key=19, versions=_VERSIONS, flexible=since(5))
class Response:
    throttle_time_ms: Annotated[Int32, ignorable] = 0
    topics: list[CreatableTopicResult] = array()


@struct
class CreatableTopicResult:
    name: String = ""
    topic_id: Annotated[Uuid, since(7), ignorable] = ZERO_UUID
    error_code: Int16 = 0
    error_message: Annotated[String | None, ignorable] = ""
    topic_config_error_code: Annotated[Int16, tag(0), since(5), ignorable] = 0
    num_partitions: Annotated[Int32, since(5), ignorable] = -1
    replication_factor: Annotated[Int16, since(5), ignorable] = -1
    configs: Annotated[list[CreatableTopicConfigs] | None, since(5), ignorable] = array()


@struct
class CreatableTopicConfigs:
    name: Annotated[String, since(5)] = ""
    value: Annotated[String | None, since(5)] = ""
    read_only: Annotated[Bool, since(5)] = False
    config_source: Annotated[Int8, since(5), ignorable] = -1
    is_sensitive: Annotated[Bool, since(5)] = False
