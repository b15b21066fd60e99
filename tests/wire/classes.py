"""All message classes, to run tests over: both sides of each API, stored records, the consumer protocol."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from kafkawire import consumer_protocol
from kafkawire.keys import API
from kafkawire.stored import group_log, metadata_log, share_log, txn_log


class Kind(NamedTuple):
    """A class and what Kafka calls it."""

    name: str  # as in Kafka's message data: OffsetCommitRequest
    cls: type[Any]
    versions: range

    def __str__(self) -> str:
        return self.name


def _kind(name: str, cls: type[Any]) -> Kind:
    first, last = cls.__wire__.versions
    return Kind(name, cls, range(first, last + 1))


APIS = [api for api in API.values() if "broker" in api.listeners]
API_CLASSES = [
    _kind(api.name + side, getattr(import_module(f"kafkawire.api.{api.module}"), side))
    for api in APIS
    for side in ("Request", "Response")
]
STORED_CLASSES = [
    _kind(cls.__name__, cls)
    for module in (group_log, txn_log, share_log)
    for pair in module._TYPES.values()
    for cls in pair
] + [_kind(cls.__name__, cls) for cls in metadata_log._TYPES.values()]
EMBEDDED_CLASSES = [
    _kind("ConsumerProtocolSubscription", consumer_protocol.Subscription),
    _kind("ConsumerProtocolAssignment", consumer_protocol.Assignment),
]
CLASSES = API_CLASSES + STORED_CLASSES + EMBEDDED_CLASSES
