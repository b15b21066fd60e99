"""Records of ``__consumer_offsets``: groups and their offsets.

A key is its type (int16) and fields; a value is its version (int16) and fields; no value is a tombstone.
"""

from __future__ import annotations

from typing import Annotated, Any

from kafkawire.schema import (
    ZERO_UUID,
    Bytes,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    Uint16,
    Uuid,
    array,
    between,
    default,
    ignorable,
    message,
    since,
    struct,
    tag,
)
from kafkawire.stored.framing import read_record
from kafkawire.stored.framing import write as write


@message(api_key=8, versions=between(0, 0))
class ConsumerGroupCurrentMemberAssignmentKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=8, versions=between(0, 0), flexible=since(0))
class ConsumerGroupCurrentMemberAssignmentValue:
    member_epoch: Int32 = 0
    previous_member_epoch: Int32 = 0
    state: Int8 = 0
    assigned_partitions: list[TopicPartitions] = array()
    partitions_pending_revocation: list[TopicPartitions] = array()


@struct
class TopicPartitions:
    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = array()
    assignment_epochs: Annotated[list[Int32] | None, tag(0)] = array()


@message(api_key=5, versions=between(0, 0))
class ConsumerGroupMemberMetadataKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=5, versions=between(0, 0), flexible=since(0))
class ConsumerGroupMemberMetadataValue:
    instance_id: String | None = ""
    rack_id: String | None = ""
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = array()
    subscribed_topic_regex: String | None = ""
    rebalance_timeout_ms: Int32 = -1
    server_assignor: String | None = ""
    classic_member_metadata: Annotated[ClassicMemberMetadata | None, tag(0)] = default()


@struct
class ClassicMemberMetadata:
    session_timeout_ms: Int32 = 0
    supported_protocols: list[ClassicProtocol] = array()


@struct
class ClassicProtocol:
    name: String = ""
    metadata: Bytes = b""


@message(api_key=3, versions=between(0, 0))
class ConsumerGroupMetadataKey:
    group_id: String = ""


@message(api_key=3, versions=between(0, 0), flexible=since(0))
class ConsumerGroupMetadataValue:
    epoch: Int32 = 0
    metadata_hash: Annotated[Int64, tag(0)] = 0


@message(api_key=4, versions=between(0, 0))
class ConsumerGroupPartitionMetadataKey:
    group_id: String = ""


@message(api_key=4, versions=between(0, 0), flexible=since(0))
class ConsumerGroupPartitionMetadataValue:
    topics: list[TopicMetadata] = array()


@struct
class TopicMetadata:
    topic_id: Uuid = ZERO_UUID
    topic_name: String = ""
    num_partitions: Int32 = 0
    partition_metadata: list[PartitionMetadata] = array()


@struct
class PartitionMetadata:
    partition: Int32 = 0
    racks: list[String] = array()


@message(api_key=16, versions=between(0, 0))
class ConsumerGroupRegularExpressionKey:
    group_id: String = ""
    regular_expression: String = ""


@message(api_key=16, versions=between(0, 0), flexible=since(0))
class ConsumerGroupRegularExpressionValue:
    topics: list[String] = array()
    version: Int64 = 0
    timestamp: Int64 = 0


@message(api_key=7, versions=between(0, 0))
class ConsumerGroupTargetAssignmentMemberKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=7, versions=between(0, 0), flexible=since(0))
class ConsumerGroupTargetAssignmentMemberValue:
    topic_partitions: list[TopicPartition] = array()


@struct
class TopicPartition:
    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = array()


@message(api_key=6, versions=between(0, 0))
class ConsumerGroupTargetAssignmentMetadataKey:
    group_id: String = ""


@message(api_key=6, versions=between(0, 0), flexible=since(0))
class ConsumerGroupTargetAssignmentMetadataValue:
    assignment_epoch: Int32 = 0
    assignment_timestamp: Annotated[Int64, tag(0), ignorable] = 0


@message(api_key=2, versions=between(0, 0))
class GroupMetadataKey:
    group: String = ""


@message(api_key=2, versions=between(0, 4), flexible=since(4))
class GroupMetadataValue:
    protocol_type: String = ""
    generation: Int32 = 0
    protocol: String | None = ""
    leader: String | None = ""
    current_state_timestamp: Annotated[Int64, since(2), ignorable] = -1
    members: list[MemberMetadata] = array()


