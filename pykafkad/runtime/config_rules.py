"""What may be set on a topic, a broker, a group or a metrics subscription, and what the result is.

Alterations are checked against one image and yield the new set of overrides, or a ``Refused`` with the code Kafka
uses: INVALID_CONFIG for a bad key or value of a topic or group, INVALID_REQUEST for a broker's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from kafkawire.errors import ErrorCode
from pykafkad.cluster.image import BROKER, CLIENT_METRICS, GROUP, TOPIC, ClusterImage
from pykafkad.config import Config, GroupConfig, Kind, Setting, TopicConfig, Update, topic_config
from pykafkad.config.groups import bounds
from pykafkad.config.metrics import ClientMetricsConfig, refuse_match
from pykafkad.errors import Refused

MAX_VALUE_LENGTH = 32_767
MIN_INSYNC = "min.insync.replicas"


# Kafka opens and closes listeners at run time; here they stay as the broker was started.
_FIXED_HERE = frozenset(("listeners", "listener.security.protocol.map"))


_POOLS = ("num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir", "background.threads")


class Op(IntEnum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Alteration(NamedTuple):
    """One change of one key."""

    key: str
    op: int
    value: str | None


def settings_of(resource_type: int) -> Mapping[str, Setting]:
    return {
        TOPIC: TopicConfig.SETTINGS,
        BROKER: Config.SETTINGS,
        GROUP: GroupConfig.SETTINGS,
        CLIENT_METRICS: ClientMetricsConfig.SETTINGS,
    }[resource_type]


def refuse_value(setting: Setting, text: str) -> str | None:
    """Why a text can't be the value of a setting."""
    try:
        setting.parse(text)
    except ValueError as error:
        shown = "[hidden]" if setting.sensitive else text
        if setting.kind is Kind.LIST and setting.rule is not None:
            shown = next((item.strip() for item in text.split(",") if setting.rule.refuse((item.strip(),))), shown)
        return f"Invalid value {shown} for configuration {setting.key}: {error}"
    return None


def refuse_topic_value(key: str, text: str) -> str | None:
    setting = TopicConfig.SETTINGS.get(key)
    if setting is None or setting.internal:
        return f"Unknown topic config name: {key}"
    if key == "remote.storage.enable" and text.strip().lower() == "true":
        return "There is no tiered storage here, so a topic can't have any."
    return refuse_value(setting, text)


def refuse_topic_values(config: Config, overrides: Mapping[str, str]) -> str | None:
    """Why values that are right one by one contradict each other."""
    topic = topic_config(config, overrides)
    least, most = topic.min_compaction_lag_ms, topic.max_compaction_lag_ms
    if least > most:
        return f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
    return None


