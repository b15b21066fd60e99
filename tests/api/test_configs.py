"""DescribeConfigs, IncrementalAlterConfigs, AlterConfigs, ListConfigResources: what is in effect, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkawire.api import alter_configs, describe_configs, incremental_alter_configs, list_config_resources
from kafkawire.api.incremental_alter_configs import AlterableConfig, AlterConfigsResource
from kafkawire.errors import ErrorCode
from pykafkad.api.call import Operation, ResourceType
from pykafkad.cluster.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from pykafkad.config import Config, GroupConfig, TopicConfig
from pykafkad.logs import log
from pykafkad.runtime.topic_rules import NewTopic
from tests.kit.control import Control, play

DESCRIBE, REPLACE, ALTER, LIST = 32, 33, 44, 74


async def describe(broker: Control, kind: int, name: str, *keys: str, version: int = 4, **fields: Any) -> Any:
    resource = describe_configs.Resource(resource_type=kind, resource_name=name, configuration_keys=list(keys) or None)
    request = describe_configs.Request(resources=[resource], **fields)
    (result,) = (await broker.ask(request, version, key=DESCRIBE)).results
    assert (result.resource_type, result.resource_name) == (kind, name)
    return result


async def alter(broker: Control, kind: int, name: str, *changes: tuple[str, int, str | None], **fields: Any) -> Any:
    configs = [AlterableConfig(name=key, config_operation=op, value=value) for key, op, value in changes]
    resource = AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    request = incremental_alter_configs.Request(resources=[resource], **fields)
    (result,) = (await broker.ask(request, 1, key=ALTER)).responses
    return ErrorCode(result.error_code).name, result.error_message


def values(result: Any) -> dict[str, tuple[str | None, int]]:
    assert result.error_code == 0, result
    return {one.name: (one.value, one.config_source) for one in result.configs}


@pytest.mark.parametrize("version", range(1, 5))
def test_every_key_of_every_kind(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        for kind, name, table in ((TOPIC, "t", TopicConfig), (BROKER, "1", Config), (GROUP, "g", GroupConfig)):
            shown = values(await describe(broker, kind, name, version=version, include_synonyms=True))
            assert sorted(shown) == sorted(key for key, one in table.SETTINGS.items() if not one.internal)
        shown = values(await describe(broker, CLIENT_METRICS, "m", version=version))
        assert shown == {"interval.ms": ("300000", 5), "match": ("", 5), "metrics": ("", 5)}

    play(tmp_path, scenario)


def test_where_a_topics_value_comes_from(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])

        async def retention() -> tuple[str | None, int, list[tuple[str, str | None, int]]]:
            result = await describe(broker, TOPIC, "t", "retention.ms", include_synonyms=True)
            (one,) = result.configs
            assert (one.read_only, one.is_sensitive, one.config_type, one.documentation) == (False, False, 5, None)
            return one.value, one.config_source, [(s.name, s.value, s.source) for s in one.synonyms]

        assert await retention() == ("604800000", 5, [])
        await alter(broker, BROKER, "", ("log.retention.ms", 0, "777"))
        await alter(broker, BROKER, "1", ("log.retention.ms", 0, "888"))
        coarser = ("log.retention.hours", "168", 5)
        dynamic = [("log.retention.ms", "888", 2), ("log.retention.ms", "777", 3), coarser]
        assert await retention() == ("888", 2, dynamic)
        await alter(broker, TOPIC, "t", ("retention.ms", 0, "999"))
        assert await retention() == ("999", 1, [("retention.ms", "999", 1), *dynamic])

    play(tmp_path, scenario)


def test_the_brokers_file_is_a_source(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        shown = values(await describe(broker, TOPIC, "t", "segment.bytes", "retention.ms", "segment.ms"))
        assert shown == {
            "segment.bytes": ("2000000", 4),
            "retention.ms": ("7200000", 5),  # Kafka tells a source only where the finest of its keys is set
            "segment.ms": ("604800000", 5),
        }
        shown = values(
            await describe(broker, BROKER, "1", "log.segment.bytes", "log.retention.ms", "node.id", "log.dirs")
        )
        assert shown == {
            "log.segment.bytes": ("2000000", 4),
            "log.retention.ms": (None, 5),
            "node.id": ("1", 5),
            "log.dirs": (None, 5),
        }

    play(tmp_path, scenario, log_segment_bytes="2000000", log_retention_hours="2")


def test_secrets_and_unknown_keys_are_never_shown(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        keys = ("ssl.keystore.password", "my.plugin.key", "listener.name.x.ssl.key.password")
        result = await describe(broker, BROKER, "1", *keys[:1], keys[2], include_synonyms=True)
        assert {one.name: (one.value, one.is_sensitive, one.config_type) for one in result.configs} == {
            keys[0]: (None, True, 9),
            keys[2]: (None, True, 0),
        }
        assert all(synonym.value is None for one in result.configs for synonym in one.synonyms)
        assert "hunter2" not in repr(broker.config)

    settings = {"ssl_keystore_password": "hunter2", "listener_name_x_ssl_key_password": "hunter2"}
    play(tmp_path, scenario, **settings)


def test_read_only_types_and_documentation(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        result = await describe(
            broker, BROKER, "1", "num.partitions", "log.cleanup.policy", "log.cleaner.io.max.bytes.per.second",
            include_documentation=True,
        )  # fmt: skip
        assert {one.name: (one.value, one.read_only, one.config_type) for one in result.configs} == {
            "num.partitions": ("1", True, 3),
            "log.cleanup.policy": ("delete", False, 7),
            "log.cleaner.io.max.bytes.per.second": ("1.7976931348623157E308", False, 6),
        }
        assert all(len(one.documentation) > 20 for one in result.configs)

    play(tmp_path, scenario)


def test_the_cluster_wide_defaults_are_what_was_set(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        always = {"min.insync.replicas": ("1", 3)}
        assert values(await describe(broker, BROKER, "")) == always
        await alter(broker, BROKER, "", ("log.retention.ms", 0, "777"))
        assert values(await describe(broker, BROKER, "")) == always | {"log.retention.ms": ("777", 3)}

    play(tmp_path, scenario)


def test_groups(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        assert await alter(broker, GROUP, "g", ("consumer.session.timeout.ms", 0, "50000")) == ("NONE", None)
        result = await describe(broker, GROUP, "g", "consumer.session.timeout.ms", include_synonyms=True)
        (one,) = result.configs
        assert [(s.name, s.value, s.source) for s in one.synonyms] == [
            ("consumer.session.timeout.ms", "50000", 8),
            ("group.consumer.session.timeout.ms", "45000", 5),
        ]
        assert values(await describe(broker, GROUP, "g", "share.auto.offset.reset")) == {
            "share.auto.offset.reset": ("latest", 5)
        }

    play(tmp_path, scenario)


def test_what_cannot_be_described(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        for kind, name, code in (
            (TOPIC, "none", "UNKNOWN_TOPIC_OR_PARTITION"),
            (TOPIC, "b ad", "INVALID_TOPIC_EXCEPTION"),
            (TOPIC, "", "INVALID_TOPIC_EXCEPTION"),
            (BROKER, "9", "INVALID_REQUEST"),
            (BROKER, "x", "INVALID_REQUEST"),
            (BROKER_LOGGER, "9", "INVALID_REQUEST"),
            (BROKER_LOGGER, "", "INVALID_REQUEST"),
            (GROUP, "", "INVALID_REQUEST"),
            (CLIENT_METRICS, "", "INVALID_REQUEST"),
            (0, "x", "INVALID_REQUEST"),
            (99, "x", "INVALID_REQUEST"),
        ):
            result = await describe(broker, kind, name)
            assert ErrorCode(result.error_code).name == code, (kind, name)
            assert result.error_message and not result.configs
        resources = [describe_configs.Resource(resource_type=kind, resource_name="1") for kind in (BROKER, 99)]
        both = await broker.ask(describe_configs.Request(resources=resources), 4, key=DESCRIBE)
        assert [ErrorCode(one.error_code).name for one in both.results] == ["INVALID_REQUEST"] * 2

    play(tmp_path, scenario)


def test_rights(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        for operation in (Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS):
            broker.denied |= {
                (operation, ResourceType.TOPIC, "t"),
                (operation, ResourceType.GROUP, "g"),
                (operation, ResourceType.CLUSTER, "kafka-cluster"),
            }
        for kind, name, code in ((TOPIC, "t", 29), (GROUP, "g", 30), (BROKER, "1", 31), (CLIENT_METRICS, "m", 31)):
            assert (await describe(broker, kind, name)).error_code == code
            assert (await alter(broker, kind, name, ("x", 0, "1")))[0] == ErrorCode(code).name
        listed = await broker.ask(list_config_resources.Request(), 1, key=LIST)
        assert listed.error_code == 31

    play(tmp_path, scenario)


def test_loggers(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        before = log.level
        try:
            assert await alter(broker, BROKER_LOGGER, "1", ("root", 0, "WARN"), validate_only=True) == ("NONE", None)
            assert log.level == before
            assert await alter(broker, BROKER_LOGGER, "1", ("root", 0, "WARN")) == ("NONE", None)
            assert values(await describe(broker, BROKER_LOGGER, "1")) == {"root": ("WARN", 6)}
            for change, name in (
                (("root", 0, "NOPE"), "INVALID_CONFIG"),
                (("no.such", 0, "INFO"), "INVALID_CONFIG"),
                (("root", 1, None), "INVALID_REQUEST"),
                (("root", 2, "INFO"), "INVALID_REQUEST"),
            ):
                assert (await alter(broker, BROKER_LOGGER, "1", change))[0] == name
            assert (await alter(broker, BROKER_LOGGER, "2", ("root", 0, "INFO")))[0] == "INVALID_REQUEST"
            assert (await alter(broker, BROKER_LOGGER, "", ("root", 0, "INFO")))[0] == "INVALID_REQUEST"
            assert log.level == "warning"
        finally:
            log.set_level(before)

    play(tmp_path, scenario)


def test_a_resource_comes_once_in_a_request(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        resource = AlterConfigsResource(
            resource_type=TOPIC, resource_name="t", configs=[AlterableConfig(name="retention.ms", value="5")]
        )
        request = incremental_alter_configs.Request(resources=[resource, resource])
        response = await broker.ask(request, 1, key=ALTER)
        assert [one.error_code for one in response.responses] == [ErrorCode.INVALID_REQUEST] * 2
        assert broker.image.config(TOPIC, "t") == {}

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("key", "before", "refused", "taken"),
    [
        ("log.cleaner.threads", 6, (0, 2, 13), (3, 5, 10)),
        ("num.io.threads", 8, (0, 3, 17), (4, 8, 16)),
        ("num.recovery.threads.per.data.dir", 2, (0, 5), (1, 2, 4)),
    ],
)
def test_threads_are_doubled_or_halved_at_a_time(
    tmp_path: Path, key: str, before: int, refused: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    async def scenario(broker: Control) -> None:
        own = str(broker.config.node_id)
        for number in refused:
            assert (await alter(broker, BROKER, "", (key, 0, str(number))))[0] == "INVALID_REQUEST", number
            assert (await alter(broker, BROKER, own, (key, 0, str(number))))[0] == "INVALID_REQUEST", number
        for number in taken:
            assert (await alter(broker, BROKER, "", (key, 0, str(number))))[0] == "NONE", number
        code, reason = await alter(broker, BROKER, "", (key, 0, str(4 * taken[-1])))
        assert code == "INVALID_REQUEST" and f"double the current value {taken[-1]}" in str(reason)
        assert (await alter(broker, BROKER, "", (key, 1, None)))[0] == "NONE"

    play(tmp_path, scenario, **{key.replace(".", "_"): str(before)})


def test_lags_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Each alone is right; what counts is what would be in effect, the broker's defaults included."""

    async def scenario(broker: Control) -> None:
        both = {"min.compaction.lag.ms": "20", "max.compaction.lag.ms": "10"}
        created = await broker.admin.create_topics(
            [NewTopic("t", configs={"max.compaction.lag.ms": "10"}), NewTopic("u", configs=both)]
        )
        assert getattr(created["u"], "code", None) == ErrorCode.INVALID_CONFIG
        name, said = await alter(broker, TOPIC, "t", ("min.compaction.lag.ms", 0, "20"))
        assert name == "INVALID_CONFIG" and "conflict" in said
        assert broker.image.config(TOPIC, "t") == {"max.compaction.lag.ms": "10"}

    play(tmp_path, scenario)


