"""What the network layer costs by itself: broker CPU per request with a handler that does nothing.

    python -m tests.bench.bench_net [--frame 1024] [--inflight 5] [--seconds 3] [--bare]

A server in a process of its own, a raw client here. ``--bare`` leaves dispatch out: framing, reading and sending only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import struct
import sys
import time
from types import SimpleNamespace
from typing import Any


def serve(bare: bool, ready: int) -> None:
    import uvloop

    async def main() -> None:
        from pykafkad.clock import SystemClock
        from pykafkad.config.listeners import Listener
        from pykafkad.metrics import Metrics
        from pykafkad.net.listener import Server, bind
        from tests.kit.net import settings

        loop = asyncio.get_running_loop()
        metrics = Metrics()
        dispatcher: Any
        if bare:
            answer = [struct.pack(">i", 50) + bytes(50)]
            dispatcher = SimpleNamespace(
                serve=lambda connection, view, start, stop, end, now: connection.answer(answer) or stop, started=0.0
            )
        else:
            from pykafkad.net.dispatch import Dispatcher

            stub_produce()
            node: Any = SimpleNamespace()
            dispatcher = Dispatcher(loop, node, metrics)
        server = Server(loop, settings(), SystemClock(), metrics, dispatcher)
        door = bind(Listener("PLAINTEXT", "127.0.0.1", 0, "PLAINTEXT"))
        server.start([door])
        os.write(ready, struct.pack(">i", door.port))
        stop = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, stop.set_result, None)
        await stop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def stub_produce() -> None:
    """A Produce handler that answers as if it had appended."""
    from kafkawire.api import produce
    from pykafkad import api

    def handle(call: Any, request: produce.Request) -> produce.Response:
        return produce.Response(
            responses=[
                produce.TopicProduceResponse(
                    name=topic.name,
                    partition_responses=[
                        produce.PartitionProduceResponse(index=one.index, base_offset=1, log_append_time_ms=-1)
                        for one in topic.partition_data
                    ],
                )
                for topic in request.topic_data
            ]
        )

    load = api.load

    def stubbed(key: int) -> Any:
        found = load(key)
        return found._replace(handle=handle, again=None) if found and not key else found

    api.load = stubbed  # type: ignore[assignment]


def produce_frame(size: int) -> bytes:
    """A Produce v9 with one batch of about ``size`` bytes."""
    from kafkawire.api import produce
    from kafkawire.codec import encode
    from kafkawire.headers import write_request_header

    request = produce.Request(
        acks=1,
        timeout_ms=30000,
        topic_data=[
            produce.TopicProduceData(
                name="bench", partition_data=[produce.PartitionProduceData(index=0, records=bytes(size))]
            )
        ],
    )
    body = write_request_header(0, 9, 7, "bench-client") + b"".join(map(bytes, encode(request, 9)))  # type: ignore[arg-type]
    return struct.pack(">i", len(body)) + body


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frame", type=int, default=1024)
    parser.add_argument("--inflight", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--bare", action="store_true")
    args = parser.parse_args()
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        serve(args.bare, writing)
        os._exit(0)
    (port,) = struct.unpack(">i", os.read(reading, 4))
    frame = struct.pack(">i", args.frame) + bytes(args.frame) if args.bare else produce_frame(args.frame)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(frame)
        first = client.recv(65536)
        size = len(first)
        burst = frame * args.inflight
        for seconds in (0.5, args.seconds):
            done = 0
            before, end = cpu_seconds(pid), time.perf_counter() + seconds
            while time.perf_counter() < end:
                client.sendall(burst)
                missing = size * args.inflight
                while missing:
                    got = len(client.recv(missing))
                    if not got:
                        sys.exit("the server hung up")
                    missing -= got
                done += args.inflight
        took = cpu_seconds(pid) - before
    print(f"{took / done * 1e6:.1f} us of CPU per request of {len(frame)} bytes, {args.inflight} in flight ({done})")
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
