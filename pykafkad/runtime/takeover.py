"""Take over a stopped single-node Kafka: its metadata becomes a cluster store, its partitions' folders come along.

``survey`` looks and refuses; nothing is written before it is through. ``carry_out`` brings the files first and writes
the store last, so that an import which was broken off never looks like a cluster.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kafkawire.errors import WireError
from pykafkad.clock import SystemClock
from pykafkad.cluster import keys
from pykafkad.cluster.image import BROKER, CLIENT_METRICS, GROUP, TOPIC, PartitionImage
from pykafkad.cluster.kraft import Kraft, KraftTopic
from pykafkad.cluster.store import StoreUnavailable, Transaction
from pykafkad.errors import ConfigError
from pykafkad.model import ZERO_UUID, TopicPartition, uuid_text
from pykafkad.runtime.config_rules import changeable, refuse_topic_value, refuse_value, settings_of
from pykafkad.storage import names
from pykafkad.storage.checkpoints import KAFKAS, encode_properties
from pykafkad.storage.disk import RealDisk
from pykafkad.storage.metadata_log import CorruptMetadata, read_metadata
from pykafkad.storage.takeover import METADATA_FOLDER, Source, Take, take, write_checkpoints

METADATA_VERSION = "metadata.version"
UNFINISHED = "import-unfinished"
_RESERVED_DIRECTORIES = 100  # Uuids below this stand for no directory: unassigned, lost, migrating
_STORE = "cluster.sqlite"

Features = Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class Survey:
    """What an import would do."""

    sources: Sequence[Source]
    targets: Sequence[str]
    kraft: Kraft
    features: Mapping[str, int]
    puts: dict[str, bytes]
    plan: dict[TopicPartition, list[Take]]
    notes: list[str] = field(default_factory=list)
    """What is not as before, one line each."""

    @property
    def cluster_id(self) -> str:
        return self.sources[0].cluster_id

    @property
    def node_id(self) -> int:
        return self.sources[0].node_id

    @property
    def clean(self) -> bool:
        return all(source.clean for source in self.sources)

    @property
    def bytes(self) -> int:
        return sum(one.size for takes in self.plan.values() for one in takes)

    def target_of(self, source: Source) -> str:
        return self.targets[self.sources.index(source) % len(self.targets)]

    def close(self) -> None:
        for source in self.sources:
            source.close()


def survey(paths: Sequence[str], targets: Sequence[str], features: Features) -> Survey:
    """ConfigError, in one line, when it can't be done. The sources are locked until the survey is closed."""
    targets = [target.rstrip("/") or "/" for target in targets]
    if len(targets) not in (1, len(paths)):
        raise ConfigError(f"{len(targets)} data directories for {len(paths)}: name one, or one for each")
    for target in targets:
        _refuse_target(target, paths)
    sources: list[Source] = []
    try:
        for path in paths:
            sources.append(Source.open(path))  # noqa: PERF401 - those before one that is refused are closed below
        _refuse_mixture(sources)
        kraft = _metadata(sources)
        made = Survey(sources, targets, kraft, _features(kraft, features), {}, {})
        _refuse_other_nodes(kraft, made.node_id)
        made.notes += _left_out(made, features)
        _place(made)
        _describe(made)
        return made
    except BaseException:
        for source in sources:
            source.close()
        raise


# -- refusals ------------------------------------------------------------------------------------------------------


def _refuse_target(target: str, paths: Sequence[str]) -> None:
    for path in paths:
        if f"{os.path.realpath(target)}/".startswith(f"{os.path.realpath(path)}/"):
            raise ConfigError(f"{target} lies in {path}: an import changes nothing there")
    try:
        there = os.listdir(target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}") from error
    if [name for name in there if name != "lost+found"]:
        raise ConfigError(f"{target} is not empty: an import needs a new data directory")


def _refuse_mixture(sources: Sequence[Source]) -> None:
    """Directories of one log.dirs have a cluster and a node in common, and no partition."""
    first = sources[0]
    homes: dict[TopicPartition, Source] = {}
    for source in sources:
        if (source.cluster_id, source.node_id) != (first.cluster_id, first.node_id):
            raise ConfigError(
                f"{source.path} is of node {source.node_id} of cluster {source.cluster_id}, "
                f"{first.path} of node {first.node_id} of cluster {first.cluster_id}"
            )
        for key in source.folders:
            if key in homes:
                raise ConfigError(f"{key} is in {homes[key].path} and in {source.path}")
            homes[key] = source


