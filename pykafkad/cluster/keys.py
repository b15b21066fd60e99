"""What lies under which key of the cluster store, and how it is written there.

    cluster                     {"id"}
    brokers/1                   {"endpoints", "rack", "directory"}; hangs on a lease
    controller                  {"broker"}; hangs on that broker's lease
    topics/NAME                 {"name", "id", "replicas": one list per partition}; NAME with '.' as '_', so that two
                                topics whose metrics would collide can't both exist
    partitions/ID/7             {"leader", "isr", "leader_epoch", "partition_epoch"}; once it changed
    configs/TYPE/NAME           {"key": "value"}; TYPE as DescribeConfigs numbers it, NAME "" for all brokers
    features                    {"feature": level}
    producer-ids                {"next"}

Values are JSON: small, readable with ``sqlite3 cluster.sqlite``, and open for new fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pykafkad.cluster.image import BrokerImage, PartitionImage, TopicImage
from pykafkad.model import uuid_from_text, uuid_text

CLUSTER = "cluster"
CONTROLLER = "controller"
FEATURES = "features"
PRODUCER_IDS = "producer-ids"
BROKERS = "brokers/"
TOPICS = "topics/"
PARTITIONS = "partitions/"
CONFIGS = "configs/"


_decode = json.JSONDecoder().decode  # json.loads would look for the encoding of every value first


def broker(broker_id: int) -> str:
    return f"{BROKERS}{broker_id}"


def topic(name: str) -> str:
    return TOPICS + name.replace(".", "_")


def partition(topic_id: bytes, index: int) -> str:
    return f"{PARTITIONS}{uuid_text(topic_id)}/{index}"


def config(resource_type: int, name: str) -> str:
    return f"{CONFIGS}{resource_type}/{name}"


def config_from_key(key: str) -> tuple[int, str]:
    resource_type, _, name = key[len(CONFIGS) :].partition("/")
    return int(resource_type), name


def write(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read(value: bytes) -> dict[str, Any]:
    found: dict[str, Any] = _decode(value.decode())
    return found


def write_topic(name: str, topic_id: bytes, replicas: list[tuple[int, ...]]) -> bytes:
    return write({"name": name, "id": uuid_text(topic_id), "replicas": replicas})


def read_topic(value: bytes) -> TopicImage:
    """A topic as created: each partition led by its first replica, all replicas in sync."""
    found = read(value)
    fresh: dict[tuple[int, ...], PartitionImage] = {}  # most partitions of a topic look alike
    partitions = []
    for listed in found["replicas"]:
        replicas = tuple(listed)
        image = fresh.get(replicas)
        if image is None:
            image = fresh[replicas] = PartitionImage(replicas, replicas, replicas[0], 0, 0)
        partitions.append(image)
    return TopicImage(found["name"], uuid_from_text(found["id"]), tuple(partitions))


def write_partition(state: PartitionImage) -> bytes:
    return write(
        {
            "leader": state.leader,
            "isr": state.isr,
            "leader_epoch": state.leader_epoch,
            "partition_epoch": state.partition_epoch,
        }
    )


def read_partition(value: bytes, replicas: tuple[int, ...]) -> PartitionImage:
    found = read(value)
    return PartitionImage(
        replicas, tuple(found["isr"]), found["leader"], found["leader_epoch"], found["partition_epoch"]
    )


def write_broker(endpoints: Mapping[str, tuple[str, int]], rack: str | None, directory: str) -> bytes:
    return write({"endpoints": endpoints, "rack": rack, "directory": directory})


def read_broker(broker_id: int, value: bytes, revision: int) -> BrokerImage:
    """A registered broker; its epoch is the revision that registered it."""
    found = read(value)
    endpoints = {name: (host, port) for name, (host, port) in found["endpoints"].items()}
    return BrokerImage(broker_id, revision, endpoints, found["rack"], False, found["directory"])
