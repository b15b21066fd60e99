"""What the data plane costs per call, on a real disk: ``python -m tests.bench.bench_data``.

Best of several rounds, in microseconds of CPU time. No sockets: what is measured is the
handler, the partition and the log. Batches are rebuilt outside the clock, since an append stamps them in place.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import uvloop

from kafkawire import codec
from kafkawire.api import fetch, produce
from kafkawire.headers import response_frame
from pykafkad.storage.disk import RealDisk
from tests.kit import broker as kit

ROUNDS = 7


def best(name: str, work: Callable[[Any], Any], items: Callable[[], list[Any]]) -> None:
    figures = []
    for _ in range(ROUNDS):
        todo = items()
        begun = time.thread_time()
        for item in todo:
            work(item)
        figures.append((time.thread_time() - begun) / len(todo) * 1e6)
    print(f"{name:<52}{min(figures):8.2f} µs   (median {sorted(figures)[len(figures) // 2]:.2f})")


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        kit.DATA = directory
        broker = kit.Broker(disk=RealDisk(), t=1, log_append_time=1)  # type: ignore[arg-type]
        broker.add("log_append_time", message_timestamp_type="LogAppendTime")
        now = broker.clock.now_ms()
        partition = broker.partition("t")
        put, get = broker.door(0, 9), broker.door(1, 12)
        one_kb = bytes(kit.batch(b"x" * 950))
        large = bytes(kit.batch(b"x" * 16_300))

        def copies(raw: bytes, count: int = 2000) -> Callable[[], list[memoryview]]:
            return lambda: [memoryview(bytearray(raw)) for _ in range(count)]

        best("Partition.append, 1 KB", lambda raw: partition.append(raw, 1, now), copies(one_kb))
        best("Partition.append, 16 KB", lambda raw: partition.append(raw, 1, now), copies(large))
        sequence = [0]

        def idempotent() -> list[memoryview]:
            made = []
            for _ in range(2000):
                raw = kit.batch(b"x" * 950, producer_id=1, producer_epoch=0, base_sequence=sequence[0])
                sequence[0] += 1
                made.append(memoryview(raw))
            return made

        best("Partition.append, 1 KB, idempotent", lambda raw: partition.append(raw, -1, now), idempotent)
        slow = broker.partition("log_append_time")
        best("Partition.append, 1 KB, LogAppendTime", lambda raw: slow.append(raw, 1, now), copies(one_kb))

        def requests() -> list[produce.Request]:
            return [
                produce.Request(
                    acks=1,
                    timeout_ms=1000,
                    topic_data=[
                        produce.TopicProduceData(
                            name="t",
                            partition_data=[
                                produce.PartitionProduceData(index=0, records=memoryview(bytearray(one_kb)))
                            ],
                        )
                    ],
                )
                for _ in range(2000)
            ]

        best("Produce v9 handler, one batch of 1 KB", lambda request: put(request), requests)
        write = codec.encoder(produce.Request, 9)
        read = codec.decoder(produce.Request, 9)

        def frames() -> list[memoryview]:
            return [memoryview(bytearray(b"".join(map(bytes, codec.encode(request, 9))))) for request in requests()]

        assert write is not None
        best(
            "Produce v9 decode, handle, encode",
            lambda frame: response_frame(1, put(read(frame)), 9),
            frames,
        )

        end = partition.log.end_offset

        def at_tail(session_id: int = 0, epoch: int = -1) -> fetch.Request:
            asked = fetch.Partition(partition=0, fetch_offset=end - 1, partition_max_bytes=1 << 20)
            return fetch.Request(
                max_wait_ms=500,
                min_bytes=1,
                max_bytes=50 << 20,
                session_id=session_id,
                session_epoch=epoch,
                topics=[fetch.Topic(topic="t", partitions=[asked])],
            )

        best("Fetch v12 handler at the tail, no session", lambda r: get(r), lambda: [at_tail()] * 2000)
        session = get(at_tail(epoch=0)).session_id
        state = broker.node.fetch_sessions._sessions[session]

        def incremental(_: int) -> None:
            get(at_tail(session, state.epoch))

        best("Fetch v12 handler at the tail, session", incremental, lambda: [0] * 2000)
        best(
            "Fetch v12 at the tail, handle and encode",
            lambda r: response_frame(1, get(r), 12),
            lambda: [at_tail()] * 2000,
        )

        def poll(_: int) -> None:
            asked = fetch.Partition(partition=0, fetch_offset=end, partition_max_bytes=1 << 20)
            request = fetch.Request(max_wait_ms=500, min_bytes=1, topics=[fetch.Topic(topic="t", partitions=[asked])])
            get(request).cancel()

        best("Fetch v12 that waits (and is given up)", poll, lambda: [0] * 2000)
        broker.partitions.abandon()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
