"""A broker that dies at any change to its disk: what it had acknowledged, and what it had shown to anybody, is there.

Producers do as clients do: one request in flight for each partition, sent again with the same sequence until it is
answered. Topics that sync before they answer (``flush.messages=1``) must stand a power cut, others a kill.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kafkawire.api import fetch, produce
from tests.kit.broker import Broker, batch, records_of
from tests.kit.disk import Died, MemoryDisk
from tests.kit.loop import run

TOPIC = "t"
PARTITIONS = 2


@dataclass
class Writer:
    """An idempotent producer of numbers in one partition."""

    index: int
    answered: int = 0
    """So many numbers, from 0 on, are acknowledged."""
    pending: int = 0
    """So many more were sent and not answered."""
    seen: list[bytes] = field(default_factory=list)
    """What a consumer has been given."""

    def request(self) -> produce.Request:
        values = [b"%d" % number for number in range(self.answered, self.answered + self.pending)]
        data = batch(*values, producer_id=self.index + 7, producer_epoch=0, base_sequence=self.answered)
        part = produce.PartitionProduceData(index=self.index, records=memoryview(data))
        topic = produce.TopicProduceData(name=TOPIC, partition_data=[part])
        return produce.Request(acks=-1, timeout_ms=1_000, topic_data=[topic])

    async def send(self, broker: Broker, count: int) -> None:
        if not self.pending:
            self.pending = count
        answer = await broker.answer(self.request(), 9, key=0)
        (part,) = answer.responses[0].partition_responses
        if part.error_code == 0:
            assert part.base_offset == self.answered
            self.answered += self.pending
            self.pending = 0

    async def look(self, broker: Broker) -> None:
        """Fetch everything: what was there before is there still, and all that was acknowledged."""
        found: list[bytes | None] = []
        while True:
            asked = fetch.Partition(partition=self.index, fetch_offset=len(found), partition_max_bytes=1 << 20)
            topic = fetch.Topic(topic=TOPIC, partitions=[asked])
            answer = await broker.answer(fetch.Request(max_wait_ms=0, topics=[topic]), 11, key=1)
            (part,) = answer.responses[0].partitions
            assert part.error_code == 0
            if not part.records:
                break
            found += [value for offset, value in records_of(part.records) if offset >= len(found)]
        assert found == [b"%d" % number for number in range(len(found))]
        assert self.answered <= len(found) <= self.answered + self.pending
        assert len(found) >= len(self.seen), "what a consumer has read is gone"
        self.seen = [value or b"" for value in found]


STEP = st.one_of(
    st.tuples(st.just("send"), st.lists(st.integers(0, 3), min_size=PARTITIONS, max_size=PARTITIONS)),
    st.tuples(st.just("send"), st.lists(st.integers(0, 3), min_size=PARTITIONS, max_size=PARTITIONS)),
    st.tuples(st.just("look")),
    st.tuples(st.just("sleep"), st.sampled_from((0.5, 6, 90))),
    st.tuples(st.just("arm"), st.integers(0, 25)),
    st.tuples(st.just("die")),
    st.tuples(st.just("stop")),
)


def _a_death_is_no_news(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Died):
        loop.default_exception_handler(context)


async def live(disk: MemoryDisk, power: bool, steps: list[tuple[Any, ...]]) -> None:
    asyncio.get_running_loop().set_exception_handler(_a_death_is_no_news)
    writers = [Writer(index) for index in range(PARTITIONS)]
    broker = Broker(disk=disk)
    broker.add(TOPIC, PARTITIONS, flush_messages="1" if power else str((1 << 63) - 1), segment_ms="20000")
    broker.partitions.start()

    async def restart() -> None:
        nonlocal broker
        broker = broker.crashed(power_cut=power and disk.random.random() < 0.6)
        broker.partitions.start()
        for writer in writers:
            await writer.look(broker)

    for step, *arguments in [*steps, ("die",)]:
        try:
            match step:
                case "send":
                    counts = [(writer, count) for writer, count in zip(writers, *arguments, strict=True) if count]
                    sending = [asyncio.ensure_future(writer.send(broker, count)) for writer, count in counts]
                    for outcome in await asyncio.gather(*sending, return_exceptions=True):
                        if isinstance(outcome, BaseException):
                            raise outcome
                case "look":
                    for writer in writers:
                        await writer.look(broker)
                case "sleep":
                    await asyncio.sleep(*arguments)
                case "arm":
                    (disk.cut_after,) = arguments
                case "stop":
                    await broker.partitions.stop()
                    broker = broker._again()
                    broker.partitions.start()
                case _:
                    raise Died
        except Died:
            await restart()
        if disk.dead:
            await restart()
    for writer in writers:
        if writer.pending:
            await writer.send(broker, 0)
            assert not writer.pending
        await writer.look(broker)


@settings(max_examples=60, derandomize="FUZZ" not in os.environ)
@given(st.integers(0, 1 << 30), st.booleans(), st.lists(STEP, min_size=3, max_size=25))
def test_any_life_of_a_broker(seed: int, power: bool, steps: list[tuple[Any, ...]]) -> None:
    run(live(MemoryDisk(seed), power, steps))


def test_a_repeated_request_is_not_acknowledged_before_its_records_are_synced() -> None:
    """Killed between write and sync, the broker finds the records in the page cache; then the power goes."""

    async def main(changes: int, seed: int) -> None:
        asyncio.get_running_loop().set_exception_handler(_a_death_is_no_news)
        broker = Broker(disk=MemoryDisk(seed))
        broker.add(TOPIC, flush_messages="1")
        writer = Writer(0)
        broker.disk.cut_after = changes
        try:
            await writer.send(broker, 1)
        except Died:
            broker = broker.crashed()
            await writer.send(broker, 0)
            broker = broker.crashed(power_cut=True)
        await writer.look(broker)

    for changes in range(3, 10):
        for seed in range(5):
            run(main(changes, seed))
