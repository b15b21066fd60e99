"""TRANSLATES: one file per API, named like the message file it serves.

A handler module is imported when its API is first asked for: a broker that starts in a fraction of a second can't
load forty modules first. ``SERVED`` is therefore the table of what is served, and a test holds it against the
decorators.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from kafkawire.keys import API

if TYPE_CHECKING:
    from kafkawire.fetch_moulds import FetchMould
    from kafkawire.moulds import Mould
    from pykafkad.api.call import Call
    from pykafkad.runtime.waits import Poll

# API name in snake case -> None (all of Kafka's stable versions) or the (min, max) that we serve.
SERVED: dict[str, tuple[int, int] | None] = {
    "api_versions": None,
    "metadata": None,
    "describe_cluster": None,
    "describe_topic_partitions": None,
    "create_topics": None,
    "delete_topics": None,
    "create_partitions": None,
    "describe_configs": None,
    "incremental_alter_configs": None,
    "alter_configs": None,
    "list_config_resources": None,
    "describe_log_dirs": None,
    "alter_replica_log_dirs": None,
    "produce": None,
    "fetch": None,
    "list_offsets": None,
    "offset_for_leader_epoch": None,
    "delete_records": None,
    "init_producer_id": (0, 5),
    "find_coordinator": None,
    "join_group": None,
    "sync_group": None,
    "heartbeat": None,
    "leave_group": None,
    "offset_commit": None,
    "offset_fetch": None,
    "offset_delete": None,
    "list_groups": None,
    "describe_groups": None,
    "delete_groups": None,
    # What a cluster with more to it would do; alone, the answer is Kafka's refusal or an empty list.
    "describe_quorum": None,
    "update_features": None,
    "elect_leaders": None,
    "alter_partition_reassignments": None,
    "list_partition_reassignments": None,
    "unregister_broker": None,
    "describe_client_quotas": None,
    "describe_acls": None,
    "create_acls": None,
    "delete_acls": None,
    "describe_user_scram_credentials": None,
    "create_delegation_token": None,
    "renew_delegation_token": None,
    "expire_delegation_token": None,
    "describe_delegation_token": None,
    "sasl_handshake": None,
    "sasl_authenticate": None,
    "describe_producers": None,
    "add_partitions_to_txn": None,
    "add_offsets_to_txn": None,
    "end_txn": None,
    "write_txn_markers": None,
    "txn_offset_commit": None,
    "describe_transactions": None,
    "list_transactions": None,
    "add_raft_voter": None,
    "remove_raft_voter": None,
}

Handle = Callable[..., Any]
H = TypeVar("H", bound=Handle)


class Again(Protocol):
    """A handler's shorter way for requests that come again and again, with other records."""

    def learn(self, frame: memoryview, version: int, client_id: str, request: Any) -> Mould | None:
        """The mould of a request that came the ordinary way; None if it isn't one that will come again."""

    def serve(
        self, call: Call, mould: Mould, correlations: list[int], batches: list[memoryview]
    ) -> list[bytes | bytearray] | None:
        """Serve requests that arrived together and fit one mould. None, before anything was done, if they must go the
        ordinary way.
        """


class Repeat(Protocol):
    """A handler's shorter way for what one connection asks over and over, but for a number or two."""

    def learn(self, frame: memoryview, version: int, client_id: str, request: Any) -> FetchMould | None:
        """The mould of a request that came the ordinary way; None if it isn't one that will come again."""

    def serve(
        self, call: Call, mould: FetchMould, correlation: int, epoch: int, offset: int
    ) -> list[Any] | Poll | None:
        """The answer's frame, or what will have it. None, before anything was done, if the request must go the ordinary
        way.
        """


class Handler(NamedTuple):
    """What dispatch needs to serve one API."""

    key: int
    name: str  # Kafka's name, for logs
    label: str  # and for metrics
    min_version: int
    max_version: int
    request: type[Any]
    handle: Handle
    again: Again | None
    repeat: Repeat | None


class Range(NamedTuple):
    """An API that is served, before its module is loaded."""

    key: int
    name: str
    module: str
    min_version: int
    max_version: int


def _ranges() -> dict[int, Range]:
    by_module = {api.module: api for api in API.values()}
    ranges = {}
    for module, versions in SERVED.items():
        api = by_module[module]
        low, high = versions or (api.min_version, api.max_version)
        ranges[api.key] = Range(api.key, api.name, module, low, high)
    return dict(sorted(ranges.items()))


API_VERSIONS = 18
RANGES: dict[int, Range] = _ranges()
_handlers: dict[type[Any], Handle] = {}
_again: dict[type[Any], Again] = {}
_repeat: dict[type[Any], Repeat] = {}
_METRIC_LABELS = {"Fetch": "FetchConsumer"}  # dashboards tell consumers' fetches from followers'


def handles(request: type[Any], *, again: Again | None = None, repeat: Repeat | None = None) -> Callable[[H], H]:
    """Register a handler: ``handle(call, request) -> response | Future | Poll | None``; coroutine functions get a
    Task.
    """

    def register(handle: H) -> H:
        _handlers[request] = handle
        if again is not None:
            _again[request] = again
        if repeat is not None:
            _repeat[request] = repeat
        return handle

    return register


def load(key: int) -> Handler | None:
    """The handler of an API key, its module imported now if it wasn't yet; None if the key isn't served."""
    found = RANGES.get(key)
    if found is None:
        return None
    import_module(f"pykafkad.api.{found.module}")
    request = import_module(f"kafkawire.api.{found.module}").Request
    label = _METRIC_LABELS.get(found.name, found.name)
    versions = found.min_version, found.max_version
    return Handler(
        key, found.name, label, *versions, request, _handlers[request], _again.get(request), _repeat.get(request)
    )


def answer_to_any_version(key: int) -> tuple[Any, int] | None:
    """The response, and its version, of an API that answers even to versions that it doesn't serve (ApiVersions)."""
    if key != API_VERSIONS:
        return None
    return import_module("pykafkad.api.api_versions").unsupported(), 0
