"""The pages of the HTTP listener: metrics for Prometheus, health for whoever restarts us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykafkad.ops.http import Answer, Http

if TYPE_CHECKING:
    from pykafkad.metrics import Metrics
    from pykafkad.runtime.node import Node

RUNNING = 3


class Shown(Protocol):
    """The broker, as far as it is shown here."""

    state: int
    node: Node

    @property
    def metrics(self) -> Metrics: ...


def pages(broker: Shown) -> Http:
    declared = False

    async def metrics() -> Answer:
        nonlocal declared
        from pykafkad.ops.prometheus import CONTENT_TYPE, exposition

        if broker.state == RUNNING and not declared:
            from pykafkad.ops import gauges

            gauges.declare(broker.node, lambda: broker.state)
            declared = True
        return Answer(200, await exposition(broker.metrics), CONTENT_TYPE)

    async def live() -> Answer:
        return Answer(200, b"live\n")

    async def ready() -> Answer:
        if broker.state != RUNNING:
            return Answer(503, b"starting\n" if broker.state < RUNNING else b"stopping\n")
        node = broker.node
        if not node.image.alive(node.node_id):
            return Answer(503, b"not registered in the cluster\n")
        return Answer(200, b"ready\n")

    return Http({"/metrics": metrics, "/health/live": live, "/health/ready": ready})
