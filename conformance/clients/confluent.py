"""confluent-kafka: librdkafka, with its defaults (idempotence off, CRC checks off) unless a scenario asks."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.clients import Cannot, Done, Failed, Message, Received, Sent, Unanswered, gather

CANNOT: dict[str, str] = {
    "delete_offsets": "confluent-kafka's admin client has no DeleteConsumerGroupOffsets",
}
TRANSACTION_SECONDS = 30.0
RESET = -140  # librdkafka's own code for a position that isn't there, when it was told not to choose another


def missing() -> str | None:
    if importlib.util.find_spec("confluent_kafka"):
        return None
    return "confluent-kafka is missing: pip install confluent-kafka"


def failed(error: Any) -> Failed:
    if hasattr(error, "args") and error.args and hasattr(error.args[0], "code"):
        error = error.args[0]
    return Failed(1 if error.code() == RESET and "out of range" in error.str() else error.code(), error.str())


class Producer:
    def __init__(self, bootstrap: str, options: Mapping[str, Any]) -> None:
        from confluent_kafka import KafkaException, Producer

        conf: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "compression.type": options.get("codec", "none"),
            "acks": options.get("acks", "all"),
            "enable.idempotence": options.get("idempotent", False),
            "linger.ms": options.get("linger_ms", 5),
            "message.max.bytes": options.get("max_request", 1_000_000),
            "message.timeout.ms": options.get("timeout_ms", 30_000),
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "queue.buffering.max.messages": 1_000_000,
        }
        if "batch" in options:
            conf["batch.size"] = options["batch"]
        if "transactional" in options:
            within = options.get("transaction_ms", 60_000)
            conf |= {"transactional.id": options["transactional"], "transaction.timeout.ms": within}
            conf |= {"enable.idempotence": True, "message.timeout.ms": min(conf["message.timeout.ms"], within)}
        self.inner = Producer(conf)
        self.open = True
        self.poller = threading.Thread(target=self.serve, daemon=True)
        self.poller.start()
        if "transactional" in options:
            try:
                self.inner.init_transactions(TRANSACTION_SECONDS)
            except KafkaException as error:
                self.close()
                raise failed(error) from None

    def serve(self) -> None:
        while self.open:
            self.inner.poll(0.05)

    def start(self, topic: str, message: Message, done: Done) -> None:
        def report(error: Any, delivered: Any) -> None:
            done(failed(error) if error is not None else Sent(delivered.partition(), delivered.offset()))

        more: dict[str, Any] = {}
        if message.partition is not None:
            more["partition"] = message.partition
        if message.timestamp is not None:
            more["timestamp"] = message.timestamp
        from confluent_kafka import KafkaException

        while True:
            try:
                self.inner.produce(
                    topic, message.value, message.key, headers=list(message.headers), on_delivery=report, **more
                )
                return
            except BufferError:
                self.inner.poll(0.05)
            except KafkaException as error:
                done(failed(error))
                return

    def flush(self, timeout: float) -> None:
        self.inner.flush(timeout)

    def ask(self, method: str, *words: Any) -> None:
        from confluent_kafka import KafkaException

        try:
            getattr(self.inner, method)(*words)
        except KafkaException as error:
            raise failed(error) from None

    def begin(self) -> None:
        self.ask("begin_transaction")

    def commit(self) -> None:
        self.ask("commit_transaction", TRANSACTION_SECONDS)

    def abort(self) -> None:
        self.ask("abort_transaction", TRANSACTION_SECONDS)

    def send_offsets(self, consumer: Any, offsets: Mapping[tuple[str, int], int]) -> None:
        from confluent_kafka import TopicPartition

        wanted = [TopicPartition(t, p, o) for (t, p), o in offsets.items()]
        metadata = consumer.inner.consumer_group_metadata()
        self.ask("send_offsets_to_transaction", wanted, metadata, TRANSACTION_SECONDS)

    def close(self) -> None:
        self.open = False
        self.poller.join(2)
        self.inner.flush(0)


def received(message: Any) -> Received:
    return Received(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple((k, v) for k, v in message.headers() or ()),
    )


class Consumer:
    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], options: Mapping[str, Any]) -> None:
        from confluent_kafka import Consumer

        conf: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": options.get("reset", "earliest"),
            "enable.auto.commit": False,
            "session.timeout.ms": options.get("session_ms", 6000),
            "heartbeat.interval.ms": 500,
            "fetch.message.max.bytes": options.get("max_fetch", 1_048_576),
            "check.crcs": True,
            "topic.metadata.refresh.interval.ms": 1000,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
        }
        if "strategy" in options:
            conf["partition.assignment.strategy"] = options["strategy"]
        if options.get("instance"):
            conf["group.instance.id"] = options["instance"]
        if "isolation" in options:
            conf["isolation.level"] = options["isolation"]
        self.inner = Consumer(conf)
        if topics:
            self.inner.subscribe(list(topics))

    def poll(self, timeout: float) -> list[Received]:
        got = []
        for message in self.inner.consume(500, timeout):
            if message.error():
                raise failed(message.error())
            got.append(received(message))
        return got

    def assignment(self) -> set[tuple[str, int]]:
        return {(p.topic, p.partition) for p in self.inner.assignment()}

    def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        try:
            if offsets is None:
                self.inner.commit(asynchronous=False)
            else:
                wanted = [TopicPartition(t, p, o) for (t, p), o in offsets.items()]
                self.inner.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            raise failed(error) from None

    def seek(self, topic: str, partition: int, offset: int) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        try:
            self.inner.seek(TopicPartition(topic, partition, offset))
        except KafkaException as error:
            raise failed(error) from None

    def close(self) -> None:
        self.inner.close()


class Admin:
    def __init__(self, bootstrap: str) -> None:
        from confluent_kafka.admin import AdminClient

        self.bootstrap = bootstrap
        self.inner = AdminClient(
            {"bootstrap.servers": bootstrap, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}
        )

    def wait(self, futures: Mapping[Any, Any]) -> Any:
        from confluent_kafka import KafkaException

        (future,) = futures.values()
        try:
            return future.result(30)
        except KafkaException as error:
            raise failed(error) from None
        except TimeoutError:
            raise Unanswered("confluent's admin client said nothing within 30 s") from None

    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None:
        from confluent_kafka.admin import NewTopic

        new = NewTopic(topic, partitions, replicas, config=dict(configs or {}))
        self.wait(self.inner.create_topics([new], validate_only=validate_only, operation_timeout=20))

    def delete(self, topic: str) -> None:
        self.wait(self.inner.delete_topics([topic], operation_timeout=20))

    def topics(self) -> dict[str, int]:
        return {name: len(t.partitions) for name, t in self.inner.list_topics(timeout=20).topics.items()}

    def grow(self, topic: str, partitions: int) -> None:
        from confluent_kafka.admin import NewPartitions

        self.wait(self.inner.create_partitions([NewPartitions(topic, partitions)]))

    def configs(self, topic: str) -> dict[str, str | None]:
        from confluent_kafka.admin import ConfigResource, ResourceType

        found = self.wait(self.inner.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return {name: entry.value for name, entry in found.items()}

    def alter(self, topic: str, configs: Mapping[str, str]) -> None:
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        entries = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in configs.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self.wait(self.inner.incremental_alter_configs([resource]))

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        from confluent_kafka import TopicPartition

        deleted = self.wait(self.inner.delete_records([TopicPartition(topic, partition, before)]))
        return int(deleted.low_watermark)

    def groups(self) -> set[str]:
        return {g.group_id for g in self.inner.list_consumer_groups(request_timeout=20).result(30).valid}

    def members(self, group: str) -> list[tuple[str, str | None]]:
        found = self.wait(self.inner.describe_consumer_groups([group]))
        return [(m.client_id, m.group_instance_id) for m in found.members]

    def group_state(self, group: str) -> str:
        found = self.wait(self.inner.describe_consumer_groups([group]))
        name = str(found.state.name)
        return {"PREPARING_REBALANCING": "PreparingRebalance", "COMPLETING_REBALANCING": "CompletingRebalance"}.get(
            name, name.capitalize()
        )

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Asked by a consumer: the admin client's own way dies of SIGSEGV while a coordinator loads."""
        from confluent_kafka import KafkaException, TopicPartition

        consumer = Consumer(self.bootstrap, group, (), {})
        try:
            partitions = self.inner.list_topics(topic, timeout=20).topics[topic].partitions
            found = consumer.inner.committed([TopicPartition(topic, p) for p in partitions], timeout=20)
            return {p.partition: p.offset for p in found if p.offset >= 0}
        except KafkaException as error:
            raise failed(error) from None
        finally:
            consumer.close()

    def alter_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

        wanted = [TopicPartition(topic, p, at) for p, at in offsets.items()]
        found = self.wait(self.inner.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)]))
        for partition in found.topic_partitions:
            if partition.error:
                raise failed(partition.error)

    def delete_offsets(self, group: str, topic: str, partitions: Sequence[int]) -> None:
        raise Cannot(f"confluent cannot: {CANNOT['delete_offsets']}")

    def delete_group(self, group: str) -> None:
        self.wait(self.inner.delete_consumer_groups([group]))

    def brokers(self) -> dict[int, tuple[str, int]]:
        return {b.id: (b.host, b.port) for b in self.inner.list_topics(timeout=20).brokers.values()}

    def broker_configs(self, broker: int) -> dict[str, str | None]:
        from confluent_kafka.admin import ConfigResource, ResourceType

        found = self.wait(self.inner.describe_configs([ConfigResource(ResourceType.BROKER, str(broker))]))
        return {name: entry.value for name, entry in found.items()}

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            del self.inner


