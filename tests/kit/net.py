"""A hand-cranked event loop and a stub dispatcher, so that the network layer is tested one wake-up at a time."""

from __future__ import annotations

import asyncio
import selectors
import socket
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pykafkad.api.call import Peer
from pykafkad.metrics import Metrics
from pykafkad.net.listener import Server
from pykafkad.net.plain import Connection


class HandLoop:
    """The few methods of a loop that the network uses; time and callbacks move only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.readers: dict[int, Callable[[], None]] = {}
        self.writers: dict[int, Callable[[], None]] = {}
        self.soon: list[Callable[[], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.jobs: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []

    def time(self) -> float:
        return self.now

    def add_reader(self, sock: socket.socket, callback: Callable[..., None], *args: Any) -> None:
        self.readers[sock.fileno()] = lambda: callback(*args)

    def remove_reader(self, sock: socket.socket) -> None:
        self.readers.pop(sock.fileno(), None)

    def add_writer(self, sock: socket.socket, callback: Callable[..., None], *args: Any) -> None:
        self.writers[sock.fileno()] = lambda: callback(*args)

    def remove_writer(self, sock: socket.socket) -> None:
        self.writers.pop(sock.fileno(), None)

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> SimpleNamespace:
        entry = (self.now + delay, lambda: callback(*args))
        self.timers.append(entry)
        return SimpleNamespace(cancel=lambda: self.timers.remove(entry) if entry in self.timers else None)

    def run_in_executor(self, executor: None, job: Callable[[], Any]) -> Job:
        future = Job(job)
        self.jobs.append((future, job))  # type: ignore[arg-type]
        return future

    def work(self) -> None:
        """Run what was given to worker threads."""
        jobs, self.jobs = self.jobs, []
        for future, _ in jobs:
            future.run()  # type: ignore[attr-defined]

    def turn(self) -> bool:
        """One pass of the loop: ready sockets, then callbacks. False if there was nothing to do."""
        did = False
        with selectors.DefaultSelector() as selector:
            for fd in self.readers.keys() | self.writers.keys():
                events = (selectors.EVENT_READ if fd in self.readers else 0) | (
                    selectors.EVENT_WRITE if fd in self.writers else 0
                )
                selector.register(fd, events)
            for key, events in selector.select(0) if selector.get_map() else []:
                for mask, table in ((selectors.EVENT_READ, self.readers), (selectors.EVENT_WRITE, self.writers)):
                    if events & mask and key.fd in table:
                        table[key.fd]()
                        did = True
        callbacks, self.soon = self.soon, []
        for callback in callbacks:
            callback()
            did = True
        return did

    def settle(self) -> None:
        for _ in range(10_000):
            if not self.turn():
                return
        raise AssertionError("the loop never becomes quiet")


class Job:
    """The future of a job in a worker thread that the test runs."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job = job
        self._callbacks: list[Callable[[Any], None]] = []
        self._error: BaseException | None = None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def run(self) -> None:
        try:
            self._job()
        except OSError as error:
            self._error = error
        for callback in self._callbacks:
            callback(self)

    def cancelled(self) -> bool:
        return False

    def exception(self) -> BaseException | None:
        return self._error


class StubDispatcher:
    """Answers each frame by ``reply``; frames that begin with ``wait`` wait until the test says so."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.waiting: list[tuple[Connection, Any, bytes]] = []
        self.reply: Callable[[bytes], list[Any] | None] = lambda frame: [framed(frame)]

    started = 0.0

    def serve(self, connection: Connection, view: memoryview, start: int, stop: int, end: int, now: int) -> int:
        frame = bytes(view[start:stop])
        self.seen.append(frame)
        if frame.startswith(b"wait"):
            slot = connection.wait(None, not frame.startswith(b"wait, next"))
            self.waiting.append((connection, slot, frame))
            return stop
        pieces = self.reply(frame)
        if pieces is not None:
            connection.answer(pieces)
        return stop

    def finish(self, index: int = 0) -> None:
        connection, slot, frame = self.waiting.pop(index)
        connection.answer_later(slot, [framed(frame)])


def framed(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


def settings(**changed: Any) -> Any:
    """The settings that the network reads, with Kafka's defaults."""
    values: dict[str, Any] = {
        "socket_request_max_bytes": 104857600,
        "queued_max_request_bytes": -1,
        "max_connections": 2147483647,
        "max_connections_per_ip": 2147483647,
        "max_connections_per_ip_overrides": "",
        "connections_max_idle_ms": 600000,
        "socket_listen_backlog_size": 50,
        "socket_send_buffer_bytes": 102400,
        "socket_receive_buffer_bytes": 102400,
    }
    return SimpleNamespace(**{**values, **changed})


class Harness:
    """A server on a hand-cranked loop, with as many clients as a test needs."""

    def __init__(self, **changed: Any) -> None:
        self.loop = HandLoop()
        self.dispatcher = StubDispatcher()
        self.metrics = Metrics()
        self.complaints: list[tuple[str, dict[str, Any]]] = []
        loop: Any = self.loop
        dispatcher: Any = self.dispatcher
        clock: Any = SimpleNamespace(now_ms=lambda: 1_700_000_000_000)
        self.server = Server(loop, settings(**changed), clock, self.metrics, dispatcher)
        self.server.complaints._write = lambda event, **fields: self.complaints.append((event, fields))
        self._clients: list[socket.socket] = []

    def client(self, host: str = "192.0.2.1") -> tuple[socket.socket, Connection | None]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._clients.append(theirs)
        return theirs, self.server.admit(ours, Peer((host, 40000), ("192.0.2.9", 9092), "PLAINTEXT", "User:ANONYMOUS"))

    def connect(self, host: str = "192.0.2.1") -> tuple[socket.socket, Connection]:
        client, connection = self.client(host)
        assert connection is not None
        return client, connection

    def counted(self, name: str, *labels: str) -> int:
        return self.metrics.counter(name, *labels).value

    def close(self) -> None:
        for connection in list(self.server.connections):
            connection.close()
        for client in self._clients:
            client.close()


def received(client: socket.socket) -> bytes:
    """All that has arrived at a client; b"" stands for nothing, and for the end as well."""
    data = b""
    while True:
        try:
            more = client.recv(1 << 20)
        except (BlockingIOError, ConnectionResetError):
            return data
        if not more:
            return data
        data += more


def ended(client: socket.socket) -> bool:
    """Whether the server closed the connection, all that it sent being read."""
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
