"""Two accounts of one script, held against each other field by field.

Brokers make up ids, ports and times. An id that stands where the other side has one is taken to be the same id from
then on: ``Symbols`` learns the pairs as they appear and insists on them afterwards, in both directions. Order counts,
save in the fields of ``UNORDERED``, where Kafka's is that of a hash table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from conformance.differential.wire import Nothing
from kafkawire import batches, records
from kafkawire.errors import WireError

IDS = {
    "topic_id": "topic id", "member_id": "member id", "leader": "member id", "producer_id": "producer id",
    "cluster_id": "cluster id", "session_id": "session id", "port": "port", "log_dir": "directory",
    "replica_directory_id": "directory id", "client_instance_id": "client id",
}  # fmt: skip
TIMES = {
    "log_append_time_ms", "timestamp", "last_timestamp", "last_fetch_timestamp", "last_caught_up_timestamp",
    "transaction_start_time_ms",
}  # fmt: skip
VOLATILE = {"finalized_features_epoch", "total_bytes", "usable_bytes", "broker_epoch"}
"""Numbers that say how old or how large a broker is."""
_OF_THE_QUORUM = {"leader_epoch", "high_watermark", "log_end_offset"}
TEXTS = {"error_message", "batch_index_error_message", "documentation"}
NEAR_MS = 600_000

_HASHED = "kept in a hash table"
_PARTED = "each coordinator answers for its own, in the order of a hash table"
UNORDERED: dict[tuple[str, str], str] = {
    ("join_group", "members"): "kept by their random ids",
    ("describe_groups", "groups.members"): "kept by their random ids",
    ("delete_topics", "responses"): "shuffled, so that nobody learns from it what exists",
    ("create_topics", "topics"): _HASHED,
    ("create_partitions", "results"): _HASHED,
    ("list_offsets", "topics"): _HASHED,
    ("list_offsets", "topics.partitions"): _HASHED,
    ("delete_records", "topics"): _HASHED,
    ("delete_records", "topics.partitions"): _HASHED,
    ("delete_groups", "results"): _PARTED,
    ("describe_groups", "groups"): _PARTED,
    ("list_groups", "groups"): _PARTED,
    ("offset_fetch", "groups"): _PARTED,
    ("metadata", "topics"): _HASHED,
    ("describe_configs", "results"): _HASHED,
    ("describe_configs", "results.configs"): _HASHED,
    ("alter_configs", "responses"): _HASHED,
    ("incremental_alter_configs", "responses"): _HASHED,
    ("list_config_resources", "config_resources"): _HASHED,
    ("elect_leaders", "replica_election_results"): _HASHED,
    ("elect_leaders", "replica_election_results.partition_result"): _HASHED,
    ("describe_log_dirs", "results.topics"): _HASHED,
    ("describe_log_dirs", "results.topics.partitions"): _HASHED,
    ("add_partitions_to_txn", "results_by_topic_v3_and_below"): _HASHED,
    ("add_partitions_to_txn", "results_by_topic_v3_and_below.results_by_partition"): _HASHED,
    ("add_partitions_to_txn", "results_by_transaction"): _HASHED,
    ("add_partitions_to_txn", "results_by_transaction.topic_results"): _HASHED,
    ("add_partitions_to_txn", "results_by_transaction.topic_results.results_by_partition"): _HASHED,
    ("write_txn_markers", "markers"): _HASHED,
    ("write_txn_markers", "markers.topics"): _HASHED,
    ("write_txn_markers", "markers.topics.partitions"): _HASHED,
    ("list_transactions", "transaction_states"): _HASHED,
    ("alter_replica_log_dirs", "results"): _HASHED,
    ("alter_replica_log_dirs", "results.partitions"): _HASHED,
    ("describe_transactions", "transaction_states.topics"): _HASHED,
    ("describe_transactions", "transaction_states.topics.partitions"): _HASHED,
    ("describe_producers", "topics.partitions.active_producers"): _HASHED,
    ("produce", "responses"): _HASHED,
    ("produce", "responses.partition_responses"): _HASHED,
    ("api_versions", "api_keys"): "compared by key",
    ("api_versions", "supported_features"): "compared by name",
    ("api_versions", "finalized_features"): "compared by name",
}
"""(API, path without indexes): why order doesn't count there."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INDEX = re.compile(r"\[[^\]]*\]")


