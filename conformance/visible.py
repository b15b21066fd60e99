"""Everything that a client can see of a broker's data, as values that can be compared: batches byte for byte as they
are fetched, offsets by time, aborted transactions, producers, groups and their offsets, topics with ids, settings.

Leader epochs are left out where they stand for who leads now; those inside the batches count.
"""

from __future__ import annotations

import itertools
from typing import Any

from conformance.clients import eventually
from conformance.differential.wire import Connection, Nothing, read_answer
from kafkawire.api import (
    describe_configs,
    describe_groups,
    describe_producers,
    fetch,
    list_groups,
    list_offsets,
    metadata,
    offset_fetch,
    offset_for_leader_epoch,
)
from kafkawire.keys import API

KEYS = {api.module: api.key for api in API.values()}
TOPIC, BROKER = 2, 4
DYNAMIC = (1, 2, 3)  # sources of values that somebody set while the broker ran
EARLIEST, LATEST, MAX_TIMESTAMP = -2, -1, -3


class Eyes:
    """One connection to one broker."""

    def __init__(self, port: int) -> None:
        self._connection = Connection("127.0.0.1", port)

    def close(self) -> None:
        self._connection.close()

    def ask(self, api: str, version: int, request: Any) -> Any:
        self._connection.request(api, version, request)
        answer = read_answer(KEYS[api], version, self._connection.receive(20))
        assert not isinstance(answer, Nothing), f"{api} v{version}: {answer}"
        return answer

    def topics(self) -> dict[str, tuple[bytes, int]]:
        """Name -> id, number of partitions."""
        answer = self.ask("metadata", 12, metadata.Request(topics=None, allow_auto_topic_creation=False))
        return {topic.name: (topic.topic_id, len(topic.partitions)) for topic in answer.topics}

    def batches(self, topic: str, partition: int, start: int = 0, *, committed: bool = False) -> dict[str, Any]:
        """All batches from an offset on, and what the answers say beside them."""
        data, aborted = bytearray(), set()
        while True:
            wanted = fetch.Partition(partition=partition, fetch_offset=start, partition_max_bytes=1 << 20)
            request = fetch.Request(
                max_wait_ms=0,
                min_bytes=0,
                max_bytes=1 << 25,
                isolation_level=int(committed),
                topics=[fetch.Topic(topic=topic, partitions=[wanted])],
            )
            (answer,) = self.ask("fetch", 12, request).responses[0].partitions
            assert answer.error_code == 0, f"{topic}-{partition} from {start}: {answer.error_code}"
            aborted |= {(one.producer_id, one.first_offset) for one in answer.aborted_transactions or ()}
            got = bytes(answer.records or b"")
            position = 0
            while position + 61 <= len(got):
                length = 12 + int.from_bytes(got[position + 8 : position + 12], "big")
                if position + length > len(got):
                    break
                base = int.from_bytes(got[position : position + 8], "big")
                start = base + int.from_bytes(got[position + 23 : position + 27], "big") + 1
                position += length
            data += got[:position]
            if not position:
                said = {"high watermark": answer.high_watermark, "start": answer.log_start_offset}
                return {"bytes": bytes(data), "last stable": answer.last_stable_offset, "aborted": aborted, **said}

    def offsets(self, topic: str, partition: int, times: list[int]) -> list[tuple[int, ...]]:
        found = []
        for isolation, timestamp in itertools.product((0, 1), (EARLIEST, LATEST, MAX_TIMESTAMP, *times)):
            wanted = list_offsets.Partition(partition_index=partition, timestamp=timestamp)
            request = list_offsets.Request(
                replica_id=-1,
                isolation_level=isolation,
                topics=[list_offsets.Topic(name=topic, partitions=[wanted])],
            )
            (answer,) = self.ask("list_offsets", 8, request).topics[0].partitions
            found.append((isolation, timestamp, answer.error_code, answer.offset, answer.timestamp))
        return found

    def epoch_end(self, topic: str, partition: int, epoch: int) -> tuple[int, int]:
        wanted = offset_for_leader_epoch.OffsetForLeaderPartition(partition=partition, leader_epoch=epoch)
        asked = offset_for_leader_epoch.OffsetForLeaderTopic(topic=topic, partitions=[wanted])
        request = offset_for_leader_epoch.Request(replica_id=-1, topics=[asked])
        (answer,) = self.ask("offset_for_leader_epoch", 4, request).topics[0].partitions
        return answer.leader_epoch, answer.end_offset

    def producers(self, topic: str, partition: int) -> list[tuple[int, ...]]:
        asked = describe_producers.TopicRequest(name=topic, partition_indexes=[partition])
        (answer,) = self.ask("describe_producers", 0, describe_producers.Request(topics=[asked])).topics[0].partitions
        assert answer.error_code == 0
        return sorted(
            (p.producer_id, p.producer_epoch, p.last_sequence, p.last_timestamp, p.current_txn_start_offset)
            for p in answer.active_producers
        )

    def settings(self, kind: int, name: str) -> dict[str, str | None]:
        """What was set while the broker ran."""
        asked = describe_configs.Resource(resource_type=kind, resource_name=name, configuration_keys=None)
        (answer,) = self.ask("describe_configs", 4, describe_configs.Request(resources=[asked])).results
        assert answer.error_code == 0, answer.error_message
        return {one.name: one.value for one in answer.configs if one.config_source in DYNAMIC}

    def ready(self) -> bool:
        """Whether it leads all of its partitions and has loaded all of its groups: some come later after a crash."""
        topics = self.topics().items()
        return self.ask("list_groups", 5, list_groups.Request()).error_code == 0 and all(
            self.offsets(topic, number, [])[0][2] == 0 for topic, (_, count) in topics for number in range(count)
        )

    def groups(self) -> dict[str, Any]:
        found = {}
        for group in self.ask("list_groups", 5, list_groups.Request()).groups:
            (described,) = self.ask("describe_groups", 5, describe_groups.Request(groups=[group.group_id])).groups
            asked = offset_fetch.RequestGroup(group_id=group.group_id, topics=None)
            (offsets,) = self.ask("offset_fetch", 8, offset_fetch.Request(groups=[asked])).groups
            found[group.group_id] = (
                group.protocol_type,
                described.group_state,
                sorted(
                    (topic.name, p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata)
                    for topic in offsets.topics
                    for p in topic.partitions
                ),
            )
        return found


