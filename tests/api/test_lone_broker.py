"""The APIs of which a lone broker has little to say: the answers that Apache Kafka 4.3.1 gives, in every version."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kafkawire import keys
from kafkawire.api import (
    add_raft_voter,
    alter_partition_reassignments,
    create_acls,
    create_delegation_token,
    delete_acls,
    describe_acls,
    describe_client_quotas,
    describe_cluster,
    describe_producers,
    describe_quorum,
    describe_topic_partitions,
    describe_user_scram_credentials,
    elect_leaders,
    list_partition_reassignments,
    remove_raft_voter,
    unregister_broker,
    update_features,
)
from kafkawire.errors import ErrorCode, WireError
from pykafkad.api import SERVED
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.runtime.topic_rules import NewTopic
from tests.kit.control import CLUSTER_ID, Control, play

KEYS = {api.module: key for key, api in keys.API.items()}
BLAND = [
    "describe_quorum",
    "update_features",
    "elect_leaders",
    "alter_partition_reassignments",
    "list_partition_reassignments",
    "unregister_broker",
    "describe_client_quotas",
    "create_acls",
    "delete_acls",
    "describe_user_scram_credentials",
    "create_delegation_token",
    "renew_delegation_token",
    "expire_delegation_token",
    "describe_delegation_token",
    "sasl_handshake",
    "sasl_authenticate",
    "describe_producers",
    "add_raft_voter",
    "remove_raft_voter",
    "describe_cluster",
    "describe_topic_partitions",
]


def test_a_token_for_an_owner_of_no_kind(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        asked = create_delegation_token.Request(owner_principal_type=None, owner_principal_name="a")
        response = await broker.ask(asked, 3, key=38)
        found = (response.error_code, response.principal_type, response.principal_name)
        assert found == (ErrorCode.UNKNOWN_SERVER_ERROR, "User", "ANONYMOUS"), "as Kafka stumbles"

    play(tmp_path, scenario)


def name(code: int) -> str:
    return ErrorCode(code).name


@pytest.mark.parametrize("module", BLAND)
def test_every_version_is_answered(tmp_path: Path, module: str) -> None:
    assert module in SERVED
    api = keys.API[KEYS[module]]

    async def scenario(broker: Control) -> None:
        for version in range(api.min_version, api.max_version + 1):
            await broker.ask(import_module(f"kafkawire.api.{module}").Request(), version, key=api.key)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("create_delegation_token", "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED"),
        ("describe_delegation_token", "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED"),
        ("sasl_handshake", "ILLEGAL_SASL_STATE"),
        ("sasl_authenticate", "ILLEGAL_SASL_STATE"),
    ],
)
def test_plain_refusals(tmp_path: Path, module: str, code: str) -> None:
    async def scenario(broker: Control) -> None:
        api = keys.API[KEYS[module]]
        response = await broker.ask(import_module(f"kafkawire.api.{module}").Request(), api.max_version, key=api.key)
        assert name(response.error_code) == code

    play(tmp_path, scenario)


def ask(tmp_path: Path, request: Any, check: Callable[[Any, Control], None], version: int | None = None) -> None:
    """One request to a broker with the topic ``t`` of two partitions."""
    module = type(request).__module__.rpartition(".")[2]
    api = keys.API[KEYS[module]]

    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t", 2)])
        response = await broker.ask(request, api.max_version if version is None else version, key=api.key)
        check(response, broker)

    play(tmp_path, scenario)


def test_the_quorum_is_the_controller(tmp_path: Path) -> None:
    def check(response: Any, broker: Control) -> None:
        (topic,) = response.topics
        (quorum,) = topic.partitions
        assert (quorum.error_code, quorum.leader_id, quorum.high_watermark) == (0, 1, broker.image.revision)
        (voter,) = quorum.current_voters
        assert (voter.replica_id, voter.replica_directory_id) == (1, (1).to_bytes(16, "big")) and not quorum.observers
        assert [one.node_id for one in response.nodes] == [1]

    partition = describe_quorum.PartitionData(partition_index=0)
    topic = describe_quorum.TopicData(topic_name="__cluster_metadata", partitions=[partition])
    ask(tmp_path, describe_quorum.Request(topics=[topic]), check)

    def refused(response: Any, broker: Control) -> None:
        assert name(response.topics[0].partitions[0].error_code) == "UNKNOWN_TOPIC_OR_PARTITION"

    topic = describe_quorum.TopicData(topic_name="t", partitions=[partition])
    ask(tmp_path, describe_quorum.Request(topics=[topic]), refused)


@pytest.mark.parametrize(
    ("feature", "level", "kind", "code", "said"),
    [
        ("metadata.version", 30, 1, "NONE", None),
        ("metadata.version", 31, 1, "INVALID_UPDATE_VERSION", "only supports versions 7-30"),
        ("nope", 1, 1, "INVALID_UPDATE_VERSION", "does not support this feature"),
        ("metadata.version", 29, 1, "INVALID_UPDATE_VERSION", "Can't downgrade"),
        ("metadata.version", 29, 2, "NONE", None),
        ("metadata.version", 30, 7, "INVALID_UPDATE_VERSION", "upgrade type"),
        ("transaction.version", 3, 1, "INVALID_UPDATE_VERSION", "only supports versions 0-2"),
        ("transaction.version", 1, 1, "INVALID_UPDATE_VERSION", "Can't downgrade"),
        ("transaction.version", 1, 2, "NONE", None),
    ],
)
def test_features(tmp_path: Path, feature: str, level: int, kind: int, code: str, said: str | None) -> None:
    def check(response: Any, broker: Control) -> None:
        assert name(response.error_code) == code
        assert response.error_message is None if said is None else said in response.error_message
        changed = {feature: level} if code == "NONE" else {}
        assert broker.image.features == {"metadata.version": 30, "transaction.version": 2, **changed}

    update = update_features.FeatureUpdateKey(feature=feature, max_version_level=level, upgrade_type=kind)
    ask(tmp_path, update_features.Request(feature_updates=[update]), check)


@pytest.mark.parametrize("kind", [0, 1])
def test_elections_are_not_needed(tmp_path: Path, kind: int) -> None:
    def check(response: Any, broker: Control) -> None:
        found = {
            (topic.topic, one.partition_id): name(one.error_code)
            for topic in response.replica_election_results
            for one in topic.partition_result
        }
        assert found == {
            ("t", 0): "ELECTION_NOT_NEEDED",
            ("t", 7): "UNKNOWN_TOPIC_OR_PARTITION",
            ("none", 0): "UNKNOWN_TOPIC_OR_PARTITION",
        }

    topics = [
        elect_leaders.TopicPartitions(topic="t", partitions=[0, 7]),
        elect_leaders.TopicPartitions(topic="none", partitions=[0]),
    ]
    ask(tmp_path, elect_leaders.Request(election_type=kind, topic_partitions=topics), check)


def test_elections_of_an_unknown_kind_and_of_everything(tmp_path: Path) -> None:
    def refused(response: Any, broker: Control) -> None:
        assert name(response.error_code) == "INVALID_REQUEST"
        assert response.replica_election_results[0].partition_result[0].error_message == "Unknown election type 2"

    topics = [elect_leaders.TopicPartitions(topic="t", partitions=[0])]
    ask(tmp_path, elect_leaders.Request(election_type=2, topic_partitions=topics), refused)

    def everything(response: Any, broker: Control) -> None:
        assert [(one.topic, one.partition_result) for one in response.replica_election_results] == [("t", [])]

    ask(tmp_path, elect_leaders.Request(topic_partitions=None), everything)


@pytest.mark.parametrize(("asked", "code"), [(None, "REQUEST_TIMED_OUT"), ([], "NONE")])
def test_elections_without_time(tmp_path: Path, asked: list[Any] | None, code: str) -> None:
    def check(response: Any, broker: Control) -> None:
        assert (name(response.error_code), response.replica_election_results) == (code, [])

    ask(tmp_path, elect_leaders.Request(election_type=-1, topic_partitions=asked, timeout_ms=-1), check)


@pytest.mark.parametrize(
    ("topic", "partition", "replicas", "code"),
    [
        ("t", 0, None, "NO_REASSIGNMENT_IN_PROGRESS"),
        ("t", 0, [1], "NONE"),
        ("t", 0, [9], "INVALID_REPLICA_ASSIGNMENT"),
        ("t", 0, [], "INVALID_REPLICA_ASSIGNMENT"),
        ("t", 0, [1, 1], "INVALID_REPLICA_ASSIGNMENT"),
        ("t", 9, [1], "UNKNOWN_TOPIC_OR_PARTITION"),
        ("none", 0, None, "UNKNOWN_TOPIC_OR_PARTITION"),
    ],
)
def test_reassignments(tmp_path: Path, topic: str, partition: int, replicas: list[int] | None, code: str) -> None:
    def check(response: Any, broker: Control) -> None:
        assert (response.error_code, response.error_message) == (0, None)
        assert name(response.responses[0].partitions[0].error_code) == code

    wanted = alter_partition_reassignments.ReassignablePartition(partition_index=partition, replicas=replicas)
    moved = alter_partition_reassignments.ReassignableTopic(name=topic, partitions=[wanted])
    ask(tmp_path, alter_partition_reassignments.Request(topics=[moved]), check)


def test_no_reassignment_is_under_way(tmp_path: Path) -> None:
    def check(response: Any, broker: Control) -> None:
        assert (response.error_code, response.error_message, response.topics) == (0, None, [])

    ask(tmp_path, list_partition_reassignments.Request(topics=None), check)


@pytest.mark.parametrize(("broker_id", "code"), [(9, "BROKER_ID_NOT_REGISTERED"), (1, "INVALID_REQUEST")])
def test_unregister(tmp_path: Path, broker_id: int, code: str) -> None:
    def check(response: Any, broker: Control) -> None:
        assert name(response.error_code) == code and broker.image.alive(1)

    ask(tmp_path, unregister_broker.Request(broker_id=broker_id), check)


@pytest.mark.parametrize(
    ("components", "code"),
    [
        ([], "NONE"),
        ([("user", 2, None)], "NONE"),
        ([("user", 0, "alice"), ("client-id", 1, None)], "NONE"),
        ([("bogus", 2, None)], "UNSUPPORTED_VERSION"),
        ([("ip", 2, None), ("user", 2, None)], "INVALID_REQUEST"),
        ([("user", 2, None), ("user", 2, None)], "INVALID_REQUEST"),
        ([("user", 0, None)], "INVALID_REQUEST"),
        ([("user", 1, "x")], "INVALID_REQUEST"),
        ([("user", 2, "x")], "INVALID_REQUEST"),
        ([("user", 5, None)], "INVALID_REQUEST"),
        ([("", 2, None)], "INVALID_REQUEST"),
    ],
)
def test_quotas(tmp_path: Path, components: list[tuple[str, int, str | None]], code: str) -> None:
    def check(response: Any, broker: Control) -> None:
        assert name(response.error_code) == code
        assert response.entries == ([] if code == "NONE" else None)

    listed = [
        describe_client_quotas.ComponentData(entity_type=entity, match_type=kind, match=match)
        for entity, kind, match in components
    ]
    ask(tmp_path, describe_client_quotas.Request(components=listed), check)


def test_acls_need_an_authorizer(tmp_path: Path) -> None:
    def described(response: Any, broker: Control) -> None:
        assert name(response.error_code) == "SECURITY_DISABLED" and not response.resources

    anything = describe_acls.Request(
        resource_type_filter=1, resource_name_filter=None, pattern_type_filter=1, operation=1, permission_type=1
    )
    ask(tmp_path, anything, described)

    def created(response: Any, broker: Control) -> None:
        assert [name(one.error_code) for one in response.results] == ["SECURITY_DISABLED"] * 2

    wanted = create_acls.AclCreation(resource_type=2, operation=3, permission_type=3)
    ask(tmp_path, create_acls.Request(creations=[wanted] * 2), created)

    def deleted(response: Any, broker: Control) -> None:
        assert [name(one.error_code) for one in response.filter_results] == ["SECURITY_DISABLED"] * 2

    meant = delete_acls.Filter(resource_type_filter=2, pattern_type_filter=3, operation=3, permission_type=3)
    ask(tmp_path, delete_acls.Request(filters=[meant] * 2), deleted)


def test_acl_filters_of_unknown_kind_end_the_connection(tmp_path: Path) -> None:
    for request in (
        describe_acls.Request(),
        create_acls.Request(creations=[create_acls.AclCreation()]),
        delete_acls.Request(filters=[delete_acls.Filter()]),
    ):
        with pytest.raises(WireError):
            ask(tmp_path, request, lambda response, broker: None)


def test_scram_users(tmp_path: Path) -> None:
    def check(response: Any, broker: Control) -> None:
        assert response.error_code == 0
        found = {one.user: name(one.error_code) for one in response.results}
        assert found == {"bob": "RESOURCE_NOT_FOUND", "al": "DUPLICATE_RESOURCE", "": "RESOURCE_NOT_FOUND"}

    users = [describe_user_scram_credentials.UserName(name=user) for user in ("bob", "al", "al", "")]
    ask(tmp_path, describe_user_scram_credentials.Request(users=users), check)


def test_producers(tmp_path: Path) -> None:
    entry = SimpleNamespace(
        producer_id=7, epoch=1, last_sequence=5, timestamp=99, coordinator_epoch=-1, current_txn_first_offset=-1
    )
    partition = SimpleNamespace(producers=SimpleNamespace(snapshot=lambda: [entry]))

    async def scenario(broker: Control) -> None:
        unknown = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        broker.node.partitions = SimpleNamespace(get=lambda topic, index: unknown if index else partition)  # type: ignore[assignment]
        broker.denied.add((Operation.READ, ResourceType.TOPIC, "secret"))
        topics = [
            describe_producers.TopicRequest(name="t", partition_indexes=[0, 9]),
            describe_producers.TopicRequest(name="b ad", partition_indexes=[0]),
            describe_producers.TopicRequest(name="secret", partition_indexes=[0]),
        ]
        response = await broker.ask(describe_producers.Request(topics=topics), 0, key=61)
        good, missing = response.topics[0].partitions
        assert [(one.producer_id, one.producer_epoch, one.last_sequence) for one in good.active_producers] == [
            (7, 1, 5)
        ]
        assert name(missing.error_code) == "UNKNOWN_TOPIC_OR_PARTITION"
        assert [name(one.partitions[0].error_code) for one in response.topics[1:]] == [
            "INVALID_TOPIC_EXCEPTION",
            "TOPIC_AUTHORIZATION_FAILED",
        ]

    play(tmp_path, scenario)


@pytest.mark.parametrize(("cluster", "added", "removed"), [
    (None, "UNSUPPORTED_VERSION", "VOTER_NOT_FOUND"),
    (CLUSTER_ID, "UNSUPPORTED_VERSION", "VOTER_NOT_FOUND"),
    ("other", "INCONSISTENT_CLUSTER_ID", "INCONSISTENT_CLUSTER_ID"),
])  # fmt: skip
def test_voters(tmp_path: Path, cluster: str | None, added: str, removed: str) -> None:
    def add(response: Any, broker: Control) -> None:
        assert name(response.error_code) == added

    ask(tmp_path, add_raft_voter.Request(cluster_id=cluster, voter_id=5), add)

    def remove(response: Any, broker: Control) -> None:
        assert name(response.error_code) == removed

    asked = remove_raft_voter.Request(cluster_id=cluster, voter_id=5, voter_directory_id=bytes(range(16)))
    ask(tmp_path, asked, remove)


def test_a_voter_without_a_directory_is_none(tmp_path: Path) -> None:
    def check(response: Any, broker: Control) -> None:
        assert name(response.error_code) == "INVALID_REQUEST"

    ask(tmp_path, remove_raft_voter.Request(cluster_id=None, voter_id=5), check)


def test_the_cluster(tmp_path: Path) -> None:
    def check(response: Any, broker: Control) -> None:
        assert (response.error_code, response.cluster_id, response.controller_id) == (0, CLUSTER_ID, 1)
        assert [(one.broker_id, one.host, one.port, one.is_fenced) for one in response.brokers] == [
            (1, "reached", 19092, False)
        ]
        assert response.cluster_authorized_operations == 8096

    ask(tmp_path, describe_cluster.Request(include_cluster_authorized_operations=True), check)

    def controllers(response: Any, broker: Control) -> None:
        assert name(response.error_code) == "MISMATCHED_ENDPOINT_TYPE" and not response.brokers

    ask(tmp_path, describe_cluster.Request(endpoint_type=2), controllers)

    def neither(response: Any, broker: Control) -> None:
        assert name(response.error_code) == "UNSUPPORTED_ENDPOINT_TYPE"

    ask(tmp_path, describe_cluster.Request(endpoint_type=7), neither)


def test_topics_page_by_page(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a", 3), NewTopic("b", 2), NewTopic("c", 1)])

        async def page(
            limit: int, cursor: tuple[str, int] | None = None, *names: str
        ) -> tuple[list[tuple[str, list[int]]], tuple[str, int] | None]:
            at = (
                None
                if cursor is None
                else describe_topic_partitions.Cursor(topic_name=cursor[0], partition_index=cursor[1])
            )
            request = describe_topic_partitions.Request(
                topics=[describe_topic_partitions.TopicRequest(name=one) for one in names],
                response_partition_limit=limit,
                cursor=at,
            )
            response = await broker.ask(request, 0, key=75)
            found = [(one.name, [p.partition_index for p in one.partitions]) for one in response.topics]
            after = response.next_cursor
            return found, None if after is None else (after.topic_name, after.partition_index)

        everything = [("a", [0, 1, 2]), ("b", [0, 1]), ("c", [0])]
        assert await page(2000) == (everything, None)
        assert await page(6) == (everything, None)
        assert await page(2) == ([("a", [0, 1])], ("a", 2))
        assert await page(2, ("a", 2)) == ([("a", [2]), ("b", [0])], ("b", 1))
        assert await page(2, ("b", 1)) == ([("b", [1]), ("c", [0])], None)
        assert await page(3) == ([("a", [0, 1, 2])], ("b", 0))
        assert await page(-5) == ([("a", [0])], ("a", 1))
        assert await page(2000, ("zzz", 0)) == ([], None)
        assert await page(1, None, "c", "a", "none") == ([("a", [0])], ("a", 1))
        assert await page(9, ("b", 1), "c", "b") == ([("b", [1]), ("c", [0])], None)
        assert await page(9, ("b", 0), "c", "a") == ([("c", []), ("a", [])], None), "the cursor isn't among them"
        response = await broker.ask(
            describe_topic_partitions.Request(
                topics=[describe_topic_partitions.TopicRequest(name=one) for one in ("a", "none", "b ad")]
            ),
            0,
            key=75,
        )
        assert {one.name: name(one.error_code) for one in response.topics} == {
            "a": "NONE",
            "b ad": "INVALID_TOPIC_EXCEPTION",
            "none": "UNKNOWN_TOPIC_OR_PARTITION",
        }
        broker.denied.add((Operation.DESCRIBE, ResourceType.TOPIC, "a"))
        assert (await page(2000))[0] == everything[1:]

    play(tmp_path, scenario)
