"""Transactions on a broker that is killed at any moment: each is read in all of its partitions, or in none.

Two producers write to three partitions, one in each protocol. The process dies at the n-th change of its disk, for
every n; then the broker comes back over what is left, and the producers go on as clients do: one asks again for the
answer that it missed, the other one's process died as well, and a new one takes its name.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from kafkawire import records
from kafkawire.api import fetch, produce
from kafkawire.batches import headers
from kafkawire.errors import ErrorCode
from pykafkad.config import Config
from tests.kit.broker import batch
from tests.kit.coordination import GroupBroker
from tests.kit.disk import MemoryDisk
from tests.kit.loop import run
from tests.kit.producers import add, end, initialise

TOPIC, PARTITIONS = "t", 3
QUIET = {"group.initial.rebalance.delay.ms": "0"}
EVERY_WRITE_IS_SYNCED = {**QUIET, "log.flush.interval.messages": "1"}


class Dead(Exception):
    """The broker's process has ended; nobody was answered."""


class World:
    """A broker, its disk, and what its clients know."""

    def __init__(self, config: dict[str, str], seed: int) -> None:
        self.disk = MemoryDisk(seed)
        self.broker = GroupBroker(disk=self.disk, config=Config.load(config), transactions=2, t=PARTITIONS)
        self.outcomes: dict[str, bool | None] = {}  # of each transaction: committed, aborted, nobody knows
        self.where: dict[str, list[int]] = {}

    async def ask(self, question: Any) -> Any:
        """A request; Dead if the process ended before the answer."""
        answer = await asyncio.wait_for(asyncio.ensure_future(question), 5)
        await asyncio.sleep(0)
        if self.dead:
            raise Dead
        return answer

    @property
    def dead(self) -> bool:
        return self.disk.cut_after == 0

    def come_back(self, *, power_cut: bool) -> None:
        self.broker = self.broker.crashed(power_cut=power_cut)


class Client:
    """A transactional producer; ``bumping``: it speaks transaction version 2."""

    def __init__(self, world: World, name: str, *, bumping: bool) -> None:
        self.world = world
        self.name = name
        self.bumping = bumping
        self.who = (-1, -1)
        self.ending: tuple[tuple[int, int], str, bool] | None = None  # an EndTxn that wasn't answered
        self.sequences: dict[int, int] = {}
        self.numbers = itertools.count()

    async def init(self) -> None:
        for _ in range(20):
            code, *who = await self.world.ask(initialise(self.world.broker, self.name))
            if code == 0:
                self.who = (who[0], who[1])
                self.sequences.clear()
                return
            assert code in (ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), code
            await asyncio.sleep(0.05)
        raise AssertionError("the last transaction never ended")

    async def transact(self, *, commit: bool, size: int) -> None:
        world, name = self.world, f"{self.name}{next(self.numbers)}"
        world.outcomes[name] = False  # until an EndTxn is on its way, it can only be aborted
        world.where[name] = list(range(size))
        if not self.bumping:
            wanted = [(TOPIC, index) for index in range(size)]
            codes = await world.ask(add(world.broker, self.name, self.who, *wanted))
            assert set(codes.values()) == {0}, codes
        for index in range(size):
            await self._write(index, name.encode())
        self.ending = (self.who, name, commit)
        if commit:
            world.outcomes[name] = None
        await self._end()

    async def _write(self, index: int, value: bytes) -> None:
        sequence = self.sequences.get(index, 0)
        raw = batch(
            value,
            transactional=True,
            producer_id=self.who[0],
            producer_epoch=self.who[1],
            base_sequence=sequence,
        )
        request = produce.Request(
            transactional_id=self.name,
            acks=-1,
            timeout_ms=1000,
            topic_data=[
                produce.TopicProduceData(
                    name=TOPIC, partition_data=[produce.PartitionProduceData(index=index, records=memoryview(raw))]
                )
            ],
        )
        response = await self.world.ask(_call(self.world.broker, request, 12 if self.bumping else 11))
        [answer] = response.responses[0].partition_responses
        assert answer.error_code == 0, ErrorCode(answer.error_code).name
        self.sequences[index] = sequence + 1

    async def _end(self) -> None:
        assert self.ending is not None
        who, name, commit = self.ending
        for _ in range(20):
            version = 5 if self.bumping else 4
            code, *onwards = await self.world.ask(
                end(self.world.broker, self.name, who, commit=commit, version=version)
            )
            if code == 0:
                break
            assert code in (ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), code
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the end was never carried out")
        self.world.outcomes[name] = commit
        self.ending = None
        if self.bumping:
            self.who = (onwards[0], onwards[1])
            self.sequences.clear()

    async def go_on(self) -> None:
        """After the broker came back: ask again what became of the last transaction, if an EndTxn was on its way."""
        if self.ending is not None:
            await self._end()
        else:
            await self.init()


