"""What a scenario arranges before it asks: always through the same client, whoever is under test.

Apache Kafka answers CreateTopics before the broker leads the new partitions; a scenario that asks for offsets or
expects a refusal at once would see that instead. So a topic arranged here has a leader for every partition.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.clients import Failed, confluent, eventually


class Arranger(confluent.Admin):
    def create(
        self,
        topic: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
        validate_only: bool = False,
    ) -> None:
        super().create(topic, partitions, configs, replicas=replicas, validate_only=validate_only)
        self.await_leaders(topic, partitions)

    def await_leaders(self, topic: str, partitions: int = 1) -> None:
        eventually(lambda: self.led(topic, partitions), f"{topic} has leaders", timeout=60)

    def led(self, topic: str, partitions: int) -> bool:
        from confluent_kafka import KafkaException, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        self.inner.list_topics(topic, timeout=20)  # else it asks only about the partitions that it has heard of
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
        for answer in self.inner.list_offsets(asked, request_timeout=20).values():
            try:
                answer.result(30)
            except KafkaException as error:
                raise confluent.failed(error) from None
        return True

    def await_gone(self, topic: str) -> None:
        def gone() -> bool:
            try:
                return topic not in self.topics() and not self.led(topic, 1)
            except Failed as refusal:
                return refusal.code in (3, -156, -188, -190)  # or librdkafka's own words for it

        eventually(gone, f"{topic} is gone")
