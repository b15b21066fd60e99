"""List, describe and delete consumer groups, see how far they lag behind, move their offsets.

Kafka's spelling works too: --describe --group NAME for describe NAME.
"""

from __future__ import annotations

import argparse
from typing import Any

from pykafkad.cli import offsets
from pykafkad.cli.client import Client, check
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.group_reader import GroupView, list_groups, read_group
from pykafkad.cli.options import add_connection, add_json, merge, milliseconds_of_datetime, milliseconds_of_duration
from pykafkad.cli.tables import show

ACTIONS = ("list", "describe", "delete", "delete-offsets", "reset-offsets", "lag")

OFFSET_COLUMNS = [
    "group", "topic", "partition", "current_offset", "log_end_offset", "lag", "consumer_id", "host", "client_id",
]  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.add_argument("names", nargs="*", metavar="GROUP")
        added.add_argument("--group", action="append", metavar="GROUP", help="the same, in Kafka's spelling")
        if name != "list":
            added.add_argument("--all-groups", action="store_true", help="every group there is")
        add_connection(added)
        return added

    listing = action("list", "names of groups")
    listing.add_argument("--state", nargs="?", const="", metavar="STATE,…", help="show states, or only these states")
    listing.add_argument("--type", nargs="?", const="", metavar="TYPE,…", help="show types, or only these types")
    add_json(listing)

    describe = action("describe", "offsets and lag, members, or state")
    views = describe.add_mutually_exclusive_group()
    views.add_argument("--offsets", action="store_true", help="each partition's offset and lag (default)")
    views.add_argument("--members", action="store_true", help="who is in the group")
    views.add_argument("--state", action="store_true", help="the group's state and coordinator")
    describe.add_argument("--verbose", action="store_true", help="with --members, who has which partitions")
    add_json(describe)

    add_json(action("lag", "how far behind, in records and in seconds; without a name, all groups"))

    action("delete", "remove groups without members, and their offsets")

    deletion = action("delete-offsets", "forget a group's offsets of some topics")
    deletion.add_argument("--topic", action="append", required=True, metavar="TOPIC[:0,1]", help="repeatable")

    add_reset(action("reset-offsets", "move a group's offsets; shows what would happen unless --execute is given"))


def add_reset(reset: argparse.ArgumentParser) -> None:
    reset.add_argument("--topic", action="append", metavar="TOPIC[:0,1]", help="which partitions; repeatable")
    reset.add_argument("--all-topics", action="store_true", help="all that the group has committed")
    reset.add_argument("--dry-run", action="store_true", help="only show (the default)")
    reset.add_argument("--execute", action="store_true", help="do it")
    reset.add_argument("--export", action="store_true", help="print CSV, for --from-file")
    ways = reset.add_mutually_exclusive_group(required=True)
    ways.add_argument("--to-earliest", action="store_true", help="to the first record there is")
    ways.add_argument("--to-latest", action="store_true", help="to the end")
    ways.add_argument("--to-current", action="store_true", help="to where it is; to the end where nothing is committed")
    ways.add_argument("--to-offset", type=int, metavar="N", help="to this offset")
    ways.add_argument("--shift-by", type=int, metavar="N", help="N records forth, or back if negative")
    ways.add_argument(
        "--to-datetime", type=milliseconds_of_datetime, metavar="ISO", help="to what came since 2026-01-31T12:00:00"
    )
    ways.add_argument("--by-duration", type=milliseconds_of_duration, metavar="P1DT2H", help="that long ago")
    ways.add_argument("--from-file", metavar="CSV", help="to the offsets of topic,partition,offset lines")
    add_json(reset)


def run(args: argparse.Namespace) -> int:
    names = merge(args.names, args.group)
    with Client(args.bootstrap_server) as client:
        if args.action == "list":
            show_list(client, args, names)
            return 0
        if args.all_groups or (args.action == "lag" and not names):
            names = [group.group_id for group in list_groups(client)]
        elif not names:
            raise Misused("which group? (--all-groups for all)")
        RUN[args.action](client, args, names)
    return 0


