"""aiokafka: asyncio, driven here from one event loop in a thread of its own so that scenarios stay plain functions."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from conformance.clients import Cannot, Done, Failed, Message, Received, Sent, gather

CANNOT: dict[str, str] = {
    "subscribe early": "aiokafka's consumer doesn't start with a topic that isn't there",
    "cooperative-sticky": "aiokafka has range, roundrobin and (eager) sticky assignors only",
    "delete_group": "aiokafka's admin client has no DeleteGroups",
    "instance ids": "aiokafka describes groups in a version without instance ids",
    "alter_offsets": "aiokafka's admin client has no way to alter a group's offsets",
    "delete_offsets": "aiokafka's admin client has no DeleteConsumerGroupOffsets",
}

T = TypeVar("T")


def cannot(ability: str) -> Cannot:
    return Cannot(f"aiokafka cannot: {CANNOT[ability]}")


def missing() -> str | None:
    return None if importlib.util.find_spec("aiokafka") else "aiokafka is missing: pip install aiokafka"


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, daemon=True, name="aiokafka").start()
    return made


def run(work: Coroutine[Any, Any, T], timeout: float = 60) -> T:
    from aiokafka.errors import KafkaError

    try:
        return asyncio.run_coroutine_threadsafe(work, loop()).result(timeout)
    except (KafkaError, ValueError, AssertionError) as error:  # the last two before anything is sent
        raise failed(error) from None


def failed(error: BaseException) -> Failed:
    return Failed(getattr(error, "errno", -1), f"{type(error).__name__}: {error}")


class Producer:
    def __init__(self, bootstrap: str, options: Mapping[str, Any]) -> None:
        from aiokafka import AIOKafkaProducer

        codec = options.get("codec", "none")
        more: dict[str, Any] = {}
        if "transactional" in options:
            more["transactional_id"] = options["transactional"]
            more["transaction_timeout_ms"] = options.get("transaction_ms", 60_000)

        async def begin() -> Any:
            producer = AIOKafkaProducer(
                bootstrap_servers=bootstrap,
                compression_type=None if codec == "none" else codec,
                acks=options.get("acks", "all"),
                enable_idempotence=options.get("idempotent", False),
                linger_ms=options.get("linger_ms", 5),
                max_batch_size=options.get("batch", 16384),
                max_request_size=options.get("max_request", 1_048_576),
                request_timeout_ms=options.get("timeout_ms", 30_000),
                **more,
            )
            await producer.start()
            return producer

        self.inner = run(begin())
        self.pending: set[Any] = set()

    def start(self, topic: str, message: Message, done: Done) -> None:
        async def enter() -> Any:
            return await self.inner.send(
                topic,
                value=message.value,
                key=message.key,
                partition=message.partition,
                timestamp_ms=message.timestamp,
                headers=list(message.headers),
            )

        def report(future: Any) -> None:
            self.pending.discard(future)
            if future.cancelled():
                done(Failed(-1, "cancelled"))
            elif future.exception() is not None:
                done(failed(future.exception()))
            elif future.result() is None:  # acks=0: nobody answers
                done(Sent(-1, -1))
            else:
                done(Sent(future.result().partition, future.result().offset))

        try:
            future = run(enter())
        except Failed as error:
            done(error)
            return
        self.pending.add(future)
        loop().call_soon_threadsafe(future.add_done_callback, report)

    def flush(self, timeout: float) -> None:
        async def all_done() -> None:
            if self.pending:
                await asyncio.wait(set(self.pending), timeout=timeout)
            await asyncio.sleep(0)

        run(all_done(), timeout + 5)

    def begin(self) -> None:
        run(self.inner.begin_transaction())

    def commit(self) -> None:
        run(self.inner.commit_transaction())

    def abort(self) -> None:
        run(self.inner.abort_transaction())

    def send_offsets(self, consumer: Any, offsets: Mapping[tuple[str, int], int]) -> None:
        from aiokafka import TopicPartition

        wanted = {TopicPartition(t, p): o for (t, p), o in offsets.items()}
        run(self.inner.send_offsets_to_transaction(wanted, consumer.group))

    def close(self) -> None:
        async def end() -> None:
            if self.pending:  # stop() would wait for them as long as they have left
                for future in list(self.pending):
                    future.cancel()
            await asyncio.wait_for(self.inner.stop(), 10)

        run(end())


def received(record: Any) -> Received:
    return Received(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple((k, v) for k, v in record.headers),
    )


def strategies(name: str) -> list[Any]:
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    known = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}
    if name not in known:
        raise cannot(name)
    return [known[name]]


class Consumer:
    def __init__(self, bootstrap: str, group: str | None, topics: Sequence[str], options: Mapping[str, Any]) -> None:
        from aiokafka import AIOKafkaConsumer

        more: dict[str, Any] = {}
        if "strategy" in options:
            more["partition_assignment_strategy"] = strategies(options["strategy"])
        if options.get("instance"):
            more["group_instance_id"] = options["instance"]
        if "isolation" in options:
            more["isolation_level"] = options["isolation"]

        async def begin() -> Any:
            consumer = AIOKafkaConsumer(
                *topics,
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset=options.get("reset", "earliest"),
                enable_auto_commit=False,
                session_timeout_ms=options.get("session_ms", 6000),
                heartbeat_interval_ms=500,
                max_partition_fetch_bytes=options.get("max_fetch", 1_048_576),
                metadata_max_age_ms=1000,
                **more,
            )
            await consumer.start()
            return consumer

        self.inner = run(begin())
        self.group = group

    def poll(self, timeout: float) -> list[Received]:
        batches = run(self.inner.getmany(timeout_ms=int(timeout * 1000)))
        return [received(record) for records in batches.values() for record in records]

    def assignment(self) -> set[tuple[str, int]]:
        return {(p.topic, p.partition) for p in self.inner.assignment()}

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        from aiokafka import TopicPartition

        wanted = None if offsets is None else {TopicPartition(t, p): o for (t, p), o in offsets.items()}
        run(self.inner.commit(wanted))

    def seek(self, topic: str, partition: int, offset: int) -> None:
        from aiokafka import TopicPartition

        async def move() -> None:  # on the loop: it makes futures
            self.inner.seek(TopicPartition(topic, partition), offset)

        run(move())

    def close(self) -> None:
        run(self.inner.stop())


class Admin:
    def __init__(self, bootstrap: str) -> None:
        from aiokafka.admin import AIOKafkaAdminClient

        async def begin() -> Any:
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            return admin

        self.inner = run(begin())

    def check(self, answer: Any, field: str) -> None:
        """(name, error code, message…) of each topic or resource."""
        for name, code, *rest in getattr(answer, field):
            if code:
                raise Failed(code, f"{name}: {rest}")

    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None:
        from aiokafka.admin import NewTopic

        new = NewTopic(topic, partitions, replicas, topic_configs=dict(configs or {}))
        self.check(run(self.inner.create_topics([new], validate_only=validate_only)), "topic_errors")

    def delete(self, topic: str) -> None:
        self.check(run(self.inner.delete_topics([topic])), "topic_error_codes")

    def topics(self) -> dict[str, int]:
        return {t["topic"]: len(t["partitions"]) for t in run(self.inner.describe_topics())}

    def grow(self, topic: str, partitions: int) -> None:
        from aiokafka.admin import NewPartitions

        self.check(run(self.inner.create_partitions({topic: NewPartitions(partitions)})), "topic_errors")

    def configs(self, topic: str) -> dict[str, str | None]:
        return self.described_configs("TOPIC", topic)

    def described_configs(self, kind: str, name: str) -> dict[str, str | None]:
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        (answer,) = run(self.inner.describe_configs([ConfigResource(ConfigResourceType[kind], name)]))
        ((code, detail, _, _, entries, *_),) = answer.resources
        if code:
            raise Failed(code, detail)
        return {entry[0]: entry[1] for entry in entries}

    def alter(self, topic: str, configs: Mapping[str, str]) -> None:
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        # AlterConfigs, the old one, replaces all that a topic has: what should stay must be said again.
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict(configs))
        (answer,) = run(self.inner.alter_configs([resource]))
        for code, detail, *_ in answer.resources:
            if code:
                raise Failed(code, detail)

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        from aiokafka import TopicPartition
        from aiokafka.admin import RecordsToDelete

        found = run(self.inner.delete_records({TopicPartition(topic, partition): RecordsToDelete(before)}))
        return int(found[TopicPartition(topic, partition)])

    def groups(self) -> set[str]:
        return {g[0] for g in run(self.inner.list_consumer_groups())}

    def described(self, group: str) -> Any:
        (answer,) = run(self.inner.describe_consumer_groups([group]))
        (found,) = answer.groups
        return found

    def members(self, group: str) -> list[tuple[str, str | None]]:
        members = self.described(group)[5]
        return [(m[2], m[1]) if len(m) > 5 else (m[1], None) for m in members]

    def group_state(self, group: str) -> str:
        return str(self.described(group)[2])

    def committed(self, group: str, topic: str) -> dict[int, int]:
        found = run(self.inner.list_consumer_group_offsets(group))
        return {p.partition: o.offset for p, o in found.items() if p.topic == topic and o.offset >= 0}

    def delete_group(self, group: str) -> None:
        raise cannot("delete_group")

    def alter_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        raise cannot("alter_offsets")

    def delete_offsets(self, group: str, topic: str, partitions: Sequence[int]) -> None:
        raise cannot("delete_offsets")

    def brokers(self) -> dict[int, tuple[str, int]]:
        return {b["node_id"]: (b["host"], b["port"]) for b in run(self.inner.describe_cluster())["brokers"]}

    def broker_configs(self, broker: int) -> dict[str, str | None]:
        return self.described_configs("BROKER", str(broker))

    def close(self) -> None:
        run(self.inner.close())


class Driver:
    name = "aiokafka"
    cannot = CANNOT
    hides = frozenset({44, 87})  # codes that aiokafka's table doesn't have: it says UnknownError

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def version(self) -> str:
        import aiokafka

        return f"aiokafka {aiokafka.__version__}"

    def producer(self, **options: object) -> Producer:
        return Producer(self.bootstrap, options)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        return Consumer(self.bootstrap, group, topics, options)

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        from aiokafka import TopicPartition

        consumer = Consumer(self.bootstrap, None, (), {"reset": "none"} | options)
        try:
            run(self.place(consumer.inner, TopicPartition(topic, partition), start))
            return gather(consumer, count, timeout)[:count]
        finally:
            consumer.close()

    async def place(self, consumer: Any, where: Any, start: int) -> None:
        consumer.assign([where])  # on the loop: it makes futures
        consumer.seek(where, start)

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        from aiokafka import TopicPartition

        consumer = Consumer(self.bootstrap, None, (), {})
        where = TopicPartition(topic, partition)
        try:
            if timestamp == -1:
                return int(run(consumer.inner.end_offsets([where]))[where])
            if timestamp == -2:
                return int(run(consumer.inner.beginning_offsets([where]))[where])
            found = run(consumer.inner.offsets_for_times({where: timestamp}))[where]
            return None if found is None else int(found.offset)
        finally:
            consumer.close()

    def partitions(self, topic: str) -> int:
        admin = Admin(self.bootstrap)
        try:
            (found,) = run(admin.inner.describe_topics([topic]))
            if found["error_code"]:
                raise Failed(found["error_code"])
            return len(found["partitions"])
        finally:
            admin.close()

    def admin(self) -> Admin:
        return Admin(self.bootstrap)
