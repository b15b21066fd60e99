"""Describe and alter the settings of topics, brokers and groups.

Kafka's spelling works too: --alter --entity-type topics --entity-name NAME --add-config KEY=VALUE.
"""

from __future__ import annotations

import argparse
from typing import Any

from pykafkad.cli.client import Client, check
from pykafkad.cli.failures import Misused
from pykafkad.cli.options import add_connection, add_json, pairs, split_configs
from pykafkad.cli.tables import show

ACTIONS = ("describe", "alter")
RESOURCES = {"topics": 2, "brokers": 4, "client-metrics": 16, "groups": 32}
SOURCES = {
    1: "topic",
    2: "broker",
    3: "cluster-wide default",
    4: "server.properties",
    5: "default",
    6: "logger",
    7: "client metrics",
    8: "group",
}
OWN_SOURCES = {"topics": {1}, "brokers": {2, 3}, "client-metrics": {7}, "groups": {8}}
SET, DELETE = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.add_argument("--entity-type", choices=sorted(RESOURCES), help="what kind of thing")
        added.add_argument("--entity-name", metavar="NAME", help="which one; a broker's is its id")
        added.add_argument("--entity-default", action="store_true", help="the cluster-wide default of all brokers")
        added.add_argument("--topic", metavar="NAME", help="short for --entity-type topics --entity-name NAME")
        added.add_argument("--broker", metavar="ID", help="short for --entity-type brokers --entity-name ID")
        added.add_argument("--broker-defaults", action="store_true", help="--entity-type brokers --entity-default")
        added.add_argument("--group", metavar="NAME", help="short for --entity-type groups --entity-name NAME")
        add_connection(added)
        return added

    describe = action("describe", "what is set, and where")
    describe.add_argument("--all", action="store_true", help="what has its default, too")
    describe.add_argument("--documentation", action="store_true", help="and what each setting means")
    add_json(describe)

    alter = action("alter", "set and unset")
    alter.add_argument("--add-config", metavar="K=V,K2=[A,B]", default="", help="set these")
    alter.add_argument("--add-config-file", metavar="FILE", help="set what a properties file says")
    alter.add_argument("--delete-config", metavar="K,K2", default="", help="back to the default")
    alter.add_argument("--validate-only", action="store_true", help="check, change nothing")


def run(args: argparse.Namespace) -> int:
    kind, name = entity(args)
    with Client(args.bootstrap_server) as client:
        if args.action == "describe":
            names = [name] if name is not None else everything(client, kind)
            describe(client, args, kind, names)
        else:
            if name is None:
                raise Misused("which one? (--entity-name NAME)")
            alter(client, args, kind, name)
    return 0


def entity(args: argparse.Namespace) -> tuple[str, str | None]:
    """The kind and the name; None stands for all, a broker named "" for the default of all brokers."""
    given = [
        ("topics", args.topic),
        ("brokers", args.broker),
        ("groups", args.group),
        ("brokers", "" if args.broker_defaults else None),
    ]
    short = [(kind, name) for kind, name in given if name is not None]
    if len(short) + (args.entity_type is not None) != 1:
        raise Misused("of what? (--entity-type topics|brokers|groups, or one of --topic, --broker, --group)")
    if short:
        return short[0]
    if args.entity_default:
        if args.entity_type != "brokers":
            raise Misused("--entity-default is for brokers")
        return "brokers", ""
    return args.entity_type, args.entity_name


def everything(client: Client, kind: str) -> list[str]:
    if kind == "brokers":
        return [str(broker.node_id) for broker in client.metadata([]).brokers]
    if kind == "topics":
        return sorted(topic.name for topic in client.metadata().topics if not topic.error_code)
    from kafkawire.api import list_config_resources as api

    response = client.any().call(api.Request(resource_types=[RESOURCES[kind]]), at_least=1)
    check(response.error_code, kind)
    return sorted(resource.resource_name for resource in response.config_resources)


def describe(client: Client, args: argparse.Namespace, kind: str, names: list[str]) -> None:
    rows = []
    for name in names:
        for config in read_configs(client, kind, name, documentation=args.documentation):
            if not args.all and config.config_source not in OWN_SOURCES[kind] | ({4} if kind == "brokers" else set()):
                continue
            row = {
                "entity": name or "(default)",
                "key": config.name,
                "value": "(hidden)" if config.is_sensitive else config.value,
                "source": SOURCES.get(config.config_source, "unknown"),
                "read_only": config.read_only,
            }
            if args.documentation:
                row["documentation"] = config.documentation
            rows.append(row)
    columns = ["entity", "key", "value", "source", *(["documentation"] if args.documentation else [])]
    show(rows, as_json=args.json, columns=columns, empty="nothing is set here; --all shows the defaults, too")


def read_configs(client: Client, kind: str, name: str, *, documentation: bool = False) -> list[Any]:
    from kafkawire.api import describe_configs as api

    request = api.Request(
        resources=[api.Resource(resource_type=RESOURCES[kind], resource_name=name, configuration_keys=None)],
        include_documentation=documentation,
    )
    connection = client.broker(int(name)) if kind == "brokers" and name.isdigit() else client.any()
    [result] = connection.call(request).results
    check(result.error_code, name or "brokers' default", result.error_message)
    return sorted(result.configs, key=lambda config: str(config.name))


def alter(client: Client, args: argparse.Namespace, kind: str, name: str) -> None:
    from kafkawire.api import incremental_alter_configs as api

    wanted = pairs(split_configs(args.add_config), "--add-config")
    if args.add_config_file:
        from pykafkad.config import read_properties

        wanted = read_properties(args.add_config_file) | wanted
    unwanted = split_configs(args.delete_config)
    if not wanted and not unwanted:
        raise Misused("what? (--add-config K=V, --delete-config K)")
    changes = [api.AlterableConfig(name=key, config_operation=SET, value=value) for key, value in wanted.items()]
    changes += [api.AlterableConfig(name=key, config_operation=DELETE, value=None) for key in unwanted]
    resource = api.AlterConfigsResource(resource_type=RESOURCES[kind], resource_name=name, configs=changes)
    connection = client.broker(int(name)) if kind == "brokers" and name.isdigit() else client.controller()
    request = api.Request(resources=[resource], validate_only=args.validate_only)
    [result] = connection.call(request).responses
    check(result.error_code, name or "brokers' default", result.error_message)
    print(f"{'could change' if args.validate_only else 'changed'} {kind} {name or '(default)'}")
