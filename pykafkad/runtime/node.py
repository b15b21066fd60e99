"""Node: everything that a handler may reach, built once by ``app.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykafkad.runtime.producer_ids import ProducerIds

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.cluster.image import ClusterImage
    from pykafkad.config import Config
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.admin import Admin
    from pykafkad.runtime.coordinators import Groups
    from pykafkad.runtime.metadata import Metadata
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.state.fetch_sessions import FetchSessions


@dataclass(slots=True)
class Node:
    """One broker's services. Each has one owner; this object only names them."""

    node_id: int
    cluster_id: str
    config: Config
    clock: Clock
    metrics: Metrics
    metadata: Metadata
    partitions: Partitions
    groups: Groups
    admin: Admin
    fetch_sessions: FetchSessions
    listeners: dict[str, tuple[str, int]] = field(default_factory=dict)  # bound addresses by listener name
    producer_ids: ProducerIds = field(init=False)

    def __post_init__(self) -> None:
        self.producer_ids = ProducerIds(lambda count: self.admin.next_producer_ids(count))

    @property
    def image(self) -> ClusterImage:
        """The cluster as this broker knows it; a handler reads one image from start to end."""
        return self.metadata.image