class Difference(NamedTuple):
    path: str  # as in .topics[0].error_code; empty: the answer as a whole
    a: Any
    b: Any

    @property
    def where(self) -> str:
        return _INDEX.sub("", self.path).removeprefix(".")


class Symbols:
    """Which made-up value of one side is which of the other's."""

    def __init__(self, known: Symbols | None = None) -> None:
        self.to_b: dict[tuple[str, Any], Any] = dict(known.to_b) if known else {}
        self.to_a: dict[tuple[str, Any], Any] = dict(known.to_a) if known else {}

    def same(self, kind: str, a: Any, b: Any) -> bool:
        if _nobody(a) or _nobody(b) or type(a) is not type(b):
            return bool(a == b)
        if (kind, a) in self.to_b or (kind, b) in self.to_a:
            return self.to_b.get((kind, a)) == b and self.to_a.get((kind, b)) == a
        if isinstance(a, str) and kind == "member id" and _UUID.sub("", a) != _UUID.sub("", b):
            return False
        self.to_b[kind, a], self.to_a[kind, b] = b, a
        return True

    def adopt(self, other: Symbols) -> None:
        self.to_b, self.to_a = other.to_b, other.to_a


def _nobody(value: Any) -> bool:
    """Values that mean "none", which no broker makes up."""
    return value in (None, "", b"", bytes(16)) or (isinstance(value, int) and value <= 0)


class Comparison:
    def __init__(self, api: str, symbols: Symbols) -> None:
        self.api = api
        self.symbols = symbols
        self.texts = 0
        """How many error messages read otherwise."""

    def differences(self, a: Any, b: Any, path: str = "", field: str = "") -> Iterator[Difference]:
        if isinstance(a, Nothing) or isinstance(b, Nothing):
            if a is not b:
                yield Difference(path, shown(a), shown(b))
        elif hasattr(a, "__wire__") and hasattr(b, "__wire__"):
            for name in a.__wire__.texts:
                yield from self.differences(getattr(a, name), getattr(b, name), f"{path}.{name}", name)
        elif isinstance(a, list) and isinstance(b, list):
            yield from self._lists(a, b, path, field)
        elif not self._same(a, b, path, field):
            if field == "records":
                a, b = _excerpt(a), _excerpt(b)
            yield Difference(path, shown(a), shown(b))

    def _lists(self, a: list[Any], b: list[Any], path: str, field: str) -> Iterator[Difference]:
        if (self.api, _INDEX.sub("", path).removeprefix(".")) in UNORDERED:
            a, b = self._aligned(a, b, path, field)
        if len(a) != len(b):
            yield Difference(f"{path}.len", len(a), len(b))
        for i, (left, right) in enumerate(zip(a, b, strict=False)):
            name = getattr(left, "name", None)
            where = name if name and name == getattr(right, "name", None) else i
            yield from self.differences(left, right, f"{path}[{where}]", field)
        for i in range(min(len(a), len(b)), max(len(a), len(b))):
            left, right = (shown(a[i]) if i < len(a) else "absent"), (shown(b[i]) if i < len(b) else "absent")
            yield Difference(f"{path}[{i}]", left, right)

    def _aligned(self, a: list[Any], b: list[Any], path: str, field: str) -> tuple[list[Any], list[Any]]:
        """Both lists with the elements that are the same at the same places, the others behind them."""
        left, pairs, rest = [], [], list(b)
        for one in a:
            for i, other in enumerate(rest):
                trial = Symbols(self.symbols)
                if next(Comparison(self.api, trial).differences(one, other, path, field), None) is None:
                    self.symbols.adopt(trial)
                    pairs.append((one, rest.pop(i)))
                    break
            else:
                left.append(one)
        return [one for one, _ in pairs] + left, [other for _, other in pairs] + rest

    def _same(self, a: Any, b: Any, path: str, field: str) -> bool:
        if a is None or b is None:
            return a is b
        if field in TEXTS:
            self.texts += a != b
            return True
        if field in IDS:
            return self.symbols.same(IDS[field], a, b)
        if field in VOLATILE or (self.api == "describe_quorum" and field in _OF_THE_QUORUM):
            return (a < 0) == (b < 0)
        if field == "records":
            return _same_records(bytes(a), bytes(b), self.symbols)
        if field in TIMES and a != b:
            return bool(min(a, b) > 10**12 and abs(a - b) < NEAR_MS)
        return bool(a == b)