@struct
class MemberMetadata:
    member_id: String = ""
    group_instance_id: Annotated[String | None, since(3), ignorable] = None
    client_id: String = ""
    client_host: String = ""
    rebalance_timeout: Annotated[Int32, since(1), ignorable] = -1
    session_timeout: Int32 = 0
    subscription: Bytes = b""
    assignment: Bytes = b""


@message(api_key=0, versions=between(0, 0))
class LegacyOffsetCommitKey:
    group: String = ""
    topic: String = ""
    partition: Int32 = 0


@message(api_key=0, versions=between(0, 0))
class LegacyOffsetCommitValue:
    offset: Int64 = 0
    metadata: String = ""
    commit_timestamp: Int64 = 0


@message(api_key=1, versions=between(0, 0))
class OffsetCommitKey:
    group: String = ""
    topic: String = ""
    partition: Int32 = 0


@message(api_key=1, versions=between(0, 4), flexible=since(4))
class OffsetCommitValue:
    offset: Int64 = 0
    leader_epoch: Annotated[Int32, since(3), ignorable] = -1
    metadata: String = ""
    commit_timestamp: Int64 = 0
    expire_timestamp: Annotated[Int64, between(1, 1), ignorable] = -1
    topic_id: Annotated[Uuid, tag(0), since(4), ignorable] = ZERO_UUID


@message(api_key=14, versions=between(0, 0))
class ShareGroupCurrentMemberAssignmentKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=14, versions=between(0, 0), flexible=since(0))
class ShareGroupCurrentMemberAssignmentValue:
    member_epoch: Int32 = 0
    previous_member_epoch: Int32 = 0
    state: Int8 = 0
    assigned_partitions: list[ShareGroupCurrentMemberAssignmentValueTopicPartitions] = array()


@struct
class ShareGroupCurrentMemberAssignmentValueTopicPartitions:
    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = array()


@message(api_key=10, versions=between(0, 0))
class ShareGroupMemberMetadataKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=10, versions=between(0, 0), flexible=since(0))
class ShareGroupMemberMetadataValue:
    rack_id: String | None = ""
    client_id: String = ""
    client_host: String = ""
    subscribed_topic_names: list[String] = array()


@message(api_key=11, versions=between(0, 0))
class ShareGroupMetadataKey:
    group_id: String = ""


@message(api_key=11, versions=between(0, 0), flexible=since(0))
class ShareGroupMetadataValue:
    epoch: Int32 = 0
    metadata_hash: Int64 = 0


@message(api_key=15, versions=between(0, 0))
class ShareGroupStatePartitionMetadataKey:
    group_id: String = ""


@message(api_key=15, versions=between(0, 0), flexible=since(0))
class ShareGroupStatePartitionMetadataValue:
    initializing_topics: list[TopicPartitionsInfo] = array()
    initialized_topics: list[TopicPartitionsInfo] = array()
    deleting_topics: list[TopicInfo] = array()


@struct
class TopicPartitionsInfo:
    topic_id: Uuid = ZERO_UUID
    topic_name: String = ""
    partitions: list[Int32] = array()


@struct
class TopicInfo:
    topic_id: Uuid = ZERO_UUID
    topic_name: String = ""


@message(api_key=13, versions=between(0, 0))
class ShareGroupTargetAssignmentMemberKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=13, versions=between(0, 0), flexible=since(0))
class ShareGroupTargetAssignmentMemberValue:
    topic_partitions: list[TopicPartition] = array()


@message(api_key=12, versions=between(0, 0))
class ShareGroupTargetAssignmentMetadataKey:
    group_id: String = ""


@message(api_key=12, versions=between(0, 0), flexible=since(0))
class ShareGroupTargetAssignmentMetadataValue:
    assignment_epoch: Int32 = 0
    assignment_timestamp: Annotated[Int64, tag(0), ignorable] = 0


@message(api_key=22, versions=between(0, 0))
class StreamsGroupCurrentMemberAssignmentKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=22, versions=between(0, 0), flexible=since(0))
class StreamsGroupCurrentMemberAssignmentValue:
    member_epoch: Int32 = 0
    previous_member_epoch: Int32 = 0
    state: Int8 = 0
    active_tasks: list[TaskIds] = array()
    standby_tasks: list[TaskIds] = array()
    warmup_tasks: list[TaskIds] = array()
    active_tasks_pending_revocation: list[TaskIds] = array()
    standby_tasks_pending_revocation: list[TaskIds] = array()
    warmup_tasks_pending_revocation: list[TaskIds] = array()


@struct
class TaskIds:
    subtopology_id: String = ""
    partitions: list[Int32] = array()
    assignment_epochs: Annotated[list[Int32] | None, tag(0)] = array()


