"""Small values that every layer shares. A Kafka ``Uuid`` is 16 bytes here, as on the wire."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

ZERO_UUID = bytes(16)


class TopicPartition(NamedTuple):
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def uuid_text(uuid: bytes) -> str:
    """Kafka's text form of a Uuid: URL-safe base64 without padding, 22 characters."""
    return base64.urlsafe_b64encode(uuid)[:22].decode("ascii")


def uuid_from_text(text: str) -> bytes:
    """The 16 bytes behind a Uuid's text form; ValueError if it is none."""
    try:
        uuid = base64.urlsafe_b64decode(text + "==")
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"not a Kafka Uuid: {text!r}") from error
    if len(uuid) != 16:
        raise ValueError(f"not a Kafka Uuid: {text!r}")
    return uuid


class ProducerEntry(NamedTuple):
    """What outlives a restart about one producer of one partition: a row of Kafka's ``.snapshot`` file."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int
    coordinator_epoch: int = -1
    current_txn_first_offset: int = -1


class Aborted(NamedTuple):
    """A transaction that was aborted on one partition: a row of Kafka's ``.txnindex`` file."""

    producer_id: int
    first_offset: int
    last_offset: int  # that of the marker
    last_stable_offset: int  # as it will be when the marker is committed: readers needn't look further than that
