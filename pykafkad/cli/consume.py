"""Print a topic's records to the terminal, as they come; Ctrl-C ends it.

With --group this is a member of a consumer group that commits what it has printed; without, nobody notices.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafkawire.errors import ErrorCode
from pykafkad.cli.client import Client, Unreachable, by_leader, check
from pykafkad.cli.failures import Misused
from pykafkad.cli.lines import LinePrinter
from pykafkad.cli.membership import Membership
from pykafkad.cli.options import add_connection, merge, pairs
from pykafkad.cli.reading import Message, fetch
from pykafkad.clock import pause

LATEST, EARLIEST = -1, -2
MAX_WAIT_MS = 500
COMMIT_INTERVAL_MS = 5_000
ISOLATION = {"read_uncommitted": 0, "read_committed": 1}

Positions = dict[tuple[str, int], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="TOPIC")
    parser.add_argument("--topic", action="append", metavar="TOPIC", help="the same, in Kafka's spelling")
    parser.add_argument("--from-beginning", action="store_true", help="from the first record (or the group's offset)")
    parser.add_argument("--partition", type=int, metavar="N", help="this partition alone")
    parser.add_argument("--offset", metavar="N|earliest|latest", help="of --partition, from here")
    parser.add_argument("--max-messages", type=int, metavar="N", help="stop after so many")
    parser.add_argument("--timeout-ms", type=int, metavar="MS", help="stop when nothing came for so long")
    parser.add_argument("--group", metavar="NAME", help="read as a member of this group")
    parser.add_argument("--isolation-level", choices=list(ISOLATION), default="read_uncommitted")
    parser.add_argument(
        "--property", "--formatter-property", action="append", default=[], metavar="KEY=VALUE",
        help="print.timestamp, print.partition, print.offset, print.epoch, print.headers, print.key, print.value, "
        "key.separator, line.separator, headers.separator, null.literal; repeatable",
    )  # fmt: skip
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    names = merge(args.names, args.topic)
    if len(names) != 1:
        raise Misused("from which topic? (one)")
    if args.offset is not None and args.partition is None:
        raise Misused("--offset needs --partition")
    if args.group and args.partition is not None:
        raise Misused("--group and --partition exclude each other: the group says who has which partition")
    with Client(args.bootstrap_server) as client:
        output = Output(LinePrinter.of(pairs(args.property, "--property")), args.max_messages)
        isolation = ISOLATION[args.isolation_level]
        with Stop() as stop:
            go_on = patience(client, args.timeout_ms, output, stop)
            try:
                if args.group:
                    consume_as_member(client, args, names[0], output, isolation, go_on, stop)
                else:
                    consume_alone(client, args, names[0], output, isolation, go_on)
            except KeyboardInterrupt:
                pass
            finally:
                sys.stdout.flush()
                print(f"{output.count} records", file=sys.stderr)
    return 0


class Stop:
    """Ctrl-C and SIGTERM: between a record's line and its place in ``positions`` nothing may come, so they are only
    noted, and looked at after each Fetch. What may take long, and a second Ctrl-C, is interrupted at once.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False
        self._before: list[Any] = []

    def __enter__(self) -> Stop:
        self._before = [signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), self._before, strict=True):
            signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _on_signal(self, number: int, frame: object) -> None:
        if self.asked or self._at_once:
            raise KeyboardInterrupt
        self.asked = True


class Output:
    """Prints, counts, and knows when it is enough."""

    def __init__(self, printer: LinePrinter, most: int | None) -> None:
        self._printer = printer
        self._most = most
        self.count = 0

    @property
    def full(self) -> bool:
        return self._most is not None and self.count >= self._most

    def write(self, message: Message) -> None:
        sys.stdout.buffer.write(self._printer.line(message))
        self.count += 1


def patience(client: Client, timeout_ms: int | None, output: Output, stop: Stop) -> Callable[[], bool]:
    """A function that says whether to go on: not when nothing came for ``timeout_ms``."""
    seen, since = 0, client.now

    def go_on() -> bool:
        nonlocal seen, since
        if output.full or stop.asked:
            return False
        if output.count != seen:
            seen, since = output.count, client.now
        return timeout_ms is None or client.now - since < timeout_ms

    return go_on


