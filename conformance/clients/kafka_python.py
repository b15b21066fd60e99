"""kafka-python: pure Python, idempotent by default since its version 3."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.clients import Done, Failed, Message, Received, Sent, gather

CANNOT: dict[str, str] = {
    "null header": "kafka-python's record builder takes len() of a header's value",
}


def missing() -> str | None:
    return None if importlib.util.find_spec("kafka") else "kafka-python is missing: pip install kafka-python"


def failed(error: BaseException) -> Failed:
    code = getattr(error, "errno", None)
    if code is None and (quoted := re.search(r"\[Error (\d+)\]", str(error))):  # what its transactions didn't expect
        code = int(quoted[1])
    return Failed(-1 if code is None else code, f"{type(error).__name__}: {error}")


class Producer:
    def __init__(self, bootstrap: str, options: Mapping[str, Any]) -> None:
        from kafka import KafkaProducer

        codec = options.get("codec", "none")
        transactional = options.get("transactional")
        self.inner = KafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=None if codec == "none" else codec,
            acks=options.get("acks", "all"),
            enable_idempotence=options.get("idempotent", transactional is not None),
            transactional_id=transactional,
            transaction_timeout_ms=options.get("transaction_ms", 60_000),
            linger_ms=options.get("linger_ms", 5),
            batch_size=options.get("batch", 16384),
            max_request_size=options.get("max_request", 1_048_576),
            delivery_timeout_ms=options.get("timeout_ms", 30_000),
            max_block_ms=options.get("timeout_ms", 30_000),
            request_timeout_ms=min(10_000, options.get("timeout_ms", 30_000) - 1000),
            reconnect_backoff_ms=20,
            reconnect_backoff_max_ms=200,
            metrics_enabled=False,
        )
        if transactional is not None:
            try:
                self.ask("init_transactions")
            except Failed:
                self.close()
                raise

    def start(self, topic: str, message: Message, done: Done) -> None:
        from kafka.errors import KafkaError

        try:
            future = self.inner.send(
                topic,
                value=message.value,
                key=message.key,
                headers=list(message.headers),
                partition=message.partition,
                timestamp_ms=message.timestamp,
            )
        except (KafkaError, ValueError, AssertionError) as error:  # the last two before anything is sent
            done(failed(error))
            return
        future.add_callback(lambda meta: done(Sent(meta.partition, meta.offset)))
        future.add_errback(lambda error: done(failed(error)))

    def flush(self, timeout: float) -> None:
        self.inner.flush(timeout)

    def ask(self, method: str, *words: Any) -> None:
        from kafka.errors import KafkaError

        try:
            getattr(self.inner, method)(*words)
        except KafkaError as error:
            raise failed(error) from None

    def begin(self) -> None:
        self.ask("begin_transaction")

    def commit(self) -> None:
        self.ask("commit_transaction")

    def abort(self) -> None:
        self.ask("abort_transaction")

    def send_offsets(self, consumer: Any, offsets: Mapping[tuple[str, int], int]) -> None:
        from kafka import TopicPartition
        from kafka.structs import OffsetAndMetadata

        wanted = {TopicPartition(t, p): OffsetAndMetadata(o, "", -1) for (t, p), o in offsets.items()}
        self.ask("send_offsets_to_transaction", wanted, consumer.inner.group_metadata())

    def close(self) -> None:
        self.inner.close(timeout=1)


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
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    return [
        {
            "range": RangePartitionAssignor,
            "roundrobin": RoundRobinPartitionAssignor,
            "cooperative-sticky": CooperativeStickyAssignor,
        }[name]
    ]


class Consumer:
    def __init__(self, bootstrap: str, group: str | None, topics: Sequence[str], options: Mapping[str, Any]) -> None:
        from kafka import KafkaConsumer

        more: dict[str, Any] = {}
        if "strategy" in options:
            more["partition_assignment_strategy"] = strategies(options["strategy"])
        if options.get("instance"):
            more["group_instance_id"] = options["instance"]
        if "isolation" in options:
            more["isolation_level"] = options["isolation"]
        self.inner = KafkaConsumer(
            *topics,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset=options.get("reset", "earliest"),
            enable_auto_commit=False,
            session_timeout_ms=options.get("session_ms", 6000),
            heartbeat_interval_ms=500,
            max_partition_fetch_bytes=options.get("max_fetch", 1_048_576),
            reconnect_backoff_ms=20,
            reconnect_backoff_max_ms=200,
            metadata_max_age_ms=1000,
            metrics_enabled=False,
            **more,
        )

    def poll(self, timeout: float) -> list[Received]:
        # kafka-python 3.0 forgets its assignment when a poll ends between its SyncGroup and the answer, so it gets a
        # second where others get a twentieth. A poll that has records returns at once all the same.
        from kafka.errors import KafkaError

        try:
            batches = self.inner.poll(timeout_ms=int(max(timeout, 1) * 1000))
        except KafkaError as error:
            raise failed(error) from None
        return [received(record) for records in batches.values() for record in records]

    def assignment(self) -> set[tuple[str, int]]:
        return {(p.topic, p.partition) for p in self.inner.assignment()}

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        from kafka import TopicPartition
        from kafka.errors import KafkaError
        from kafka.structs import OffsetAndMetadata

        try:
            if offsets is None:
                self.inner.commit()
            else:
                self.inner.commit({TopicPartition(t, p): OffsetAndMetadata(o, "", -1) for (t, p), o in offsets.items()})
        except KafkaError as error:
            raise failed(error) from None

    def seek(self, topic: str, partition: int, offset: int) -> None:
        from kafka import TopicPartition

        self.inner.seek(TopicPartition(topic, partition), offset)

    def close(self) -> None:
        self.inner.close(autocommit=False)


class Admin:
    def __init__(self, bootstrap: str) -> None:
        from kafka import KafkaAdminClient

        self.inner = KafkaAdminClient(bootstrap_servers=bootstrap)

    def ask(self, method: str, *args: Any, **kw: Any) -> Any:
        from kafka.errors import KafkaError

        try:
            return getattr(self.inner, method)(*args, **kw)
        except KafkaError as error:
            raise failed(error) from None

    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None:
        new = {topic: {"num_partitions": partitions, "replication_factor": replicas, "configs": dict(configs or {})}}
        self.ask("create_topics", new, validate_only=validate_only)

    def delete(self, topic: str) -> None:
        self.ask("delete_topics", [topic])

    def topics(self) -> dict[str, int]:
        return {t["name"]: len(t["partitions"]) for t in self.ask("describe_topics")}

    def grow(self, topic: str, partitions: int) -> None:
        self.ask("create_partitions", {topic: partitions})

    def configs(self, topic: str) -> dict[str, str | None]:
        from kafka.admin import ConfigResource, ConfigResourceType

        return self.described_configs(ConfigResource(ConfigResourceType.TOPIC, topic))

    def described_configs(self, resource: Any) -> dict[str, str | None]:
        found = self.ask("describe_configs", [resource], config_filter="all")
        entries = found[resource.resource_type.name.lower()][resource.name]
        if not entries:  # the client looks at an error code and drops it
            raise Failed(-1, f"nothing about {resource.name}")
        return {name: entry["value"] for name, entry in entries.items()}

    def alter(self, topic: str, configs: Mapping[str, str]) -> None:
        from kafka.admin import ConfigResource, ConfigResourceType

        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=dict(configs))
        said = str(self.ask("alter_configs", [resource], raise_on_unknown=False)["topic"][topic])
        if found := re.match(r"\[Error (\d+)\]", said):
            raise Failed(int(found[1]), said)

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        from kafka import TopicPartition

        (found,) = self.ask("delete_records", {TopicPartition(topic, partition): before}).values()
        return int(found["low_watermark"] if isinstance(found, dict) else found.low_watermark)

    def groups(self) -> set[str]:
        return {g["group_id"] for g in self.ask("list_groups")}

    def members(self, group: str) -> list[tuple[str, str | None]]:
        found = self.ask("describe_groups", [group])[group]
        return [(m["client_id"], m["group_instance_id"]) for m in found["members"]]

    def group_state(self, group: str) -> str:
        return str(self.ask("describe_groups", [group])[group]["group_state"])

    def committed(self, group: str, topic: str) -> dict[int, int]:
        found = self.ask("list_group_offsets", {group: None})[group]
        return {p.partition: o.offset for p, o in found.items() if p.topic == topic and o.offset >= 0}

    def delete_group(self, group: str) -> None:
        from kafka import errors

        outcome = self.ask("delete_groups", [group])[group]
        if outcome != "OK":  # otherwise the name of the error's class
            raise Failed(getattr(errors, str(outcome)).errno, str(outcome))

    def alter_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        from kafka import TopicPartition
        from kafka.structs import OffsetAndMetadata

        wanted = {TopicPartition(topic, p): OffsetAndMetadata(at, "", -1) for p, at in offsets.items()}
        self.check(self.ask("alter_group_offsets", group, wanted))

    def delete_offsets(self, group: str, topic: str, partitions: Sequence[int]) -> None:
        from kafka import TopicPartition

        self.check(self.ask("delete_group_offsets", group, [TopicPartition(topic, p) for p in partitions]))

    def check(self, outcomes: Mapping[Any, Any]) -> None:
        """Partition → the class of its error."""
        for partition, outcome in outcomes.items():
            if outcome.errno:
                raise Failed(outcome.errno, f"{partition}: {outcome.__name__}")

    def brokers(self) -> dict[int, tuple[str, int]]:
        return {b["broker_id"]: (b["host"], b["port"]) for b in self.ask("describe_cluster")["brokers"]}

    def broker_configs(self, broker: int) -> dict[str, str | None]:
        from kafka.admin import ConfigResource, ConfigResourceType

        return self.described_configs(ConfigResource(ConfigResourceType.BROKER, str(broker)))

    def close(self) -> None:
        self.inner.close()


class Driver:
    name = "kafka-python"
    cannot = CANNOT
    hides = frozenset({3})  # DescribeConfigs of an unknown topic comes back as an empty dictionary

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def version(self) -> str:
        import kafka

        return f"kafka-python {kafka.__version__}"

    def producer(self, **options: object) -> Producer:
        return Producer(self.bootstrap, options)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        return Consumer(self.bootstrap, group, topics, options)

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        from kafka import TopicPartition

        consumer = Consumer(self.bootstrap, None, (), {"reset": "none"} | options)
        try:
            consumer.inner.assign([TopicPartition(topic, partition)])
            consumer.inner.seek(TopicPartition(topic, partition), start)
            return gather(consumer, count, timeout)[:count]
        finally:
            consumer.close()

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        from kafka import TopicPartition
        from kafka.errors import KafkaError

        consumer = Consumer(self.bootstrap, None, (), {})
        where = TopicPartition(topic, partition)
        try:
            if timestamp == -1:
                return int(consumer.inner.end_offsets([where])[where])
            if timestamp == -2:
                return int(consumer.inner.beginning_offsets([where])[where])
            found = consumer.inner.offsets_for_times({where: timestamp}, timeout_ms=20_000)[where]
            return None if found is None else int(found.offset)
        except KafkaError as error:
            raise failed(error) from None
        finally:
            consumer.close()

    def partitions(self, topic: str) -> int:
        admin = Admin(self.bootstrap)
        try:
            (found,) = admin.ask("describe_topics", [topic])
            if found["error_code"]:
                raise Failed(found["error_code"])
            return len(found["partitions"])
        finally:
            admin.close()

    def admin(self) -> Admin:
        return Admin(self.bootstrap)
