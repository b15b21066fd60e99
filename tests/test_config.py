"""Settings: where they come from, what is refused and in which words, what a topic or a group makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pykafkad.config import (
    Config,
    GroupConfig,
    Kind,
    Secret,
    TopicConfig,
    Update,
    advertised_listeners,
    from_environment,
    group_config,
    listeners,
    parse_overrides,
    parse_properties,
    read_properties,
    topic_config,
)
from pykafkad.config.setting import double_text
from pykafkad.errors import ConfigError

FACTS = Path(os.environ.get("KAFKA_TABLES", "/nowhere"))  # a folder with broker-configs.tsv and its sisters


def load(text: str) -> Config:
    return Config.load(parse_properties(text, "server.properties"))


# ---- tables ----


def test_every_setting_says_what_it_means() -> None:
    for table in (Config, TopicConfig, GroupConfig):
        for key, setting in table.SETTINGS.items():
            assert setting.key == key and getattr(table, setting.name) == setting.default
            assert setting.meaning.endswith(".") and 15 < len(setting.meaning) < 120, key
            if setting.default is not None and setting.kind is not Kind.PASSWORD:
                text = setting.text(setting.default)
                assert text is not None and setting.parse(text) == setting.default, key


OURS = {"node.id": "1", "listeners": "PLAINTEXT://127.0.0.1:9092", "log.dir": "./pykafkad-data"}
CHOSEN = {"process.roles", "controller.listener.names", "super.users"}  # Kafka requires them, or leaves them unset


@pytest.mark.skipif(not FACTS.exists(), reason="Kafka's own tables are not at hand")
@pytest.mark.parametrize(("name", "table"), [("broker", Config), ("topic", TopicConfig), ("group", GroupConfig)])
def test_types_defaults_and_bounds_are_kafkas(name: str, table: type[Config | TopicConfig | GroupConfig]) -> None:
    lines = (FACTS / f"{name}-configs.tsv").read_text().splitlines()
    columns = lines[0].split("\t")
    for line in lines[1:]:
        row = dict(zip(columns, line.split("\t"), strict=True))
        setting = table.SETTINGS[row["key"]]
        assert setting.kind.name == row["type"], row
        if row["key"] not in CHOSEN:
            default = OURS.get(row["key"], row["default"])
            said = "null" if setting.default is None else setting.text(setting.default) or '""'
            assert said == default, row
        if name == "broker":
            assert setting.update == Update(row["update_mode"].split(" ")[0]), row
        assert setting.internal == (row.get("internal", "no") == "yes"), row
        if "[" in row["valid_values"] and setting.rule is not None:
            assert setting.rule.text == row["valid_values"], row


# ---- properties files, options, environment ----


def test_the_syntax_of_properties_files() -> None:
    text = r"""
# a comment
! another = one
  plain=value
spaced   =   value with spaces {two}
colon:value
blank value
empty=
nothing
long=first, \
     second,\
     third
# a comment is not continued \
after=1
escaped\ key\=\:=tab\tnew\nline \u00e9 \\ \q
  even=two\\\\
odd=one\\\
  more
