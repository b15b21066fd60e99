"""Limits that hold for all connections together, and the sockets that take them in."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from pykafkad.config.listeners import Listener
from pykafkad.errors import ConfigError
from pykafkad.metrics import Metrics
from pykafkad.net.listener import STALLED_SECONDS, Server, bind, per_ip_overrides, plain_address
from tests.kit.net import Harness, StubDispatcher, ended, framed, received, settings


@pytest.fixture
def net() -> Iterator[Harness]:
    harness = Harness(connections_max_idle_ms=60_000)
    yield harness
    harness.close()


def test_idle_connections_go_and_busy_ones_stay(net: Harness) -> None:
    idle, _ = net.connect()
    waiting, _ = net.connect()
    fresh, _ = net.connect()
    waiting.send(framed(b"wait"))
    net.loop.settle()
    net.loop.now += 59
    fresh.send(framed(b"hello"))
    net.loop.settle()
    net.loop.now += 2
    net.server.sweep(net.loop.now)
    assert ended(idle)
    assert not ended(waiting) and received(fresh) == framed(b"hello")
    assert len(net.server.connections) == 2
    net.dispatcher.finish()
    assert received(waiting) == framed(b"wait")


def test_a_client_that_never_reads_is_idle_in_the_end(net: Harness) -> None:
    net.dispatcher.reply = lambda frame: [b"x" * 5_000_000]
    _, connection = net.connect()
    connection.sock.getsockname()
    client = next(iter(net._clients))
    client.send(framed(b"much"))
    net.loop.settle()
    net.loop.now += 61
    net.server.sweep(net.loop.now)
    assert connection.closed


def test_half_a_frame_is_idle_in_the_end(net: Harness) -> None:
    client, connection = net.connect()
    client.send(struct.pack(">i", 50_000_000) + b"half")
    net.loop.settle()
    net.loop.now += 61
    net.server.sweep(net.loop.now)
    assert connection.closed and net.server.kept_bytes == 0


def test_too_many_from_one_address_are_closed_at_once() -> None:
    net = Harness(max_connections_per_ip=2, max_connections_per_ip_overrides="192.0.2.7:3")
    try:
        for _ in range(2):
            assert net.client()[1] is not None
        client, refused = net.client()
        assert refused is None and ended(client)
        for _ in range(3):
            assert net.client("192.0.2.7")[1] is not None
        assert net.client("192.0.2.7")[1] is None
        next(iter(net.server.connections)).close()
        assert net.client()[1] is not None
        assert net.counted("kafka_network_socketserver_refused_total", "per_ip") == 2
    finally:
        net.close()


def test_request_memory_is_bounded_over_all_connections() -> None:
    net = Harness(queued_max_request_bytes=100_000)
    try:
        senders = [net.connect() for _ in range(50)]
        for client, _ in senders:
            client.send(struct.pack(">i", 1_000_000) + b"x" * 20_000)
        net.loop.settle()
        assert net.server.kept_bytes <= 100_000 + 50 * 20_004
        kept = net.server.kept_bytes
        for client, _ in senders:
            client.send(b"y" * 20_000)
        net.loop.settle()
        assert net.server.kept_bytes <= kept + 4 * 20_000, "only those below the limit are still read"
        good, _ = net.connect()
        good.send(framed(b"I need no memory"))
        net.loop.settle()
        assert received(good) == framed(b"I need no memory")
        net.loop.now += STALLED_SECONDS + 1
        net.server.sweep(net.loop.now)
        net.loop.settle()
        assert net.server.kept_bytes <= 100_000 + 20_000
        assert any(connection.closed for _, connection in senders)
    finally:
        net.close()


def test_overrides_are_checked() -> None:
    assert per_ip_overrides("127.0.0.1:5, [::1]:6") == {"127.0.0.1": 5, "::1": 6}
    with pytest.raises(ConfigError, match="isn't host:count"):
        per_ip_overrides("127.0.0.1")


def test_addresses_are_written_as_people_write_them() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("::1") == "::1"


def listener(host: str = "127.0.0.1", port: int = 0, protocol: str = "PLAINTEXT") -> Listener:
    return Listener("PLAINTEXT", host, port, protocol)


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^listeners=PLAINTEXT://127.0.0.1:{port}: the port is in use$"):
            bind(listener(port=port))


def test_what_cannot_be_spoken_yet_is_one_line() -> None:
    with pytest.raises(ConfigError, match="SASL_SSL isn't supported yet"):
        bind(listener(protocol="SASL_SSL"))


def test_a_host_that_is_none_of_ours_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"listeners=PLAINTEXT://192\.0\.2\.1:0: "):
        bind(listener("192.0.2.1"))


def server(**changed: Any) -> tuple[Server, StubDispatcher]:
    dispatcher = StubDispatcher()
    clock: Any = type("Clock", (), {"now_ms": staticmethod(lambda: 0)})()
    stub: Any = dispatcher
    return Server(asyncio.get_running_loop(), settings(**changed), clock, Metrics(), stub), dispatcher


async def exchange(host: str, port: int, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(framed(message))
    answer = await reader.readexactly(len(message) + 4)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("", "127.0.0.1"), ("", "::1"), ("::", "127.0.0.1")],
)
async def test_clients_reach_every_kind_of_address(host: str, reached: str) -> None:
    if ":" in reached + host and not has_ipv6():
        pytest.skip("no IPv6 here")
    door = bind(listener(host))
    serving, _ = server()
    serving.start([door])
    assert await exchange(reached, door.port, b"hello") == framed(b"hello")
    serving.close_listeners()
    await serving.drain(1)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_connections_know_both_ends() -> None:
    door = bind(listener(""))
    serving, _ = server()
    serving.start([door])
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(framed(b"x"))
    await reader.readexactly(5)
    (connection,) = serving.connections
    assert connection.peer.local_address == ("127.0.0.1", door.port)
    assert connection.peer.address == writer.get_extra_info("sockname")[:2]
    assert connection.peer.listener == "PLAINTEXT"
    writer.close()
    serving.close_listeners()
    await serving.drain(1)


async def test_over_max_connections_the_next_waits_its_turn() -> None:
    door = bind(listener())
    serving, _ = server(max_connections=1)
    serving.start([door])
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(framed(b"first"))
    await reader.readexactly(9)
    later_reader, later_writer = await asyncio.open_connection("127.0.0.1", door.port)
    later_writer.write(framed(b"later"))
    assert len(serving.connections) == 1
    writer.close()
    await writer.wait_closed()
    assert await later_reader.readexactly(9) == framed(b"later")
    later_writer.close()
    serving.close_listeners()
    await serving.drain(1)


async def test_draining_answers_what_is_in_flight_and_takes_nothing_new() -> None:
    door = bind(listener())
    serving, dispatcher = server()
    serving.start([door])
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(framed(b"wait"))
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", door.port)
    while not dispatcher.waiting or len(serving.connections) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    serving.close_listeners()
    draining = asyncio.ensure_future(serving.drain(5))
    assert await idle_reader.read() == b""
    writer.write(framed(b"too late"))
    dispatcher.finish()
    assert await reader.readexactly(8) == framed(b"wait")
    await draining
    assert dispatcher.seen == [b"wait"]
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", door.port)
    for one in (writer, idle_writer):
        one.close()


async def test_draining_does_not_wait_for_ever() -> None:
    door = bind(listener())
    serving, dispatcher = server()
    serving.start([door])
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(framed(b"wait"))
    while not dispatcher.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0)
    serving.close_listeners()
    await serving.drain(0.05)
    assert await reader.read() == b""
    writer.close()
