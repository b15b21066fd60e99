"""Every API in every version: a valid request, and that request with each of its fields bent in every interesting way.

``_BASES`` gives each API its valid request. It is asked for anew before each variation, with a number of its own, so
that what one variation did to a topic or a group doesn't colour the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from conformance.differential.scripts import Script, scripts_of
from conformance.differential.scripts.members import living
from conformance.differential.scripts.transactions import find as find_transactions
from conformance.differential.side import Side, Versions
from conformance.differential.trees import TEXTS, Tree, variations
from conformance.differential.wire import BY_NAME
from kafkawire.api import describe_log_dirs as describe_log_dirs_api
from kafkawire.api import elect_leaders as elect_leaders_api
from kafkawire.api import list_config_resources as list_config_resources_api
from kafkawire.api import list_groups as list_groups_api
from kafkawire.api import list_transactions as list_transactions_api
from kafkawire.api import metadata as metadata_api
from kafkawire.keys import request_class

Base = Callable[[Side, int], Tree]
_BASES: dict[str, Base] = {}
MANY = 20  # topics: more than any request here names
WAIT = 15.0  # a stalled connection costs as much; a busy controller may take long
# Variations that would wait for ever, that race with a clock, or that undo what other scripts stand on.
_TIMES = tuple(f"timeout_ms={ms}" for ms in (1, 2))
_OTHERS_IDS = tuple(f"transactional_id={text[:4]!r}{'…' * (len(text) > 4)}" for text in TEXTS if text)
_NEVER: dict[str, tuple[str, ...]] = {
    "fetch": ("max_wait_ms=2147483647",),
    "elect_leaders": ("topic_partitions=null", *_TIMES),
    "describe_log_dirs": ("topics=null",),
    "list_partition_reassignments": ("topics=null",),
    "metadata": ("topics=null", "topics=[]"),
    "unregister_broker": ("broker_id=1",),
    "create_topics": _TIMES,
    "delete_topics": _TIMES,
    "create_partitions": _TIMES,
    "alter_partition_reassignments": _TIMES,
    "join_group": tuple(f"group_id={text[:4]!r}{'…' * (len(text) > 4)}" for text in TEXTS if text),  # shared names
    "add_partitions_to_txn": ("transactions=[]",),  # Apache Kafka never answers it
    "init_producer_id": _OTHERS_IDS,
    "txn_offset_commit": _OTHERS_IDS,
}


def base(make: Base) -> Base:
    _BASES[make.__name__] = make
    return make


@scripts_of("edges")
def scripts(served: dict[str, Versions]) -> Iterator[Script]:
    for api, versions in served.items():
        for version in versions.each():
            yield Script("edges", f"edges {api} v{version}", partial(_bend, api, version), False)


def _bend(api: str, version: int, side: Side) -> None:
    make = _BASES[api]
    cls = request_class(BY_NAME[api].key)
    side.ask(api, version, "as it should be", wait=WAIT, **make(side, 0))
    side.show(partial(keep_own, side))
    changes = [what for what, _ in variations(cls, make(side, 0), version)]
    for i, what in enumerate(changes, 1):
        if what in _NEVER.get(api, ()):
            continue
        tree = dict(variations(cls, make(side, i), version))[what]
        if side.ask(api, version, what, wait=WAIT, **tree) is None:
            side.drop("a")  # a connection that stalls doesn't get better
        side.show(partial(keep_own, side))


def keep_own(side: Side, answer: Any) -> None:
    """Lists of all that there is, without what other scripts made."""
    if isinstance(answer, list_groups_api.Response):
        answer.groups = [one for one in answer.groups if side.own in one.group_id]
    elif isinstance(answer, list_transactions_api.Response):
        answer.transaction_states = [one for one in answer.transaction_states if side.own in one.transactional_id]
    elif isinstance(answer, list_config_resources_api.Response):
        found = answer.config_resources
        answer.config_resources = [one for one in found if one.resource_type != 2 or side.own in one.resource_name]
    elif isinstance(answer, metadata_api.Response) and len(answer.topics) > MANY:
        answer.topics = [one for one in answer.topics if side.own in (one.name or "")]
    elif isinstance(answer, describe_log_dirs_api.Response):
        for place in answer.results:
            if len(place.topics) > MANY:
                place.topics = [one for one in place.topics if side.own in one.name]
    elif isinstance(answer, elect_leaders_api.Response) and len(answer.replica_election_results) > MANY:
        answer.replica_election_results = [one for one in answer.replica_election_results if side.own in one.topic]


def valid(side: Side, api: str, version: int) -> bytes:
    """The frame of an API's valid request."""
    return side.frame(api, version, _BASES[api](side, 0))