@message(api_key=19, versions=between(0, 0))
class StreamsGroupMemberMetadataKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=19, versions=between(0, 0), flexible=since(0))
class StreamsGroupMemberMetadataValue:
    instance_id: String | None = ""
    rack_id: String | None = ""
    client_id: String = ""
    client_host: String = ""
    rebalance_timeout_ms: Int32 = -1
    topology_epoch: Int32 = 0
    process_id: String = ""
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] = array()


@struct
class Endpoint:
    host: String = ""
    port: Uint16 = 0


@struct
class KeyValue:
    key: String = ""
    value: String = ""


@message(api_key=17, versions=between(0, 0))
class StreamsGroupMetadataKey:
    group_id: String = ""


@message(api_key=17, versions=between(0, 0), flexible=since(0))
class StreamsGroupMetadataValue:
    epoch: Int32 = 0
    metadata_hash: Int64 = 0
    validated_topology_epoch: Annotated[Int32, tag(0)] = -1
    last_assignment_configs: Annotated[list[LastAssignmentConfig] | None, tag(1)] = array()


@struct
class LastAssignmentConfig:
    key: String = ""
    value: String = ""


@message(api_key=21, versions=between(0, 0))
class StreamsGroupTargetAssignmentMemberKey:
    group_id: String = ""
    member_id: String = ""


@message(api_key=21, versions=between(0, 0), flexible=since(0))
class StreamsGroupTargetAssignmentMemberValue:
    active_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = array()
    standby_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = array()
    warmup_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = array()


@struct
class StreamsGroupTargetAssignmentMemberValueTaskIds:
    subtopology_id: String = ""
    partitions: list[Int32] = array()


@message(api_key=20, versions=between(0, 0))
class StreamsGroupTargetAssignmentMetadataKey:
    group_id: String = ""


@message(api_key=20, versions=between(0, 0), flexible=since(0))
class StreamsGroupTargetAssignmentMetadataValue:
    assignment_epoch: Int32 = 0
    assignment_timestamp: Annotated[Int64, tag(0), ignorable] = 0


@message(api_key=23, versions=between(0, 0))
class StreamsGroupTopologyKey:
    group_id: String = ""


@message(api_key=23, versions=between(0, 0), flexible=since(0))
class StreamsGroupTopologyValue:
    epoch: Int32 = 0
    subtopologies: list[Subtopology] = array()


@struct
class Subtopology:
    subtopology_id: String = ""
    source_topics: list[String] = array()
    source_topic_regex: list[String] = array()
    state_changelog_topics: list[StreamsGroupTopologyValueTopicInfo] = array()
    repartition_sink_topics: list[String] = array()
    repartition_source_topics: list[StreamsGroupTopologyValueTopicInfo] = array()
    copartition_groups: list[CopartitionGroup] = array()


@struct
class StreamsGroupTopologyValueTopicInfo:
    name: String = ""
    partitions: Int32 = 0
    replication_factor: Int16 = 0
    topic_configs: list[TopicConfig] = array()


@struct
class TopicConfig:
    key: String = ""
    value: String = ""


@struct
class CopartitionGroup:
    source_topics: list[Int16] = array()
    source_topic_regex: list[Int16] = array()
    repartition_source_topics: list[Int16] = array()


def read(key: bytes, value: bytes | None) -> tuple[Any, Any]:
    """A record's key and value: see ``framing.read_record``."""
    return read_record(_TYPES, key, value)


_TYPES: dict[int, tuple[type[Any], type[Any]]] = {
    0: (LegacyOffsetCommitKey, LegacyOffsetCommitValue),
    1: (OffsetCommitKey, OffsetCommitValue),
    2: (GroupMetadataKey, GroupMetadataValue),
    3: (ConsumerGroupMetadataKey, ConsumerGroupMetadataValue),
    4: (ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue),
    5: (ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue),
    6: (ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue),
    7: (ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue),
    8: (ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue),
    10: (ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue),
    11: (ShareGroupMetadataKey, ShareGroupMetadataValue),
    12: (ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue),
    13: (ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue),
    14: (ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue),
    15: (ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue),
    16: (ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue),
    17: (StreamsGroupMetadataKey, StreamsGroupMetadataValue),
    19: (StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue),
    20: (StreamsGroupTargetAssignmentMetadataKey, StreamsGroupTargetAssignmentMetadataValue),
    21: (StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue),
    22: (StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue),
    23: (StreamsGroupTopologyKey, StreamsGroupTopologyValue),
}
