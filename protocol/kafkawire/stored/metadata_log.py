"""Records of ``__cluster_metadata``: what a KRaft controller decided, and what a snapshot of it sums up.

A record has no key. Its value is a frame: three unsigned varints (version of the frame, type, version of the message),
then the message. An import reads them; nothing here writes them but tests.
"""

from __future__ import annotations

from typing import Annotated, Any

from kafkawire.codec import decode, encode_into
from kafkawire.errors import WireError
from kafkawire.schema import (
    ZERO_UUID,
    Bool,
    Bytes,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    Uint16,
    Uuid,
    array,
    between,
    message,
    since,
    struct,
    tag,
)
from kafkawire.varint import read_uvarint, uvarint

FRAME_VERSION = 1


@message(api_key=0, versions=between(0, 4), flexible=since(0))
class RegisterBrokerRecord:
    broker_id: Int32 = 0
    is_migrating_zk_broker: Annotated[Bool, since(2)] = False
    incarnation_id: Uuid = ZERO_UUID
    broker_epoch: Int64 = 0
    end_points: list[BrokerEndpoint] = array()
    features: list[BrokerFeature] = array()
    rack: String | None = ""
    fenced: Bool = True
    in_controlled_shutdown: Annotated[Bool, since(1)] = False
    log_dirs: Annotated[list[Uuid], tag(0), since(3)] = array()
    cordoned_log_dirs: Annotated[list[Uuid] | None, tag(1), since(4)] = None


@struct
class BrokerEndpoint:
    name: String = ""
    host: String = ""
    port: Uint16 = 0
    security_protocol: Int16 = 0


@struct
class BrokerFeature:
    name: String = ""
    min_supported_version: Int16 = 0
    max_supported_version: Int16 = 0


@message(api_key=1, versions=between(0, 0), flexible=since(0))
class UnregisterBrokerRecord:
    broker_id: Int32 = 0
    broker_epoch: Int64 = 0


@message(api_key=2, versions=between(0, 0), flexible=since(0))
class TopicRecord:
    name: String = ""
    topic_id: Uuid = ZERO_UUID


@message(api_key=3, versions=between(0, 2), flexible=since(0))
class PartitionRecord:
    partition_id: Int32 = -1
    topic_id: Uuid = ZERO_UUID
    replicas: list[Int32] = array()
    isr: list[Int32] = array()
    removing_replicas: list[Int32] = array()
    adding_replicas: list[Int32] = array()
    leader: Int32 = -1
    leader_recovery_state: Annotated[Int8, tag(0)] = 0
    leader_epoch: Int32 = -1
    partition_epoch: Int32 = -1
    directories: Annotated[list[Uuid], since(1)] = array()
    eligible_leader_replicas: Annotated[list[Int32] | None, tag(1), since(2)] = None
    last_known_elr: Annotated[list[Int32] | None, tag(2), since(2)] = None


@message(api_key=4, versions=between(0, 0), flexible=since(0))
class ConfigRecord:
    resource_type: Int8 = 0
    resource_name: String = ""
    name: String = ""
    value: String | None = ""


@message(api_key=5, versions=between(0, 2), flexible=since(0))
class PartitionChangeRecord:
    partition_id: Int32 = -1
    topic_id: Uuid = ZERO_UUID
    isr: Annotated[list[Int32] | None, tag(0)] = None
    leader: Annotated[Int32, tag(1)] = -2
    replicas: Annotated[list[Int32] | None, tag(2)] = None
    removing_replicas: Annotated[list[Int32] | None, tag(3)] = None
    adding_replicas: Annotated[list[Int32] | None, tag(4)] = None
    leader_recovery_state: Annotated[Int8, tag(5)] = -1
    directories: Annotated[list[Uuid] | None, tag(8), since(1)] = None
    eligible_leader_replicas: Annotated[list[Int32] | None, tag(6), since(2)] = None
    last_known_elr: Annotated[list[Int32] | None, tag(7), since(2)] = None


@message(api_key=7, versions=between(0, 0), flexible=since(0))
class FenceBrokerRecord:
    id: Int32 = 0
    epoch: Int64 = 0


@message(api_key=8, versions=between(0, 0), flexible=since(0))
class UnfenceBrokerRecord:
    id: Int32 = 0
    epoch: Int64 = 0


@message(api_key=9, versions=between(0, 0), flexible=since(0))
class RemoveTopicRecord:
    topic_id: Uuid = ZERO_UUID


@message(api_key=10, versions=between(0, 0), flexible=since(0))
class DelegationTokenRecord:
    owner: String = ""
    requester: String = ""
    renewers: list[String] = array()
    issue_timestamp: Int64 = 0
    max_timestamp: Int64 = 0
    expiration_timestamp: Int64 = 0
    token_id: String = ""


@message(api_key=11, versions=between(0, 0), flexible=since(0))
class UserScramCredentialRecord:
    name: String = ""
    mechanism: Int8 = 0
    salt: Bytes = b""
    stored_key: Bytes = b""
    server_key: Bytes = b""
    iterations: Int32 = 0


@message(api_key=12, versions=between(0, 0), flexible=since(0))
class FeatureLevelRecord:
    name: String = ""
    feature_level: Int16 = 0


