"""Metadata: whom it names, what it says of topics that aren't there, and that it makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkawire.api import metadata
from kafkawire.api.metadata import Request, RequestTopic
from kafkawire.errors import ErrorCode
from pykafkad.api.call import Operation, ResourceType
from pykafkad.cluster.image import BrokerImage, ClusterImage, PartitionImage, TopicImage
from pykafkad.model import ZERO_UUID
from pykafkad.runtime.topic_rules import NewTopic
from tests.kit.control import CLUSTER_ID, Control, play

KEY = 3
VERSIONS = range(14)


def asked(*names: str | None, **fields: Any) -> Request:
    return Request(topics=[RequestTopic(name=name) for name in names], **fields)


def seen(response: metadata.Response) -> dict[str | None, str]:
    return {topic.name: ErrorCode(topic.error_code).name for topic in response.topics}


@pytest.mark.parametrize("version", VERSIONS)
def test_one_topic(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a", 2)])
        response = await broker.ask(asked("a"), version, key=KEY)
        assert [(one.node_id, one.host, one.port) for one in response.brokers] == [(1, "reached", 19092)]
        assert response.cluster_id == (CLUSTER_ID if version >= 2 else None)
        assert response.controller_id == (1 if version >= 1 else -1)
        (topic,) = response.topics
        assert (topic.error_code, topic.name, topic.is_internal) == (0, "a", False)
        assert topic.topic_id == (broker.image.topics["a"].id if version >= 10 else ZERO_UUID)
        assert [
            (p.error_code, p.partition_index, p.leader_id, p.replica_nodes, p.isr_nodes) for p in topic.partitions
        ] == [(0, index, 1, [1], [1]) for index in range(2)]
        assert [p.leader_epoch for p in topic.partitions] == [0 if version >= 7 else -1] * 2

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", VERSIONS)
def test_which_list_means_all_topics(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("b")])
        empty = await broker.ask(Request(topics=[]), version, key=KEY)
        assert sorted(seen(empty)) == (["a", "b"] if version == 0 else [])
        if version >= 1:
            assert sorted(seen(await broker.ask(Request(topics=None), version, key=KEY))) == ["a", "b"]

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_topic_is_made_and_answered(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        response = await broker.ask(asked("new", "b ad"), version, key=KEY)
        assert seen(response) == {"new": "NONE", "b ad": "INVALID_TOPIC_EXCEPTION"}
        assert len(broker.image.topics["new"].partitions) == 3

    play(tmp_path, scenario, num_partitions="3")


@pytest.mark.parametrize("version", range(4, 14))
def test_a_missing_topic_is_not_made_unasked(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        response = await broker.ask(asked("new", "b ad", allow_auto_topic_creation=False), version, key=KEY)
        assert seen(response) == {"new": "UNKNOWN_TOPIC_OR_PARTITION", "b ad": "INVALID_TOPIC_EXCEPTION"}
        assert not broker.image.topics

    play(tmp_path, scenario)


def test_a_broker_that_makes_no_topics(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        assert seen(await broker.ask(asked("new"), 9, key=KEY)) == {"new": "UNKNOWN_TOPIC_OR_PARTITION"}

    play(tmp_path, scenario, auto_create_topics_enable="false")


def test_an_internal_topic_is_made_with_its_own_settings(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        response = await broker.ask(asked("__consumer_offsets"), 9, key=KEY)
        assert response.topics[0].is_internal and len(response.topics[0].partitions) == 50

    play(tmp_path, scenario)


def test_a_name_that_would_collide_is_not_made(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a.b")])
        assert seen(await broker.ask(asked("a_b"), 9, key=KEY)) == {"a_b": "INVALID_TOPIC_EXCEPTION"}

    play(tmp_path, scenario)


def test_by_id(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        topic_id, other = broker.image.topics["a"].id, bytes(15) + b"x"
        topics = [RequestTopic(name=None, topic_id=topic_id), RequestTopic(name=None, topic_id=other)]
        for version in (12, 13):
            response = await broker.ask(Request(topics=topics), version, key=KEY)
            assert seen(response) == {"a": "NONE", None: "UNKNOWN_TOPIC_ID"}
            assert [topic.topic_id for topic in response.topics] == [topic_id, other]
            mixed = Request(topics=[RequestTopic(name=None, topic_id=topic_id), RequestTopic(name="b")])
            assert seen(await broker.ask(mixed, version, key=KEY)) == {"a": "NONE"}, "names beside ids are not heard"
        for version in (10, 11):
            response = await broker.ask(Request(topics=topics), version, key=KEY)
            assert [topic.error_code for topic in response.topics] == [ErrorCode.INVALID_REQUEST] * 2

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", [12, 13])
def test_a_topic_with_neither_name_nor_id_refuses_the_request(tmp_path: Path, version: int) -> None:
    """Kafka stumbles over it; what brokers there are isn't told then."""

    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        response = await broker.ask(Request(topics=[RequestTopic(name="a"), RequestTopic(name=None)]), version, key=KEY)
        assert [(one.name, one.error_code) for one in response.topics] == [("a", -1), ("", -1)]
        assert (response.brokers, response.controller_id) == ([], -1)

    play(tmp_path, scenario)


