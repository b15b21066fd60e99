"""Brokers, and the APIs that they serve."""

from __future__ import annotations

import argparse
from typing import Any

from pykafkad.cli.client import Client, check
from pykafkad.cli.options import add_connection, add_json
from pykafkad.cli.tables import show, show_one

ACTIONS = ("describe", "api-versions", "cluster-id", "list-endpoints")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, about in (
        ("describe", "the cluster's id, its brokers, which one is the controller"),
        ("cluster-id", "the cluster's id alone"),
        ("list-endpoints", "the brokers alone"),
        ("api-versions", "the APIs of each broker and their versions"),
    ):
        added = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        add_connection(added)
        add_json(added)


def run(args: argparse.Namespace) -> int:
    with Client(args.bootstrap_server) as client:
        if args.action == "api-versions":
            api_versions(client, args.json)
        else:
            describe(client, args)
    return 0


def describe(client: Client, args: argparse.Namespace) -> None:
    from kafkawire.api import describe_cluster

    response = client.any().call(describe_cluster.Request())
    check(response.error_code, "cluster", response.error_message)
    brokers: list[dict[str, Any]] = [
        {
            "id": broker.broker_id,
            "host": broker.host,
            "port": str(broker.port),
            "rack": broker.rack,
            "controller": broker.broker_id == response.controller_id,
        }
        for broker in sorted(response.brokers, key=lambda broker: int(broker.broker_id))
    ]
    if args.action == "cluster-id":
        print(response.cluster_id)
    elif args.action == "list-endpoints":
        show(brokers, as_json=args.json)
    elif args.json:
        show_one({"cluster_id": response.cluster_id, "controller": response.controller_id, "brokers": brokers})
    else:
        print(f"cluster {response.cluster_id}")
        show(brokers, as_json=False)


def api_versions(client: Client, as_json: bool) -> None:
    from kafkawire.keys import API

    rows = []
    for broker in client.metadata([]).brokers:
        for key, (low, high) in sorted(client.broker(broker.node_id).versions.items()):
            name = API[key].name if key in API else "unknown here"
            rows.append({"broker": broker.node_id, "key": key, "api": name, "min": low, "max": high})
    show(rows, as_json=as_json)
