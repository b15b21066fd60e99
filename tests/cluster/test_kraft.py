"""A controller's records, replayed: what they add up to."""

from __future__ import annotations

from kafkawire.stored import metadata_log as m
from pykafkad.cluster.kraft import Kraft
from tests.kit.kraft import CLICKS, ORDERS, feature, topic


def config(name: str, key: str, value: str | None) -> m.ConfigRecord:
    return m.ConfigRecord(resource_type=2, resource_name=name, name=key, value=value)


def test_a_new_leader_is_a_new_epoch_and_other_changes_are_not() -> None:
    kraft = Kraft(
        [
            *topic("orders", ORDERS, [1], epoch=4),
            m.PartitionChangeRecord(partition_id=0, topic_id=ORDERS, leader=-1),
            m.PartitionChangeRecord(partition_id=0, topic_id=ORDERS, replicas=[2], isr=[2]),
        ]
    )
    partition = kraft.topics[ORDERS].partitions[0]
    assert (partition.leader, partition.leader_epoch, partition.partition_epoch) == (-1, 5, 6)
    assert (partition.replicas, partition.isr) == ([2], [2])


def test_a_removed_topic_takes_its_settings_along() -> None:
    kraft = Kraft(
        [
            *topic("orders", ORDERS, [1]),
            config("orders", "retention.ms", "5"),
            m.RemoveTopicRecord(topic_id=ORDERS),
            *topic("orders", CLICKS, [1], [1]),
        ]
    )
    assert {topic_id: topic.name for topic_id, topic in kraft.topics.items()} == {CLICKS: "orders"}
    assert not kraft.configs.get((2, "orders"))


def test_a_setting_without_a_value_is_unset() -> None:
    kraft = Kraft([config("a", "k", "1"), config("a", "l", "2"), config("a", "k", None)])
    assert kraft.configs[2, "a"] == {"l": "2"}


def test_a_transaction_counts_when_it_has_ended() -> None:
    begin, end = m.BeginTransactionRecord(), m.EndTransactionRecord()
    kraft = Kraft([begin, feature("a", 1), end, begin, feature("b", 1), m.AbortTransactionRecord(), feature("c", 1)])
    assert kraft.features == {"a": 1, "c": 1}
    kraft.replay(begin)
    kraft.replay(feature("d", 1))
    assert "d" not in kraft.features


def test_features_ids_and_nodes() -> None:
    kraft = Kraft(
        [
            feature("a", 2),
            feature("b", 1),
            feature("b", 0),
            m.RegisterBrokerRecord(broker_id=1),
            m.RegisterBrokerRecord(broker_id=2),
            m.UnregisterBrokerRecord(broker_id=2),
            m.RegisterControllerRecord(controller_id=9),
            m.ProducerIdsRecord(next_producer_id=1000),
            m.ProducerIdsRecord(next_producer_id=2000),
            m.NoOpRecord(),
        ]
    )
    assert kraft.features == {"a": 2}
    assert (kraft.brokers, kraft.controllers, kraft.next_producer_id) == ({1}, {9}, 2000)


def test_what_is_only_counted() -> None:
    alice = [m.EntityData(entity_type="user", entity_name="alice")]
    kraft = Kraft(
        [
            m.AccessControlEntryRecord(id=ORDERS),
            m.AccessControlEntryRecord(id=CLICKS),
            m.RemoveAccessControlEntryRecord(id=CLICKS),
            m.ClientQuotaRecord(entity=alice, key="consumer_byte_rate", value=1.0),
            m.ClientQuotaRecord(entity=alice, key="producer_byte_rate", value=1.0),
            m.ClientQuotaRecord(entity=alice, key="producer_byte_rate", remove=True),
            m.UserScramCredentialRecord(name="alice", mechanism=1),
            m.DelegationTokenRecord(token_id="t"),
            m.RemoveDelegationTokenRecord(token_id="t"),
        ]
    )
    assert [len(found) for found in (kraft.acls, kraft.quotas, kraft.credentials, kraft.tokens)] == [1, 1, 1, 0]
