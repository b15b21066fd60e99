"""Admin requests: what is refused and how, what is written, and two brokers that want the same thing at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kafkawire.errors import ErrorCode
from pykafkad.cluster import keys
from pykafkad.cluster.image import BROKER, GROUP, TOPIC, TopicImage
from pykafkad.cluster.store import Transaction
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.runtime.admin import ResourceChange
from pykafkad.runtime.config_rules import Alteration, Op
from pykafkad.runtime.topic_rules import NewPartitions, NewTopic
from tests.kit.control import Control, play
from tests.kit.loop import run


def code(answer: object) -> str:
    return answer.code.name if isinstance(answer, Refused) else "NONE"


def test_a_topic_is_in_the_own_image_when_the_answer_is_there(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        answers = await broker.admin.create_topics([NewTopic("a", 3, 1, configs={"retention.ms": "5"}), NewTopic("b")])
        assert answers["a"] == broker.image.topic("a") and answers["b"] == broker.image.topic("b")
        made = broker.image.topics["a"]
        assert [tuple(partition) for partition in made.partitions] == [((1,), (1,), 1, 0, 0)] * 3
        assert broker.image.config(TOPIC, "a") == {"retention.ms": "5"}
        assert made.id != broker.image.topics["b"].id and len(made.id) == 16

    play(tmp_path, scenario)


REFUSED = [
    (NewTopic("t1", 1, 1), "TOPIC_ALREADY_EXISTS", "Topic 't1' already exists."),
    (NewTopic("t_dot", 1, 1), "INVALID_TOPIC_EXCEPTION", "Topic 't_dot' collides with existing topic: t.dot"),
    (NewTopic("b ad", 1, 1), "INVALID_TOPIC_EXCEPTION", "contains one or more characters"),
    (NewTopic("..", 1, 1), "INVALID_TOPIC_EXCEPTION", "'..' is not allowed"),
    (NewTopic("", 1, 1), "INVALID_TOPIC_EXCEPTION", "the empty string is not allowed"),
    (NewTopic("x" * 250, 1, 1), "INVALID_TOPIC_EXCEPTION", "longer than the max allowed length 249"),
    (NewTopic("z", 0, 1), "INVALID_PARTITIONS", "non-positive"),
    (NewTopic("z", -2, 1), "INVALID_PARTITIONS", "non-positive"),
    (NewTopic("z", 1, 0), "INVALID_REPLICATION_FACTOR", "larger than 0"),
    (NewTopic("z", 1, 3), "INVALID_REPLICATION_FACTOR", "Unable to replicate the partition 3 time(s)"),
    (NewTopic("z", 1, 1, configs={"nope": "1"}), "INVALID_CONFIG", "Unknown topic config name: nope"),
    (NewTopic("z", 1, 1, configs={"segment.bytes": "1"}), "INVALID_CONFIG", "Value must be at least 1048576"),
    (NewTopic("z", 1, 1, configs={"segment.bytes": None}), "INVALID_CONFIG", "Null value not supported"),
    (NewTopic("z", 1, 1, configs={"internal.segment.bytes": "9"}), "INVALID_CONFIG", "Unknown topic config name"),
    (NewTopic("z", 1, 1, [(0, [1])]), "INVALID_REQUEST", "replication factor was not set to -1"),
    (NewTopic("z", 1, -1, [(0, [1])]), "INVALID_REQUEST", "numPartitions was not set to -1"),
    (NewTopic("z", -1, -1, [(1, [1])]), "INVALID_REPLICA_ASSIGNMENT", "consecutive 0-based"),
    (NewTopic("z", -1, -1, [(0, [9])]), "INVALID_REPLICA_ASSIGNMENT", "no such broker"),
    (NewTopic("z", -1, -1, [(0, [1, 1])]), "INVALID_REPLICA_ASSIGNMENT", "more than once"),
    (NewTopic("z", -1, -1, [(0, [])]), "INVALID_REPLICA_ASSIGNMENT", "empty replica list"),
    (NewTopic("z", -1, -1, [(0, [1]), (0, [1])]), "INVALID_REPLICA_ASSIGNMENT", "multiple manual"),
    (NewTopic("__cluster_metadata", 1, 1), "INVALID_REQUEST", "prohibited"),
]


def test_what_cannot_be_a_topic(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t1"), NewTopic("t.dot")])
        before = broker.image.revision
        for wanted, name, said in REFUSED:
            answer = (await broker.admin.create_topics([wanted]))[wanted.name]
            assert isinstance(answer, Refused), wanted
            assert (answer.code.name, said in answer.detail) == (name, True), (wanted, answer)
        assert broker.image.revision == before

    play(tmp_path, scenario)


def test_one_bad_topic_does_not_stop_the_others(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        wanted = [
            NewTopic("ok"),
            NewTopic("b ad"),
            NewTopic("twice"),
            NewTopic("twice"),
            NewTopic("a.b"),
            NewTopic("a_b"),
        ]
        answers = await broker.admin.create_topics(wanted)
        assert {name: code(answer) for name, answer in answers.items()} == {
            "ok": "NONE",
            "b ad": "INVALID_TOPIC_EXCEPTION",
            "twice": "INVALID_REQUEST",
            "a.b": "NONE",
            "a_b": "INVALID_TOPIC_EXCEPTION",
        }
        assert sorted(broker.image.topics) == ["a.b", "ok"]

    play(tmp_path, scenario)


def test_validate_only_changes_nothing(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        before = broker.image.revision
        answers = await broker.admin.create_topics([NewTopic("a", 4), NewTopic("b", 0)], validate_only=True)
        assert isinstance(answers["a"], TopicImage) and len(answers["a"].partitions) == 4
        assert code(answers["b"]) == "INVALID_PARTITIONS"
        assert broker.image.revision == before

    play(tmp_path, scenario)


def test_too_many_partitions_in_one_request(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        answers = await broker.admin.create_topics([NewTopic("a", 6000), NewTopic("b", 4001)])
        assert [code(answer) for answer in answers.values()] == ["POLICY_VIOLATION"] * 2
        assert code((await broker.admin.create_topics([NewTopic("a", 10_000)]))["a"]) == "NONE"

    play(tmp_path, scenario)


def test_a_topic_deleted_and_made_again_is_another_topic(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("a", configs={"retention.ms": "5"}), NewTopic("b")])
        old = broker.image.topics["a"]
        answers = await broker.admin.delete_topics(["a", "none"])
        assert (answers["a"], code(answers["none"])) == (None, "UNKNOWN_TOPIC_OR_PARTITION")
        assert list(broker.image.topics) == ["b"] and broker.image.topic_by_id(old.id) is None
        await broker.admin.create_topics([NewTopic("a")])
        assert broker.image.topics["a"].id != old.id and broker.image.config(TOPIC, "a") == {}

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("wanted", "name", "said"),
    [
        (NewPartitions("t", 2), "INVALID_PARTITIONS", "already has 2 partition(s)"),
        (NewPartitions("t", 1), "INVALID_PARTITIONS", "1 would not be an increase"),
        (NewPartitions("t", -1), "INVALID_PARTITIONS", "-1 would not be an increase"),
        (NewPartitions("t", 20_000), "POLICY_VIOLATION", "large number"),
        (NewPartitions("none", 5), "UNKNOWN_TOPIC_OR_PARTITION", ""),
        (NewPartitions("t", 3, [[1], [1]]), "INVALID_REPLICA_ASSIGNMENT", "add 1 additional"),
        (NewPartitions("t", 3, []), "INVALID_REPLICA_ASSIGNMENT", "only 0 assignment(s)"),
        (NewPartitions("t", 3, [[9]]), "INVALID_REPLICA_ASSIGNMENT", "no such broker"),
        (NewPartitions("t", 3, [[1, 1]]), "INVALID_REPLICA_ASSIGNMENT", "more than once"),
    ],
)
def test_how_a_topic_cannot_grow(tmp_path: Path, wanted: NewPartitions, name: str, said: str) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t", 2)])
        answer = (await broker.admin.create_partitions([wanted]))[wanted.topic]
        assert isinstance(answer, Refused)
        assert (answer.code.name, said in answer.detail) == (name, True), answer

    play(tmp_path, scenario)


def test_a_topic_grows(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t", 2)])
        topic_id = broker.image.topics["t"].id
        assert await broker.admin.create_partitions([NewPartitions("t", 3)], validate_only=True) == {"t": None}
        assert len(broker.image.topics["t"].partitions) == 2
        assert await broker.admin.create_partitions([NewPartitions("t", 3), NewPartitions("t2", 3)]) == {
            "t": None,
            "t2": Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        }
        assert await broker.admin.create_partitions([NewPartitions("t", 4, [[1]])]) == {"t": None}
        assert len(broker.image.topics["t"].partitions) == 4 and broker.image.topics["t"].id == topic_id

    play(tmp_path, scenario)


def test_internal_topics_have_kafkas_settings(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        made = await asyncio.gather(*(broker.admin.ensure_internal_topic("__consumer_offsets") for _ in range(5)))
        assert all(one == broker.image.topic("__consumer_offsets") for one in made)
        assert len(broker.image.topics["__consumer_offsets"].partitions) == 50
        assert broker.image.config(TOPIC, "__consumer_offsets") == {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": "104857600",
        }
        await broker.admin.ensure_internal_topic("__transaction_state")
        assert broker.image.config(TOPIC, "__transaction_state")["min.insync.replicas"] == "1"
        await broker.admin.ensure_internal_topic("__share_group_state")
        assert broker.image.config(TOPIC, "__share_group_state")["retention.ms"] == "-1"

    play(tmp_path, scenario)


def test_a_factor_that_was_chosen_is_not_given_up(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        answer = await broker.admin.ensure_internal_topic("__consumer_offsets")
        assert code(answer) == "INVALID_REPLICATION_FACTOR"

    play(tmp_path, scenario, offsets_topic_replication_factor="3")


def change(
    resource_type: int, name: str, *alterations: tuple[str, int, str | None], replace: bool = False
) -> ResourceChange:
    return ResourceChange(resource_type, name, [Alteration(*one) for one in alterations], replace)


ALTERATIONS = [
    (change(TOPIC, "t", ("nope", Op.SET, "1")), "INVALID_CONFIG", "Unknown topic config name: nope"),
    (
        change(TOPIC, "t", ("retention.ms", Op.SET, "abc")),
        "INVALID_CONFIG",
        "Invalid value abc for configuration retention.ms: Not a number of type LONG",
    ),
    (change(TOPIC, "t", ("retention.ms", Op.SET, None)), "INVALID_REQUEST", "Null value not supported"),
    (change(TOPIC, "t", ("retention.ms", Op.APPEND, "1")), "INVALID_CONFIG", "its type is not LIST"),
    (change(TOPIC, "t", ("retention.ms", 9, "1")), "UNKNOWN_SERVER_ERROR", "Unknown operation"),
    (change(BROKER, "1", ("log.retention.ms", 9, "1")), "INVALID_REQUEST", "Unknown operation"),
    (
        change(TOPIC, "t", ("retention.ms", 0, "1"), ("retention.ms", 0, "2")),
        "INVALID_REQUEST",
        "duplicate config keys",
    ),
    (change(TOPIC, "none", ("retention.ms", 0, "1")), "UNKNOWN_TOPIC_OR_PARTITION", "does not exist"),
    (change(TOPIC, "b ad", ("retention.ms", 0, "1")), "INVALID_TOPIC_EXCEPTION", ""),
    (change(TOPIC, "", ("retention.ms", 0, "1")), "INVALID_REQUEST", "Default topic resources"),
    (change(TOPIC, "t", ("cleanup.policy", Op.APPEND, "x")), "INVALID_CONFIG", "Invalid value x for configuration"),
    (change(TOPIC, "t", ("retention.ms", 0, "1" * 40_000)), "INVALID_CONFIG", "too long"),
    (change(BROKER, "1", ("num.partitions", 0, "5")), "INVALID_REQUEST", "Cannot update these configs dynamically"),
    (change(BROKER, "1", ("listeners", 0, "PLAINTEXT://:1")), "INVALID_REQUEST", "Cannot update these configs"),
    (change(BROKER, "1", ("log.retention.ms", 0, "x")), "INVALID_REQUEST", "Not a number"),
    (change(BROKER, "2", ("log.retention.ms", 0, "5")), "INVALID_REQUEST", "Unexpected broker id"),
    (change(BROKER, "x", ("log.retention.ms", 0, "5")), "INVALID_REQUEST", "must be an integer"),
    (change(BROKER, "", ("cordoned.log.dirs", 0, "*")), "INVALID_REQUEST", "broker id must be specified"),
    (change(BROKER, "1", ("ssl.keystore.password", 0, "5")), "INVALID_REQUEST", "per-listener"),
    (change(BROKER, "1", ("ssl.key.password", 0, "5")), "INVALID_REQUEST", "per-listener"),
    (change(BROKER, "", ("sasl.kerberos.kinit.cmd", 0, "/bin/kinit")), "INVALID_REQUEST", "broker id must be"),
    (change(GROUP, "", ("consumer.session.timeout.ms", 0, "50000")), "INVALID_REQUEST", "Default group"),
    (
        change(GROUP, "g", ("consumer.session.timeout.ms", 0, "5")),
        "INVALID_CONFIG",
        "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
    ),
    (
        change(GROUP, "g", ("streams.num.standby.replicas", 0, "9")),
        "INVALID_CONFIG",
        "must be less than or equal to group.streams.max.standby.replicas",
    ),
    (change(GROUP, "g", ("nope", 0, "5")), "INVALID_CONFIG", "Unknown group config name: nope"),
    (change(GROUP, "g", ("share.auto.offset.reset", 0, "x")), "INVALID_CONFIG", "by_duration"),
    (change(16, "m", ("interval.ms", 0, "5")), "INVALID_REQUEST", "at least 100"),
    (change(16, "m", ("nope", 0, "5")), "INVALID_REQUEST", "Unknown client metrics configuration: nope"),
    (change(16, "m", ("match", 0, "bogus=1")), "INVALID_CONFIG", "Illegal client matching pattern: bogus=1"),
    (change(16, "", ("metrics", 0, "*")), "INVALID_REQUEST", "Subscription name"),
    (change(99, "x", ("y", 0, "5")), "INVALID_REQUEST", "Unknown resource type 99"),
]


def test_what_cannot_be_set(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        before = broker.image.revision
        for wanted, name, said in ALTERATIONS:
            (answer,) = await broker.admin.alter_configs([wanted])
            assert isinstance(answer, Refused), wanted
            assert (answer.code.name, said in answer.detail) == (name, True), (wanted, answer)
        assert broker.image.revision == before

    play(tmp_path, scenario)


def test_setting_deleting_appending_subtracting(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])

        async def alter(*alterations: tuple[str, int, str | None], replace: bool = False) -> dict[str, str]:
            (answer,) = await broker.admin.alter_configs([change(TOPIC, "t", *alterations, replace=replace)])
            assert answer is None
            return dict(broker.image.config(TOPIC, "t"))

        assert await alter(("retention.ms", Op.SET, "5")) == {"retention.ms": "5"}
        assert await alter(("cleanup.policy", Op.APPEND, "compact")) == {
            "retention.ms": "5",
            "cleanup.policy": "delete,compact",
        }
        assert await alter(("cleanup.policy", Op.APPEND, "compact,delete"), ("retention.ms", Op.DELETE, None)) == {
            "cleanup.policy": "delete,compact"
        }
        assert await alter(("cleanup.policy", Op.SUBTRACT, "delete")) == {"cleanup.policy": "compact"}
        assert await alter(("nope", Op.DELETE, None)) == {"cleanup.policy": "compact"}
        assert await alter(("retention.bytes", Op.SET, "7"), replace=True) == {"retention.bytes": "7"}
        assert await alter(replace=True) == {}
        assert (TOPIC, "t") not in broker.image.configs

    play(tmp_path, scenario)


def test_security_settings_that_name_no_store_can_be_set_for_a_broker(tmp_path: Path) -> None:
    """Kafka wants the listener's prefix for key and trust stores only."""

    async def scenario(broker: Control) -> None:
        for key, value in [("sasl.kerberos.min.time.before.relogin", "58000"), ("ssl.client.auth", "none")]:
            assert await broker.admin.alter_configs([change(BROKER, "1", (key, Op.SET, value))]) == [None]
            assert broker.image.config(BROKER, "1")[key] == value

    play(tmp_path, scenario)


