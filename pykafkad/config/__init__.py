"""Every setting, declared once: Kafka's broker, topic and group settings under Kafka's names, and a few of our own.

``setting.py`` is the vocabulary; ``server cluster logs coordinators security inherited`` are the broker's table by
subject; ``topics`` and ``groups`` are what a topic or a group may override; ``properties`` reads files, options and the
environment; ``document`` writes docs/settings.md.
"""

from __future__ import annotations

from pykafkad.config.broker import Config
from pykafkad.config.groups import GroupConfig, group_config
from pykafkad.config.listeners import Listener, advertised_listeners, listeners
from pykafkad.config.properties import Properties, from_environment, parse_overrides, parse_properties, read_properties
from pykafkad.config.setting import Kind, Secret, Setting, Update
from pykafkad.config.topics import TopicConfig, topic_config

__all__ = [
    "Config",
    "GroupConfig",
    "Kind",
    "Listener",
    "Properties",
    "Secret",
    "Setting",
    "TopicConfig",
    "Update",
    "advertised_listeners",
    "from_environment",
    "group_config",
    "listeners",
    "parse_overrides",
    "parse_properties",
    "read_properties",
    "topic_config",
]