def _metadata(sources: Sequence[Source]) -> Kraft:
    folder = next((f"{source.path}/{METADATA_FOLDER}" for source in sources if source.has_metadata), None)
    if folder is None:
        named = ", ".join(source.path for source in sources)
        raise ConfigError(f"no {METADATA_FOLDER} in {named}: name every directory of log.dirs, and metadata.log.dir")
    try:
        return Kraft(read_metadata(RealDisk(), folder))
    except (CorruptMetadata, WireError) as error:
        raise ConfigError(f"the cluster's metadata can't be read: {error}") from error
    except KeyError as error:  # a record about what no record before it made
        raise ConfigError(f"the cluster's metadata has a hole: {folder}: nothing is known of {error}") from error
    except OSError as error:
        raise ConfigError(f"{error.filename or folder}: {error.strerror}") from error


def _features(kraft: Kraft, known: Features) -> dict[str, int]:
    """The levels that go on: those of the source, as far as they mean something here."""
    level = kraft.features.get(METADATA_VERSION)
    if level is None:
        raise ConfigError("its metadata has no metadata.version: this Kafka was formatted and never ran")
    low, high = known[METADATA_VERSION]
    if not low <= level <= high:
        raise ConfigError(f"its metadata.version is {level}; {low} to {high} are known here")
    return {name: min(level, known[name][1]) for name, level in kraft.features.items() if name in known}


def _refuse_other_nodes(kraft: Kraft, node_id: int) -> None:
    for topic in kraft.topics.values():
        for number, partition in topic.partitions.items():
            if partition.replicas != [node_id]:
                replicas = ", ".join(map(str, partition.replicas))
                raise ConfigError(
                    f"not a single node's: {topic.name}-{number} has its replicas on nodes {replicas}; "
                    f"reassign everything to node {node_id} alone first"
                )


# -- what becomes of it --------------------------------------------------------------------------------------------


def _left_out(made: Survey, known: Features) -> Iterator[str]:
    kraft = made.kraft
    for what, count in (
        ("ACLs", len(kraft.acls)),
        ("client quotas", len(kraft.quotas)),
        ("SCRAM credentials", len(kraft.credentials)),
        ("delegation tokens", len(kraft.tokens)),
    ):
        if count:
            yield f"{count} {what} are left out: there are none here yet"
    others = sorted((kraft.brokers | kraft.controllers) - {made.node_id})
    if others:
        nodes = ", ".join(map(str, others))
        yield f"nodes {nodes} belonged to the cluster too: what this one had not heard from them yet is not here"
    for source in made.sources:
        for name in source.left:
            yield f"{source.path}/{name} is left behind: it is no partition of the cluster, or a move that hadn't ended"


def _place(made: Survey) -> None:
    """Topics and partitions: the store's entries, and the files to bring."""
    named = {source.directory_id for source in made.sources}
    homes = {key: source for source in made.sources for key in source.folders}
    wanted: set[TopicPartition] = set()
    for topic in sorted(made.kraft.topics.values(), key=lambda topic: topic.name):
        numbers = range(len(topic.partitions))
        if set(numbers) != set(topic.partitions):
            raise ConfigError(f"the cluster's metadata has a hole: partitions of {topic.name} are missing")
        made.puts[keys.topic(topic.name)] = keys.write_topic(topic.name, topic.id, [(made.node_id,)] * len(numbers))
        for number in numbers:
            wanted.add(key := TopicPartition(topic.name, number))
            partition = topic.partitions[number]
            # A leader anew: whoever fetched from the old one notices, as after a restart of Kafka.
            state = PartitionImage(
                (made.node_id,),
                (made.node_id,),
                made.node_id,
                partition.leader_epoch + 1,
                partition.partition_epoch + 1,
            )
            made.puts[keys.partition(topic.id, number)] = keys.write_partition(state)
            home = homes.get(key)
            if home is not None and home.folders[key][1] in (topic.id, ZERO_UUID):
                made.plan[key] = home.plan(key, made.target_of(home))
            else:
                _refuse_missing(topic, number, named)
    for key in sorted(homes.keys() - made.plan.keys()):
        why = "its topic was deleted" if key not in wanted else "it is of an earlier topic of that name"
        made.notes.append(f"{homes[key].path}/{key} is left behind: {why}")


def _refuse_missing(topic: KraftTopic, number: int, named: set[str]) -> None:
    """A partition without a folder begins empty, if Kafka would say so too."""
    for directory in topic.partitions[number].directories:
        reserved = not any(directory[:-1]) and directory[-1] < _RESERVED_DIRECTORIES
        if not reserved and uuid_text(directory) not in named:
            raise ConfigError(
                f"{topic.name}-{number} is in log directory {uuid_text(directory)}, which is none of those named: "
                "name every directory of log.dirs"
            )


