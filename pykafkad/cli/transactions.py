"""List, describe and abort transactions, and see whom they keep waiting.

The words are those of kafka-transactions; held is ours: which producer holds back which partition, since when.
"""

from __future__ import annotations

import argparse
from typing import Any

from pykafkad.cli.client import TRANSACTION, BrokerRefused, Client, check
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.options import add_connection, add_json, merge
from pykafkad.cli.tables import show
from pykafkad.cli.transaction_reader import (
    Producer,
    active_producers,
    answered_for,
    describe_transaction,
    held_back,
    list_transactions,
    open_on,
    owners,
    partitions_of,
)

ACTIONS = ("list", "describe", "describe-producers", "held", "find-hanging", "abort")
MINUTE_MS = 60_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        add_connection(added)
        return added

    listing = action("list", "transactional ids and their states")
    listing.add_argument("--state", metavar="STATE,…", help="only these states, for instance Ongoing")
    listing.add_argument("--duration-filter", type=int, default=-1, metavar="MS", help="only what began so long ago")
    listing.add_argument("--transactional-id-pattern", metavar="REGEX", help="only ids that match as a whole")
    add_json(listing)

    describe = action("describe", "a transaction's producer, age and partitions")
    add_ids(describe)
    add_json(describe)

    producers = action("describe-producers", "who has written to a partition, and what is open there")
    add_partition(producers, required=True)
    producers.add_argument("--broker-id", type=int, metavar="ID", help="a replica to ask, instead of the leader")
    add_json(producers)

    held = action("held", "partitions where read_committed consumers wait: for which producer, since when")
    held.add_argument("--topic", action="append", metavar="TOPIC", help="only these; repeatable")
    add_json(held)

    hanging = action("find-hanging", "transactions open on partitions that no coordinator will end")
    add_partition(hanging, required=False)
    hanging.add_argument("--broker-id", type=int, metavar="ID", help="only what this broker leads")
    hanging.add_argument(
        "--max-transaction-timeout", type=int, default=15, metavar="MIN", help="the cluster's longest timeout (15)"
    )
    add_json(hanging)

    abort = action("abort", "end a transaction: by its id; or, if it hangs, by where it began on a partition")
    add_ids(abort)
    add_partition(abort, required=False)
    abort.add_argument("--start-offset", type=int, metavar="N", help="where the hanging transaction began")


def add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--transactional-id", action="append", metavar="ID", help="the same, in Kafka's spelling")


def add_partition(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--topic", required=required, metavar="TOPIC")
    parser.add_argument("--partition", type=int, required=required, metavar="N")


def run(args: argparse.Namespace) -> int:
    with Client(args.bootstrap_server) as client:
        RUN[args.action](client, args)
    return 0


def show_list(client: Client, args: argparse.Namespace) -> None:
    listed = list_transactions(
        client,
        states=[state for state in (args.state or "").split(",") if state],
        duration_ms=args.duration_filter,
        pattern=args.transactional_id_pattern,
    )
    rows = [
        {
            "transactional_id": one.transactional_id,
            "coordinator": one.coordinator,
            "producer_id": one.producer_id,
            "transaction_state": one.state,
        }
        for one in sorted(listed, key=lambda one: one.transactional_id)
    ]
    show(rows, as_json=args.json, empty="no transactions")


def describe(client: Client, args: argparse.Namespace) -> None:
    names = merge(args.ids, args.transactional_id)
    if not names:
        raise Misused("which transactional id?")
    rows = []
    for name in names:
        told = describe_transaction(client, name)
        begun = told.transaction_start_time_ms
        running = begun >= 0 and not told.transaction_state.startswith(("Complete", "Empty"))
        rows.append(
            {
                "transactional_id": name,
                "producer_id": told.producer_id,
                "producer_epoch": told.producer_epoch,
                "transaction_state": told.transaction_state,
                "transaction_timeout_ms": told.transaction_timeout_ms,
                "current_transaction_start_time_ms": begun if running else None,
                "transaction_duration_ms": max(0, client.now - begun) if running else None,
                "topic_partitions": [f"{topic.topic}-{index}" for topic in told.topics for index in topic.partitions],
            }
        )
    show(rows, as_json=args.json)


def describe_producers(client: Client, args: argparse.Namespace) -> None:
    [producers] = active_producers(client, [(args.topic, args.partition)], args.broker_id).values()
    rows = [
        {
            "producer_id": one.producer_id,
            "producer_epoch": one.producer_epoch,
            "latest_coordinator_epoch": one.coordinator_epoch,
            "last_sequence": one.last_sequence,
            "last_timestamp": one.last_timestamp,
            "current_transaction_start_offset": none_below_zero(one.current_txn_start_offset),
        }
        for one in sorted(producers, key=lambda one: one.producer_id)
    ]
    show(rows, as_json=args.json, empty="nobody has written there of late")


def held(client: Client, args: argparse.Namespace) -> None:
    behind = held_back(client, partitions_of(client, args.topic))
    producers = open_on(client, behind)
    known = owners(client, producers)
    rows = []
    for one in producers:
        stable, end = behind[one.topic, one.partition]
        transactional_id, told = known.get(one.producer_id, (None, None))
        answered = told is not None and answered_for(one, told)
        since = told.transaction_start_time_ms if answered else one.last_timestamp
        rows.append(
            {
                "topic": one.topic,
                "partition": one.partition,
                "last_stable_offset": stable,
                "waiting": end - stable,
                "start_offset": one.start_offset,
                "producer_id": one.producer_id,
                "producer_epoch": one.epoch,
                "transactional_id": transactional_id,
                "state": told.transaction_state if answered else "hanging",
                "seconds": max(0, client.now - since) / 1000,
            }
        )
    show(rows, as_json=args.json, empty="no partition keeps read_committed consumers waiting")


def find_hanging(client: Client, args: argparse.Namespace) -> None:
    if args.partition is not None and args.topic is None:
        raise Misused("--partition needs --topic")
    wanted = partitions_of(client, [args.topic] if args.topic else None)
    if args.partition is not None:
        wanted = [where for where in wanted if where == (args.topic, args.partition)]
    if args.broker_id is not None:
        leaders = client.leaders(sorted({topic for topic, _ in wanted}))
        wanted = [where for where in wanted if leaders.get(where) == args.broker_id]
    before = client.now - args.max_transaction_timeout * MINUTE_MS
    old = [one for one in open_on(client, wanted) if one.last_timestamp < before]
    known = owners(client, old)
    rows = []
    for one in old:
        transactional_id, told = known.get(one.producer_id, (None, None))
        if told is None or not answered_for(one, told):
            rows.append(hanging_row(one, transactional_id, client.now))
    show(rows, as_json=args.json, empty="no transaction hangs")


def hanging_row(one: Producer, transactional_id: str | None, now: int) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "partition": one.partition,
        "producer_id": one.producer_id,
        "producer_epoch": one.epoch,
        "coordinator_epoch": one.coordinator_epoch,
        "start_offset": one.start_offset,
        "last_timestamp": one.last_timestamp,
        "duration_minutes": max(0, now - one.last_timestamp) // MINUTE_MS,
        "transactional_id": transactional_id,
    }