def consume_alone(
    client: Client, args: argparse.Namespace, name: str, output: Output, isolation: int, go_on: Callable[[], bool]
) -> None:
    topic = client.topic(name)
    indexes = [partition.partition_index for partition in topic.partitions]
    if args.partition is not None:
        if args.partition not in indexes:
            raise Misused(f"{name} has no partition {args.partition}")
        indexes = [args.partition]
    partitions = [(name, index) for index in indexes]
    if args.offset not in (None, "earliest", "latest"):
        try:
            positions: Positions = dict.fromkeys(partitions, int(args.offset))
        except ValueError:
            raise Misused(f"--offset: {args.offset!r} is not a number, earliest or latest") from None
    else:
        first = args.from_beginning or args.offset == "earliest"
        positions = look_up(client, partitions, EARLIEST if first else LATEST)
    leaders = client.leaders([name])
    while go_on():
        leaders = advance(client, positions, leaders, output, isolation, args)


def consume_as_member(
    client: Client,
    args: argparse.Namespace,
    name: str,
    output: Output,
    isolation: int,
    go_on: Callable[[], bool],
    stop: Stop,
) -> None:
    client.topic(name)
    member = Membership(client, args.group, name)
    positions: Positions = {}
    leaders: dict[tuple[str, int], int] = {}
    stale = True
    commit_due = client.now + COMMIT_INTERVAL_MS
    try:
        while go_on():
            if stale:
                with stop.at_once():
                    positions = client.patiently(lambda: starting_positions(client, args, member))
                leaders = client.patiently(lambda: client.leaders([name]))
            if positions:
                leaders = advance(client, positions, leaders, output, isolation, args)
            else:
                pause(MAX_WAIT_MS / 1000)
            stale = not member.poll()
            if stale or client.now >= commit_due:
                member.commit(positions)
                commit_due = client.now + COMMIT_INTERVAL_MS
    finally:
        if not stale:
            member.commit(positions)
        member.leave()


def starting_positions(client: Client, args: argparse.Namespace, member: Membership) -> Positions:
    """Where the group is, or where it begins, in the partitions that this member has now."""
    assigned = member.join()
    committed = member.committed()
    new = [partition for partition in assigned if partition not in committed]
    return {**committed, **look_up(client, new, EARLIEST if args.from_beginning else LATEST)}


def advance(
    client: Client,
    positions: Positions,
    leaders: dict[tuple[str, int], int],
    output: Output,
    isolation: int,
    args: argparse.Namespace,
) -> dict[tuple[str, int], int]:
    """One Fetch from each leader, printed; positions move, and the leaders as they are known then are returned."""
    stale = False
    by_broker = by_leader(positions, leaders)
    for node_id, mine in by_broker.items():
        asked = {partition: positions[partition] for partition in mine}
        try:
            connection = client.broker(node_id)
            answers = fetch(connection, asked, max_wait_ms=MAX_WAIT_MS // len(by_broker), isolation_level=isolation)
        except Unreachable:
            stale = True
            continue
        for answer in answers:
            partition = (answer.topic, answer.partition)
            if answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE and args.offset is None:
                positions |= look_up(client, [partition], EARLIEST if args.from_beginning else LATEST)
                continue
            if answer.error_code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH):
                stale = True
                continue
            check(answer.error_code, f"{answer.topic}-{answer.partition}")
            for message in answer.messages:
                if output.full:
                    break
                output.write(message)
                positions[partition] = message.offset + 1
            else:
                positions[partition] = answer.next_offset
        sys.stdout.buffer.flush()
    if not stale:
        return leaders
    pause(0.1)
    return client.patiently(lambda: client.leaders(sorted({topic for topic, _ in positions})))


def look_up(client: Client, partitions: list[tuple[str, int]], timestamp: int) -> Positions:
    answers = client.offsets(dict.fromkeys(partitions, timestamp)) if partitions else {}
    for (topic, index), answer in answers.items():
        check(answer.error_code, f"{topic}-{index}")
    return {partition: answer.offset for partition, answer in answers.items()}