def _topic(side: Side, partitions: int = 2) -> str:
    """The topic of this script."""
    name = side.own
    if name not in side.topic_ids:
        side.topic(name, partitions)
        side.fill(name, batches=3)
    return name


def _group(side: Side, n: int = 0) -> str:
    return f"{side.own}-{n}"


@base
def produce(side: Side, n: int) -> Tree:
    name = _topic(side)
    data = [{"index": 0, "records": side.batch()}]
    topic = {"name": name, "topic_id": side.topic_ids[name], "partition_data": data}
    return {"acks": -1, "timeout_ms": 5000, "topic_data": [topic], "transactional_id": None}


@base
def fetch(side: Side, n: int) -> Tree:
    name = _topic(side)
    partition = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20, "log_start_offset": -1}
    partition |= {"current_leader_epoch": -1, "last_fetched_epoch": -1}
    return {
        "replica_id": -1,
        "max_wait_ms": 100,
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "isolation_level": 0,
        "session_id": 0,
        "session_epoch": -1,
        "topics": [{"topic": name, "topic_id": side.topic_ids[name], "partitions": [partition]}],
        "forgotten_topics_data": [],
        "rack_id": "",
    }


@base
def list_offsets(side: Side, n: int) -> Tree:
    partition = {"partition_index": 0, "timestamp": -1, "current_leader_epoch": -1}
    return {"replica_id": -1, "isolation_level": 0, "topics": [{"name": _topic(side), "partitions": [partition]}]}


@base
def metadata(side: Side, n: int) -> Tree:
    name = _topic(side)
    return {
        "topics": [{"name": name, "topic_id": bytes(16)}],
        "allow_auto_topic_creation": False,
        "include_topic_authorized_operations": False,
    }


@base
def offset_commit(side: Side, n: int) -> Tree:
    name, group = _topic(side), _group(side)
    generation, member = living(side, group)
    partition = {"partition_index": 0, "committed_offset": 5, "committed_leader_epoch": -1, "committed_metadata": "m"}
    topic = {"name": name, "topic_id": side.topic_ids[name], "partitions": [partition]}
    return {
        "group_id": group,
        "generation_id_or_member_epoch": generation,
        "member_id": member,
        "group_instance_id": None,
        "topics": [topic],
    }


@base
def offset_fetch(side: Side, n: int) -> Tree:
    name, group = _topic(side), _group(side)
    if not n:
        data = [{"partition_index": 0, "committed_offset": 5, "committed_metadata": "m"}]
        side.tell("offset_commit", 8, group_id=group, topics=[{"name": name, "partitions": data}])
    topic = {"name": name, "topic_id": side.topic_ids[name], "partition_indexes": [0, 1]}
    asked = {"group_id": group, "member_id": None, "member_epoch": -1, "topics": [topic]}
    old = {"name": name, "partition_indexes": [0, 1]}
    return {"group_id": group, "topics": [old], "groups": [asked], "require_stable": False}


@base
def find_coordinator(side: Side, n: int) -> Tree:
    return {"key": _group(side), "key_type": 0, "coordinator_keys": [_group(side)]}


