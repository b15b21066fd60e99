"""A group's settings: its own overrides over the broker's defaults, within the broker's bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pykafkad.config.limits import OFFSET_RESET
from pykafkad.config.setting import Settings, at_least, boolean, integer, one_of, string

if TYPE_CHECKING:
    from pykafkad.config.broker import Config


class GroupConfig(Settings):
    consumer_assignment_interval_ms = integer(
        1000,
        "Least time between two assignments of this consumer group.",
        at_least(0),
        server=("group.consumer.assignment.interval.ms",),
    )
    consumer_heartbeat_interval_ms = integer(
        5000,
        "How often members of this consumer group are told to heartbeat.",
        at_least(1),
        server=("group.consumer.heartbeat.interval.ms",),
    )
    consumer_session_timeout_ms = integer(
        45_000,
        "A member of this consumer group that is silent for this long is removed.",
        at_least(1),
        server=("group.consumer.session.timeout.ms",),
    )
    share_assignment_interval_ms = integer(
        1000,
        "Least time between two assignments of this share group.",
        at_least(0),
        server=("group.share.assignment.interval.ms",),
    )
    share_auto_offset_reset = string("latest", "Where this share group begins to read a partition.", OFFSET_RESET)
    share_delivery_count_limit = integer(
        5,
        "How often a record is delivered to this share group before it is given up.",
        at_least(2),
        server=("group.share.delivery.count.limit",),
    )
    share_heartbeat_interval_ms = integer(
        5000,
        "How often members of this share group are told to heartbeat.",
        at_least(1),
        server=("group.share.heartbeat.interval.ms",),
    )
    share_isolation_level = string(
        "read_uncommitted",
        "Whether this share group sees records of open and aborted transactions.",
        one_of("read_committed", "read_uncommitted"),
    )
    share_partition_max_record_locks = integer(
        2000,
        "Most records of one partition that are out with this share group's consumers.",
        at_least(100),
        server=("group.share.partition.max.record.locks",),
    )
    share_record_lock_duration_ms = integer(
        30_000,
        "How long a consumer of this share group holds a record before others may get it.",
        at_least(1000),
        server=("group.share.record.lock.duration.ms",),
    )
    share_renew_acknowledge_enable = boolean(
        True, "Whether consumers of this share group may renew their hold on a record."
    )
    share_session_timeout_ms = integer(
        45_000,
        "A member of this share group that is silent for this long is removed.",
        at_least(1),
        server=("group.share.session.timeout.ms",),
    )
    streams_assignment_interval_ms = integer(
        1000,
        "Least time between two assignments of this streams group.",
        at_least(0),
        server=("group.streams.assignment.interval.ms",),
    )
    streams_heartbeat_interval_ms = integer(
        5000,
        "How often members of this streams group are told to heartbeat.",
        at_least(1),
        server=("group.streams.heartbeat.interval.ms",),
    )
    streams_initial_rebalance_delay_ms = integer(
        3000,
        "How long this streams group, when new, waits for more members before its first assignment.",
        at_least(0),
        server=("group.streams.initial.rebalance.delay.ms",),
    )
    streams_num_standby_replicas = integer(
        0,
        "Standby copies of each task of this streams group.",
        at_least(0),
        server=("group.streams.num.standby.replicas",),
    )
    streams_session_timeout_ms = integer(
        45_000,
        "A member of this streams group that is silent for this long is removed.",
        at_least(1),
        server=("group.streams.session.timeout.ms",),
    )


def bounds(config: Config, key: str) -> tuple[int | None, int | None]:
    """The broker's limits for a group key, e.g. group.consumer.min.session.timeout.ms and ….max.…."""
    kind, _, rest = key.partition(".")
    rest = rest.removeprefix("num.")  # group.streams.max.standby.replicas bounds streams.num.standby.replicas
    low, high = (f"group_{kind}_{end}_{rest}".replace(".", "_") for end in ("min", "max"))
    return getattr(config, low, None), getattr(config, high, None)


def group_config(config: Config, overrides: Mapping[str, str]) -> GroupConfig:
    """A group's settings; overrides that the broker's bounds have since outgrown are drawn back inside."""
    values = {}
    for setting in GroupConfig.SETTINGS.values():
        value = None
        if (text := overrides.get(setting.key)) is not None:
            try:
                value = setting.parse(text)
            except ValueError:
                value = None
        if value is None:
            for key in setting.server:
                value = getattr(config, key.replace(".", "_"))
        elif isinstance(value, int) and not isinstance(value, bool):
            low, high = bounds(config, setting.key)
            value = max(value, low) if low is not None else value
            value = min(value, high) if high is not None else value
        if value is not None and value != setting.default:
            values[setting.name] = value
    return GroupConfig(**values)
