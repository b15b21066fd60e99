"""A broker's control plane on a real store: metadata, admin and handlers, without partitions, groups or sockets."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kafkawire import codec
from pykafkad import api
from pykafkad.api.call import Call, Peer
from pykafkad.cluster.image import ClusterImage
from pykafkad.cluster.sqlite import SqliteStore
from pykafkad.config import Config
from pykafkad.metrics import Metrics
from pykafkad.model import uuid_text
from pykafkad.runtime.admin import Admin
from pykafkad.runtime.metadata import Metadata
from pykafkad.runtime.node import Node
from pykafkad.runtime.producer_ids import ProducerIds
from pykafkad.state.fetch_sessions import FetchSessions
from tests.kit.loop import LoopClock, run

CLUSTER_ID = "kit-cluster"


class Control:
    """One broker of a cluster whose store lies in ``folder``."""

    def __init__(self, folder: Path, config: Config | None = None) -> None:
        self.config = config or Config.load({})
        self.clock = LoopClock(asyncio.get_running_loop())
        self.store = SqliteStore(str(folder / "cluster.sqlite"), self.clock)
        self.metadata = Metadata(self.store, self.config)
        self.admin = Admin(self.metadata)
        self.node = Node(
            node_id=self.config.node_id,
            cluster_id=CLUSTER_ID,
            config=self.config,
            clock=self.clock,
            metrics=Metrics(),
            metadata=self.metadata,
            partitions=SimpleNamespace(unavailable={}, losses=0),  # type: ignore[arg-type]
            groups=None,  # type: ignore[arg-type]
            transactions=None,  # type: ignore[arg-type]
            producer_ids=ProducerIds(self.admin.next_producer_ids),
            admin=self.admin,
            fetch_sessions=FetchSessions(10, itertools.count(1).__next__),
        )
        self.denied: set[tuple[int, int, str]] = set()  # (operation, resource type, name) that the peer may not

    async def start(self, *, directory: str = "", host: str = "", port: int = 9092) -> Control:
        await self.metadata.start()
        directory = directory or uuid_text(self.config.node_id.to_bytes(16, "big"))
        await self.metadata.register(CLUSTER_ID, directory, {"PLAINTEXT": (host, port)})
        self.metadata.subscribe(self._follow)
        return self

    def _follow(self, old: ClusterImage, new: ClusterImage) -> None:
        self.node.config = self.metadata.config

    async def stop(self) -> None:
        await self.metadata.stop()

    @property
    def image(self) -> ClusterImage:
        return self.metadata.image

    def call(self, key: int, version: int, listener: str = "PLAINTEXT") -> Call:
        peer = Peer(("client", 50000), ("reached", 19092), listener, "User:ANONYMOUS")
        return _Call(self, peer, key, version)

    async def ask(self, request: Any, version: int, *, key: int, listener: str = "PLAINTEXT") -> Any:
        """The answer as a client of this version reads it; the request as the broker reads it."""
        handler = api.load(key)
        assert handler is not None
        assert handler.min_version <= version <= handler.max_version, version
        arrived = codec.decode(type(request), version, _bytes(codec.encode(request, version)))
        result = handler.handle(self.call(key, version, listener), arrived)
        if isinstance(result, Awaitable):
            result = await result
        return codec.decode(type(result), version, _bytes(codec.encode(result, version)))


def _bytes(pieces: Any) -> bytes:
    return pieces if isinstance(pieces, bytes | bytearray) else b"".join(pieces)


class _Call(Call):
    __slots__ = ("_control",)

    def __init__(self, control: Control, peer: Peer, key: int, version: int) -> None:
        super().__init__(control.node, peer, key, version, "test", control.clock.now_ms())
        self._control = control

    def authorise(self, operation: int, resource_type: int, name: str) -> bool:
        return (operation, resource_type, name) not in self._control.denied


def play(folder: Path, scenario: Callable[[Control], Awaitable[None]], **settings: str) -> None:
    """Run a scenario in virtual time against one started broker; settings with underscores for dots."""

    async def main() -> None:
        config = Config.load({key.replace("_", "."): value for key, value in settings.items()})
        control = await Control(folder, config).start()
        try:
            await scenario(control)
        finally:
            await control.stop()

    run(main())
