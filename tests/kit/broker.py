"""A broker without sockets: real partitions on a memory disk, an image made by hand, handlers called directly."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Mapping
from inspect import isawaitable
from types import SimpleNamespace
from typing import Any

from kafkawire import records as wire_records
from kafkawire.batches import headers
from pykafkad import api
from pykafkad.api.call import Call, Peer
from pykafkad.cluster.image import BROKER, TOPIC, BrokerImage, ClusterImage, PartitionImage, TopicImage
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.metrics import Metrics
from pykafkad.runtime.node import Node
from pykafkad.runtime.partition import TRANSACTIONAL, Partition
from pykafkad.runtime.partitions import Partitions
from pykafkad.runtime.producer_ids import ProducerIds
from pykafkad.state.fetch_sessions import FetchSessions
from pykafkad.storage.directory import LogDir
from tests.kit.disk import MemoryDisk
from tests.kit.loop import LoopClock

NODE_ID = 1
DATA = "/data"


def batch(*values: bytes | None, key: bytes | None = b"k", now: int | None = None, **settings: Any) -> bytearray:
    """One batch of records with these values."""
    settings.setdefault("timestamp", now if now is not None else LoopClock(asyncio.get_running_loop()).now_ms())
    return bytearray(wire_records.build([(key, value) for value in values], **settings))


def topic_id(name: str, generation: int = 0) -> bytes:
    return hashlib.sha256(f"{name} {generation}".encode()).digest()[:16]


class Broker:
    """Call inside a running (virtual) loop."""

    def __init__(
        self,
        *,
        disk: MemoryDisk | None = None,
        config: Config | None = None,
        dirs: tuple[str, ...] = (DATA,),
        offline: Mapping[str, str] | None = None,
        **topics: int,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = LoopClock(self.loop)
        self.disk = disk or MemoryDisk()
        self.dirs = dirs
        self.config = config or Config()
        self.metrics = Metrics()
        self.producer_id_blocks: list[range] = []
        self.log_dirs = [LogDir.open(self.disk, path, node_id=NODE_ID, cluster_id="cluster") for path in dirs]
        self.log_dir = self.log_dirs[0]
        self.partitions = Partitions(
            config=self.config,
            clock=self.clock,
            metrics=self.metrics,
            node_id=NODE_ID,
            log_dirs=self.log_dirs,
            offline=offline,
        )
        self.metadata = SimpleNamespace(image=ClusterImage())
        self.node = Node(
            node_id=NODE_ID,
            cluster_id="cluster",
            config=self.config,
            clock=self.clock,
            metrics=self.metrics,
            metadata=self.metadata,  # type: ignore[arg-type]
            partitions=self.partitions,
            groups=None,  # type: ignore[arg-type]
            transactions=None,  # type: ignore[arg-type]
            producer_ids=ProducerIds(lambda count: self.node.admin.next_producer_ids(count)),
            admin=SimpleNamespace(next_producer_ids=self._next_producer_ids),  # type: ignore[arg-type]
            fetch_sessions=FetchSessions(10, itertools.count(1).__next__),
        )
        self.topics: dict[str, TopicImage] = {}
        self.features = {"transaction.version": 2}
        self.configs: dict[tuple[int, str], Mapping[str, str]] = {}
        for name, count in topics.items():
            self.add(name, count)

    async def _next_producer_ids(self, count: int) -> range:
        await asyncio.sleep(0.01)
        first = sum(map(len, self.producer_id_blocks))
        self.producer_id_blocks.append(range(first, first + count))
        return self.producer_id_blocks[-1]

    # -- the cluster -------------------------------------------------------------------------------------------------

    def publish(self) -> ClusterImage:
        image = ClusterImage(
            revision=self.metadata.image.revision + 1,
            cluster_id="cluster",
            brokers={
                NODE_ID: BrokerImage(NODE_ID, 0, {"PLAINTEXT": ("", 0)}, None),
                2: BrokerImage(2, 0, {"PLAINTEXT": ("two", 9092)}, "r2"),
            },
            topics=dict(self.topics),
            configs=dict(self.configs),
            features=dict(self.features),
            controller_id=NODE_ID,
        )
        self.metadata.image = image
        self.partitions.apply(image)
        return image

    def add(
        self,
        name: str,
        count: int = 1,
        *,
        generation: int = 0,
        replicas: tuple[int, ...] = (NODE_ID,),
        isr: tuple[int, ...] | None = None,
        leader: int = NODE_ID,
        epoch: int = 0,
        **settings: str,
    ) -> None:
        """A topic appears or changes; settings with underscores for dots."""
        partition = PartitionImage(replicas, isr if isr is not None else replicas, leader, epoch, 0)
        self.topics[name] = TopicImage(name, topic_id(name, generation), (partition,) * count)
        self.configs[TOPIC, name] = {key.replace("_", "."): value for key, value in settings.items()}
        self.publish()

    def drop(self, name: str) -> None:
        del self.topics[name]
        self.configs.pop((TOPIC, name), None)
        self.publish()

    def set_broker(self, **settings: str) -> None:
        self.configs[BROKER, ""] = {key.replace("_", "."): value for key, value in settings.items()}
        self.publish()

    # -- asking ------------------------------------------------------------------------------------------------------

    def partition(self, topic: str, index: int = 0) -> Partition:
        found = self.partitions.get(topic, index)
        assert not isinstance(found, Refused), found
        return found

    def write(self, topic: str, *values: bytes, index: int = 0, acks: int = 1, **settings: Any) -> Any:
        """Append one batch; Appended or Refused."""
        return self.partition(topic, index).append(memoryview(batch(*values, **settings)), acks, self.clock.now_ms())

    def write_in_transaction(
        self,
        topic: str,
        *values: bytes,
        producer: tuple[int, int, int],
        index: int = 0,
        vouched: bool = True,
        **settings: Any,
    ) -> Any:
        """Append one batch of a transaction; ``producer``: id, epoch, sequence. Its coordinator vouches for it."""
        partition, now = self.partition(topic, index), self.clock.now_ms()
        producer_id, epoch, sequence = producer
        raw = batch(
            *values,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            transactional=True,
            **settings,
        )
        guard = partition.vouch(producer_id, epoch, sequence, now, epoch_bumps=False) if vouched else None
        if isinstance(guard, Refused):
            return guard
        return partition.append(memoryview(raw), 1, now, True, TRANSACTIONAL, guard)

    def end(
        self, topic: str, producer_id: int, epoch: int, *, commit: bool, index: int = 0, bumps: bool = False
    ) -> Any:
        """Write a transaction's marker."""
        return self.partition(topic, index).append_marker(producer_id, epoch, commit, 0, self.clock.now_ms(), bumps)

    def ask(self, request: Any, version: int, *, key: int, client_id: str = "test") -> Any:
        """What the handler returns: a response, a future of one, or None."""
        handler = api.load(key)
        assert handler is not None
        assert handler.min_version <= version <= handler.max_version, version
        peer = Peer(("client", 50000), ("broker", 9092), "PLAINTEXT", "User:ANONYMOUS")
        return handler.handle(Call(self.node, peer, key, version, client_id, self.clock.now_ms()), request)

    def door(self, key: int, version: int) -> Callable[[Any], Any]:
        """A handler with its call made before, for benchmarks."""
        handler = api.load(key)
        assert handler is not None
        peer = Peer(("client", 50000), ("broker", 9092), "PLAINTEXT", "User:ANONYMOUS")
        call, handle = Call(self.node, peer, key, version, "test", self.clock.now_ms()), handler.handle
        return lambda request: handle(call, request)

    async def answer(self, request: Any, version: int, *, key: int, client_id: str = "test") -> Any:
        result = self.ask(request, version, key=key, client_id=client_id)
        return await result if isawaitable(result) else result

    # -- ends --------------------------------------------------------------------------------------------------------

    async def restarted(self, offline: tuple[str, ...] = ()) -> Broker:
        """Stop cleanly, start again over the same disk and cluster, perhaps without some directories."""
        await self.partitions.stop()
        return self._without(offline) if offline else self._again()

    def crashed(self, *, power_cut: bool = False) -> Broker:
        """kill -9, or the power goes."""
        self.partitions.abandon()
        self.disk.crash() if power_cut else self.disk.kill()
        return self._again()

    def _again(self) -> Broker:
        return self._without(())

    def _without(self, offline: tuple[str, ...]) -> Broker:
        dirs = tuple(path for path in self.dirs if path not in offline)
        other = Broker(disk=self.disk, config=self.config, dirs=dirs, offline=dict.fromkeys(offline, "I/O error"))
        other.dirs = self.dirs
        other.topics, other.configs, other.features = self.topics, self.configs, self.features
        other.publish()
        return other


def records_of(data: Any) -> list[tuple[int, bytes | None]]:
    """(offset, value) of what a Fetch answer carries."""
    view = memoryview(data if isinstance(data, bytes | bytearray | memoryview) else data.read())
    return [
        (record.offset, record.value)
        for header in headers(view)
        for record in wire_records.iterate(view[header.position : header.position + header.length])
    ]
