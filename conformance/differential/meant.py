"""The differences that are meant, each as a rule that recognises it and the reason why it stays.

The table is short on purpose: whatever can be as Apache Kafka has it, is. A rule sees both exchanges and one difference
between them; an answer is excused when each of its differences is. conformance/DIFFERENCES.md is written from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from conformance.differential.comparing import Difference
from conformance.differential.side import Exchange
from conformance.differential.wire import Nothing

Excuses = Callable[[Exchange, Exchange, Difference], bool]
UNKNOWN_SERVER_ERROR = -1
GROUP_ID_NOT_FOUND = 69
NOT_BUILT_YET = 15  # COORDINATOR_NOT_AVAILABLE


class Meant(NamedTuple):
    rule: str  # a name for the counts
    request: str
    kafka: str
    ours: str
    reason: str
    excuses: Excuses


def _hangs(a: Exchange, b: Exchange, _: Difference) -> bool:
    return a.answer is Nothing.SILENT and not isinstance(b.answer, Nothing)


def _stumbles(a: Exchange, b: Exchange, _: Difference) -> bool:
    return UNKNOWN_SERVER_ERROR in _codes(a.answer) and UNKNOWN_SERVER_ERROR not in _codes(b.answer)


def _codes(answer: Any) -> Iterator[int]:
    """All error codes of an answer."""
    if isinstance(answer, list):
        for item in answer:
            yield from _codes(item)
    elif hasattr(answer, "__wire__"):
        for name in answer.__wire__.texts:
            value = getattr(answer, name)
            if name == "error_code":
                yield value
            else:
                yield from _codes(value)


def _nothing_read(a: Exchange, b: Exchange, d: Difference) -> bool:
    if a.api != "fetch" or not d.where.startswith("responses.partitions.aborted_transactions"):
        return False
    pairs = zip(_partitions(a.answer), _partitions(b.answer), strict=True)
    return all(
        not y.records for x, y in pairs if len(x.aborted_transactions or []) != len(y.aborted_transactions or [])
    )


def _partitions(answer: Any) -> list[Any]:
    return [one for topic in answer.responses for one in topic.partitions]


def _features(a: Exchange, b: Exchange, d: Difference) -> bool:
    lists = ("api_keys", "supported_features", "finalized_features")
    return a.api == "api_versions" and d.where.startswith(lists) and (d.b == "absent" or d.where.endswith(".len"))


def _coordinators(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "find_coordinator" and NOT_BUILT_YET in _codes(b.answer)


def _named_twice(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "add_partitions_to_txn" and a.version >= 4 and a.what.startswith("transactions and one with")


def _listeners(a: Exchange, b: Exchange, d: Difference) -> bool:
    keys = ("[listeners]", "[listener.security.protocol.map]")
    return a.api == "describe_configs" and d.where.endswith("read_only") and any(key in d.path for key in keys)


def _voters(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "describe_quorum" and d.where.startswith("nodes.listeners")


def _adds_voters(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "add_raft_voter" and d.where == "error_code" and d.b == 35


def _last_topic(a: Exchange, b: Exchange, d: Difference) -> bool:
    if a.api == "offset_delete":  # it deleted the last one before
        return b.answer.error_code == GROUP_ID_NOT_FOUND and a.answer.error_code == 0
    return a.api in ("describe_groups", "delete_groups") and a.what in ("the only topic is gone", "both")


def _overflows(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "describe_topic_partitions" and d.where == "next_cursor" and "2147483647" in a.what


def _insides(a: Exchange, b: Exchange, d: Difference) -> bool:
    if a.api == "fetch" and a.what == "read back" and isinstance(d.a, list) and isinstance(d.b, list):
        own = ("crc", "max_timestamp")  # what Kafka writes anew when it has read the records
        rest = [[{k: v for k, v in header.items() if k not in own} for header in side] for side in (d.a, d.b)]
        return rest[0] == rest[1]
    inside = ("max timestamp far ahead", "that isn't", "cut inside")
    return a.api == "produce" and any(what in a.what for what in inside)


def _ids_in_sessions(a: Exchange, b: Exchange, d: Difference) -> bool:
    codes = {3, 100, 103}  # unknown by name, unknown by id, another id than before
    in_session = a.api == "fetch" and a.version >= 13 and isinstance(a.request, dict) and a.request["session_id"] > 0
    return in_session and bool(codes & {*_codes(a.answer)} and codes & {*_codes(b.answer)})


MEANT: tuple[Meant, ...] = (
    Meant(
        "hang",
        "Produce with null records; AlterConfigs with a resource twice; JoinGroup v0–v3 with a protocol twice",
        "never answered; some stall the connection",
        "refused, or served",
        "a client is not to be left waiting",
        _hangs,
    ),
    Meant(
        "inside batches",
        "Produce: a batch with a right checksum whose compressed records can't be read, or whose newest timestamp is "
        "none of theirs",
        "UNKNOWN_SERVER_ERROR; goes by the records",
        "taken as it is; goes by the header",
        "nothing between socket and disk opens batches: their checksum stands for them",
        _insides,
    ),
    Meant(
        "ids in sessions",
        "Fetch by id in a session whose topic was deleted",
        "UNKNOWN_TOPIC_OR_PARTITION; after re-creation INCONSISTENT_TOPIC_ID",
        "UNKNOWN_TOPIC_ID for the old id",
        "a session holds no names; all three make a client refresh its metadata",
        _ids_in_sessions,
    ),
    Meant(
        "fewer APIs",
        "ApiVersions",
        "all APIs, seven features",
        "no KIP-848, share and streams groups, AlterClientQuotas, "
        "AlterUserScramCredentials; the features `metadata.version` and `transaction.version`",
        "not built yet",
        _features,
    ),
    Meant(
        "no such coordinator",
        "FindCoordinator for share groups",
        "a coordinator",
        "COORDINATOR_NOT_AVAILABLE",
        "not built yet",
        _coordinators,
    ),
    Meant(
        "named twice",
        "AddPartitionsToTxn v4+: a transactional id twice",
        "both are answered with the partitions of the last",
        "each with its own",
        "brokers alone send it, and none names an id twice",
        _named_twice,
    ),
    Meant(
        "listeners",
        "DescribeConfigs: `listeners`, `listener.security.protocol.map`",
        "may be changed while running",
        "read only",
        "listeners are opened at the start",
        _listeners,
    ),
    Meant(
        "controller's listener",
        "DescribeQuorum v2: the address of the voter",
        "a listener of the controller's own",
        "the broker's",
        "there is no second listener",
        _voters,
    ),
    Meant(
        "no voters to add",
        "AddRaftVoter",
        "tries, and says REQUEST_TIMED_OUT",
        "UNSUPPORTED_VERSION",
        "the cluster store is no Raft quorum",
        _adds_voters,
    ),
    Meant(
        "last topic of a group",
        "DescribeGroups, DeleteGroups, OffsetDelete after the last offset of a memberless group is gone",
        "the group stays until the next expiry check",
        "it goes with its last offset",
        "the check would do the same minutes later",
        _last_topic,
    ),
    Meant(
        "nothing read",
        "Fetch by read_committed from a partition for which the answer had no room left",
        "no records, and the transactions that were aborted somewhere behind",
        "no records",
        "there is nothing to leave them out of",
        _nothing_read,
    ),
    Meant(
        "cursor overflow",
        "DescribeTopicPartitions from partition 2147483647",
        "the next cursor is a negative number",
        "there is nothing more",
        "a number overflows",
        _overflows,
    ),
    Meant(
        "stumble",
        "where Kafka says UNKNOWN_SERVER_ERROR: Metadata with neither name nor id, fetch session ids at the end of "
        "the numbers, IncrementalAlterConfigs with a negative operation, unreadable subscriptions",
        "UNKNOWN_SERVER_ERROR",
        "the reason, or an answer",
        "it is what Kafka says of its own defects",
        _stumbles,
    ),
)
