"""Metadata: this broker's picture of the cluster, and its place in it.

It follows the store and publishes each new image to its subscribers, in order and one after the other; whoever is told
(old, new) sees every topic that changed as a different object. It registers this broker with the addresses it listens
on, keeps the lease that the registration hangs on, and takes the controller's seat when that is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pykafkad.cluster import keys
from pykafkad.cluster.image import BROKER, ClusterImage
from pykafkad.cluster.picture import apply, from_entries
from pykafkad.cluster.store import Changes, Store, StoreUnavailable, Transaction, Watch
from pykafkad.errors import ConfigError
from pykafkad.logs import log
from pykafkad.model import uuid_text
from pykafkad.runtime.config_rules import MIN_INSYNC

if TYPE_CHECKING:
    from pykafkad.config import Config

_FEATURES = {"metadata.version": 30, "transaction.version": 2}  # of a new cluster

Subscriber = Callable[[ClusterImage, ClusterImage], None]


class Metadata:
    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.image = ClusterImage()
        self.config = config  # with what was set at run time
        self.node_id = config.node_id
        self.lease = 0
        self._subscribers: list[Subscriber] = []
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._watch: Watch | None = None
        self._registration: tuple[str, Mapping[str, tuple[str, int]]] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._wanting_seat: asyncio.Task[None] | None = None
        self._silent = False

    async def start(self) -> None:
        """Read the store and follow it from here on. ``image.cluster_id`` is "" in a new cluster."""
        try:
            await self.store.open()
            snapshot = await self.store.range()
        except StoreUnavailable as error:
            raise ConfigError(f"cluster.store: {error}") from None
        self._watch = self.store.watch(snapshot.revision, self._on_changes)
        self._publish(from_entries(snapshot.revision, snapshot.entries))

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell of every image from now on; a subscriber that wants the current one reads ``image``."""
        self._subscribers.append(subscriber)

    async def register(self, cluster_id: str, directory_id: str, endpoints: Mapping[str, tuple[str, int]]) -> None:
        """Join the cluster under this broker's id, with the addresses of its listeners by name.

        Coming back under the same data directory is always possible, at once even after a crash; another process
        with the same id is refused.
        """
        self._registration = (directory_id, endpoints)
        await self._register(cluster_id)
        self._keeping = asyncio.get_running_loop().create_task(self._keep_lease())

    async def _register(self, cluster_id: str) -> None:
        assert self._registration is not None
        directory_id, endpoints = self._registration
        value = keys.write_broker(endpoints, self.config.broker_rack, directory_id)
        for _ in range(10):
            image = self.image
            there = image.brokers.get(self.node_id)
            if there is not None and there.directory != directory_id:
                raise ConfigError(f"node.id {self.node_id} is taken: another broker of this cluster runs under it")
            key = keys.broker(self.node_id)
            conditions = {key: image.revisions.get(key, 0)}
            puts: dict[str, bytes] = {}
            leased = {key: value}
            if not image.cluster_id:
                conditions[keys.CLUSTER] = 0
                puts[keys.CLUSTER] = keys.write({"id": cluster_id})
                puts[keys.FEATURES] = keys.write(_FEATURES)
                puts[keys.config(BROKER, "")] = keys.write({MIN_INSYNC: str(self.config.min_insync_replicas)})
            if image.controller_id in (-1, self.node_id):
                conditions[keys.CONTROLLER] = image.revisions.get(keys.CONTROLLER, 0)
                leased[keys.CONTROLLER] = keys.write({"broker": self.node_id})
            self.lease = await self.store.grant(self.config.broker_session_timeout_ms)
            revision = await self.store.commit(Transaction(conditions, puts, lease=self.lease, leased=leased))
            if revision is not None:
                await self.reached(revision)
                self._compare_min_insync()
                return
            await self.newer_than(image.revision)
        raise ConfigError(f"node.id {self.node_id} could not be registered: the cluster store changes too fast")

    def _compare_min_insync(self) -> None:
        """As in Kafka the file's value is the cluster's when the cluster begins, and never again (KIP-966)."""
        here, there = self.config.static.get(MIN_INSYNC), self.image.config(BROKER, "").get(MIN_INSYNC)
        if here is not None and there is not None and here.strip() != there:
            log.warning(f"{MIN_INSYNC} of the file doesn't count, the cluster has its own", file=here, cluster=there)

    async def stop(self) -> None:
        """Leave the cluster: the registration and the controller's seat go at once."""
        for task in (self._keeping, self._wanting_seat):
            if task is not None:
                task.cancel()
        self._keeping = None
        if self._watch is not None:
            self._watch.close()
        if self.lease:
            try:
                await self.store.revoke(self.lease)
            except StoreUnavailable as error:
                log.warning("could not leave the cluster", reason=str(error))
        await self.store.close()

    async def reached(self, revision: int) -> None:
        """Return when the own image has this revision."""
        if self.image.revision < revision:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, waiting))
            await waiting

    async def newer_than(self, revision: int) -> None:
        await self.reached(revision + 1)

    def answered(self, error: StoreUnavailable | None = None) -> None:
        """The store has answered, or has not: told when it ceases to and when it does again, not each time."""
        if error is not None and not self._silent:
            log.warning("the cluster store does not answer", reason=str(error))
        elif error is None and self._silent:
            log.info("the cluster store answers again")
        self._silent = error is not None

    def _on_changes(self, changes: Changes) -> None:
        self._publish(apply(self.image, changes))
        if self.image.controller_id == -1 and self.lease and self._wanting_seat is None:
            self._wanting_seat = asyncio.get_running_loop().create_task(self._take_seat())

    def _publish(self, image: ClusterImage) -> None:
        old, self.image = self.image, image
        default, own = image.config(BROKER, ""), image.config(BROKER, str(self.node_id))
        if default is not old.config(BROKER, "") or own is not old.config(BROKER, str(self.node_id)):
            self.config = self.config.with_dynamic(default, own)
        for subscriber in self._subscribers:
            subscriber(old, image)
        if self._waiting:
            due = [waiting for revision, waiting in self._waiting if revision <= image.revision]
            self._waiting = [entry for entry in self._waiting if entry[0] > image.revision]
            for waiting in due:
                if not waiting.done():
                    waiting.set_result(None)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self.config.broker_heartbeat_interval_ms / 1000)
            try:
                if not await self.store.renew(self.lease):
                    log.warning("lost the registration, taking it again", node=self.node_id)
                    await self._register(self.image.cluster_id)
                self.answered()
            except StoreUnavailable as error:
                self.answered(error)
            except ConfigError as error:
                log.error("cannot register again", reason=str(error))

    async def _take_seat(self) -> None:
        """Become the controller, unless somebody else was faster."""
        try:
            seat = {keys.CONTROLLER: keys.write({"broker": self.node_id})}
            await self.store.commit(Transaction({keys.CONTROLLER: 0}, lease=self.lease, leased=seat))
        except StoreUnavailable as error:
            self.answered(error)
        finally:
            self._wanting_seat = None


def new_uuid() -> bytes:
    """A random Uuid as Kafka makes them: not one of the reserved first hundred, no leading dash in its text form."""
    import os

    while True:
        made = bytearray(os.urandom(16))
        made[6] = made[6] & 0x0F | 0x40  # version 4
        made[8] = made[8] & 0x3F | 0x80
        if not uuid_text(bytes(made)).startswith("-"):
            return bytes(made)
