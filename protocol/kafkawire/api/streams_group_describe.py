"""StreamsGroupDescribe (API key 89): show streams groups, their topology and their members."""

from __future__ import annotations

from kafkawire.schema import (
    Bool,
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


@message(api_key=89, versions=_VERSIONS, flexible=since(0))
class Request:
    group_ids: list[String] = array()
    include_authorized_operations: Bool = False


@message(api_key=89, versions=_VERSIONS, flexible=since(0))
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
    topology: Topology | None = None
    members: list[Member] = array()
    authorized_operations: Int32 = -2147483648


@struct
class Topology:
    epoch: Int32 = 0
    subtopologies: list[Subtopology] | None = None


@struct
class Subtopology:
    subtopology_id: String = ""
    source_topics: list[String] = array()
    repartition_sink_topics: list[String] = array()
    state_changelog_topics: list[TopicInfo] = array()
    repartition_source_topics: list[TopicInfo] = array()


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
class Member:
    member_id: String = ""
    member_epoch: Int32 = 0
    instance_id: String | None = None
    rack_id: String | None = None
    client_id: String = ""
    client_host: String = ""
    topology_epoch: Int32 = 0
    process_id: String = ""
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] = array()
    task_offsets: list[TaskOffset] = array()
    task_end_offsets: list[TaskOffset] = array()
    assignment: Assignment = default()
    target_assignment: Assignment = default()
    is_classic: Bool = False


@struct
class Endpoint:
    host: String = ""
    port: Uint16 = 0


@struct
class TaskOffset:
    subtopology_id: String = ""
    partition: Int32 = 0
    offset: Int64 = 0


@struct
class Assignment:
    active_tasks: list[TaskIds] = array()
    standby_tasks: list[TaskIds] = array()
    warmup_tasks: list[TaskIds] = array()


@struct
class TaskIds:
    subtopology_id: String = ""
    partitions: list[Int32] = array()
