"""The composition root: builds everything one broker is made of, starts it in order, stops it in reverse.

    broker = await Broker.start(config)      several may live in one process, and in one loop
    broker.bootstrap                         host:port of its first listener
    await broker.stop()

Order of a start: take the ports (a taken one must be told before anything is touched), read the cluster store, take the
data directories, register, and only then let clients in. Logs are opened when they are asked for, or in the background.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pykafkad import __version__
from pykafkad.clock import Clock, SystemClock, stopwatch
from pykafkad.cluster.engines import store_for
from pykafkad.cluster.image import ClusterImage
from pykafkad.config.listeners import advertised_listeners, listeners
from pykafkad.errors import ConfigError, StorageFailed
from pykafkad.logs import log
from pykafkad.metrics import Metrics
from pykafkad.model import uuid_text
from pykafkad.net.dispatch import Dispatcher
from pykafkad.net.listener import Door, Server, bind, bracketed
from pykafkad.runtime.admin import Admin
from pykafkad.runtime.cleaner import Cleaner
from pykafkad.runtime.coordinators import Groups
from pykafkad.runtime.flusher import Flusher
from pykafkad.runtime.housekeeping import Calendar
from pykafkad.runtime.markers import write_marker
from pykafkad.runtime.metadata import Metadata
from pykafkad.runtime.node import Node
from pykafkad.runtime.partitions import Partitions
from pykafkad.runtime.producer_ids import ProducerIds
from pykafkad.runtime.rounds import Here, InProcess
from pykafkad.runtime.transactions import Transactions
from pykafkad.state.fetch_sessions import FetchSessions
from pykafkad.storage.directory import LogDir
from pykafkad.storage.disk import Disk, RealDisk, open_files
from pykafkad.storage.pool import Pool

if TYPE_CHECKING:
    from pykafkad.config import Config
    from pykafkad.ops.http import Http

DRAIN_SECONDS = 1.5  # how long a stop waits for requests in progress

STARTING, RUNNING, STOPPING = 1, 3, 6  # Kafka's numbers of a broker's states


class Broker:
    """One running broker."""

    def __init__(self, config: Config, clock: Clock, disk: Disk) -> None:
        self.config = config
        self.state = STARTING
        self.metrics = Metrics()
        self.http: Http | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Resolved, with the reason, when nothing is left to serve from: whoever runs the broker should stop it."""
        self._begun = stopwatch()
        self._clock = clock
        self._disk = disk
        self._files = Pool(disk.max_open_files)
        self._doors: list[Door] = []
        self._log_dirs: list[LogDir] = []
        self._offline: dict[str, str] = {}
        self._metadata: Metadata | None = None
        self._calendar: Calendar | None = None
        self._cleaner: Cleaner | None = None
        self.node: Node
        self.server: Server

    @classmethod
    async def start(cls, config: Config, *, clock: Clock | None = None, disk: Disk | None = None) -> Broker:
        """A broker that serves. ConfigError, and nothing left behind, if it can't."""
        broker = cls(config, clock or SystemClock(), disk or RealDisk())
        try:
            await broker._start()
        except BaseException:
            await broker._give_up()
            raise
        return broker

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        config = self.config
        self._doors = [bind(listener) for listener in listeners(config)]
        if config.http_listen:
            await self._start_http(config.http_listen)
        self._metadata = metadata = Metadata(store_for(config, self._clock), config)
        await metadata.start()
        cluster_id = self._open_directories(metadata.image.cluster_id or None)
        await metadata.register(cluster_id, uuid_text(self._log_dirs[0].directory_id), self._endpoints())

        config = metadata.config
        self._calendar = calendar = Calendar()
        partitions = Partitions(
            config=config,
            clock=self._clock,
            metrics=self.metrics,
            node_id=config.node_id,
            log_dirs=self._log_dirs,
            offline=self._offline,
            flusher=Flusher(),
            calendar=calendar,
        )
        partitions.on_no_disk = self._no_disk
        groups = Groups(config=config, clock=self._clock, partitions=partitions, node_id=config.node_id)
        admin = Admin(metadata)
        producer_ids = ProducerIds(admin.next_producer_ids)
        transactions = Transactions(
            config=config,
            clock=self._clock,
            metrics=self.metrics,
            partitions=partitions,
            node_id=config.node_id,
            producer_ids=producer_ids,
            write_marker=lambda *args: write_marker(self.node, *args),
        )
        self.node = node = Node(
            node_id=config.node_id,
            cluster_id=cluster_id,
            config=config,
            clock=self._clock,
            metrics=self.metrics,
            metadata=metadata,
            partitions=partitions,
            groups=groups,
            transactions=transactions,
            producer_ids=producer_ids,
            admin=admin,
            fetch_sessions=FetchSessions(
                config.max_incremental_fetch_session_cache_slots,
                lambda: int.from_bytes(os.urandom(4), "big") >> 1 or 1,
            ),
            listeners={door.listener.name: (door.listener.host, door.port) for door in self._doors},
        )
        partitions.apply(metadata.image)
        groups.apply(ClusterImage(), metadata.image)
        transactions.apply(ClusterImage(), metadata.image)
        metadata.subscribe(self._cluster_changed)
        partitions.start()
        disk = self._disk
        self._cleaner = Cleaner(
            config=config,
            clock=self._clock,
            metrics=self.metrics,
            partitions=partitions,
            rounds=InProcess if isinstance(disk, RealDisk) else lambda: Here(disk),
        )
        self._cleaner.start()
        calendar.every(config.offsets_retention_check_interval_ms, lambda: groups.expire_offsets(self._clock.now_ms()))
        calendar.every(
            config.transaction_abort_timed_out_transaction_cleanup_interval_ms,
            lambda: transactions.abort_overdue(self._clock.now_ms()),
        )
        calendar.every(
            config.transaction_remove_expired_transaction_cleanup_interval_ms,
            lambda: transactions.expire(self._clock.now_ms()),
        )
        dispatcher = Dispatcher(loop, node, self.metrics)
        self.server = Server(loop, config, self._clock, self.metrics, dispatcher)
        self.server.start(self._doors)
        self.state = RUNNING

    def _open_directories(self, cluster_id: str | None) -> str:
        """Take the data directories; the cluster's id, from the store or from them."""
        failed: dict[str, str] = {}
        for path in map(os.path.abspath, self.config.data_dirs):  # as AlterReplicaLogDirs has to name them
            try:
                opened = LogDir.open(
                    self._disk, path, node_id=self.config.node_id, cluster_id=cluster_id, files=self._files
                )
            except StorageFailed as failure:
                failed[failure.log_dir] = failure.reason
                continue
            twin = next((one for one in self._log_dirs if one.directory_id == opened.directory_id), None)
            self._log_dirs.append(opened)
            if twin is not None:
                raise ConfigError(f"log.dirs: {twin.path} and {path} have the same directory.id: one is a copy")
            cluster_id = opened.cluster_id
        if not self._log_dirs or cluster_id is None:
            reasons = "; ".join(f"{path}: {reason}" for path, reason in failed.items())
            raise ConfigError(f"log.dirs: no usable data directory ({reasons})")
        for path, reason in failed.items():
            log.error("log directory is offline", directory=path, reason=reason)
        self._offline = failed
        return cluster_id

    def _no_disk(self) -> None:
        if not self.lost.done():
            self.lost.set_result("every log directory has failed")

    def _endpoints(self) -> dict[str, tuple[str, int]]:
        """What other brokers and clients are told; host "" stands for whatever address the client reached."""
        told = advertised_listeners(self.config)
        return {door.listener.name: told.get(door.listener.name, ("", door.port)) for door in self._doors}

    def _cluster_changed(self, old: ClusterImage, new: ClusterImage) -> None:
        node = self.node
        if node.config is not node.metadata.config:
            node.config = self.server.config = node.metadata.config
            if self._cleaner is not None:
                self._cleaner.configure(node.config)
        node.partitions.apply(new)
        node.groups.apply(old, new)
        node.transactions.apply(old, new)

    async def _start_http(self, listen: str) -> None:
        from pykafkad.ops.pages import pages

        self.http = pages(self)
        await self.http.start(listen)

    # ---- what it says of itself ----

    @property
    def bootstrap(self) -> str:
        """What a client on this machine connects to."""
        door = self._doors[0]
        host = door.listener.host
        return bracketed("127.0.0.1" if host in ("", "0.0.0.0", "::") else host, door.port)

    def log_start(self) -> None:
        """The one line of a start, and what was odd about the settings."""
        log.info(
            "broker started",
            version=__version__,
            node=self.node.node_id,
            cluster=self.node.cluster_id,
            listeners=",".join(map(str, self._doors)),
            data=",".join(one.path for one in self._log_dirs),
            http=self.http.address if self.http is not None else "off",
            open_files=open_files(),
            open_segments=self._files.limit,
            took_ms=round((stopwatch() - self._begun) * 1000),
        )
        if self.config.unknown:
            log.warning("settings that nobody knows", keys=",".join(self.config.unknown))

    # ---- the end ----

    async def stop(self) -> None:
        """Accept nobody, answer what is in flight, make everything durable, leave the cluster."""
        if self.state == STOPPING:
            return
        self.state = STOPPING
        self.server.close_listeners()
        self.node.partitions.sync_ahead()
        await self.server.drain(DRAIN_SECONDS)
        assert self._calendar is not None
        self._calendar.stop()
        if self._cleaner is not None:
            await self._cleaner.stop()
        self.node.groups.stop()
        self.node.transactions.stop()
        await self.node.partitions.stop()
        await self.node.metadata.stop()
        if self.http is not None:
            await self.http.stop()

    async def _give_up(self) -> None:
        """A start failed: release what it had taken."""
        self.state = STOPPING
        if self._calendar is not None:
            self._calendar.stop()
        if self._cleaner is not None:
            await self._cleaner.stop()
        for door in self._doors:
            door.sock.close()
        if self._metadata is not None:
            await self._metadata.stop()
        _release(self._log_dirs)
        if self.http is not None:
            await self.http.stop()


def _release(log_dirs: Sequence[LogDir]) -> None:
    for log_dir in log_dirs:
        try:
            log_dir.close(clean=log_dir.clean)
        except StorageFailed as failure:
            log.error("data directory not closed cleanly", directory=failure.log_dir, reason=failure.reason)