def _describe(made: Survey) -> None:
    """The rest of the store: the cluster, features, settings, producer ids."""
    made.puts[keys.CLUSTER] = keys.write({"id": made.cluster_id})
    made.puts[keys.FEATURES] = keys.write(made.features)
    if made.kraft.next_producer_id:
        made.puts[keys.PRODUCER_IDS] = keys.write({"next": made.kraft.next_producer_id})
    for (kind, name), overrides in sorted(made.kraft.configs.items()):
        kept = {}
        for key, value in overrides.items():
            refused = _refuse_setting(kind, name, key, value, made.node_id)
            if refused is None:
                kept[key] = value
            else:
                made.notes.append(
                    f"{_KINDS.get(kind, f'resource {kind}')} {name or 'default'}: {key} left out: {refused}"
                )
        if kept:
            made.puts[keys.config(kind, name)] = keys.write(kept)


_KINDS = {TOPIC: "topic", BROKER: "broker", GROUP: "group", CLIENT_METRICS: "client metrics"}


def _refuse_setting(kind: int, name: str, key: str, value: str, node_id: int) -> str | None:
    """Why a setting of the source can't be one here."""
    if kind not in _KINDS:
        return "there is no such kind of resource here"
    if kind == TOPIC:
        return refuse_topic_value(key, value)
    setting = settings_of(kind).get(key)
    if kind == BROKER:
        if name not in ("", str(node_id)):
            return "that broker isn't taken over"
        if setting is None:  # a plugin's: kept, as AlterConfigs does
            return None
        if not changeable(setting):
            return "it can't be set while a broker runs here: put it into server.properties"
    elif setting is None:
        return "it is unknown here"
    return refuse_value(setting, value)


# -- doing it ------------------------------------------------------------------------------------------------------


class Progress(Protocol):
    """Who hears how far it is."""

    def brought(self, size: int, shared: bool) -> None: ...

    def partition_done(self) -> None: ...


def carry_out(made: Survey, link: bool, progress: Progress) -> None:
    """Bring everything over. ConfigError when it can't be done; the targets are then as empty as before."""
    there = [target for target in made.targets if os.path.isdir(target)]
    try:
        for target in made.targets:
            os.makedirs(target, exist_ok=True)
            # Until all is done the directory belongs to no node, in case this is broken off and somebody serves it.
            _write(target, names.META_PROPERTIES, encode_properties({"version": "1", "node.id": UNFINISHED}))
        _refuse_space(made, link)
        for takes in made.plan.values():
            take(takes, link, progress.brought)
            progress.partition_done()
        for target in made.targets:
            own = [source for source in made.sources if made.target_of(source) == target]
            write_checkpoints(target, own, made.plan)
            if all(source.clean for source in own):
                _write(target, names.CLEAN_SHUTDOWN, b'{"version":0,"brokerEpoch":-1}')
            RealDisk().sync_all(target)
        asyncio.run(_write_store(f"{made.targets[0]}/{_STORE}", made.puts))
        for target in made.targets:
            identity = {
                "version": "1",
                "cluster.id": made.cluster_id,
                "node.id": str(made.node_id),
                "directory.id": next(s.directory_id for s in made.sources if made.target_of(s) == target),
            }
            RealDisk().replace(f"{target}/{names.META_PROPERTIES}", KAFKAS + encode_properties(identity))
    except BaseException as error:
        _clear(made.targets, there)
        if isinstance(error, OSError):
            raise ConfigError(f"{error.filename2 or error.filename or made.targets[0]}: {error.strerror}") from error
        if isinstance(error, StoreUnavailable):
            raise ConfigError(str(error)) from error
        raise


def _refuse_space(made: Survey, link: bool) -> None:
    """Say before copying that the disk is too small, not after hours."""
    needed: Counter[int] = Counter()
    volumes = {os.stat(target).st_dev: target for target in made.targets}
    devices = {source.path: os.stat(source.path).st_dev for source in made.sources}
    for source in made.sources:
        device = os.stat(made.target_of(source)).st_dev
        linked = link and devices[source.path] == device
        needed[device] += sum(
            one.size
            for key, takes in made.plan.items()
            for one in takes
            if key in source.folders and not (linked and one.shared)
        )
    for device, size in needed.items():
        _, usable = RealDisk().space(volumes[device])
        if size > usable:
            raise ConfigError(f"{volumes[device]}: {size} bytes are to be copied, {usable} are free")


async def _write_store(path: str, puts: Mapping[str, bytes]) -> None:
    from pykafkad.cluster.sqlite import SqliteStore

    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        await store.commit(Transaction({keys.CLUSTER: 0}, puts))
    finally:
        await store.close()


def _write(directory: str, name: str, data: bytes) -> None:
    with open(f"{directory}/{name}", "wb") as file:
        file.write(data)


def _clear(targets: Sequence[str], there: Sequence[str]) -> None:
    """The targets as they were: gone, or empty."""
    for target in targets:
        if target not in there:
            shutil.rmtree(target, ignore_errors=True)
            continue
        for entry in os.scandir(target):
            if entry.name == "lost+found":
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