@pytest.mark.parametrize("version", range(3))
def test_the_old_way_replaces_everything(tmp_path: Path, version: int) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t", configs={"retention.bytes": "7", "retention.ms": "7"})])
        configs = [alter_configs.AlterableConfig(name="retention.ms", value="5")]
        resources = [
            alter_configs.Resource(resource_type=TOPIC, resource_name="t", configs=configs),
            alter_configs.Resource(resource_type=TOPIC, resource_name="none", configs=configs),
            alter_configs.Resource(resource_type=BROKER_LOGGER, resource_name="1", configs=configs),
        ]
        response = await broker.ask(alter_configs.Request(resources=resources), version, key=REPLACE)
        assert [ErrorCode(one.error_code).name for one in response.responses] == [
            "NONE",
            "UNKNOWN_TOPIC_OR_PARTITION",
            "INVALID_REQUEST",
        ]
        assert broker.image.config(TOPIC, "t") == {"retention.ms": "5"}

    play(tmp_path, scenario)


def test_list(tmp_path: Path) -> None:
    async def scenario(broker: Control) -> None:
        await broker.admin.create_topics([NewTopic("t")])
        await alter(broker, CLIENT_METRICS, "m", ("metrics", 0, "*"))
        await alter(broker, GROUP, "g", ("consumer.session.timeout.ms", 0, "50000"))

        async def listed(*kinds: int, version: int = 1) -> list[tuple[int, str]]:
            request = list_config_resources.Request(resource_types=list(kinds) if version else [])
            response = await broker.ask(request, version, key=LIST)
            assert response.error_code == 0
            return [(one.resource_type, one.resource_name) for one in response.config_resources]

        everything = [(TOPIC, "t"), (BROKER, "1"), (BROKER_LOGGER, "1"), (CLIENT_METRICS, "m"), (GROUP, "g")]
        assert await listed() == everything
        for kind, name in everything:
            assert await listed(kind) == [(kind, name)]
        assert await listed(version=0) == [(CLIENT_METRICS, "m")]
        refused = await broker.ask(list_config_resources.Request(resource_types=[99]), 1, key=LIST)
        assert refused.error_code == ErrorCode.UNSUPPORTED_VERSION

    play(tmp_path, scenario)
