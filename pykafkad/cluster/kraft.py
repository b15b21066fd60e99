"""What a Kafka's controller had decided: its records, replayed. For taking over, not for serving.

Only what a single broker can take over is kept; of the rest, how much there was, so that it can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kafkawire.stored.metadata_log import (
    AbortTransactionRecord,
    AccessControlEntryRecord,
    BeginTransactionRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnregisterBrokerRecord,
    UserScramCredentialRecord,
)
from pykafkad.cluster.image import TOPIC

_SAME_LEADER = -2


@dataclass(slots=True)
class KraftPartition:
    replicas: list[int]
    isr: list[int]
    leader: int
    leader_epoch: int
    partition_epoch: int
    directories: list[bytes]


@dataclass(slots=True)
class KraftTopic:
    name: str
    id: bytes
    partitions: dict[int, KraftPartition] = field(default_factory=dict)


class Kraft:
    """A KRaft cluster's metadata after all records."""

    def __init__(self, records: Iterable[Any] = ()) -> None:
        self.features: dict[str, int] = {}
        self.topics: dict[bytes, KraftTopic] = {}
        self.configs: dict[tuple[int, str], dict[str, str]] = {}
        self.brokers: set[int] = set()
        self.controllers: set[int] = set()
        self.next_producer_id = 0
        self.acls: set[bytes] = set()
        self.quotas: set[tuple[Any, ...]] = set()
        self.credentials: set[tuple[str, int]] = set()
        self.tokens: set[str] = set()
        self._pending: list[Any] | None = None  # of a transaction that hasn't ended yet
        for record in records:
            self.replay(record)

    def replay(self, record: Any) -> None:
        """The next record. Those of a transaction count together when it ends, or not at all."""
        kind = type(record)
        if kind is BeginTransactionRecord:
            self._pending = []
        elif kind is EndTransactionRecord:
            ended, self._pending = self._pending or [], None
            for one in ended:
                self.replay(one)
        elif kind is AbortTransactionRecord:
            self._pending = None
        elif self._pending is not None:
            self._pending.append(record)
        elif (handle := _HANDLERS.get(kind)) is not None:
            handle(self, record)

    # -- topics ----------------------------------------------------------------------------------------------------

    def _topic(self, record: TopicRecord) -> None:
        self.topics[record.topic_id] = KraftTopic(record.name, record.topic_id)

    def _remove_topic(self, record: RemoveTopicRecord) -> None:
        topic = self.topics.pop(record.topic_id)
        self.configs.pop((TOPIC, topic.name), None)

    def _partition(self, record: PartitionRecord) -> None:
        self.topics[record.topic_id].partitions[record.partition_id] = KraftPartition(
            record.replicas,
            record.isr,
            record.leader,
            record.leader_epoch,
            record.partition_epoch,
            record.directories,
        )

    def _partition_change(self, record: PartitionChangeRecord) -> None:
        partition = self.topics[record.topic_id].partitions[record.partition_id]
        if record.replicas is not None:
            partition.replicas = record.replicas
        if record.isr is not None:
            partition.isr = record.isr
        if record.directories:
            partition.directories = record.directories
        if record.leader != _SAME_LEADER:
            partition.leader = record.leader
            partition.leader_epoch += 1
        partition.partition_epoch += 1

    # -- settings --------------------------------------------------------------------------------------------------

    def _feature(self, record: FeatureLevelRecord) -> None:
        if record.feature_level:
            self.features[record.name] = record.feature_level
        else:
            self.features.pop(record.name, None)

    def _config(self, record: ConfigRecord) -> None:
        overrides = self.configs.setdefault((record.resource_type, record.resource_name), {})
        if record.value is not None:
            overrides[record.name] = record.value
        else:
            overrides.pop(record.name, None)

    def _producer_ids(self, record: ProducerIdsRecord) -> None:
        self.next_producer_id = record.next_producer_id

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _broker(self, record: RegisterBrokerRecord) -> None:
        self.brokers.add(record.broker_id)

    def _unregister_broker(self, record: UnregisterBrokerRecord) -> None:
        self.brokers.discard(record.broker_id)

    def _controller(self, record: RegisterControllerRecord) -> None:
        self.controllers.add(record.controller_id)

    # -- what is counted only --------------------------------------------------------------------------------------

    def _acl(self, record: AccessControlEntryRecord) -> None:
        self.acls.add(record.id)

    def _remove_acl(self, record: RemoveAccessControlEntryRecord) -> None:
        self.acls.discard(record.id)

    def _quota(self, record: ClientQuotaRecord) -> None:
        entity = sorted((one.entity_type, one.entity_name or "") for one in record.entity)
        key = (*entity, record.key)
        if record.remove:
            self.quotas.discard(key)
        else:
            self.quotas.add(key)

    def _credential(self, record: UserScramCredentialRecord) -> None:
        self.credentials.add((record.name, record.mechanism))

    def _remove_credential(self, record: RemoveUserScramCredentialRecord) -> None:
        self.credentials.discard((record.name, record.mechanism))

    def _token(self, record: DelegationTokenRecord) -> None:
        self.tokens.add(record.token_id)

    def _remove_token(self, record: RemoveDelegationTokenRecord) -> None:
        self.tokens.discard(record.token_id)


_HANDLERS: dict[type[Any], Callable[[Kraft, Any], None]] = {
    TopicRecord: Kraft._topic,
    RemoveTopicRecord: Kraft._remove_topic,
    PartitionRecord: Kraft._partition,
    PartitionChangeRecord: Kraft._partition_change,
    FeatureLevelRecord: Kraft._feature,
    ConfigRecord: Kraft._config,
    ProducerIdsRecord: Kraft._producer_ids,
    RegisterBrokerRecord: Kraft._broker,
    UnregisterBrokerRecord: Kraft._unregister_broker,
    RegisterControllerRecord: Kraft._controller,
    AccessControlEntryRecord: Kraft._acl,
    RemoveAccessControlEntryRecord: Kraft._remove_acl,
    ClientQuotaRecord: Kraft._quota,
    UserScramCredentialRecord: Kraft._credential,
    RemoveUserScramCredentialRecord: Kraft._remove_credential,
    DelegationTokenRecord: Kraft._token,
    RemoveDelegationTokenRecord: Kraft._remove_token,
}
"""Others say nothing that outlives a broker's process: who is fenced, that nothing happened, a migration that ended."""
