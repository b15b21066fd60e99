"""A group's committed offsets: read, move, forget. What ``groups reset-offsets`` would do is decided in ``targets``."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping
from typing import Any

from pykafkad.cli.client import Client, by_leader, by_topic, check
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.cli.options import topic_partitions

BY_NAME = 9  # the last version of OffsetFetch and OffsetCommit that names topics
LATEST, EARLIEST = -1, -2

Offsets = dict[tuple[str, int], int]


def committed(client: Client, group: str) -> Offsets:
    """All that a group has committed; it needn't exist."""
    from kafkawire.api import offset_fetch as api

    def ask() -> Offsets:
        request = api.Request(groups=[api.RequestGroup(group_id=group, topics=None)])
        [answer] = client.coordinator(group).call(request, at_least=8, at_most=BY_NAME).groups
        check(answer.error_code, group)
        return {
            (topic.name, partition.partition_index): partition.committed_offset
            for topic in answer.topics
            for partition in topic.partitions
            if not partition.error_code and partition.committed_offset >= 0
        }

    return client.patiently(ask)


def commit(client: Client, group: str, offsets: Offsets, *, generation: int = -1, member_id: str = "") -> None:
    """Commit for a member, or, with neither generation nor member, for a group that has none."""
    from kafkawire.api import offset_commit as api

    def ask() -> None:
        request = api.Request(
            group_id=group,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            topics=[
                api.RequestTopic(
                    name=topic,
                    partitions=[
                        api.RequestPartition(
                            partition_index=index, committed_offset=offsets[topic, index], committed_metadata=""
                        )
                        for index in indexes
                    ],
                )
                for topic, indexes in by_topic(offsets).items()
            ],
        )
        for topic in client.coordinator(group).call(request, at_most=BY_NAME).topics:
            for partition in topic.partitions:
                check(partition.error_code, f"{group}: {topic.name}-{partition.partition_index}")

    if offsets:
        client.patiently(ask)


def forget(client: Client, group: str, items: Iterable[str]) -> list[tuple[str, int]]:
    """Delete a group's offsets of ``topic`` or ``topic:0,1`` items."""
    from kafkawire.api import offset_delete as api

    wanted = selected(client, items)

    def ask() -> None:
        request = api.Request(
            group_id=group,
            topics=[
                api.RequestTopic(
                    name=topic, partitions=[api.RequestPartition(partition_index=index) for index in indexes]
                )
                for topic, indexes in by_topic(wanted).items()
            ],
        )
        response = client.coordinator(group).call(request)
        check(response.error_code, group)
        for topic in response.topics:
            for partition in topic.partitions:
                check(partition.error_code, f"{group}: {topic.name}-{partition.partition_index}")

    client.patiently(ask)
    return wanted


def waiting_since(client: Client, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """The timestamp of the first record that wasn't consumed yet, where it can be read."""
    from pykafkad.cli.reading import fetch

    leaders = client.leaders(sorted({topic for topic, _ in positions}))
    since = {}
    for node_id, mine in by_leader(positions, leaders).items():
        asked = {partition: positions[partition] for partition in mine}
        for fetched in fetch(client.broker(node_id), asked, max_wait_ms=0, partition_bytes=1):
            if fetched.messages:
                since[fetched.topic, fetched.partition] = fetched.messages[0].timestamp
        # A Fetch answers one oversized batch at most: the others are asked again, one by one.
        for partition in mine:
            if partition not in since:
                for fetched in fetch(client.broker(node_id), {partition: asked[partition]}, max_wait_ms=0):
                    if fetched.messages:
                        since[partition] = fetched.messages[0].timestamp
    return since


def plan_reset(client: Client, group: str, args: argparse.Namespace) -> Offsets:
    """Where ``reset-offsets`` would move each partition of a group."""
    current = committed(client, group)
    listed: Offsets = {}
    if args.from_file:
        listed = read_file(args.from_file, group)
    if args.topic:
        partitions = selected(client, args.topic)
    else:
        partitions = sorted(listed or current)
    listed = {partition: offset for partition, offset in listed.items() if partition in partitions}
    earliest = _offsets(client, partitions, EARLIEST)
    latest = _offsets(client, partitions, LATEST)
    found: Offsets = {}
    if args.to_datetime is not None:
        found = _offsets(client, partitions, args.to_datetime)
    elif args.by_duration is not None:
        found = _offsets(client, partitions, client.now - args.by_duration)
    wanted = targets(args, partitions, current=current, earliest=earliest, latest=latest, found=found, listed=listed)
    return {p: min(max(offset, earliest[p]), latest[p]) for p, offset in wanted.items()}


def targets(
    args: argparse.Namespace,
    partitions: Iterable[tuple[str, int]],
    *,
    current: Offsets,
    earliest: Offsets,
    latest: Offsets,
    found: Offsets,
    listed: Offsets,
) -> Offsets:
    """The offset that was asked for, partition by partition, before it is brought into what the log holds."""
    chosen: Offsets = {}
    for partition in partitions:
        if args.from_file:
            if partition in listed:
                chosen[partition] = listed[partition]
        elif args.to_earliest:
            chosen[partition] = earliest[partition]
        elif args.to_latest:
            chosen[partition] = latest[partition]
        elif args.to_current:
            chosen[partition] = current.get(partition, latest[partition])
        elif args.to_offset is not None:
            chosen[partition] = args.to_offset
        elif args.shift_by is not None:
            if partition not in current:
                raise CommandFailed(f"{partition[0]}-{partition[1]} can't be shifted: nothing is committed there")
            chosen[partition] = current[partition] + args.shift_by
        else:
            offset = found[partition]
            chosen[partition] = offset if offset >= 0 else latest[partition]
    return chosen


def selected(client: Client, items: Iterable[str]) -> list[tuple[str, int]]:
    """The partitions of ``topic`` or ``topic:0,1`` items; a partition that isn't there stops the command."""
    try:
        wanted = [topic_partitions(item) for item in items]
    except argparse.ArgumentTypeError as error:
        raise Misused(str(error)) from None
    known = by_topic(client.leaders(sorted({topic for topic, _ in wanted})))
    partitions = []
    for topic, indexes in wanted:
        if topic not in known:
            raise CommandFailed(f"no topic is called {topic}")
        missing = set(indexes or ()) - set(known[topic])
        if missing:
            raise CommandFailed(f"{topic} has no partition {min(missing)}")
        partitions += [(topic, index) for index in (known[topic] if indexes is None else indexes)]
    return sorted(set(partitions))


def read_file(path: str, group: str) -> Offsets:
    """``topic,partition,offset`` lines, or ``group,topic,partition,offset`` ones, of which only this group's count."""
    offsets: Offsets = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for number, line in enumerate(csv.reader(file), 1):
                if not line:
                    continue
                if len(line) == 4:
                    if line[0] != group:
                        continue
                    line = line[1:]
                try:
                    topic, partition, offset = line
                    offsets[topic.strip(), int(partition)] = int(offset)
                except ValueError:
                    raise CommandFailed(f"{path}, line {number}: not topic,partition,offset") from None
    except OSError as error:
        raise CommandFailed(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return offsets


def _offsets(client: Client, partitions: Iterable[tuple[str, int]], timestamp: int) -> Offsets:
    answers: dict[tuple[str, int], Any] = client.offsets(dict.fromkeys(partitions, timestamp))
    for (topic, index), answer in answers.items():
        check(answer.error_code, f"{topic}-{index}")
    return {partition: answer.offset for partition, answer in answers.items()}
