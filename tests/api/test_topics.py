"""CreateTopics, DeleteTopics and CreatePartitions in every version; the rules themselves are tested with Admin."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkawire.api import create_partitions, create_topics, delete_topics
from kafkawire.api.create_topics import CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig
from kafkawire.api.delete_topics import DeleteTopicState
from kafkawire.errors import ErrorCode
from pykafkad.api.call import Operation, ResourceType
from pykafkad.errors import Refused
from pykafkad.model import ZERO_UUID
from pykafkad.runtime.topic_rules import NewTopic
from tests.kit.control import Control, play

CREATE, DELETE, GROW = 19, 20, 37


@pytest.mark.parametrize("version", range(2, 8))
def test_create(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        request = create_topics.Request(
            topics=[
                CreatableTopic(name="a", num_partitions=2, replication_factor=1),
                CreatableTopic(
                    name="b",
                    num_partitions=-1,
                    replication_factor=-1,
                    assignments=[CreatableReplicaAssignment(partition_index=0, broker_ids=[1])],
                    configs=[CreatableTopicConfig(name="retention.ms", value="5")],
                ),
                CreatableTopic(name="b ad", num_partitions=2, replication_factor=1),
            ]
        )
        results = {one.name: one for one in (await broker.ask(request, version, key=CREATE)).topics}
        assert results["b ad"].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        assert "contains one or more characters" in results["b ad"].error_message
        for name in ("a", "b"):
            made = broker.image.topics[name]
            assert (results[name].error_code, results[name].error_message) == (0, None)
            assert results[name].topic_id == (made.id if version >= 7 else ZERO_UUID)
        if version >= 5:
            assert (results["a"].num_partitions, results["a"].replication_factor) == (2, 1)
            configs = {one.name: (one.value, one.config_source) for one in results["b"].configs}
            assert configs["retention.ms"] == ("5", 1) and configs["segment.bytes"] == ("1073741824", 5)
            assert "internal.segment.bytes" not in configs
            assert results["b ad"].num_partitions == -1
        again = await broker.ask(request, version, key=CREATE)
        assert [one.error_code for one in again.topics if one.name != "b ad"] == [ErrorCode.TOPIC_ALREADY_EXISTS] * 2

    play(tmp_path, scenario)


def test_create_only_to_see(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        wanted = [CreatableTopic(name="a", num_partitions=2, replication_factor=-1)]
        response = await broker.ask(create_topics.Request(topics=wanted, validate_only=True), 7, key=CREATE)
        assert (response.topics[0].error_code, response.topics[0].num_partitions) == (0, 2)
        assert not broker.image.topics

    play(tmp_path, scenario)


def test_create_needs_the_right_and_shows_configs_only_with_another(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        broker.denied.add((Operation.CREATE, ResourceType.CLUSTER, "kafka-cluster"))
        broker.denied.add((Operation.CREATE, ResourceType.TOPIC, "no"))
        broker.denied.add((Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, "yes"))
        topics = [CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in ("no", "yes")]
        response = await broker.ask(create_topics.Request(topics=topics), 7, key=CREATE)
        results = {one.name: one for one in response.topics}
        assert results["no"].error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        assert results["yes"].error_code == 0 and results["yes"].configs is None
        assert results["yes"].topic_config_error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        assert results["yes"].num_partitions == -1
        assert list(broker.image.topics) == ["yes"]

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", range(1, 7))
def test_delete_by_name(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("b")])
        if version >= 6:
            topics = [DeleteTopicState(name=name) for name in ("a", "none")]
            request = delete_topics.Request(topics=topics, timeout_ms=1)
        else:
            request = delete_topics.Request(topic_names=["a", "none"], timeout_ms=1)
        response = await broker.ask(request, version, key=DELETE)
        assert {one.name: ErrorCode(one.error_code).name for one in response.responses} == {
            "a": "NONE",
            "none": "UNKNOWN_TOPIC_OR_PARTITION",
        }
        assert list(broker.image.topics) == ["b"]

    play(tmp_path, scenario)


def test_delete_by_id_and_what_cannot_be_meant(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("b")])
        topic_id, other = broker.image.topics["a"].id, bytes(15) + b"x"
        topics = [
            DeleteTopicState(name=None, topic_id=topic_id),
            DeleteTopicState(name=None, topic_id=other),
            DeleteTopicState(name=None),
            DeleteTopicState(name="b", topic_id=other),
            DeleteTopicState(name="twice"),
            DeleteTopicState(name="twice"),
            DeleteTopicState(name="none"),
            DeleteTopicState(name="none", topic_id=other),
        ]
        response = await broker.ask(delete_topics.Request(topics=topics, timeout_ms=1), 6, key=DELETE)
        found = [(one.name, one.topic_id, ErrorCode(one.error_code).name) for one in response.responses]
        assert sorted(found, key=str) == sorted(
            [
                ("a", topic_id, "NONE"),
                (None, other, "UNKNOWN_TOPIC_ID"),
                (None, ZERO_UUID, "INVALID_REQUEST"),
                ("b", other, "INVALID_REQUEST"),
                ("twice", ZERO_UUID, "INVALID_REQUEST"),
                ("none", ZERO_UUID, "UNKNOWN_TOPIC_OR_PARTITION"),
                ("none", other, "INVALID_REQUEST"),
            ],
            key=str,
        )
        assert list(broker.image.topics) == ["b"]
        late = delete_topics.Request(topics=[topics[3], DeleteTopicState(name="b")], timeout_ms=0)
        codes = [ErrorCode(one.error_code).name for one in (await broker.ask(late, 6, key=DELETE)).responses]
        assert codes == ["INVALID_REQUEST", "REQUEST_TIMED_OUT"]

    play(tmp_path, scenario)


def test_delete_without_the_right(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("b")])
        broker.denied.add((Operation.DELETE, ResourceType.CLUSTER, "kafka-cluster"))
        for name in ("a", "none"):
            broker.denied.add((Operation.DELETE, ResourceType.TOPIC, name))
        broker.denied.add((Operation.DESCRIBE, ResourceType.TOPIC, "b"))
        topics = [
            DeleteTopicState(name="a"),
            DeleteTopicState(name="none"),
            DeleteTopicState(name=None, topic_id=broker.image.topics["b"].id),
        ]
        response = await broker.ask(delete_topics.Request(topics=topics, timeout_ms=1), 6, key=DELETE)
        assert [(one.name, one.error_code) for one in response.responses] == [("a", 29), ("none", 29), (None, 29)]
        assert sorted(broker.image.topics) == ["a", "b"]

    play(tmp_path, scenario)


@pytest.mark.parametrize(("version", "code"), [(1, "INVALID_REQUEST"), (3, "TOPIC_DELETION_DISABLED")])
def test_delete_turned_off(tmp_path: Path, version: int, code: str) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        response = await broker.ask(delete_topics.Request(topic_names=["a"]), version, key=DELETE)
        assert ErrorCode(response.responses[0].error_code).name == code

    play(tmp_path, scenario, delete_topic_enable="false")


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_no_time_to_change_anything(tmp_path: Path, timeout_ms: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a")])
        wanted = create_partitions.Topic(name="a", count=3, assignments=None)
        grown = await broker.ask(create_partitions.Request(topics=[wanted], timeout_ms=timeout_ms), 3, key=GROW)
        gone = await broker.ask(delete_topics.Request(topic_names=["a"], timeout_ms=timeout_ms), 5, key=DELETE)
        codes = [one.error_code for one in (*grown.results, *gone.responses)]
        assert codes == [ErrorCode.REQUEST_TIMED_OUT] * 2
        assert len(broker.image.topics["a"].partitions) == 1

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", range(4))
def test_grow(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a"), NewTopic("b"), NewTopic("c")])
        broker.denied.add((Operation.ALTER, ResourceType.TOPIC, "c"))
        request = create_partitions.Request(
            topics=[
                create_partitions.Topic(name="a", count=3, assignments=None),
                create_partitions.Topic(name="b", count=2, assignments=[create_partitions.Assignment(broker_ids=[1])]),
                create_partitions.Topic(name="c", count=3, assignments=None),
                create_partitions.Topic(name="none", count=3, assignments=None),
                create_partitions.Topic(name="d", count=3, assignments=None),
                create_partitions.Topic(name="d", count=4, assignments=None),
            ],
            timeout_ms=1,
        )
        response = await broker.ask(request, version, key=GROW)
        assert {one.name: (ErrorCode(one.error_code).name, one.error_message is None) for one in response.results} == {
            "a": ("NONE", True),
            "b": ("NONE", True),
            "c": ("TOPIC_AUTHORIZATION_FAILED", False),
            "none": ("UNKNOWN_TOPIC_OR_PARTITION", True),
            "d": ("INVALID_REQUEST", False),
        }
        assert [len(broker.image.topics[name].partitions) for name in "abc"] == [3, 2, 1]

    play(tmp_path, scenario)


def test_with_every_log_directory_cordoned_there_is_no_place(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        made = (await broker.admin.create_topics([NewTopic("a")]))["a"]
        assert isinstance(made, Refused) and made.code == ErrorCode.INVALID_REPLICATION_FACTOR
        assert made.detail.endswith("All brokers are currently fenced, or have all their log directories cordoned.")

    play(tmp_path, scenario, cordoned_log_dirs="*")
    play(tmp_path, scenario, log_dirs="/one,/two", cordoned_log_dirs="/two,/one")
