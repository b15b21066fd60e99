"""Consume, transform, produce by aiokafka: aiokafka_mover.py BOOTSTRAP PREFIX TRANSACTIONAL_ID PARTITION…

Moves these partitions of PREFIXin to the same ones of PREFIXout. aiokafka sends offsets without the member's generation
(KIP-447), so nobody would fence a member whose partitions have been given to another one: each transactional id has
partitions of its own instead, as it was done before. Where to go on is asked through librdkafka: aiokafka neither waits
for offsets that are pending nor tells a coordinator that is still loading from a group that has none. Whoever is fenced
ends with exit code 3, and leaves the rest to its successor.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Committed

PATIENCE_S = 60


def following(bootstrap: str, group: str, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """The first offset of each that isn't moved yet."""
    asking = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_committed"})
    try:
        told = asking.committed([Committed(*one) for one in partitions], timeout=PATIENCE_S)
        for one in told:
            if one.error is not None:
                raise KafkaException(one.error)
        return {TopicPartition(one.topic, one.partition): max(one.offset, 0) for one in told}
    finally:
        asking.close()


async def move_all(bootstrap: str, prefix: str, transactional_id: str, partitions: Sequence[int]) -> int:
    asked_to_leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_leave.set)
    group = f"{prefix}movers"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=transactional_id, transaction_timeout_ms=10_000
    )
    try:
        # A predecessor's transaction is over when the producer has started; only then its offsets are read.
        await producer.start()
        await consumer.start()
        mine = [TopicPartition(f"{prefix}in", partition) for partition in partitions]
        begin = await asyncio.to_thread(following, bootstrap, group, mine)
        consumer.assign(mine)
        for one in mine:
            consumer.seek(one, begin[one])
        while not asked_to_leave.is_set():
            polled = await consumer.getmany(timeout_ms=100, max_records=20)
            if polled:
                async with producer.transaction():
                    for here, records in polled.items():
                        for record in records:
                            await producer.send(f"{prefix}out", record.value, record.key, here.partition)
                    upto = {here: records[-1].offset + 1 for here, records in polled.items()}
                    await producer.send_offsets_to_transaction(upto, group)
        return 0
    except ProducerFenced as fenced:
        print(f"FENCED {fenced!r}", flush=True)
        return 3
    except (KafkaError, KafkaException) as error:  # back to what is committed, by beginning again
        print(f"ABORT {error!r}", flush=True)
        return 4
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    bootstrap, prefix, transactional_id, *partitions = sys.argv[1:]
    sys.exit(asyncio.run(move_all(bootstrap, prefix, transactional_id, [int(one) for one in partitions])))