async def _call(broker: GroupBroker, request: Any, version: int) -> Any:
    return await broker.call(request, version)


async def read_committed(broker: GroupBroker, index: int) -> list[str]:
    """What a consumer of committed records is given, put together as consumers do it."""
    values: list[str] = []
    offset = 0
    while True:
        request = fetch.Request(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1 << 20,
            isolation_level=1,
            session_epoch=-1,
            topics=[
                fetch.Topic(
                    topic=TOPIC,
                    partitions=[fetch.Partition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)],
                )
            ],
        )
        response = await broker.call(request, 11)
        [part] = response.responses[0].partitions
        assert part.error_code == 0, ErrorCode(part.error_code).name
        assert part.last_stable_offset == part.high_watermark, "a transaction is open that nobody will end"
        data = bytes(part.records if isinstance(part.records, bytes | bytearray | memoryview) else part.records.read())
        if not data:
            return values
        coming = sorted(part.aborted_transactions or (), key=lambda one: one.first_offset)
        gone: set[int] = set()
        for header in headers(data):
            whole = data[header.position : header.position + header.length]
            while coming and coming[0].first_offset <= header.base_offset:
                gone.add(coming.pop(0).producer_id)
            if header.is_control:
                gone.discard(header.producer_id)
            elif header.producer_id not in gone:
                values += [(record.value or b"").decode() for record in records.iterate(whole)]
            offset = header.next_offset


async def scenario(config: dict[str, str], *, cut_after: int | None, power_cut: bool) -> int:
    """Two producers, a death after so many changes of the disk, and their recovery. How many changes there were."""
    world = World(config, seed=cut_after or 0)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # callbacks of a process that is dead
    forgetful, patient = Client(world, "old", bumping=False), Client(world, "new", bumping=True)
    for client in (forgetful, patient):
        await client.init()
        await client.transact(commit=True, size=PARTITIONS)
    begun = world.disk.changes
    world.disk.cut_after = cut_after
    try:
        await forgetful.transact(commit=True, size=2)
        await patient.transact(commit=False, size=PARTITIONS)
        await patient.transact(commit=True, size=2)
        await forgetful.transact(commit=False, size=1)
    except BaseException as death:
        if not world.dead:
            raise
        del death
    if cut_after is None:
        return world.disk.changes - begun
    world.come_back(power_cut=power_cut)
    await forgetful.init()  # another process under its name
    forgetful.ending = None
    await patient.go_on()
    for client in (forgetful, patient):
        await client.transact(commit=True, size=PARTITIONS)
    await asyncio.sleep(1)
    read = [await read_committed(world.broker, index) for index in range(PARTITIONS)]
    for name, committed in world.outcomes.items():
        found = [values.count(name) for values in read]
        whole = [int(index in world.where[name]) for index in range(PARTITIONS)]
        expected = [whole] if committed else [[0] * PARTITIONS] if committed is False else [whole, [0] * PARTITIONS]
        assert found in expected, (name, committed, found)
    return 0


@pytest.mark.parametrize(
    ("config", "power_cut"), [(QUIET, False), (EVERY_WRITE_IS_SYNCED, True)], ids=["kill", "power"]
)
def test_no_death_tears_a_transaction(config: dict[str, str], power_cut: bool) -> None:
    changes = run(scenario(config, cut_after=None, power_cut=power_cut))
    assert changes > 20
    for cut_after in range(changes):
        run(scenario(config, cut_after=cut_after, power_cut=power_cut))
