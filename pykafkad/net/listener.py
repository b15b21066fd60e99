"""The server: listening sockets, the connections they accept, and the limits that hold for all of them together.

Binding is separate from listening: a taken port must end the start before anything else is done, but a client may only
connect when there is somebody to answer. Everything that must happen now and then (idle connections, counts of
complaints, memory) happens in one coarse sweep; a connection costs no timer.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from pykafkad.api.call import Peer
from pykafkad.clock import stopwatch
from pykafkad.errors import ConfigError
from pykafkad.logs import log
from pykafkad.net.complaints import Complaints
from pykafkad.net.plain import TRAY_BYTES, Connection
from pykafkad.net.sending import Sender

if TYPE_CHECKING:
    from pykafkad.clock import Clock
    from pykafkad.config import Config
    from pykafkad.config.listeners import Listener
    from pykafkad.metrics import Metrics
    from pykafkad.net.dispatch import Dispatcher

SCRATCH_BYTES = 1024 * 1024  # at 256 KB, every frame of a large batch was copied aside: a third of its cost
TRAYS = 4  # large frames that are received in place at the same time; others are copied aside
ACCEPT_MAX = 64  # connections accepted in one wake-up
SWEEP_SECONDS = 5.0
STALLED_SECONDS = 5.0  # half a frame may pause this long while request memory is short
LIVELY_SECONDS = 0.1  # after a request others are thought to be there for so long, and old data leave slowly:
STEP_SECONDS = 0.001  # one step of SLOW_STEP bytes in so long, 128 MB/s over all who read them
RETRY_SECONDS = 1.0  # after the system refused to accept (no file descriptors left)
KAFKA_SOCKET_BUFFER = 102400  # default of socket.*.buffer.bytes; the kernel's own sizing is better and left alone
ANONYMOUS = "User:ANONYMOUS"


def bracketed(host: str, port: int) -> str:
    """host:port as it is written everywhere, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Door:
    """One bound socket."""

    __slots__ = ("listener", "open", "port", "sock")

    def __init__(self, listener: Listener, sock: socket.socket) -> None:
        self.listener = listener
        self.sock = sock
        self.port: int = sock.getsockname()[1]
        self.open = False

    def __str__(self) -> str:
        return f"{self.listener.name}://{bracketed(self.listener.host, self.port)}"


def bind(listener: Listener) -> Door:
    """Take the port, without listening yet; ConfigError if it can't be had."""
    where = f"listeners={listener.name}://{bracketed(listener.host, listener.port)}"
    if listener.protocol != "PLAINTEXT":
        raise ConfigError(f"{where}: {listener.protocol} isn't supported yet, only PLAINTEXT is")
    if listener.host:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
        candidates = [(family, address)]
    else:  # every interface: both families through one socket where the kernel has IPv6
        candidates = [(socket.AF_INET6, ("::", listener.port)), (socket.AF_INET, ("0.0.0.0", listener.port))]
    reason = ""
    for family, address in candidates:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            reason = error.strerror or str(error)
            continue
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(listener.host not in ("", "::")))
            sock.bind(address)
        except OSError as error:
            sock.close()
            reason = _reason(error)
            if error.errno == errno.EADDRINUSE:
                break
            continue
        return Door(listener, sock)
    raise ConfigError(f"{where}: {reason}")


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use"
    return os.strerror(error.errno) if error.errno else str(error)