def test_a_topic_named_twice_is_answered_once(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        assert len((await broker.ask(asked("a", "a"), 12, key=KEY)).topics) == 1

    play(tmp_path, scenario)


def test_authorised_operations_when_asked(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        for version in (8, 9, 10):
            fields = {"include_topic_authorized_operations": True, "include_cluster_authorized_operations": True}
            response = await broker.ask(asked("a", **fields), version, key=KEY)
            assert response.topics[0].topic_authorized_operations == 3576
            assert response.cluster_authorized_operations == 8096
            for name in ("nowhere", "bad name"):
                response = await broker.ask(asked(name, allow_auto_topic_creation=False, **fields), version, key=KEY)
                assert response.topics[0].topic_authorized_operations == 3576, "said of topics that aren't there too"
            response = await broker.ask(asked("a"), version, key=KEY)
            assert response.topics[0].topic_authorized_operations == -2147483648
            assert response.cluster_authorized_operations == -2147483648

    play(tmp_path, scenario)


def test_what_may_not_be_seen(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("secret")])
        broker.denied.add((Operation.DESCRIBE, ResourceType.TOPIC, "secret"))
        broker.denied.add((Operation.DESCRIBE, ResourceType.TOPIC, "missing"))
        broker.denied.add((Operation.CREATE, ResourceType.CLUSTER, "kafka-cluster"))
        broker.denied.add((Operation.CREATE, ResourceType.TOPIC, "new"))
        assert seen(await broker.ask(Request(topics=None), 12, key=KEY)) == {"a": "NONE"}
        response = await broker.ask(asked("secret", "missing", "new", "newer"), 12, key=KEY)
        assert seen(response) == {
            "secret": "TOPIC_AUTHORIZATION_FAILED",
            "missing": "TOPIC_AUTHORIZATION_FAILED",
            "new": "TOPIC_AUTHORIZATION_FAILED",
            "newer": "NONE",
        }
        assert response.topics[0].topic_id == ZERO_UUID
        by_id = [RequestTopic(name=None, topic_id=broker.image.topics["secret"].id)]
        assert seen(await broker.ask(Request(topics=by_id), 12, key=KEY)) == {None: "TOPIC_AUTHORIZATION_FAILED"}

    play(tmp_path, scenario)


def test_leaders_that_are_gone_or_not_on_this_listener(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        partitions = tuple(PartitionImage((n, 1), (n, 1), n, 4, 0) for n in (1, 2, 3, -1))
        broker.metadata.image = ClusterImage(
            7,
            CLUSTER_ID,
            {
                1: broker.image.brokers[1],
                2: BrokerImage(2, 0, {"OTHER": ("two", 9)}, None),
                4: BrokerImage(4, 0, {"PLAINTEXT": ("four", 9)}, "rack", fenced=True),
                5: BrokerImage(5, 0, {"PLAINTEXT": ("five", 9)}, "rack"),
                6: BrokerImage(6, 0, {"PLAINTEXT": ("", 99)}, None),
            },
            {"t": TopicImage("t", bytes(15) + b"t", partitions)},
        )
        response = await broker.ask(asked("t"), 12, key=KEY)
        found = [(ErrorCode(p.error_code).name, p.leader_id, p.offline_replicas) for p in response.topics[0].partitions]
        assert found == [
            ("NONE", 1, []),
            ("LISTENER_NOT_FOUND", -1, []),
            ("LEADER_NOT_AVAILABLE", -1, [3]),
            ("LEADER_NOT_AVAILABLE", -1, [-1]),
        ]
        old = await broker.ask(asked("t"), 5, key=KEY)
        assert old.topics[0].partitions[1].error_code == ErrorCode.LEADER_NOT_AVAILABLE
        assert [(one.node_id, one.host, one.port, one.rack) for one in response.brokers] == [
            (1, "reached", 19092, None),
            (5, "five", 9, "rack"),
            (6, "reached", 99, None),
        ]
        assert response.controller_id == 1

    play(tmp_path, scenario)