@base
def join_group(side: Side, n: int) -> Tree:
    return {
        "group_id": _group(side, n),
        "session_timeout_ms": 6000,
        "rebalance_timeout_ms": 6000,
        "member_id": "",
        "group_instance_id": None,
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"}],
        "reason": "because",
    }


@base
def sync_group(side: Side, n: int) -> Tree:
    group = _group(side)
    generation, member = living(side, group)
    return {
        "group_id": group,
        "generation_id": generation,
        "member_id": member,
        "group_instance_id": None,
        "protocol_type": "consumer",
        "protocol_name": "range",
        "assignments": [{"member_id": member, "assignment": b"mine"}],
    }


@base
def heartbeat(side: Side, n: int) -> Tree:
    group = _group(side)
    generation, member = living(side, group)
    return {"group_id": group, "generation_id": generation, "member_id": member, "group_instance_id": None}


@base
def leave_group(side: Side, n: int) -> Tree:
    group = _group(side, n)
    _, member = living(side, group)
    leaving = {"member_id": member, "group_instance_id": None, "reason": "enough"}
    return {"group_id": group, "member_id": member, "members": [leaving]}


@base
def describe_groups(side: Side, n: int) -> Tree:
    group = _group(side)
    living(side, group)
    return {"groups": [group], "include_authorized_operations": True}


@base
def list_groups(side: Side, n: int) -> Tree:
    return {"states_filter": ["Dead"], "types_filter": ["classic"]}


@base
def delete_groups(side: Side, n: int) -> Tree:
    group = _group(side, n)
    data = [{"partition_index": 0, "committed_offset": 5, "committed_metadata": "m"}]
    side.tell("offset_commit", 8, group_id=group, topics=[{"name": _topic(side), "partitions": data}])
    return {"groups_names": [group]}


@base
def offset_delete(side: Side, n: int) -> Tree:
    group = _group(side, n)
    data = [{"partition_index": 0, "committed_offset": 5, "committed_metadata": "m"}]
    side.tell("offset_commit", 8, group_id=group, topics=[{"name": _topic(side), "partitions": data}])
    return {"group_id": group, "topics": [{"name": _topic(side), "partitions": [{"partition_index": 0}]}]}


@base
def sasl_handshake(side: Side, n: int) -> Tree:
    return {"mechanism": "PLAIN"}


@base
def sasl_authenticate(side: Side, n: int) -> Tree:
    return {"auth_bytes": b"\0a\0b"}


@base
def api_versions(side: Side, n: int) -> Tree:
    return {"client_software_name": "differential", "client_software_version": "1.0"}


@base
def create_topics(side: Side, n: int) -> Tree:
    config = {"name": "retention.ms", "value": "1000"}
    topic = {"name": f"{side.own}-new-{n}", "num_partitions": 1, "replication_factor": 1, "configs": [config]}
    return {"topics": [topic | {"assignments": []}], "timeout_ms": 30000, "validate_only": True}


@base
def delete_topics(side: Side, n: int) -> Tree:
    name = f"{side.own}-gone"
    return {"topics": [{"name": name, "topic_id": bytes(16)}], "topic_names": [name], "timeout_ms": 30000}


@base
def delete_records(side: Side, n: int) -> Tree:
    return {"topics": [{"name": _topic(side), "partitions": [{"partition_index": 0, "offset": 0}]}], "timeout_ms": 3000}


@base
def init_producer_id(side: Side, n: int) -> Tree:
    return {"transactional_id": None, "transaction_timeout_ms": 60000, "producer_id": -1, "producer_epoch": -1}


def _writer(side: Side, n: int) -> tuple[str, int, int]:
    """A transactional id that nobody else uses, with its producer id and epoch."""
    name = f"{side.own}-{n}-{len(side.exchanges)}"  # each time another one: its epoch is 0
    find_transactions(side, name)
    made = side.tell("init_producer_id", 4, transactional_id=name, transaction_timeout_ms=60_000)
    return name, made.producer_id, made.producer_epoch