def test_brokers_settings_take_effect_and_fall_back(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        async def alter(name: str, op: int, value: str | None) -> int | None:
            assert await broker.admin.alter_configs([change(BROKER, name, ("log.retention.ms", op, value))]) == [None]
            assert broker.node.config.log_retention_ms == broker.metadata.config.log_retention_ms
            return broker.node.config.log_retention_ms

        assert await alter("", Op.SET, "777") == 777
        assert await alter("1", Op.SET, "888") == 888
        assert broker.node.config.topic_defaults.retention_ms == 888
        assert await alter("", Op.SET, "666") == 888
        assert await alter("1", Op.DELETE, None) == 666
        assert await alter("", Op.DELETE, None) == 55
        assert broker.node.config.num_partitions == 3

    play(tmp_path, scenario, log_retention_ms="55", num_partitions="3")


def test_min_insync_replicas_is_the_clusters_from_its_beginning(tmp_path: Path) -> None:
    """As a Kafka controller has it since ELR: the cluster always has one, and no broker has its own."""

    async def scenario(broker: Control) -> None:
        async def alter(name: str, *alterations: tuple[str, int, str | None], replace: bool = False) -> str:
            (answer,) = await broker.admin.alter_configs([change(BROKER, name, *alterations, replace=replace)])
            return code(answer)

        key = "min.insync.replicas"
        assert broker.image.config(BROKER, "") == {key: "3"}
        for name, op, value in (("", Op.DELETE, None), ("1", Op.DELETE, None), ("1", Op.SET, "2")):
            assert await alter(name, (key, op, value)) == "INVALID_CONFIG"
        assert await alter("", ("log.retention.ms", Op.SET, "5"), replace=True) == "INVALID_CONFIG"
        assert await alter("1", ("log.retention.ms", Op.SET, "5"), replace=True) == "NONE"
        assert await alter("", (key, Op.SET, "2")) == "NONE"
        assert broker.image.config(BROKER, "") == {key: "2"}
        assert broker.node.config.topic_defaults.min_insync_replicas == 2

    play(tmp_path, scenario, min_insync_replicas="3")


def test_a_cluster_that_began_without_min_insync_replicas_goes_on_without(tmp_path: Path) -> None:
    """A broker's own from that time can still be taken away when the cluster has got one."""

    async def scenario(broker: Control) -> None:
        key = "min.insync.replicas"
        revision = await broker.store.commit(Transaction(deletes=(keys.config(BROKER, ""),)))
        await broker.metadata.reached(revision or 0)

        async def alter(name: str, op: int, value: str | None) -> str:
            (answer,) = await broker.admin.alter_configs([change(BROKER, name, (key, op, value))])
            return code(answer)

        assert await alter("1", Op.SET, "2") == "NONE"
        assert await alter("", Op.DELETE, None) == "NONE"
        assert await alter("", Op.SET, "1") == "NONE"
        assert await alter("1", Op.SET, "3") == "INVALID_CONFIG"
        assert broker.node.config.min_insync_replicas == 2
        assert await alter("1", Op.DELETE, None) == "NONE"
        assert broker.node.config.min_insync_replicas == 1

    play(tmp_path, scenario)


def test_validate_only_sets_nothing(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        before = broker.image.configs
        wanted = [change(BROKER, "", ("log.retention.ms", 0, "5")), change(GROUP, "g", ("nope", 0, "5"))]
        answers = await broker.admin.alter_configs(wanted, validate_only=True)
        assert [code(answer) for answer in answers] == ["NONE", "INVALID_CONFIG"]
        assert broker.image.configs == before

    play(tmp_path, scenario)


def test_producer_ids_are_never_handed_out_twice(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        blocks = await asyncio.gather(*(broker.admin.next_producer_ids(10) for _ in range(5)))
        assert sorted(first for block in blocks for first in block) == list(range(50))

    play(tmp_path, scenario)


def test_two_brokers_want_the_same_topic(tmp_path: Path) -> None:
    async def main() -> None:
        one = await Control(tmp_path, Config.load({"node.id": "1"})).start()
        two = await Control(tmp_path, Config.load({"node.id": "2"})).start()
        await one.metadata.reached(two.image.revision)
        answers = await asyncio.gather(
            one.admin.create_topics([NewTopic("t", 4, 2), NewTopic("one")]),
            two.admin.create_topics([NewTopic("t", 4, 2), NewTopic("two")]),
        )
        assert sorted(code(answer["t"]) for answer in answers) == ["NONE", "TOPIC_ALREADY_EXISTS"]
        await two.metadata.reached(one.image.revision)
        await one.metadata.reached(two.image.revision)
        assert sorted(one.image.topics) == sorted(two.image.topics) == ["one", "t", "two"]
        assert sorted(partition.leader for partition in one.image.topics["t"].partitions) == [1, 1, 2, 2]
        await one.stop()
        await two.stop()

    run(main())


def test_without_the_store_changes_are_refused_in_time(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.store.close()
        answers = await broker.admin.create_topics([NewTopic("t")])
        assert code(answers["t"]) == "REQUEST_TIMED_OUT"

    play(tmp_path, scenario)