def everything(port: int, times: list[int]) -> dict[str, Any]:
    """A broker's data as its clients see it, by what it is about. ``times``: of which to ask for offsets, in ms."""
    eyes = Eyes(port)
    try:
        eventually(eyes.ready, "all partitions are led and all groups loaded", timeout=90)
        seen: dict[str, Any] = {"topics": eyes.topics(), "groups": eyes.groups(), "broker": eyes.settings(BROKER, "1")}
        for topic, (_, partitions) in sorted(seen["topics"].items()):
            seen[f"settings of {topic}"] = eyes.settings(TOPIC, topic)
            for number in range(partitions):
                where = f"{topic}-{number}"
                offsets = eyes.offsets(topic, number, times)
                start = offsets[0][3]
                seen[f"offsets of {where}"] = offsets
                seen[f"batches of {where}"] = eyes.batches(topic, number, start)
                seen[f"committed batches of {where}"] = eyes.batches(topic, number, start, committed=True)
                seen[f"epochs of {where}"] = eyes.epoch_end(topic, number, 0)
                seen[f"producers of {where}"] = eyes.producers(topic, number)
        return seen
    finally:
        eyes.close()


def different(wanted: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    """What is not the same, a line each."""
    return [
        f"{what}: {_short(wanted.get(what))} became {_short(seen.get(what))}"
        for what in sorted(wanted.keys() | seen.keys())
        if wanted.get(what) != seen.get(what)
    ]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 600 else f"{text[:400]}… {text[-200:]}"
