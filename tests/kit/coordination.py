"""A broker without sockets that coordinates: ``tests/kit/broker.py`` and the groups and transactions of a real node."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from kafkawire.errors import ErrorCode
from kafkawire.keys import API
from pykafkad.cluster.image import ClusterImage
from pykafkad.config import Config
from pykafkad.runtime.coordinators import OFFSETS_TOPIC, Groups
from pykafkad.runtime.markers import Marker, write_marker
from pykafkad.runtime.transactions import TRANSACTIONS_TOPIC, Transactions
from tests.kit.broker import NODE_ID, Broker
from tests.kit.disk import MemoryDisk

KEYS = {api.module: api.key for api in API.values()}


class GroupBroker(Broker):
    """With ``offsets`` partitions of the offsets topic and ``transactions`` of the other, or none of them yet."""

    groups: Groups

    def __init__(
        self,
        *,
        disk: MemoryDisk | None = None,
        config: Config | None = None,
        offsets: int = 0,
        transactions: int = 0,
        **topics: int,
    ) -> None:
        config = config or Config.load({"group.initial.rebalance.delay.ms": "0"})
        super().__init__(disk=disk, config=config)
        ids = itertools.count(1)
        self.groups = Groups(
            config=config,
            clock=self.clock,
            partitions=self.partitions,
            node_id=NODE_ID,
            draw_id=lambda: f"id{next(ids)}",
        )
        self.node.groups = self.groups
        self.transactions = self.node.transactions = Transactions(
            config=config,
            clock=self.clock,
            metrics=self.metrics,
            partitions=self.partitions,
            node_id=NODE_ID,
            producer_ids=self.node.producer_ids,
            write_marker=lambda *args: self.write_marker(*args),
        )
        self.node.admin = SimpleNamespace(  # type: ignore[assignment]
            ensure_internal_topic=self._ensure, next_producer_ids=self._next_producer_ids
        )
        self._before = self.metadata.image
        for name, count in topics.items():
            self.add(name, count)
        if offsets:
            self.add(OFFSETS_TOPIC, offsets, cleanup_policy="compact")
        if transactions:
            self.add(TRANSACTIONS_TOPIC, transactions, cleanup_policy="compact")

    def write_marker(self, topic: str, index: int, marker: Marker, now: int, done: Callable[[ErrorCode], None]) -> None:
        """As on a real node; a test may have partitions refuse."""
        write_marker(self.node, topic, index, marker, now, done)

    async def _ensure(self, name: str) -> Any:
        await asyncio.sleep(0.005)
        self.add(name, 50, cleanup_policy="compact")
        return self.topics[name]

    def publish(self) -> ClusterImage:
        old = self.metadata.image
        image = super().publish()
        if hasattr(self, "transactions"):
            self.groups.apply(old, image)
            self.transactions.apply(old, image)
        return image

    async def call(self, request: Any, version: int, client_id: str = "test") -> Any:
        """Ask and wait, whatever kind of answer it is."""
        answer = self.send(request, version, client_id)
        return await answer if asyncio.isfuture(answer) or asyncio.iscoroutine(answer) else answer

    def send(self, request: Any, version: int, client_id: str = "test") -> Any:
        module = type(request).__module__.rsplit(".", 1)[1]
        return self.ask(request, version, key=KEYS[module], client_id=client_id)

    async def restarted(self) -> GroupBroker:
        self.groups.stop()
        self.transactions.stop()
        await self.partitions.stop()
        return self._again()

    def crashed(self, *, power_cut: bool = False) -> GroupBroker:
        self.groups.stop()
        self.transactions.stop()
        other = super().crashed(power_cut=power_cut)
        assert isinstance(other, GroupBroker)
        return other

    def _again(self) -> GroupBroker:
        other = GroupBroker(disk=self.disk, config=self.config)
        other.topics, other.configs, other.features = self.topics, self.configs, self.features
        other.producer_id_blocks = self.producer_id_blocks
        other.metadata.image = ClusterImage()
        other.publish()
        return other