def altered(
    image: ClusterImage,
    config: Config,
    resource_type: int,
    name: str,
    alterations: Sequence[Alteration],
    *,
    replace: bool = False,
) -> dict[str, str] | Refused:
    """The overrides of a resource after the alterations; ``replace`` begins with none, as AlterConfigs does."""
    found = [one.key for one in alterations]
    if len(set(found)) != len(found):
        return Refused(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    for one in alterations:
        if one.value is None and one.op != Op.DELETE:
            return Refused(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {one.key}")
        if one.value is not None and len(one.value) > MAX_VALUE_LENGTH:
            return Refused(ErrorCode.INVALID_CONFIG, f"The value of {one.key} is too long: {len(one.value)} characters")
        if one.op not in (0, 1, 2, 3):
            # Of brokers' settings a broker of Kafka's says so; over the others its controller stumbles.
            code = ErrorCode.INVALID_REQUEST if resource_type == BROKER else ErrorCode.UNKNOWN_SERVER_ERROR
            return Refused(code, f"Unknown operation {one.op} on {one.key}")
    if (refused := _refuse_resource(image, config, resource_type, name)) is not None:
        return refused
    result = {} if replace else dict(image.config(resource_type, name))
    for one in alterations:
        outcome = _apply(config, resource_type, name, result, one)
        if outcome is not None:
            return outcome
    if resource_type == TOPIC and (refused := _config(refuse_topic_values(config, result))) is not None:
        return refused
    if resource_type == BROKER:
        refused = _refuse_min_insync(image, name, alterations, result) or _refuse_threads(image, config, name, result)
        if refused is not None:
            return refused
    return result


def _refuse_min_insync(
    image: ClusterImage, name: str, alterations: Sequence[Alteration], result: Mapping[str, str]
) -> Refused | None:
    """A cluster that has a default of min.insync.replicas keeps one, and no broker gets its own (KIP-966)."""
    if MIN_INSYNC not in image.config(BROKER, ""):
        return None
    reason = None
    if not name and MIN_INSYNC not in result:
        reason = f"The cluster's {MIN_INSYNC} can be changed and not removed."
    elif name:
        left = MIN_INSYNC in image.config(BROKER, name)  # from before there was a default: it may go
        if any(one.key == MIN_INSYNC and not (left and one.op == Op.DELETE) for one in alterations):
            reason = f"{MIN_INSYNC} is the cluster's: a broker can't have its own."
    return _config(reason)


def _refuse_threads(image: ClusterImage, config: Config, name: str, result: Mapping[str, str]) -> Refused | None:
    """Kafka at most doubles or halves a pool of threads at a time; here that binds settings that do nothing, too."""
    default, own = image.config(BROKER, ""), image.config(BROKER, str(config.node_id))
    before = config.with_dynamic(default, own)
    after = config.with_dynamic(default, result) if name else config.with_dynamic(result, own)
    now, wanted = before.log_cleaner_threads, after.log_cleaner_threads
    reason = ""
    if wanted != now:
        if wanted < 1:
            reason = "Log cleaner threads should be at least 1"
        elif wanted < now // 2:
            reason = f"Log cleaner threads cannot be reduced to less than half the current value {now}"
        elif wanted > now * 2:
            reason = f"Log cleaner threads cannot be increased to more than double the current value {now}"
    for key in _POOLS:
        attribute = Config.SETTINGS[key].name
        now, wanted = getattr(before, attribute), getattr(after, attribute)
        if wanted != now and not reason:
            failed = f"Dynamic thread count update validation failed for {key}={wanted}, value should"
            if wanted < now // 2:
                reason = f"{failed} be at least half the current value {now}"
            elif wanted > now * 2:
                reason = f"{failed} not be greater than double the current value {now}"
    return Refused(ErrorCode.INVALID_REQUEST, reason) if reason else None


def _refuse_resource(image: ClusterImage, config: Config, resource_type: int, name: str) -> Refused | None:
    """Whether the resource can have configs."""
    from pykafkad.runtime.topic_rules import refuse_name

    invalid = ErrorCode.INVALID_REQUEST
    if resource_type == TOPIC:
        if not name:
            return Refused(invalid, "Default topic resources are not allowed.")
        if (refused := refuse_name(name)) is not None:
            return refused
        if name not in image.topics:
            return Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
    elif resource_type == BROKER:
        return refuse_broker_id(name, config.node_id) if name else None
    elif resource_type == GROUP:
        if not name:
            return Refused(invalid, "Default group resources are not allowed.")
    elif resource_type == CLIENT_METRICS:
        if not name:
            return Refused(invalid, "Subscription name can't be empty")
    else:
        return Refused(invalid, f"Unknown resource type {resource_type}")
    return None


def changeable(setting: Setting) -> bool:
    """Whether a broker setting can change at run time."""
    return setting.update is not Update.READ_ONLY and setting.key not in _FIXED_HERE


def refuse_broker_id(name: str, node_id: int) -> Refused | None:
    """A broker answers for its own configs only."""
    if not re.fullmatch(r"-?[0-9]{1,10}", name):
        return Refused(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
    if int(name) != node_id:
        return Refused(ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {node_id}, but received {name}")
    return None


def _apply(config: Config, resource_type: int, name: str, result: dict[str, str], one: Alteration) -> Refused | None:
    """One alteration, done to ``result``."""
    setting = settings_of(resource_type).get(one.key)
    if one.op == Op.DELETE:
        fixed = setting is not None and not changeable(setting)  # was never set here: nothing is deleted
        if resource_type == BROKER and not fixed and (refused := _refuse_broker_key(one.key, setting, name)):
            return refused
        result.pop(one.key, None)
        return None
    assert one.value is not None
    text = one.value
    if one.op in (Op.APPEND, Op.SUBTRACT):
        if setting is None or setting.kind is not Kind.LIST:
            verb = Op(one.op).name
            return Refused(ErrorCode.INVALID_CONFIG, f"Can't {verb} to key {one.key} because its type is not LIST.")
        text = _listed(config, resource_type, setting, result.get(one.key), one)
    if resource_type == BROKER:
        refused = _refuse_broker_key(one.key, setting, name) or _refuse_broker_value(setting, text)
    elif resource_type == TOPIC:
        refused = _config(refuse_topic_value(one.key, text))
    elif resource_type == GROUP:
        refused = _refuse_group_value(config, one.key, setting, text)
    else:
        refused = _refuse_metrics_value(one.key, setting, text)
    if refused is None:
        result[one.key] = text
    return refused


def _config(reason: str | None) -> Refused | None:
    return None if reason is None else Refused(ErrorCode.INVALID_CONFIG, reason)


def _listed(config: Config, resource_type: int, setting: Setting, current: str | None, one: Alteration) -> str:
    """The list with something appended or taken away; it begins as what is in effect now."""
    if current is not None:
        now = [item.strip() for item in current.split(",") if item.strip()]
    else:
        holder = config.topic_defaults if resource_type == TOPIC else config if resource_type == BROKER else None
        now = list((getattr(holder, setting.name) if holder is not None else setting.default) or ())
    items = [item.strip() for item in (one.value or "").split(",") if item.strip()]
    if one.op == Op.APPEND:
        now.extend(item for item in dict.fromkeys(items) if item not in now)
    else:
        now = [item for item in now if item not in items]
    return ",".join(now)


def _refuse_broker_key(key: str, setting: Setting | None, name: str) -> Refused | None:
    """Which broker keys can be altered at run time at all."""
    reason = ""
    if setting is None:
        return None  # a plugin's, or from a newer broker: kept as it is
    if not changeable(setting):
        reason = f"Cannot update these configs dynamically: [{key}]"
    elif key.startswith(("ssl.keystore.", "ssl.truststore.")) or key == "ssl.key.password":
        reason = (
            f"These security configs can be dynamically updated only per-listener using the listener prefix: [{key}]"
        )
    elif not name and setting.update is Update.PER_BROKER:
        reason = f"Cannot update these configs at default cluster level, broker id must be specified: [{key}]"
    return Refused(ErrorCode.INVALID_REQUEST, reason) if reason else None


def _refuse_broker_value(setting: Setting | None, text: str) -> Refused | None:
    reason = None if setting is None else refuse_value(setting, text)
    return Refused(ErrorCode.INVALID_REQUEST, reason) if reason else None


def _refuse_group_value(config: Config, key: str, setting: Setting | None, text: str) -> Refused | None:
    if setting is None:
        return Refused(ErrorCode.INVALID_CONFIG, f"Unknown group config name: {key}")
    if (reason := refuse_value(setting, text)) is not None:
        return Refused(ErrorCode.INVALID_CONFIG, reason)
    value = setting.parse(text)
    low, high = bounds(config, key)
    kind, _, rest = key.partition(".")
    rest = rest.removeprefix("num.")
    if low is not None and value < low:
        return Refused(ErrorCode.INVALID_CONFIG, f"{key} must be greater than or equal to group.{kind}.min.{rest}")
    if high is not None and value > high:
        return Refused(ErrorCode.INVALID_CONFIG, f"{key} must be less than or equal to group.{kind}.max.{rest}")
    return None


def _refuse_metrics_value(key: str, setting: Setting | None, text: str) -> Refused | None:
    if setting is None:
        return Refused(ErrorCode.INVALID_REQUEST, f"Unknown client metrics configuration: {key}")
    if key == "match" and (pattern := refuse_match(text)) is not None:
        return Refused(ErrorCode.INVALID_CONFIG, f"Illegal client matching pattern: {pattern}")
    reason = refuse_value(setting, text)
    return Refused(ErrorCode.INVALID_REQUEST, reason) if reason else None