@base
def add_partitions_to_txn(side: Side, n: int) -> Tree:
    name, producer_id, epoch = _writer(side, n)
    topics = [{"name": _topic(side), "partitions": [0]}]
    one = {"transactional_id": name, "producer_id": producer_id, "producer_epoch": epoch, "topics": topics}
    return {"transactions": [one]} | {f"v3_and_below_{key}": value for key, value in one.items()}


@base
def add_offsets_to_txn(side: Side, n: int) -> Tree:
    name, producer_id, epoch = _writer(side, n)
    return {"transactional_id": name, "producer_id": producer_id, "producer_epoch": epoch, "group_id": f"{name}-group"}


@base
def txn_offset_commit(side: Side, n: int) -> Tree:
    name, producer_id, epoch = _writer(side, n)
    side.tell("add_offsets_to_txn", 3, **add_offsets_to_txn(side, n) | {"transactional_id": name, "group_id": name})
    partition = {"partition_index": 0, "committed_offset": 5, "committed_metadata": "m"}
    who = {"transactional_id": name, "producer_id": producer_id, "producer_epoch": epoch, "group_id": name}
    return who | {"generation_id": -1, "topics": [{"name": _topic(side), "partitions": [partition]}]}


@base
def write_txn_markers(side: Side, n: int) -> Tree:
    marker = {"producer_id": 900_000 + n, "producer_epoch": 0, "transaction_result": False, "coordinator_epoch": 0}
    topics = [{"name": _topic(side), "partition_indexes": [0]}]
    return {"markers": [marker | {"topics": topics, "transaction_version": 1}]}


@base
def end_txn(side: Side, n: int) -> Tree:
    name, producer_id, epoch = _writer(side, n)
    return {"transactional_id": name, "producer_id": producer_id, "producer_epoch": epoch, "committed": False}


@base
def offset_for_leader_epoch(side: Side, n: int) -> Tree:
    partition = {"partition": 0, "current_leader_epoch": -1, "leader_epoch": 0}
    return {"replica_id": -1, "topics": [{"topic": _topic(side), "partitions": [partition]}]}


_ACL = {"resource_type": 2, "resource_name": "t", "resource_pattern_type": 3, "principal": "User:a", "host": "*"}
_ACL |= {"operation": 3, "permission_type": 3}


@base
def create_acls(side: Side, n: int) -> Tree:
    return {"creations": [_ACL]}


@base
def describe_acls(side: Side, n: int) -> Tree:
    tree = {"resource_type_filter": 2, "resource_name_filter": "t", "pattern_type_filter": 3}
    return tree | {"principal_filter": "User:a", "host_filter": "*", "operation": 3, "permission_type": 3}


@base
def delete_acls(side: Side, n: int) -> Tree:
    return {"filters": [describe_acls(side, n)]}


@base
def describe_configs(side: Side, n: int) -> Tree:
    keys = ["cleanup.policy", "max.message.bytes"]
    resource = {"resource_type": 2, "resource_name": _topic(side), "configuration_keys": keys}
    return {"resources": [resource], "include_synonyms": True, "include_documentation": False}


@base
def alter_configs(side: Side, n: int) -> Tree:
    config = {"name": "cleanup.policy", "value": "compact"}
    resource = {"resource_type": 2, "resource_name": _topic(side), "configs": [config]}
    return {"resources": [resource], "validate_only": True}


@base
def incremental_alter_configs(side: Side, n: int) -> Tree:
    config = {"name": "cleanup.policy", "value": "compact", "config_operation": 0}
    resource = {"resource_type": 2, "resource_name": _topic(side), "configs": [config]}
    return {"resources": [resource], "validate_only": True}


@base
def list_config_resources(side: Side, n: int) -> Tree:
    return {"resource_types": [16]}


@base
def describe_log_dirs(side: Side, n: int) -> Tree:
    return {"topics": [{"topic": _topic(side), "partitions": [0]}]}