""".replace("{two}", " ")
    assert parse_properties(text) == {
        "plain": "value",
        "spaced": "value with spaces  ",
        "colon": "value",
        "blank": "value",
        "empty": "",
        "nothing": "",
        "long": "first, second,third",
        "after": "1",
        "escaped key=:": "tab\tnew\nline é \\ q",
        "even": "two\\\\",
        "odd": "one\\more",
    }


def test_line_ends_and_an_unfinished_last_line() -> None:
    assert parse_properties("a=1\r\nb=2\rc=3\\") == {"a": "1", "b": "2", "c": "3"}


def test_the_last_one_counts_and_places_are_known() -> None:
    found = parse_properties("a=1\n\na=2\n", "x.properties")
    assert found == {"a": "2"} and found.where == {"a": "x.properties:3"}


def test_a_broken_escape_names_its_line() -> None:
    with pytest.raises(ConfigError, match=r"x\.properties:2: malformed"):
        parse_properties("a=1\nb=\\u12", "x.properties")


def test_files_in_utf8_and_latin1(tmp_path: Path) -> None:
    (tmp_path / "u").write_bytes("\ufeffa=é".encode())
    (tmp_path / "l").write_bytes("a=é".encode("latin-1"))
    assert read_properties(str(tmp_path / "u")) == read_properties(str(tmp_path / "l")) == {"a": "é"}
    with pytest.raises(ConfigError, match="No such file"):
        read_properties(str(tmp_path / "none"))


def test_overrides() -> None:
    assert parse_overrides(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for bad in ("a", "=1"):
        with pytest.raises(ConfigError, match="expected key=value"):
            parse_overrides([bad])


def test_the_environment_as_kafkas_image_maps_it() -> None:
    assert from_environment(
        {
            "KAFKA_LOG_RETENTION_MS": "5",
            "KAFKA_MY__PLUGIN___KEY": "x",
            "KAFKA_HEAP_OPTS": "-Xmx1G",
            "KAFKA_JMX_PORT": "1",
            "KAFKA_LOG4J_ROOT_LOGLEVEL": "INFO",
            "PATH": "/bin",
        }
    ) == {"log.retention.ms": "5", "my_plugin-key": "x"}


def test_later_sources_go_first_and_say_where_they_are() -> None:
    properties = parse_properties("num.partitions=2\nnum.io.threads=3", "f")
    properties.update_from(parse_overrides(["num.partitions=0"]))
    with pytest.raises(ConfigError, match=r"num\.partitions: Value must be at least 1 \(--override\)"):
        Config.load(properties)


# ---- values ----


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("num.partitions=0", "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
        ("num.partitions=x", "Invalid value x for configuration num.partitions: Not a number of type INT"),
        ("num.partitions=3000000000", "Not a number of type INT"),
        ("offsets.topic.replication.factor=40000", "Not a number of type SHORT"),
        ("log.retention.ms=1_000", "Not a number of type LONG"),
        ("log.cleaner.min.cleanable.ratio=2", "Value must be no more than 1"),
        ("log.cleaner.min.cleanable.ratio=", "Not a number of type DOUBLE"),
        ("delete.topic.enable=yes", "Expected value to be either true or false"),
        ("log.cleanup.policy=delete,shred", "String must be one of: compact, delete"),
        ("log.cleanup.policy=delete,delete", "values must not be duplicated"),
        ("compression.type=lzma", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
        ("compression.gzip.level=0", "between 1 and 9 or equal to -1"),
        ("group.consumer.migration.policy=sideways", "(case insensitive)"),
        ("listeners=localhost:9092", "configuration listeners: expected NAME://host:port"),
        ("listeners=PLAINTEXT://:70000", "the port must be between 0 and 65535"),
        ("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "different name"),
        ("listeners=INSIDE://:1", "no protocol for INSIDE in listener.security.protocol.map"),
        ("listeners=", "at least one listener is needed"),
        ("listener.security.protocol.map=A:B", "A:B is not NAME:PROTOCOL"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:1", "name a routable one"),
        ("advertised.listeners=SSL://h:1", "SSL is not one of the listeners"),
        ("node.id=1\nbroker.id=2", "broker.id: differs from node.id, 1"),
        ("group.min.session.timeout.ms=5000000", "group.min.session.timeout.ms: must be between"),
        (
            "group.consumer.session.timeout.ms=1000",
            "group.consumer.session.timeout.ms: must be between 45000 and 60000",
        ),
        ("cluster.store=paper", "cluster.store: must be sqlite or sqlite:PATH"),
        ("http.listen=9644", "http.listen: expected host:port"),
    ],
)
def test_a_bad_value_is_one_line_with_key_value_and_reason(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    message = str(caught.value)
    assert line in message and "\n" not in message


def test_a_bad_secret_is_not_repeated() -> None:
    config = load("ssl.key.password=hunter2")
    assert isinstance(config.ssl_key_password, Secret) and config.ssl_key_password.reveal() == "hunter2"
    assert "hunter2" not in f"{config!r} {config.ssl_key_password} {config.ssl_key_password!r}"


def test_unknown_keys_are_kept_for_a_warning() -> None:
    config = load("b.key=1\na.key=2\nlistener.name.x.ssl.key.password=3\nnum.partitions=2")
    assert config.unknown == ("a.key", "b.key")


def test_a_file_for_kafka_loads() -> None:
    config = load(
        "process.roles=broker,controller\nnode.id=4\ncontroller.quorum.voters=4@localhost:9093\n"
        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
        "advertised.listeners=PLAINTEXT://kafka:9092,CONTROLLER://kafka:9093\nlog.dirs=/a, /b\n"
    )
    assert config.unknown == () and config.node_id == config.broker_id == 4
    assert [(one.name, one.host, one.port) for one in listeners(config)] == [("PLAINTEXT", "", 9092)]
    assert advertised_listeners(config)["PLAINTEXT"] == ("kafka", 9092)
    assert config.data_dirs == ("/a", "/b")


def test_defaults_of_our_own() -> None:
    config = load("")
    assert (config.node_id, config.data_dirs, config.http_listen) == (1, ("./pykafkad-data",), "127.0.0.1:9644")
    assert listeners(config) == (("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT"),)
    assert advertised_listeners(config) == {}
    assert load("broker.id=7").node_id == 7


def test_ipv6() -> None:
    assert listeners(load("listeners=PLAINTEXT://[::1]:0"))[0][:3] == ("PLAINTEXT", "::1", 0)


def test_configs_are_immutable_and_replaceable() -> None:
    config = load("num.partitions=2")
    with pytest.raises(AttributeError):
        config.num_partitions = 3
    other = config.replace(log_retention_ms=5)
    assert (other.num_partitions, other.topic_defaults.retention_ms) == (2, 5)
    assert (config.topic_defaults.retention_ms, config == other, config == load("num.partitions=2")) == (
        604_800_000,
        False,
        True,
    )
    with pytest.raises(TypeError, match="no_such"):
        Config(no_such=1)


def test_dynamic_settings_go_before_the_file() -> None:
    config = load("log.retention.ms=1\nnum.partitions=2\nnode.id=3")
    changed = config.with_dynamic({"log.retention.ms": "2", "max.connections": "7"}, {"log.retention.ms": "3"})
    assert (changed.log_retention_ms, changed.max_connections, changed.num_partitions, changed.node_id) == (3, 7, 2, 3)
    assert changed.is_set("max.connections") and not config.is_set("max.connections")
    assert changed.with_dynamic({}, {}).log_retention_ms == 1
    assert config.with_dynamic({"log.retention.ms": "nonsense"}, {}).log_retention_ms == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (0.0, "0.0"),
        (1e7, "1.0E7"),
        (2147483647.0, "2.147483647E9"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
    ],
)
def test_doubles_as_java_prints_them(value: float, text: str) -> None:
    assert double_text(value) == text and float(text) == value


# ---- topics and groups ----


@pytest.mark.parametrize(
    ("text", "retention_ms"),
    [
        ("", 604_800_000),
        ("log.retention.hours=2", 7_200_000),
        ("log.retention.hours=2\nlog.retention.minutes=3", 180_000),
        ("log.retention.hours=2\nlog.retention.minutes=3\nlog.retention.ms=4", 4),
        ("log.retention.hours=-1", -1),
    ],
)
def test_the_finest_unit_counts(text: str, retention_ms: int) -> None:
    assert topic_config(load(text), {}).retention_ms == retention_ms


def test_a_topic_overrides_its_broker() -> None:
    config = load("log.segment.bytes=2000000\nlog.cleanup.policy=compact\nlog.roll.hours=1")
    assert topic_config(config, {}) is topic_config(config, {})
    topic = topic_config(config, {"retention.ms": "5", "nonsense": "1", "segment.ms": "nonsense"})
    assert (topic.segment_bytes, topic.cleanup_policy, topic.retention_ms, topic.segment_ms) == (
        2_000_000,
        ("compact",),
        5,
        3_600_000,
    )
    assert topic.compacted and not TopicConfig(cleanup_policy=()).compacted
    assert TopicConfig(segment_bytes=1 << 20).segment_bytes == 1 << 20


def test_a_group_stays_within_the_brokers_bounds() -> None:
    config = load("group.consumer.session.timeout.ms=46000\ngroup.consumer.max.session.timeout.ms=50000")
    assert group_config(config, {}).consumer_session_timeout_ms == 46_000
    overrides = {"consumer.session.timeout.ms": "59000", "share.renew.acknowledge.enable": "false"}
    group = group_config(config, overrides)
    assert (group.consumer_session_timeout_ms, group.share_renew_acknowledge_enable) == (50_000, False)


@pytest.mark.parametrize(
    ("policy", "good"),
    [
        ("latest", True),
        ("by_duration:PT1H30M", True),
        ("by_duration:P1DT0.5S", True),
        ("by_duration:P", False),
        ("by_duration:PT", False),
        ("sometimes", False),
    ],
)
def test_where_a_share_group_begins(policy: str, good: bool) -> None:
    setting = GroupConfig.SETTINGS["share.auto.offset.reset"]
    if good:
        assert setting.parse(policy) == policy
    else:
        with pytest.raises(ValueError, match="latest, earliest"):
            setting.parse(policy)
