"""The jobs by name."""

from __future__ import annotations

from conformance.peers.connect import Connect
from conformance.peers.flink import Flink, FlinkPooling
from conformance.peers.job import Job
from conformance.peers.moving import Moving, MovingByAiokafka, MovingByFranzGo
from conformance.peers.streams import Streams

JOBS: dict[str, type[Job]] = {
    "connect": Connect,
    "flink": Flink,
    "flink-pooling": FlinkPooling,
    "streams": Streams,
    "moving": Moving,
    "moving-aiokafka": MovingByAiokafka,
    "moving-franz-go": MovingByFranzGo,
}