@base
def alter_replica_log_dirs(side: Side, n: int) -> Tree:
    topic = {"name": _topic(side), "partitions": [0]}  # their directories have other names, so it is one of neither
    return {"dirs": [{"path": "/nowhere/at/all", "topics": [topic]}]}


@base
def create_partitions(side: Side, n: int) -> Tree:
    topic = {"name": _topic(side), "count": 3, "assignments": None}
    return {"topics": [topic], "timeout_ms": 30000, "validate_only": True}


@base
def create_delegation_token(side: Side, n: int) -> Tree:
    renewer = {"principal_type": "User", "principal_name": "a"}
    owner = {"owner_principal_type": "User", "owner_principal_name": "a"}
    return {"renewers": [renewer], "max_lifetime_ms": 1000} | owner


@base
def renew_delegation_token(side: Side, n: int) -> Tree:
    return {"hmac": b"abc", "renew_period_ms": 1000}


@base
def expire_delegation_token(side: Side, n: int) -> Tree:
    return {"hmac": b"abc", "expiry_time_period_ms": 1000}


@base
def describe_delegation_token(side: Side, n: int) -> Tree:
    return {"owners": [{"principal_type": "User", "principal_name": "a"}]}


@base
def elect_leaders(side: Side, n: int) -> Tree:
    topic = {"topic": _topic(side), "partitions": [0]}
    return {"election_type": 0, "topic_partitions": [topic], "timeout_ms": 5000}


@base
def alter_partition_reassignments(side: Side, n: int) -> Tree:
    topic = {"name": _topic(side), "partitions": [{"partition_index": 0, "replicas": [1]}]}
    return {"timeout_ms": 5000, "topics": [topic], "allow_replication_factor_change": True}


@base
def list_partition_reassignments(side: Side, n: int) -> Tree:
    return {"timeout_ms": 5000, "topics": [{"name": _topic(side), "partition_indexes": [0]}]}


@base
def describe_client_quotas(side: Side, n: int) -> Tree:
    return {"components": [{"entity_type": "user", "match_type": 0, "match": "a"}], "strict": False}


@base
def describe_user_scram_credentials(side: Side, n: int) -> Tree:
    return {"users": [{"name": "a"}]}


@base
def describe_quorum(side: Side, n: int) -> Tree:
    return {"topics": [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]}


@base
def update_features(side: Side, n: int) -> Tree:
    update = {"feature": "nope", "max_version_level": 1, "allow_downgrade": False, "upgrade_type": 1}
    return {"timeout_ms": 5000, "feature_updates": [update], "validate_only": True}


@base
def describe_cluster(side: Side, n: int) -> Tree:
    return {"include_cluster_authorized_operations": True, "endpoint_type": 1, "include_fenced_brokers": False}


@base
def describe_producers(side: Side, n: int) -> Tree:
    return {"topics": [{"name": _topic(side), "partition_indexes": [0]}]}


@base
def unregister_broker(side: Side, n: int) -> Tree:
    return {"broker_id": 77}


@base
def describe_transactions(side: Side, n: int) -> Tree:
    return {"transactional_ids": ["t"]}


@base
def list_transactions(side: Side, n: int) -> Tree:
    return {"state_filters": ["Ongoing"], "producer_id_filters": [5], "duration_filter": -1}


@base
def describe_topic_partitions(side: Side, n: int) -> Tree:
    cursor = {"topic_name": _topic(side), "partition_index": 1}
    return {"topics": [{"name": _topic(side)}], "response_partition_limit": 10, "cursor": cursor}


@base
def add_raft_voter(side: Side, n: int) -> Tree:
    listener = {"name": "CONTROLLER", "host": "127.0.0.1", "port": 1}
    voter = {"voter_id": 9, "voter_directory_id": b"\5" * 16, "listeners": [listener], "timeout_ms": 1000}
    return {"cluster_id": "nope"} | voter


@base
def remove_raft_voter(side: Side, n: int) -> Tree:
    return {"cluster_id": "nope", "voter_id": 9, "voter_directory_id": b"\5" * 16}
