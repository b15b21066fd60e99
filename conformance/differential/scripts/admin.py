"""What describes or steers the whole broker, in every version."""

from __future__ import annotations

from typing import Any

from conformance.differential.scripts import each_version, script
from conformance.differential.side import Side


@each_version("describe_cluster")
def cluster(side: Side, version: int) -> None:
    for kind in (0, 1, 2, 3):
        for flag in (False, True):
            tree = {
                "endpoint_type": kind,
                "include_cluster_authorized_operations": flag,
                "include_fenced_brokers": flag,
            }
            side.ask("describe_cluster", version, f"type {kind} {flag}", **tree)


@each_version("elect_leaders")
def elections(side: Side, version: int) -> None:
    side.topic(side.own, 2)
    for kind in (0, 1, 2, -1):
        for name, parts in ((side.own, [0, 1]), (side.own, [0, 7]), ("nope", [0]), ("", [0]), (side.own, [])):
            wanted = [{"topic": name, "partitions": parts}]
            what = f"kind {kind} {name.replace(side.own, 'own')} {parts}"
            side.ask(
                "elect_leaders", version, what, wait=10, election_type=kind, topic_partitions=wanted, timeout_ms=30000
            )
        side.ask(
            "elect_leaders",
            version,
            f"kind {kind} nothing",
            wait=10,
            election_type=kind,
            topic_partitions=[],
            timeout_ms=30000,
        )


@script()
def all_leaders(side: Side) -> None:
    side.topic(side.own)
    side.ask("elect_leaders", 2, "all", wait=10, election_type=0, topic_partitions=None, timeout_ms=30000)

    def keep(answer: Any) -> None:
        answer.replica_election_results = [r for r in answer.replica_election_results if r.topic == side.own]

    side.show(keep)


@each_version("describe_log_dirs")
def log_dirs(side: Side, version: int) -> None:
    side.topic(side.own, 2)
    side.fill(side.own, batches=4)
    asked: list[list[dict[str, Any]]] = [
        [{"topic": side.own, "partitions": [0, 1]}],
        [{"topic": side.own, "partitions": [1, 7]}],
        [{"topic": side.own, "partitions": []}],
        [{"topic": "nope", "partitions": [0]}],
        [{"topic": side.own, "partitions": [0]}, {"topic": side.own, "partitions": [1]}],
        [],
    ]
    for n, topics in enumerate(asked):
        side.ask("describe_log_dirs", version, f"{n}", topics=topics)


@each_version("alter_partition_reassignments")
def reassignments(side: Side, version: int) -> None:
    side.topic(side.own, 2)
    for n, replicas in enumerate(([1], [], None, [7], [1, 1], [1, 7], [-1])):
        for index in (0, 9):
            parts = [{"partition_index": index, "replicas": replicas}]
            for name in (side.own, "nope"):
                topics = [{"name": name, "partitions": parts}]
                what = f"replicas {n} partition {index} {name.replace(side.own, 'own')}"
                side.ask("alter_partition_reassignments", version, what, wait=10, topics=topics, timeout_ms=30000)
    side.ask("alter_partition_reassignments", version, "nothing", wait=10, topics=[], timeout_ms=30000)
    for topics in (
        None,
        [],
        [{"name": side.own, "partition_indexes": [0, 9]}],
        [{"name": "nope", "partition_indexes": [0]}],
    ):
        what = f"{topics}".replace(side.own, "own")
        side.ask("list_partition_reassignments", 0, what, wait=10, topics=topics, timeout_ms=30000)


@script()
def producers(side: Side) -> None:
    side.topic(side.own, 2)
    side.fill(side.own, producer_id=4000, producer_epoch=2, base_sequence=0)
    side.fill(side.own, producer_id=4001, producer_epoch=0, base_sequence=0)
    for name, parts in ((side.own, [0, 1, 2]), ("nope", [0]), ("a b", [0]), (side.own, [])):
        topics = [{"name": name, "partition_indexes": parts}]
        side.ask("describe_producers", 0, f"{name.replace(side.own, 'own')} {parts}", topics=topics)


@each_version("update_features")
def features(side: Side, version: int) -> None:
    for feature in ("nope", "", "metadata.version"):
        for level in (0, -1, 99):
            for kind in (0, 1, 2, 3, 4):
                update = {
                    "feature": feature,
                    "max_version_level": level,
                    "upgrade_type": kind,
                    "allow_downgrade": kind > 1,
                }
                what = f"{feature!r} {level} {kind}"
                side.ask(
                    "update_features",
                    version,
                    what,
                    wait=10,
                    timeout_ms=30000,
                    feature_updates=[update],
                    validate_only=True,
                )
    side.ask("update_features", version, "nothing", wait=10, timeout_ms=30000, feature_updates=[], validate_only=True)


@each_version("describe_client_quotas")
def quotas(side: Side, version: int) -> None:
    for entity in ("user", "client-id", "ip", "nope", ""):
        for match_type in (0, 1, 2, 3):
            for match in (None, "", "x", "127.0.0.1"):
                part = {"entity_type": entity, "match_type": match_type, "match": match}
                for strict in (False, True):
                    what = f"{entity!r} {match_type} {match!r} {strict}"
                    side.ask("describe_client_quotas", version, what, components=[part], strict=strict)
    user, ip = ({"entity_type": e, "match_type": 2, "match": None} for e in ("user", "ip"))
    for n, parts in enumerate(([user, user], [user, ip], [])):
        side.ask("describe_client_quotas", version, f"{n}", components=parts, strict=False)


@script()
def scram(side: Side) -> None:
    for users in (
        None,
        [],
        [{"name": "x"}],
        [{"name": ""}],
        [{"name": "x"}, {"name": "x"}],
        [{"name": "x"}, {"name": "y"}],
    ):
        side.ask("describe_user_scram_credentials", 0, f"{users}", users=users)


@each_version("list_transactions")
def transactions(side: Side, version: int) -> None:
    """Filters; of what they let through only this script's own is looked at."""
    for n, name in enumerate(("-a", "-b")):
        tree = {"transactional_id": side.own + name, "transaction_timeout_ms": 600_000 + n}
        side.tell("init_producer_id", 4, **tree, producer_id=-1, producer_epoch=-1)

    def keep_own(answer: Any) -> None:
        found = answer.transaction_states
        answer.transaction_states = [one for one in found if one.transactional_id.startswith(side.own)]

    for states in (["Ongoing"], ["nope"], ["ongoing", "Empty"]):
        for ids in ([], [-1], [77]):
            for pattern in (None, "", "nope.*", "["):
                tree = {"state_filters": states, "producer_id_filters": ids, "transactional_id_pattern": pattern}
                what = f"{states} {ids} {pattern}"
                side.ask("list_transactions", version, what, duration_filter=-1, **tree)
                side.show(keep_own)


@each_version("api_versions")
def names_of_clients(side: Side, version: int) -> None:
    for name in ("", "-x", "x-", "x y", "é", "x.", "x.y-z", ".", "1"):
        for said in ("1", "", "1 0", "é"):
            tree = {"client_software_name": name, "client_software_version": said}
            side.ask("api_versions", version, f"{name!r} {said!r}", **tree)


@each_version("sasl_handshake")
def sasl(side: Side, version: int) -> None:
    for mechanism in ("PLAIN", "", "SCRAM-SHA-256", "nope"):
        side.ask("sasl_handshake", version, mechanism, mechanism=mechanism, on=mechanism)
        side.ask("sasl_authenticate", 2, mechanism, auth_bytes=b"\0a\0b", on=mechanism)