class Driver:
    name = "confluent"
    cannot = CANNOT
    hides: frozenset[int] = frozenset()

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def version(self) -> str:
        import confluent_kafka

        return f"confluent-kafka {confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})"

    def producer(self, **options: object) -> Producer:
        return Producer(self.bootstrap, options)

    def consumer(self, group: str, topics: Sequence[str], **options: object) -> Consumer:
        return Consumer(self.bootstrap, group, topics, options)

    def read(
        self, topic: str, count: int, *, partition: int = 0, start: int = 0, timeout: float = 30, **options: object
    ) -> list[Received]:
        from confluent_kafka import TopicPartition

        consumer = Consumer(self.bootstrap, "reader", (), {"reset": "error"} | options)
        try:
            consumer.inner.assign([TopicPartition(topic, partition, start)])
            return gather(consumer, count, timeout)[:count]
        finally:
            consumer.close()

    def offset_at(self, topic: str, partition: int, timestamp: int) -> int | None:
        from confluent_kafka import KafkaException, TopicPartition

        consumer = Consumer(self.bootstrap, "reader", (), {})
        try:
            if timestamp in (-1, -2):
                low, high = consumer.inner.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
                return int(high if timestamp == -1 else low)
            (found,) = consumer.inner.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=20)
            if found.error:
                raise failed(found.error)
            return int(found.offset) if found.offset >= 0 else None
        except KafkaException as error:
            raise failed(error) from None
        finally:
            consumer.close()

    def partitions(self, topic: str) -> int:
        admin = Admin(self.bootstrap)
        found = admin.inner.list_topics(topic, timeout=20).topics[topic]
        if found.error:
            raise failed(found.error)
        return len(found.partitions)

    def admin(self) -> Admin:
        return Admin(self.bootstrap)
