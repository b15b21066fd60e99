"""Config: all settings of one broker, from texts to typed values, and where each of them came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pykafkad.config.cluster import ClusterSettings
from pykafkad.config.coordinators import CoordinatorSettings
from pykafkad.config.inherited import InheritedSettings
from pykafkad.config.listeners import advertised_listeners, listeners
from pykafkad.config.logs import LogSettings
from pykafkad.config.security import SecuritySettings
from pykafkad.config.server import ServerSettings
from pykafkad.config.setting import Setting, parsed
from pykafkad.config.topics import TopicConfig, topic_defaults
from pykafkad.errors import ConfigError

# Settings of one listener or plugin; they are kept as they are and belong to whoever reads them.
_PREFIXES = ("listener.name.", "rlmm.config.", "rsm.config.", "authorizer.", "config.providers.")

_NOTHING: Mapping[str, str] = {}


class Config(ServerSettings, ClusterSettings, LogSettings, CoordinatorSettings, SecuritySettings, InheritedSettings):
    """Immutable: a change at run time is a new Config in ``node.config``."""

    static: Mapping[str, str]  # what the file, the command line and the environment said
    dynamic_default: Mapping[str, str]  # what was set for all brokers at run time
    dynamic_own: Mapping[str, str]  # what was set for this broker at run time
    unknown: tuple[str, ...]  # keys that nobody knows, for one warning

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        texts = (
            {s.key: s.text(values[s.name]) or "" for s in self.SETTINGS.values() if s.name in values} if values else {}
        )
        self.__dict__.update(static=texts, dynamic_default=_NOTHING, dynamic_own=_NOTHING, unknown=())

    @classmethod
    def load(cls, properties: Mapping[str, str]) -> Config:
        """Read texts by Kafka's keys. ConfigError is one line that names the key, the value and the reason."""
        config = cls()
        where: Mapping[str, str] = getattr(properties, "where", _NOTHING)
        values = parsed(cls.SETTINGS, properties, where)
        known = {key: text for key, text in properties.items() if key in cls.SETTINGS or key.startswith(_PREFIXES)}
        unknown = tuple(sorted(key for key in properties if key not in known))
        config.__dict__.update(values, static=known, unknown=unknown)
        config._agree()
        return config

    def with_dynamic(self, default: Mapping[str, str], own: Mapping[str, str]) -> Config:
        """The same broker under other run-time settings. They were checked when they came in: no errors here."""
        made = Config()
        made.__dict__.update(parsed(self.SETTINGS, self.static, _NOTHING))
        for texts in (default, own):
            for key, text in texts.items():
                if (setting := self.SETTINGS.get(key)) is not None:
                    try:
                        made.__dict__[setting.name] = setting.parse(text)
                    except ValueError:
                        continue
        made.__dict__.update(static=self.static, dynamic_default=default, dynamic_own=own, unknown=self.unknown)
        made._settle()
        return made

    def replace(self, **values: Any) -> Config:
        made = Config(**values)
        mine = {name: value for name, value in self.__dict__.items() if name in self.NAMES}
        made.__dict__.update({**mine, **values}, static={**self.static, **made.static}, unknown=self.unknown)
        made.__dict__.update(dynamic_default=self.dynamic_default, dynamic_own=self.dynamic_own)
        return made

    def is_set(self, key: str) -> bool:
        """Whether somebody chose this key's value, as opposed to its default."""
        return key in self.static or key in self.dynamic_default or key in self.dynamic_own

    @property
    def data_dirs(self) -> tuple[str, ...]:
        """The data directories: log.dirs, else log.dir."""
        return self.log_dirs or self.log_dir

    @property
    def all_cordoned(self) -> bool:
        """Whether no data directory takes new partitions."""
        cordoned = self.cordoned_log_dirs
        return "*" in cordoned or {os.path.abspath(path) for path in self.data_dirs} <= set(cordoned)

    @property
    def topic_defaults(self) -> TopicConfig:
        """The settings of a topic without overrides; one object however many topics share it."""
        found = self.__dict__.get("_topic_defaults")
        if found is None:
            found = self.__dict__["_topic_defaults"] = topic_defaults(self)
        assert isinstance(found, TopicConfig)
        return found

    def _settle(self) -> None:
        """Keys that stand for each other."""
        if "node_id" not in self.__dict__ and self.broker_id >= 0:
            self.__dict__["node_id"] = self.broker_id
        self.__dict__["broker_id"] = self.node_id

    def _agree(self) -> None:
        """Rules between keys."""
        if self.broker_id >= 0 and "node_id" in self.__dict__ and self.node_id != self.broker_id:
            raise ConfigError(
                f"Invalid value {self.broker_id} for configuration broker.id: differs from node.id, {self.node_id}"
            )
        self._settle()
        listeners(self)
        advertised_listeners(self)
        for low, value, high in _ORDERED:
            least, most = getattr(self, low), getattr(self, high)
            if not least <= getattr(self, value) <= most:
                key, text = value.replace("_", "."), getattr(self, value)
                raise ConfigError(f"Invalid value {text} for configuration {key}: must be between {least} and {most}")
        if self.cluster_store != "sqlite" and not self.cluster_store.startswith("sqlite:"):
            raise ConfigError(
                f"Invalid value {self.cluster_store} for configuration cluster.store: must be sqlite or sqlite:PATH"
            )
        if self.http_listen:
            _, colon, port = self.http_listen.rpartition(":")
            if not colon or not port.isdigit() or int(port) > 65535:
                raise ConfigError(f"Invalid value {self.http_listen} for configuration http.listen: expected host:port")


def _ordered() -> list[tuple[str, str, str]]:
    """Every (least, value, most) among the settings, e.g. group.consumer.{min.,,max.}session.timeout.ms."""
    names = Config.NAMES
    found = [("group_min_session_timeout_ms", "group_min_session_timeout_ms", "group_max_session_timeout_ms")]
    for name in sorted(names):
        value, most = name.replace("_min_", "_", 1), name.replace("_min_", "_max_", 1)
        if "_min_" in name and value in names and most in names:
            found.append((name, value, most))
    return found


_ORDERED = _ordered()


def broker_setting(key: str) -> Setting | None:
    return Config.SETTINGS.get(key)
