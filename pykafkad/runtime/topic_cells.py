"""What is counted by topic, in cells that hot paths hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykafkad.metrics import Cell, Metrics


class TopicCells:
    """The metric cells of a topic, shared by its partitions."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "bytes_rejected",
        "conversions",
        "failed_fetches",
        "failed_produces",
        "fetches",
        "messages_in",
        "produces",
        "wrong_crc",
        "wrong_key",
        "wrong_magic",
        "wrong_sequence",
    )

    def __init__(self, metrics: Metrics, topic: str) -> None:
        def cell(name: str) -> Cell:
            return metrics.counter(f"kafka_server_brokertopicmetrics_{name}_total", topic)

        def total(name: str) -> Cell:
            return metrics.counter(f"kafka_server_brokertopicmetrics_{name}_total")

        self.messages_in = cell("messagesin")
        self.bytes_in = cell("bytesin")
        self.bytes_out = cell("bytesout")
        self.bytes_rejected = cell("bytesrejected")
        self.produces = cell("totalproducerequests")
        self.fetches = cell("totalfetchrequests")
        self.failed_produces = cell("failedproducerequests")
        self.failed_fetches = cell("failedfetchrequests")
        self.conversions = cell("producemessageconversions")
        self.wrong_key = total("nokeycompactedtopicrecords")
        self.wrong_magic = total("invalidmagicnumberrecords")
        self.wrong_crc = total("invalidmessagecrcrecords")
        self.wrong_sequence = total("invalidoffsetorsequencerecords")
