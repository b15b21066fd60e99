"""Node: everything that a handler may reach, built once by ``app.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.cluster.image import ClusterImage
    from pykafkad.config import Config
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.admin import Admin
    from pykafkad.runtime.coordinators import Groups
    from pykafkad.runtime.metadata import Metadata
    from pykafkad.runtime.partitions import Partitions
    from pykafkad.runtime.producer_ids import ProducerIds
    from pykafkad.runtime.transactions import Transactions
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
    transactions: Transactions
    producer_ids: ProducerIds
    admin: Admin
    fetch_sessions: FetchSessions
    listeners: dict[str, tuple[str, int]] = field(default_factory=dict)  # bound addresses by listener name

    @property
    def image(self) -> ClusterImage:
        """The cluster as this broker knows it; a handler reads one image from start to end."""
        return self.metadata.image