@message(api_key=14, versions=between(0, 0), flexible=since(0))
class ClientQuotaRecord:
    entity: list[EntityData] = array()
    key: String = ""
    value: Float64 = 0.0
    remove: Bool = False


@struct
class EntityData:
    entity_type: String = ""
    entity_name: String | None = ""


@message(api_key=15, versions=between(0, 0), flexible=since(0))
class ProducerIdsRecord:
    broker_id: Int32 = 0
    broker_epoch: Int64 = -1
    next_producer_id: Int64 = 0


@message(api_key=17, versions=between(0, 3), flexible=since(0))
class BrokerRegistrationChangeRecord:
    broker_id: Int32 = 0
    broker_epoch: Int64 = 0
    fenced: Annotated[Int8, tag(0)] = 0
    in_controlled_shutdown: Annotated[Int8, tag(1), since(1)] = 0
    log_dirs: Annotated[list[Uuid], tag(2), since(2)] = array()
    cordoned_log_dirs: Annotated[list[Uuid] | None, tag(3), since(3)] = None


@message(api_key=18, versions=between(0, 0), flexible=since(0))
class AccessControlEntryRecord:
    id: Uuid = ZERO_UUID
    resource_type: Int8 = 0
    resource_name: String = ""
    pattern_type: Int8 = 0
    principal: String = ""
    host: String = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@message(api_key=19, versions=between(0, 0), flexible=since(0))
class RemoveAccessControlEntryRecord:
    id: Uuid = ZERO_UUID


@message(api_key=20, versions=between(0, 0), flexible=since(0))
class NoOpRecord:
    pass


@message(api_key=21, versions=between(0, 0), flexible=since(0))
class ZkMigrationRecord:
    zk_migration_state: Int8 = 0


@message(api_key=22, versions=between(0, 0), flexible=since(0))
class RemoveUserScramCredentialRecord:
    name: String = ""
    mechanism: Int8 = 0


@message(api_key=23, versions=between(0, 0), flexible=since(0))
class BeginTransactionRecord:
    name: Annotated[String | None, tag(0)] = None


@message(api_key=24, versions=between(0, 0), flexible=since(0))
class EndTransactionRecord:
    pass


@message(api_key=25, versions=between(0, 0), flexible=since(0))
class AbortTransactionRecord:
    reason: Annotated[String | None, tag(0)] = None


@message(api_key=26, versions=between(0, 0), flexible=since(0))
class RemoveDelegationTokenRecord:
    token_id: String = ""


@message(api_key=27, versions=between(0, 0), flexible=since(0))
class RegisterControllerRecord:
    controller_id: Int32 = 0
    incarnation_id: Uuid = ZERO_UUID
    zk_migration_ready: Bool = False
    end_points: list[ControllerEndpoint] = array()
    features: list[ControllerFeature] = array()


@struct
class ControllerEndpoint:
    name: String = ""
    host: String = ""
    port: Uint16 = 0
    security_protocol: Int16 = 0


@struct
class ControllerFeature:
    name: String = ""
    min_supported_version: Int16 = 0
    max_supported_version: Int16 = 0


@message(api_key=28, versions=between(0, 0), flexible=since(0))
class ClearElrRecord:
    topic_name: String = ""


def read(value: bytes) -> Any:
    """The record in a frame; WireError on garbage, and on a type or version that is newer than these."""
    try:
        frame, position = read_uvarint(value, 0)
        kind, position = read_uvarint(value, position)
        version, position = read_uvarint(value, position)
    except IndexError:
        raise WireError("a metadata record is cut short") from None
    if frame != FRAME_VERSION:
        raise WireError(f"a metadata record in frames of version {frame}")
    found = _TYPES.get(kind)
    if found is None:
        raise WireError(f"a metadata record of type {kind}")
    return decode(found, version, value, position)


def write(record: Any, version: int) -> bytes:
    """The frame of a record."""
    out = bytearray(uvarint(FRAME_VERSION) + uvarint(record.__wire__.key) + uvarint(version))
    encode_into(record, version, out)
    return bytes(out)


_TYPES: dict[int, type[Any]] = {
    0: RegisterBrokerRecord,
    1: UnregisterBrokerRecord,
    2: TopicRecord,
    3: PartitionRecord,
    4: ConfigRecord,
    5: PartitionChangeRecord,
    7: FenceBrokerRecord,
    8: UnfenceBrokerRecord,
    9: RemoveTopicRecord,
    10: DelegationTokenRecord,
    11: UserScramCredentialRecord,
    12: FeatureLevelRecord,
    14: ClientQuotaRecord,
    15: ProducerIdsRecord,
    17: BrokerRegistrationChangeRecord,
    18: AccessControlEntryRecord,
    19: RemoveAccessControlEntryRecord,
    20: NoOpRecord,
    21: ZkMigrationRecord,
    22: RemoveUserScramCredentialRecord,
    23: BeginTransactionRecord,
    24: EndTransactionRecord,
    25: AbortTransactionRecord,
    26: RemoveDelegationTokenRecord,
    27: RegisterControllerRecord,
    28: ClearElrRecord,
}
