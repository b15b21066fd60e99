"""Replicas that can't serve: their broker is gone or fenced, or the log directory that holds them has failed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.api.call import Call
    from pykafkad.cluster.image import ClusterImage, PartitionImage


def offline_replicas(call: Call, image: ClusterImage, topic: str, index: int, partition: PartitionImage) -> list[int]:
    lost_here = call.node.node_id if (topic, index) in call.node.partitions.unavailable else -1
    return [replica for replica in partition.replicas if replica == lost_here or not image.alive(replica)]