def abort(client: Client, args: argparse.Namespace) -> None:
    names = merge(args.ids, args.transactional_id)
    hanging = (args.topic, args.partition, args.start_offset)
    if names and hanging == (None, None, None):
        for name in names:
            abort_by_id(client, name)
    elif not names and None not in hanging:
        abort_hanging(client, args.topic, args.partition, args.start_offset)
    else:
        raise Misused("which one? (a transactional id; or --topic, --partition and --start-offset of one that hangs)")


def abort_by_id(client: Client, transactional_id: str) -> None:
    """Take the id over, as a new producer of that name would: what was open is aborted, and its producer fenced."""
    from kafkawire.api import init_producer_id

    told = describe_transaction(client, transactional_id)
    if told.transaction_state != "Ongoing":
        raise CommandFailed(f"{transactional_id} has no transaction open ({told.transaction_state})")
    request = init_producer_id.Request(
        transactional_id=transactional_id, transaction_timeout_ms=told.transaction_timeout_ms
    )

    def ask() -> None:
        connection = client.coordinator(transactional_id, TRANSACTION)
        check(connection.call(request, at_most=5).error_code, transactional_id)

    client.patiently(ask)
    print(f"aborted {transactional_id}")


def abort_hanging(client: Client, topic: str, partition: int, start_offset: int) -> None:
    """Write the marker that no coordinator will send (KIP-664)."""
    from kafkawire.api import write_txn_markers as api

    one = next((each for each in open_on(client, [(topic, partition)]) if each.start_offset == start_offset), None)
    if one is None:
        raise CommandFailed(f"no transaction that is open on {topic}-{partition} began at {start_offset}")
    request = api.Request(
        markers=[
            api.WritableTxnMarker(
                producer_id=one.producer_id,
                producer_epoch=one.epoch,
                coordinator_epoch=max(one.coordinator_epoch, 0),
                transaction_result=False,
                topics=[api.WritableTxnMarkerTopic(name=topic, partition_indexes=[partition])],
            )
        ]
    )

    def ask() -> None:
        leader = client.leaders([topic]).get((topic, partition))
        if leader is None:
            raise CommandFailed(f"{topic}-{partition} has no leader now")
        # Version 2 speaks for a coordinator that raises epochs; this marker has the epoch of the producer itself.
        [marker] = client.broker(leader).call(request, at_most=1).markers
        check(marker.topics[0].partitions[0].error_code, f"{topic}-{partition}")

    try:
        client.patiently(ask)
    except BrokerRefused as refused:
        raise CommandFailed(f"{refused}; has its coordinator ended it in the meantime?") from None
    print(f"aborted what producer {one.producer_id} began at {topic}-{partition} {start_offset}")


def none_below_zero(offset: int) -> int | None:
    return None if offset < 0 else offset


RUN = {
    "list": show_list,
    "describe": describe,
    "describe-producers": describe_producers,
    "held": held,
    "find-hanging": find_hanging,
    "abort": abort,
}
