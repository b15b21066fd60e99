"""Configs as they are in effect, and where each value comes from: what DescribeConfigs and CreateTopics show.

A value is looked for in order: on the resource itself, set at run time for this broker, set at run time for all
brokers, in the broker's file, in the table of defaults. Each place where there is one is a synonym; the first wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import dropwhile
from typing import NamedTuple

from pykafkad.config import Config, GroupConfig, Setting, TopicConfig
from pykafkad.config.metrics import ClientMetricsConfig
from pykafkad.config.setting import Settings
from pykafkad.runtime.config_rules import changeable


class Source(IntEnum):
    """As DescribeConfigs numbers them."""

    UNKNOWN = 0
    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


class Synonym(NamedTuple):
    key: str
    value: str | None
    source: Source


class Shown(NamedTuple):
    key: str
    value: str | None
    source: Source
    read_only: bool
    sensitive: bool
    kind: int
    synonyms: tuple[Synonym, ...]
    meaning: str


# Keys that the broker table knows under several units; the finest that is set counts.
_FINER_FIRST = (
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
)
_CHAINS = {key: chain for chain in _FINER_FIRST for key in chain} | {
    "log.flush.interval.ms": ("log.flush.interval.ms", "log.flush.scheduler.interval.ms")
}

# Must be given in Kafka. Who gave it here as well doesn't see ours.
_DEFAULTS_OF_OURS = frozenset(("node.id",))


def topic(
    config: Config, overrides: Mapping[str, str], wanted: Collection[str] = (), *, created: bool = False
) -> list[Shown]:
    """A topic's configs as DescribeConfigs shows them, or as CreateTopics does, where Kafka's controller answers: it
    counts a coarser key of the broker's as the source, which a broker leaves out.
    """
    shown = []
    for setting in _chosen(TopicConfig, wanted):
        synonyms = _own(setting, overrides, Source.TOPIC)
        chained = _chained(config, setting.server)
        synonyms.extend(chained if created or not chained else _since(setting.server[0], chained))
        value = overrides[setting.key].strip() if setting.key in overrides else None
        if value is None:
            value = setting.text(getattr(config.topic_defaults, setting.name))
        shown.append(_shown(setting, value, synonyms, read_only=False))
    return shown


def group(config: Config, overrides: Mapping[str, str], wanted: Collection[str] = ()) -> list[Shown]:
    shown = []
    for setting in _chosen(GroupConfig, wanted):
        synonyms = _own(setting, overrides, Source.GROUP)
        synonyms.extend(_chained(config, setting.server))
        if not setting.server:
            synonyms.append(Synonym(setting.key, setting.text(setting.default), Source.DEFAULT))
        shown.append(_shown(setting, synonyms[0].value, synonyms, read_only=False))
    return shown


def client_metrics(overrides: Mapping[str, str], wanted: Collection[str] = ()) -> list[Shown]:
    shown = []
    for setting in _chosen(ClientMetricsConfig, wanted):
        synonyms = _own(setting, overrides, Source.CLIENT_METRICS)
        value = synonyms[0].value if synonyms else setting.text(setting.default)
        shown.append(_shown(setting, value, synonyms, read_only=False))
    return shown


def broker(config: Config, wanted: Collection[str] = ()) -> list[Shown]:
    """Every setting of this broker, and what it was given beyond the table."""
    shown = []
    for setting in _chosen(Config, wanted):
        synonyms = _since(setting.key, _chained(config, _CHAINS.get(setting.key, (setting.key,))))
        value = setting.text(getattr(config, setting.name))
        shown.append(_shown(setting, value, synonyms, not changeable(setting)))
    given = {**config.static, **config.dynamic_default, **config.dynamic_own}
    others = sorted(given.keys() - Config.SETTINGS.keys())
    shown.extend(_of_unknown_type(config, key) for key in others if not wanted or key in wanted)
    return shown


def brokers_default(overrides: Mapping[str, str], wanted: Collection[str] = ()) -> list[Shown]:
    """What was set for all brokers at run time."""
    shown = []
    for key in sorted(overrides):
        setting = Config.SETTINGS.get(key)
        if wanted and key not in wanted:
            continue
        if setting is None:
            entry = Synonym(key, None, Source.DYNAMIC_DEFAULT_BROKER)
            shown.append(Shown(key, None, entry.source, False, True, 0, (entry,), ""))
        else:
            value = None if setting.sensitive else overrides[key]
            entry = Synonym(key, value, Source.DYNAMIC_DEFAULT_BROKER)
            shown.append(_shown(setting, value, [entry], not changeable(setting)))
    return shown


def _chosen(table: type[Settings], wanted: Collection[str]) -> Iterator[Setting]:
    for setting in table.SETTINGS.values():
        if not setting.internal and (not wanted or setting.key in wanted):
            yield setting


def _own(setting: Setting, overrides: Mapping[str, str], source: Source) -> list[Synonym]:
    return [Synonym(setting.key, overrides[setting.key].strip(), source)] if setting.key in overrides else []


def _chained(config: Config, keys: Sequence[str]) -> list[Synonym]:
    """Where broker keys that stand for one another have values: by place, and in one place the finest unit first."""
    settings = [Config.SETTINGS[key] for key in keys]
    found: list[Synonym] = []
    for texts, source in _places(config):
        found.extend(
            Synonym(one.key, None if one.sensitive else texts[one.key], source) for one in settings if one.key in texts
        )
    for one in settings:
        if one.default is not None and not (found and one.key in _DEFAULTS_OF_OURS):
            found.append(Synonym(one.key, one.text(one.default), Source.DEFAULT))
    return found


def _places(config: Config) -> tuple[tuple[Mapping[str, str], Source], ...]:
    return (
        (config.dynamic_own, Source.DYNAMIC_BROKER),
        (config.dynamic_default, Source.DYNAMIC_DEFAULT_BROKER),
        (config.static, Source.STATIC_BROKER),
    )


def _since(key: str, synonyms: list[Synonym]) -> list[Synonym]:
    """Kafka tells nothing that comes before the key itself."""
    return list(dropwhile(lambda one: one.key != key, synonyms))


def _shown(setting: Setting, value: str | None, synonyms: list[Synonym], read_only: bool) -> Shown:
    source = synonyms[0].source if synonyms else Source.DEFAULT
    return Shown(
        setting.key, value, source, read_only, setting.sensitive, setting.kind, tuple(synonyms), setting.meaning
    )


def _of_unknown_type(config: Config, key: str) -> Shown:
    """A key of nobody's table may be a secret."""
    synonyms = tuple(Synonym(key, None, source) for texts, source in _places(config) if key in texts)
    return Shown(key, None, synonyms[0].source, False, True, 0, synonyms, "")