class Server:
    """All listeners and connections of one broker, on one loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, config: Config, clock: Clock, metrics: Metrics, dispatcher: Dispatcher
    ) -> None:
        self.loop = loop
        self.config = config
        self.clock = clock
        self.metrics = metrics
        self.dispatcher = dispatcher
        self.monotonic: Callable[[], float] = loop.time
        self.stopwatch = stopwatch
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._trays: list[memoryview] = []  # those that are free, of those that were ever needed
        self._trays_left = TRAYS
        self.frame_max = config.socket_request_max_bytes
        self.sender = Sender(metrics)
        self.complaints = Complaints(log.warning, loop.time)
        self.received = metrics.counter("kafka_network_socketserver_bytes_received_total")
        self.lively = 0.0  # when somebody last asked who isn't reading old data
        self._next_step = 0.0  # of all old data that are being sent
        self.connections: dict[Connection, None] = {}  # a dict for its order: oldest first
        self.waiting = 0  # requests whose answer is not there yet
        self.kept_bytes = 0  # of all inboxes
        self._kept_max = config.queued_max_request_bytes
        self._starved: dict[Connection, float] = {}  # paused since, because inboxes hold too much
        self._accepted = metrics.counter("kafka_network_socketserver_connections_accepted_total")
        self._closed = metrics.counter("kafka_network_socketserver_connections_closed_total")
        self._per_address: dict[str, int] = {}
        self._overrides = per_ip_overrides(config.max_connections_per_ip_overrides)
        self._doors: list[Door] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        metrics.gauge("kafka_network_socketserver_connectioncount", lambda: len(self.connections))
        metrics.gauge("kafka_network_requestchannel_requestqueuesize", lambda: self.waiting)
        metrics.gauge("kafka_network_socketserver_memorypoolused", lambda: self.kept_bytes)

    # ---- opening ----

    def start(self, doors: list[Door]) -> None:
        """Listen and serve. ConfigError if another process took the port between bind and now."""
        self._doors = doors
        for door in doors:
            try:
                door.sock.listen(max(self.config.socket_listen_backlog_size, 128))
            except OSError as error:
                raise ConfigError(f"listeners={door}: {_reason(error)}") from None
            self._listen(door)
        self._sweeper = self.loop.call_later(self._sweep_seconds(), self._sweep_and_rearm)

    def _listen(self, door: Door) -> None:
        if not door.open and door.sock.fileno() >= 0:
            door.open = True
            self.loop.add_reader(door.sock, self._accept, door)

    def _pause(self, door: Door) -> None:
        if door.open:
            door.open = False
            self.loop.remove_reader(door.sock)

    def _accept(self, door: Door) -> None:
        for _ in range(ACCEPT_MAX):
            if len(self.connections) >= self.config.max_connections:
                self._pause(door)  # until one of them is gone
                return
            try:
                sock, remote = door.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self.complaints.say("accept", "can't accept connections", reason=_reason(error))
                self._pause(door)
                self.loop.call_later(RETRY_SECONDS, self._listen, door)
                return
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._size_buffers(sock)
                local = sock.getsockname()
            except OSError:
                sock.close()
                continue
            address, local_address = (plain_address(remote[0]), remote[1]), (plain_address(local[0]), local[1])
            self.admit(sock, Peer(address, local_address, door.listener.name, ANONYMOUS))

    def _size_buffers(self, sock: socket.socket) -> None:
        """Kafka's default of 100 KB would throttle us; any other value was meant."""
        for option, size in (
            (socket.SO_SNDBUF, self.config.socket_send_buffer_bytes),
            (socket.SO_RCVBUF, self.config.socket_receive_buffer_bytes),
        ):
            if size > 0 and size != KAFKA_SOCKET_BUFFER:
                sock.setsockopt(socket.SOL_SOCKET, option, size)

    def admit(self, sock: socket.socket, peer: Peer) -> Connection | None:
        """Make a socket a connection, unless its address has too many already."""
        host = peer.address[0]
        count = self._per_address.get(host, 0)
        if count >= self._overrides.get(host, self.config.max_connections_per_ip):
            self.metrics.counter("kafka_network_socketserver_refused_total", "per_ip").value += 1
            self.complaints.say("per ip", "refused a connection: max.connections.per.ip", peer=host, connections=count)
            sock.close()
            return None
        self._per_address[host] = count + 1
        connection = Connection(self, sock, peer)
        self.connections[connection] = None
        self._accepted.value += 1
        self.loop.add_reader(sock, connection.readable)
        return connection

    # ---- what connections report ----

    def held(self, connection: Connection, more: int) -> None:
        """An inbox grew or shrank. Over queued.max.request.bytes, those who need an inbox wait."""
        self.kept_bytes += more
        if self._kept_max < 0:
            return
        if more > 0 and self.kept_bytes > self._kept_max:
            connection.pause()
            self._starved.setdefault(connection, self.monotonic())
        elif more < 0 and self._starved and self.kept_bytes <= self._kept_max:
            starved, self._starved = self._starved, {}
            for other in starved:
                self.loop.call_soon(other.unpause)

    def lend_tray(self) -> memoryview | None:
        """TRAY_BYTES for a large frame, if any are free; to be given back by ``return_tray``."""
        if self._trays:
            return self._trays.pop()
        if not self._trays_left:
            return None
        self._trays_left -= 1
        return memoryview(bytearray(TRAY_BYTES))

    def return_tray(self, tray: memoryview) -> None:
        self._trays.append(tray)

    @property
    def trays_lent(self) -> int:
        return TRAYS - self._trays_left - len(self._trays)

    def gone(self, connection: Connection) -> None:
        self._closed.value += 1
        del self.connections[connection]
        self._starved.pop(connection, None)
        host = connection.peer.address[0]
        left = self._per_address[host] - 1
        if left:
            self._per_address[host] = left
        else:
            del self._per_address[host]
        if self._empty is not None:
            if not self.connections and not self._empty.done():
                self._empty.set_result(None)
        else:
            for door in self._doors:
                if not door.open:
                    self._listen(door)

    def pause(self) -> float:
        """Seconds until the next step of old data may leave: none while nobody else asks for anything."""
        now = self.monotonic()
        if now - self.lively > LIVELY_SECONDS:
            return 0.0
        turn = max(now, self._next_step)
        self._next_step = turn + STEP_SECONDS
        return turn - now

    # ---- the sweep ----

    def _sweep_seconds(self) -> float:
        return min(SWEEP_SECONDS, max(0.05, self.config.connections_max_idle_ms / 4000))

    def _sweep_and_rearm(self) -> None:
        self.sweep(self.monotonic())
        self._sweeper = self.loop.call_later(self._sweep_seconds(), self._sweep_and_rearm)

    def sweep(self, now: float) -> None:
        """Close who has been idle too long, or sits on request memory that others need."""
        idle_ms = self.config.connections_max_idle_ms
        if idle_ms >= 0:
            oldest = now - idle_ms / 1000
            for connection in [one for one in self.connections if one.active < oldest and one.idle]:
                connection.close()
        if self._starved:
            for connection, since in list(self._starved.items()):
                if now - since >= STALLED_SECONDS and self.kept_bytes > self._kept_max:
                    connection.refuse("memory", "closed a connection: queued.max.request.bytes", kept=connection.kept)
        self.complaints.sweep()

    # ---- closing ----

    def close_listeners(self) -> None:
        """Accept nobody any more."""
        for door in self._doors:
            self._pause(door)
            door.sock.close()
        self._doors = []
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def drain(self, seconds: float) -> None:
        """Let requests in progress be answered, then close every connection."""
        for connection in list(self.connections):
            connection.end()
        if self.connections:
            self._empty = self.loop.create_future()
            poll = self.loop.call_later(0.02, self._close_settled)
            try:
                await asyncio.wait_for(self._empty, seconds)
            except TimeoutError:
                pass
            poll.cancel()
        for connection in list(self.connections):
            connection.close()
        self.complaints.sweep()

    def _close_settled(self) -> None:
        for connection in list(self.connections):
            if connection.settled:
                connection.close()
        if self.connections:
            self.loop.call_later(0.02, self._close_settled)


def plain_address(host: str) -> str:
    """An IPv4 address that reached a socket of both families, as people write it."""
    return host.removeprefix("::ffff:") if "." in host else host


def per_ip_overrides(text: str) -> dict[str, int]:
    """max.connections.per.ip.overrides, host names resolved."""
    limits = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        host, colon, limit = pair.rpartition(":")
        if not colon or not limit.isdigit():
            raise ConfigError(f"max.connections.per.ip.overrides={text}: {pair} isn't host:count")
        try:
            for *_, address in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM):
                limits[str(address[0])] = int(limit)
        except OSError:
            raise ConfigError(f"max.connections.per.ip.overrides={text}: {host} is no known host") from None
    return limits
