"""StreamsGroupHeartbeat (API key 88): join, stay in and leave a streams group (KIP-1071)."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    Uint16,
    array,
    between,
    default,
    message,
    since,
    struct,
)

_VERSIONS = between(0, 0)


@message(api_key=88, versions=_VERSIONS, flexible=since(0))
class Request:
    group_id: String = ""
    member_id: String = ""
    member_epoch: Int32 = 0
    endpoint_information_epoch: Int32 = 0
    instance_id: String | None = None
    rack_id: String | None = None
    rebalance_timeout_ms: Int32 = -1
    topology: Topology | None = None
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    process_id: String | None = None
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] | None = None
    task_offsets: list[TaskOffset] | None = None
    task_end_offsets: list[TaskOffset] | None = None
    shutdown_application: Bool = False


@struct
class Topology:
    epoch: Int32 = 0
    subtopologies: list[Subtopology] = array()


@struct
class Subtopology:
    subtopology_id: String = ""
    source_topics: list[String] = array()
    source_topic_regex: list[String] = array()
    state_changelog_topics: list[TopicInfo] = array()
    repartition_sink_topics: list[String] = array()
    repartition_source_topics: list[TopicInfo] = array()
    copartition_groups: list[CopartitionGroup] = array()


@struct
class TopicInfo:
    name: String = ""
    partitions: Int32 = 0
    replication_factor: Int16 = 0
    topic_configs: list[KeyValue] = array()


@struct
class KeyValue:
    key: String = ""
    value: String = ""


@struct
class CopartitionGroup:
    source_topics: list[Int16] = array()
    source_topic_regex: list[Int16] = array()
    repartition_source_topics: list[Int16] = array()


@struct
class TaskIds:
    subtopology_id: String = ""
    partitions: list[Int32] = array()


@struct
class Endpoint:
    host: String = ""
    port: Uint16 = 0


@struct
class TaskOffset:
    subtopology_id: String = ""
    partition: Int32 = 0
    offset: Int64 = 0


@message(api_key=88, versions=_VERSIONS, flexible=since(0))
class Response:
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    member_id: String = ""
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    acceptable_recovery_lag: Int32 = 0
    task_offset_interval_ms: Int32 = 0
    status: list[Status] | None = array()
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    endpoint_information_epoch: Int32 = 0
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = None


@struct
class Status:
    status_code: Int8 = 0
    status_detail: String = ""


@struct
class EndpointToPartitions:
    user_endpoint: Endpoint = default()
    active_partitions: list[TopicPartition] = array()
    standby_partitions: list[TopicPartition] = array()


@struct
class TopicPartition:
    topic: String = ""
    partitions: list[Int32] = array()