def show_list(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    states = [state for state in (args.state or "").split(",") if state]
    types = [kind for kind in (args.type or "").split(",") if kind]
    rows = [
        {"group": group.group_id, "type": group.group_type, "protocol": group.protocol_type, "state": group.group_state}
        for group in sorted(list_groups(client, states, types), key=lambda group: group.group_id)
        if not names or group.group_id in names
    ]
    columns = ["group", *(["type"] if args.type is not None else []), *(["state"] if args.state is not None else [])]
    if args.json or len(columns) > 1:
        show(rows, as_json=args.json, columns=columns)
    else:
        for row in rows:
            print(row["group"])


def describe(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    for number, name in enumerate(names):
        view = read_group(client, name)
        if not args.json:
            if number:
                print()
            if not view.members and not args.state:
                print(f"group {name} has no active members ({view.state})")
        if args.members:
            show(member_rows(view, args.verbose), as_json=args.json)
        elif args.state:
            show([state_row(view)], as_json=args.json)
        else:
            rows = [row | position_owner(view, row) for row in position_rows(client, view)]
            show(rows, as_json=args.json, columns=OFFSET_COLUMNS, empty=f"group {name} has committed no offsets")


def lag(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    rows: list[dict[str, Any]] = []
    for name in names:
        view = read_group(client, name)
        found = position_rows(client, view)
        behind = {(row["topic"], row["partition"]): row["current_offset"] for row in found if row["lag"]}
        ages = offsets.waiting_since(client, behind)
        for row in found:
            since = ages.get((row["topic"], row["partition"]))
            seconds = None if row["lag"] is None else 0.0
            if since is not None:
                seconds = max(0, client.now - since) / 1000
            rows.append(row | {"lag_seconds": seconds})
    columns = ["group", "topic", "partition", "current_offset", "log_end_offset", "lag", "lag_seconds"]
    show(rows, as_json=args.json, columns=columns, empty="nothing is committed")


def delete(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    from kafkawire.api import delete_groups

    for name in names:

        def ask(name: str = name) -> None:
            [result] = client.coordinator(name).call(delete_groups.Request(groups_names=[name])).results
            check(result.error_code, name)

        client.patiently(ask)
        print(f"deleted {name}")


def delete_offsets(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    for name in names:
        for topic, index in offsets.forget(client, name, args.topic):
            print(f"deleted the offset of {topic}-{index} in {name}")


def reset_offsets(client: Client, args: argparse.Namespace, names: list[str]) -> None:
    if not (args.topic or args.all_topics or args.from_file):
        raise Misused("which topics? (--topic NAME or --all-topics)")
    plans = {name: offsets.plan_reset(client, name, args) for name in names}
    if args.execute:
        for name, plan in plans.items():
            view = read_group(client, name, required=False)
            if view.members:
                raise CommandFailed(f"{name} has members ({view.state}): stop them first, or they commit over it")
            offsets.commit(client, name, plan)
    elif not args.export and not args.json:
        print("Nothing is changed; --execute does it.")
    rows = [
        {"group": name, "topic": topic, "partition": index, "new_offset": offset}
        for name, plan in plans.items()
        for (topic, index), offset in sorted(plan.items())
    ]
    if args.export:
        for row in rows:
            first = [row["group"]] if len(names) > 1 else []
            print(",".join(str(cell) for cell in [*first, row["topic"], row["partition"], row["new_offset"]]))
    else:
        show(rows, as_json=args.json)


RUN = {
    "describe": describe,
    "lag": lag,
    "delete": delete,
    "delete-offsets": delete_offsets,
    "reset-offsets": reset_offsets,
}


def position_rows(client: Client, view: GroupView) -> list[dict[str, Any]]:
    """A row for each partition that the group has committed or that a member has."""
    committed = offsets.committed(client, view.name)
    partitions = sorted({*committed, *view.assigned})
    known = client.leaders(sorted({topic for topic, _ in partitions}))
    ends = client.offsets({partition: -1 for partition in partitions if partition in known})
    rows = []
    for topic, index in partitions:
        current = committed.get((topic, index))
        end = ends[topic, index].offset if (topic, index) in ends else None
        rows.append(
            {
                "group": view.name,
                "topic": topic,
                "partition": index,
                "current_offset": current,
                "log_end_offset": end,
                "lag": None if current is None or end is None else max(0, end - current),
            }
        )
    return rows


def position_owner(view: GroupView, row: dict[str, Any]) -> dict[str, Any]:
    member = view.assigned.get((row["topic"], row["partition"]))
    return {
        "consumer_id": member.member_id if member else None,
        "host": member.host if member else None,
        "client_id": member.client_id if member else None,
    }


def member_rows(view: GroupView, verbose: bool) -> list[dict[str, Any]]:
    return [
        {
            "group": view.name,
            "consumer_id": member.member_id,
            **({"instance_id": member.instance_id} if any(m.instance_id for m in view.members) else {}),
            "host": member.host,
            "client_id": member.client_id,
            "partitions": sum(len(indexes) for indexes in member.partitions.values()),
            **(
                {"assignment": [f"{topic}({','.join(map(str, i))})" for topic, i in sorted(member.partitions.items())]}
                if verbose
                else {}
            ),
        }
        for member in view.members
    ]


def state_row(view: GroupView) -> dict[str, Any]:
    return {
        "group": view.name,
        "coordinator": view.coordinator,
        "assignment_strategy": view.assignor,
        "state": view.state,
        "members": len(view.members),
    }
