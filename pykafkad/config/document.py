"""Writes docs/settings.md from the declarations: ``python -m pykafkad.config.document > docs/settings.md``."""

from __future__ import annotations

from collections.abc import Iterator

from pykafkad.config.broker import Config
from pykafkad.config.cluster import ClusterSettings
from pykafkad.config.coordinators import CoordinatorSettings
from pykafkad.config.groups import GroupConfig
from pykafkad.config.inherited import InheritedSettings
from pykafkad.config.logs import LogSettings
from pykafkad.config.metrics import ClientMetricsConfig
from pykafkad.config.security import SecuritySettings
from pykafkad.config.server import ServerSettings
from pykafkad.config.setting import Setting, Settings
from pykafkad.config.topics import TopicConfig

_INTRODUCTION = """\
# Settings

Written by `make docs` from the declarations in `pykafkad/config/`; edit those.

Settings come from a `server.properties` file, from `--override key=value`, and from the environment, where
`KAFKA_LOG_RETENTION_MS` is `log.retention.ms` (`__` is an underscore, `___` a dash), as in Kafka's image. Keys and
meanings are Kafka's. An unknown key is a warning, a bad value stops the start.

*Change*: `read-only` needs a restart; `per-broker` and `cluster-wide` can be changed on a running broker
(`pykafkad configs`, `kafka-configs.sh`, any admin client).

Where a default differs from Kafka's: `listeners` is loopback, `log.dir` is `./pykafkad-data`, `node.id` is 1, and
`process.roles` may be left out. A replication factor of an internal topic that is left unset gives way to a cluster
with fewer brokers.
"""

_SECTIONS: tuple[tuple[str, str, type[Settings]], ...] = (
    ("Listeners, limits and the process", "", ServerSettings),
    ("Topics and their logs", "", LogSettings),
    ("Groups, offsets, transactions", "", CoordinatorSettings),
    ("A broker among others", "", ClusterSettings),
    ("Security", "", SecuritySettings),
    ("Known, without effect", "Their subject does not exist here; Kafka's files load all the same.", InheritedSettings),
    ("Topics", "What a topic may override; unset, the broker's key counts.", TopicConfig),
    ("Groups", "What a group may override, within the broker's bounds.", GroupConfig),
    ("Client metrics subscriptions", "", ClientMetricsConfig),
)


def document() -> str:
    parts = [_INTRODUCTION]
    for title, remark, table in _SECTIONS:
        level = "##" if issubclass(Config, table) else "## Overrides:"
        parts.append("\n".join([f"{level} {title}", "", *([remark, ""] if remark else []), *_rows(table), ""]))
    return "\n".join(parts)


def _rows(table: type[Settings]) -> Iterator[str]:
    of_brokers = issubclass(Config, table)
    last = "Change" if of_brokers else "Broker's key"
    yield f"| Key | Type | Default | Values | {last} | Meaning |"
    yield "|---|---|---|---|---|---|"
    for setting in table.SETTINGS.values():
        if setting.internal:
            continue
        rule = setting.rule.text if setting.rule is not None else ""
        tail = str(setting.update) if of_brokers else " ".join(f"`{key}`" for key in setting.server)
        cells = (f"`{setting.key}`", setting.kind.name.lower(), _default(setting), rule, tail, setting.meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "unset"
    text = setting.text(setting.default)
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    print(document(), end="")
