"""Admin: what changes the cluster. Any broker can do it for any client.

Each request is checked against one image and written as one transaction, conditional on what was read. Somebody
else's change in between means: look again. A request is answered when this broker's own image has it, so that the
next request on the same connection sees what this one did.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from kafkawire.errors import ErrorCode
from pykafkad.cluster import keys
from pykafkad.cluster.image import TOPIC, ClusterImage, TopicImage
from pykafkad.cluster.store import StoreUnavailable, Transaction
from pykafkad.config import Config
from pykafkad.errors import Refused
from pykafkad.logs import log
from pykafkad.runtime.config_rules import Alteration, altered
from pykafkad.runtime.metadata import Metadata, new_uuid
from pykafkad.runtime.topic_rules import (
    MAX_NEW_PARTITIONS,
    METADATA_TOPIC,
    NewPartitions,
    NewTopic,
    internal_topic,
    new_partitions,
    plan_growth,
    plan_topic,
    racks,
    topic_keys,
)

R = TypeVar("R")

_ATTEMPTS = 20
_PRODUCER_IDS_PER_BLOCK = 1000


class ResourceChange(NamedTuple):
    resource_type: int
    name: str
    alterations: Sequence[Alteration]
    replace: bool = False  # AlterConfigs: what is not named goes


class Admin:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._store = metadata.store
        self._making: dict[str, asyncio.Future[TopicImage | Refused]] = {}
        self._next_start = 0

    @property
    def config(self) -> Config:
        return self._metadata.config

    async def _commit(self, plan: Callable[[ClusterImage], tuple[Transaction | None, R]]) -> R | Refused:
        """Plan against the newest image and write, until nobody came in between. The plan's answers, or why not."""
        for _ in range(_ATTEMPTS):
            image = self._metadata.image
            transaction, answers = plan(image)
            if transaction is None:
                return answers
            try:
                revision = await self._store.commit(transaction)
            except StoreUnavailable as error:
                self._metadata.answered(error)
                return Refused(ErrorCode.REQUEST_TIMED_OUT, "The cluster store does not answer.")
            self._metadata.answered()
            if revision is not None:
                await self._metadata.reached(revision)
                return answers
            await self._metadata.newer_than(image.revision)
        return Refused(ErrorCode.REQUEST_TIMED_OUT, "Too many changes at the same time.")

    async def create_topics(
        self, topics: Sequence[NewTopic], *, validate_only: bool = False
    ) -> dict[str, TopicImage | Refused]:
        """Create what can be created, in one transaction; an answer for each name."""
        answers: dict[str, TopicImage | Refused] = {}
        times = Counter(topic.name for topic in topics)
        unique = []
        for topic in topics:
            if times[topic.name] > 1:
                answers[topic.name] = Refused(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            elif topic.name == METADATA_TOPIC:
                detail = f"Creation of internal topic {METADATA_TOPIC} is prohibited."
                answers[topic.name] = Refused(ErrorCode.INVALID_REQUEST, detail)
            else:
                unique.append(topic)
        if new_partitions(self.config, topics) > MAX_NEW_PARTITIONS:
            excess = Refused(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")
            return dict.fromkeys(times, excess)

        def plan(image: ClusterImage) -> tuple[Transaction | None, dict[str, TopicImage | Refused]]:
            conditions: dict[str, int] = {}
            puts: dict[str, bytes] = {}
            planned: dict[str, TopicImage | Refused] = {}
            start = self._next_start
            for topic in unique:
                replicas = plan_topic(image, self.config, topic, start)
                key = keys.topic(topic.name)
                if isinstance(replicas, Refused):
                    planned[topic.name] = replicas
                    continue
                if key in puts:
                    detail = f"Topic '{topic.name}' collides with another topic of this request."
                    planned[topic.name] = Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, detail)
                    continue
                start += len(replicas)
                conditions[key] = 0
                puts[key] = keys.write_topic(topic.name, new_uuid(), replicas)
                planned[topic.name] = keys.read_topic(puts[key])
                overrides = {name: value for name, value in topic.configs.items() if value is not None}
                config_key = keys.config(TOPIC, topic.name)
                if overrides or config_key in image.revisions:
                    puts[config_key] = keys.write(overrides)
            if not validate_only:
                self._next_start = start
            return (Transaction(conditions, puts) if puts and not validate_only else None), planned

        done = await self._commit(plan)
        for topic in unique:
            answers[topic.name] = done if isinstance(done, Refused) else done[topic.name]
        return answers

    async def ensure_internal_topic(self, name: str) -> TopicImage | Refused:
        """A coordinator's topic, made now if it isn't there; many may ask at once."""
        found = self._metadata.image.topic(name)
        if found is not None:
            return found
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = asyncio.ensure_future(self._make_internal(name))
            making.add_done_callback(lambda _: self._making.pop(name, None))
        return await asyncio.shield(making)

    async def _make_internal(self, name: str) -> TopicImage | Refused:
        wanted = internal_topic(self.config, name, len(racks(self._metadata.image, self.config)))
        made = (await self.create_topics([wanted]))[name]
        if isinstance(made, Refused):
            if made.code == ErrorCode.TOPIC_ALREADY_EXISTS:
                found = self._metadata.image.topic(name)
                assert found is not None
                return found
            log.warning("cannot create an internal topic", topic=name, code=made.code.name, reason=made.detail)
        return made

    async def delete_topics(self, names: Sequence[str]) -> dict[str, Refused | None]:
        """Delete topics with their configs, in one transaction."""

        def plan(image: ClusterImage) -> tuple[Transaction | None, dict[str, Refused | None]]:
            conditions: dict[str, int] = {}
            deletes: list[str] = []
            answers: dict[str, Refused | None] = {}
            for name in names:
                topic = image.topic(name)
                if topic is None:
                    answers[name] = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                    continue
                key = keys.topic(name)
                conditions[key] = image.revisions[key]
                candidates = [*topic_keys(topic), keys.config(TOPIC, name)]
                deletes.extend(one for one in candidates if one in image.revisions)
                answers[name] = None
            return (Transaction(conditions, deletes=tuple(deletes)) if deletes else None), answers

        done = await self._commit(plan)
        return dict.fromkeys(names, done) if isinstance(done, Refused) else done

    async def create_partitions(
        self, wanted: Sequence[NewPartitions], *, validate_only: bool = False
    ) -> dict[str, Refused | None]:
        """Let topics grow, in one transaction."""

        def plan(image: ClusterImage) -> tuple[Transaction | None, dict[str, Refused | None]]:
            conditions: dict[str, int] = {}
            puts: dict[str, bytes] = {}
            answers: dict[str, Refused | None] = {}
            for one in wanted:
                topic = image.topic(one.topic)
                added = plan_growth(image, self.config, one, self._next_start)
                if isinstance(added, Refused) or topic is None:
                    answers[one.topic] = added if isinstance(added, Refused) else None
                    continue
                key = keys.topic(one.topic)
                conditions[key] = image.revisions[key]
                replicas = [partition.replicas for partition in topic.partitions] + added
                puts[key] = keys.write_topic(topic.name, topic.id, replicas)
                answers[one.topic] = None
            return (Transaction(conditions, puts) if puts and not validate_only else None), answers

        done = await self._commit(plan)
        return {one.topic: done for one in wanted} if isinstance(done, Refused) else done

    async def alter_configs(
        self, changes: Sequence[ResourceChange], *, validate_only: bool = False
    ) -> list[Refused | None]:
        """Alter the configs of resources that differ from each other, in one transaction."""

        def plan(image: ClusterImage) -> tuple[Transaction | None, list[Refused | None]]:
            conditions: dict[str, int] = {}
            puts: dict[str, bytes] = {}
            deletes: list[str] = []
            answers: list[Refused | None] = []
            for change in changes:
                result = altered(
                    image,
                    self.config,
                    change.resource_type,
                    change.name,
                    change.alterations,
                    replace=change.replace,
                )
                if isinstance(result, Refused):
                    answers.append(result)
                    continue
                answers.append(None)
                key = keys.config(change.resource_type, change.name)
                there = image.revisions.get(key, 0)
                if result == image.config(change.resource_type, change.name):
                    continue
                conditions[key] = there
                if change.resource_type == TOPIC:
                    topic_key = keys.topic(change.name)
                    conditions[topic_key] = image.revisions[topic_key]
                if result:
                    puts[key] = keys.write(result)
                elif there:
                    deletes.append(key)
            if validate_only or not (puts or deletes):
                return None, answers
            return Transaction(conditions, puts, tuple(deletes)), answers

        done = await self._commit(plan)
        return [done] * len(changes) if isinstance(done, Refused) else done

    async def update_features(self, levels: Mapping[str, int]) -> Refused | None:
        """Set features to these levels; the caller has checked them."""

        def plan(image: ClusterImage) -> tuple[Transaction | None, None]:
            features = {**image.features, **levels}
            if features == image.features:
                return None, None
            conditions = {keys.FEATURES: image.revisions.get(keys.FEATURES, 0)}
            return Transaction(conditions, {keys.FEATURES: keys.write(features)}), None

        return await self._commit(plan)

    async def next_producer_ids(self, count: int = _PRODUCER_IDS_PER_BLOCK) -> range:
        """A block of producer ids that no broker had before; StoreUnavailable if none can be had now."""
        for _ in range(_ATTEMPTS):
            found = (await self._store.range(keys.PRODUCER_IDS)).entries.get(keys.PRODUCER_IDS)
            first = int(keys.read(found.value)["next"]) if found is not None else 0
            conditions = {keys.PRODUCER_IDS: found.revision if found is not None else 0}
            put = {keys.PRODUCER_IDS: keys.write({"next": first + count})}
            if await self._store.commit(Transaction(conditions, put)) is not None:
                return range(first, first + count)
        raise StoreUnavailable("too many brokers want producer ids at the same time")
