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
NOT_BUILT_YET = 15  # COORDINATOR_NOT_AVAILABLE


class Meant(NamedTuple):
    rule: str  # a name for the counts
    request: str
    kafka: str
    ours: str
    reason: str
    excuses: Excuses
    unserved: bool = False
    """The answer is equal in all that it says of what our broker serves: counted apart from both equal and meant."""


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


def _features(a: Exchange, b: Exchange, d: Difference) -> bool:
    lists = ("api_keys", "supported_features", "finalized_features")
    return a.api == "api_versions" and d.where.startswith(lists) and (d.b == "absent" or d.where.endswith(".len"))


def _coordinators(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "find_coordinator" and NOT_BUILT_YET in _codes(b.answer)


def _listeners(a: Exchange, b: Exchange, d: Difference) -> bool:
    keys = ("[listeners]", "[listener.security.protocol.map]")
    return a.api == "describe_configs" and d.where.endswith("read_only") and any(key in d.path for key in keys)


def _voters(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "describe_quorum" and d.where.startswith("nodes.listeners")


def _adds_voters(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "add_raft_voter" and d.where == "error_code" and d.b == 35


def _overflows(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "describe_topic_partitions" and d.where == "next_cursor" and "2147483647" in a.what


def _insides(a: Exchange, b: Exchange, d: Difference) -> bool:
    return a.api == "produce" and any(what in a.what for what in ("that isn't", "cut inside"))


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
        "Produce: a batch with a right checksum whose compressed records can't be read",
        "UNKNOWN_SERVER_ERROR",
        "taken as it is",
        "nothing between socket and disk opens batches: their checksum stands for them",
        _insides,
    ),
    Meant(
        "fewer APIs",
        "ApiVersions",
        "all APIs, seven features",
        "no KIP-848, share and streams groups, AlterClientQuotas, "
        "AlterUserScramCredentials; the features `metadata.version` and `transaction.version`",
        "not built yet: of what is served, both say the same",
        _features,
        unserved=True,
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
        "cursor overflow",
        "DescribeTopicPartitions from partition 2147483647",
        "the next cursor is a negative number",
        "there is nothing more",
        "a number overflows",
        _overflows,
    ),
    Meant(
        "stumble",
        "where Kafka says UNKNOWN_SERVER_ERROR: CreatePartitions up to the largest number, which its memory doesn't "
        "hold; AlterConfigs and IncrementalAlterConfigs with unknown tags in the header that come twice or in no order",
        "UNKNOWN_SERVER_ERROR",
        "the reason, or an answer",
        "it is what Kafka says of its own defects",
        _stumbles,
    ),
)