def _same_records(a: bytes, b: bytes, symbols: Symbols) -> bool:
    """Byte by byte, but for what a broker writes itself: append times, what its own compression makes of it, producer
    ids that it gave out, and the time of a transaction's end.
    """
    if a == b:
        return True
    try:
        left, right = _whole(a), _whole(b)
        if len(left) != len(right):
            return False
        end = left[-1].position + left[-1].length if left else 0
        same = all(_same_batch(a, x, b, y, symbols) for x, y in zip(left, right, strict=True))
        return same and _same_piece(a[end:], b[end:])
    except WireError:
        return False


def _whole(data: bytes) -> list[batches.BatchHeader]:
    """The batches that are there in full: a fetch may end inside one."""
    end = 0
    while end + batches.HEADER_SIZE <= len(data):
        header = batches.header_at(data, end)
        if end + header.length > len(data):
            break
        end += header.length
    return batches.headers(data[:end])


def _same_piece(a: bytes, b: bytes) -> bool:
    """What is left of a batch that was cut off: its checksum can't be made, and so isn't compared."""
    if len(a) < batches.HEADER_SIZE:
        return a[:17] == b[:17]
    free = {"crc": 0, "producer_id": 0}
    if a[22] & batches.CONTROL:
        free |= {"max_timestamp": 0, "base_timestamp": 0}
    x, y = batches.header_at(a, 0), batches.header_at(b, 0)
    return x._replace(**free) == y._replace(**free) and a[batches.HEADER_SIZE :] == b[batches.HEADER_SIZE :]


def _same_batch(a: bytes, x: batches.BatchHeader, b: bytes, y: batches.BatchHeader, symbols: Symbols) -> bool:
    free = {"position": 0, "crc": 0}
    if x.codec and y.codec:
        free["length"] = 0
    if symbols.same("producer id", x.producer_id, y.producer_id):
        free["producer_id"] = 0
    timed = (x.log_append_time and y.log_append_time) or (x.is_control and y.is_control)
    if timed and abs(x.max_timestamp - y.max_timestamp) < NEAR_MS:
        free |= {"max_timestamp": 0, "base_timestamp": 0}
    if x._replace(**free) != y._replace(**free):
        return False
    left = records.iterate(a[x.position : x.position + x.length])
    right = records.iterate(b[y.position : y.position + y.length])
    drop = {"timestamp": 0} if timed else {}
    return [r._replace(**drop) for r in left] == [r._replace(**drop) for r in right]


def _excerpt(data: Any) -> Any:
    if data is None:
        return None
    raw = bytes(data)
    try:
        return [header._asdict() for header in batches.headers(raw)] if raw else "no records"
    except WireError:
        return f"{len(raw)} bytes {raw[:80].hex()}"


def shown(value: Any) -> Any:
    """As JSON can hold it and a reader wants it."""
    if hasattr(value, "__wire__"):
        return {name: shown(getattr(value, name)) for name in value.__wire__.texts}
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {str(k): shown(v) for k, v in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return str(value) if isinstance(value, Nothing) else value
