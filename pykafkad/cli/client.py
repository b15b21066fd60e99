"""A small blocking client: one thread, one question at a time, for commands that ask a broker and print.

It lives on ``kafkawire`` alone, so that the commands work with any broker and see this one as everybody sees it. Each
request goes out in the highest version that both sides know; a caller caps it where a later version says something
that a command doesn't have, for instance topic ids instead of names.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from kafkawire import codec, headers, keys
from kafkawire.errors import ErrorCode, WireError
from pykafkad.cli.failures import CommandFailed, Misused
from pykafkad.clock import SystemClock, pause

REQUEST_TIMEOUT_S = 30.0
RETRY_PAUSE_S = 0.1
PATIENCE_MS = 15_000  # how long a retriable answer is retried
CLIENT_ID = "pykafkad-cli"
LARGEST_ANSWER = 1 << 30

GROUP, TRANSACTION = 0, 1  # FindCoordinator's key types

T = TypeVar("T")


class Unreachable(CommandFailed):
    """No broker there, or one that went away."""


class BrokerRefused(CommandFailed):
    """An error code in an answer."""

    def __init__(self, what: str, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(f"{what}: {code.name}: {message or code.message}")
        self.code = code


def check(code: int, what: str, message: str | None = None) -> None:
    """Raise BrokerRefused unless ``code`` is NONE."""
    if code:
        raise BrokerRefused(what, error_code(code), message)


def error_code(code: int) -> ErrorCode:
    """The ErrorCode of a number; a number from the future counts as unknown, as in Kafka's clients."""
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.UNKNOWN_SERVER_ERROR


def parse_servers(text: str) -> list[tuple[str, int]]:
    """``host:port,[::1]:port,…`` as addresses."""
    servers = []
    for item in text.split(","):
        host, colon, port = item.strip().rpartition(":")
        if not colon or not port.isdigit() or not 0 < int(port) < 65536:
            raise Misused(f"--bootstrap-server: {item.strip()!r} is not host:port")
        servers.append((host.removeprefix("[").removesuffix("]"), int(port)))
    return servers


class Connection:
    """One socket to one broker, and the versions that it speaks."""

    def __init__(self, host: str, port: int, timeout: float = REQUEST_TIMEOUT_S) -> None:
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._correlation_id = 0
        self.closed = False
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise Unreachable(f"no broker at {self.name} ({_reason(error)})") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.versions = self._negotiate()

    def call(self, request: Any, *, at_least: int = 0, at_most: int = 32767, timeout: float = REQUEST_TIMEOUT_S) -> Any:
        """Send one request, wait for its response; the bounds are the versions that can say what it says."""
        key = _key_of(request)
        return self._exchange(key, self.version(key, at_least, at_most), request, timeout)

    def send(self, request: Any, *, at_most: int = 32767) -> None:
        """Send one request that is never answered (Produce with acks=0)."""
        key = _key_of(request)
        self._write(key, self.version(key, 0, at_most), request)

    def version(self, key: int, at_least: int = 0, at_most: int = 32767) -> int:
        """The highest version of an API that both sides know."""
        api = keys.API[key]
        low, high = self.versions.get(key, (0, -1))
        version = min(high, api.max_version, at_most)
        if version < max(low, api.min_version, at_least):
            raise CommandFailed(f"{self.name} does not serve {api.name} in a version known here")
        return version

    def close(self) -> None:
        self.closed = True
        self._socket.close()

    def _negotiate(self) -> dict[int, tuple[int, int]]:
        from kafkawire.api import api_versions
        from pykafkad import __version__

        request = api_versions.Request(client_software_name="pykafkad", client_software_version=__version__)
        version = keys.API[18].max_version
        response = self._exchange(18, version, request, REQUEST_TIMEOUT_S)
        if response.error_code == ErrorCode.UNSUPPORTED_VERSION:
            known = next((k.max_version for k in response.api_keys if k.api_key == 18), 0)
            response = self._exchange(18, min(known, version), request, REQUEST_TIMEOUT_S)
        check(response.error_code, self.name)
        return {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}

    def _exchange(self, key: int, version: int, request: Any, timeout: float) -> Any:
        self._socket.settimeout(timeout)
        self._write(key, version, request)
        try:
            size = int.from_bytes(self._read(4), "big", signed=True)
            if not 4 <= size <= LARGEST_ANSWER:
                raise WireError(f"an answer of {size} bytes")
            answer = memoryview(self._read(size))
            correlation_id, offset = headers.read_response_header(key, version, answer)
            if correlation_id != self._correlation_id:
                raise WireError(f"an answer to {correlation_id}, not to {self._correlation_id}")
            return self._decode(key, version, answer[offset:])
        except BaseException as error:
            self.close()  # whoever was interrupted here, by Ctrl-C for instance, can't tell what comes next
            if not isinstance(error, WireError):
                raise
            raise CommandFailed(f"{self.name} does not answer as a Kafka broker does ({error})") from None

    def _decode(self, key: int, version: int, body: memoryview) -> Any:
        response = keys.response_class(key)
        if key == 18 and bytes(body[:2]) == ErrorCode.UNSUPPORTED_VERSION.to_bytes(2, "big"):
            version = 0  # a broker that doesn't know our ApiVersions says so in the oldest form
        return codec.decode(response, version, body)

    def _write(self, key: int, version: int, request: Any) -> None:
        self._correlation_id += 1
        head = headers.write_request_header(key, version, self._correlation_id, CLIENT_ID)
        body = b"".join(cast(list[bytes], codec.encode(request, version)))
        try:
            self._socket.sendall((len(head) + len(body)).to_bytes(4, "big") + head + body)
        except OSError as error:
            raise self._lost(error) from None

    def _read(self, size: int) -> bytes:
        chunks = []
        while size:
            try:
                chunk = self._socket.recv(min(size, 1 << 20))
            except OSError as error:
                raise self._lost(error) from None
            if not chunk:
                raise self._lost(None)
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _lost(self, error: OSError | None) -> Unreachable:
        self.close()
        return Unreachable(f"{self.name} {_reason(error) if error else 'closed the connection'}")


class Client:
    """The cluster behind ``--bootstrap-server``: who leads what, who coordinates whom; a connection to each broker."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = parse_servers(bootstrap_servers)
        self._clock = SystemClock()
        self._first: Connection | None = None
        self._brokers: dict[int, tuple[str, int]] = {}
        self._connections: dict[int, Connection] = {}
        self._met = False  # whether a broker has ever answered: then one that is gone may come back

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for connection in [*self._connections.values(), *([self._first] if self._first else [])]:
            connection.close()
        self._connections, self._first = {}, None

    @property
    def now(self) -> int:
        return self._clock.now_ms()

    def any(self) -> Connection:
        """A connection to the first bootstrap server that answers."""
        if self._first is None or self._first.closed:
            failures = []
            for host, port in self._servers:
                try:
                    self._first = Connection(host, port)
                    self._met = True
                    break
                except Unreachable as error:
                    failures.append(str(error))
            else:
                raise Unreachable("; ".join(failures))
        return self._first

    def broker(self, node_id: int) -> Connection:
        """A connection to one broker by its id."""
        held = self._connections.get(node_id)
        if held is None or held.closed:
            if node_id not in self._brokers:
                self.metadata([])
            if node_id not in self._brokers:
                raise Unreachable(f"broker {node_id} is not in the cluster now")
            held = self._connections[node_id] = Connection(*self._brokers[node_id])
        return held

    def metadata(self, topics: Iterable[str] | None = None, *, create: bool = False) -> Any:
        """The Metadata response for these topics (None: all), brokers remembered on the way."""
        from kafkawire.api import metadata

        wanted = None if topics is None else [metadata.RequestTopic(name=name) for name in topics]
        response = self.any().call(metadata.Request(topics=wanted, allow_auto_topic_creation=create))
        self._brokers = {broker.node_id: (broker.host, broker.port) for broker in response.brokers}
        return response

    def topic(self, name: str, *, create: bool = False) -> Any:
        """One topic's metadata with a leader for every partition; waits while it is being made."""

        def look() -> Any:
            [topic] = self.metadata([name], create=create).topics
            if create and topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise BrokerRefused(name, ErrorCode.LEADER_NOT_AVAILABLE)  # it comes in a moment
            check(topic.error_code, name)
            for partition in topic.partitions:
                check(partition.error_code, f"{name}-{partition.partition_index}")
            return topic

        return self.patiently(look, give_up_on={ErrorCode.UNKNOWN_TOPIC_OR_PARTITION})

    def leaders(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The leader's node id of every partition of these topics that exists and has one."""
        return {
            (topic.name, partition.partition_index): partition.leader_id
            for topic in self.metadata(topics).topics
            if not topic.error_code
            for partition in topic.partitions
            if partition.leader_id >= 0
        }

    def controller(self) -> Connection:
        """The broker to send admin requests to."""
        controller_id = self.metadata([]).controller_id
        return self.broker(controller_id) if controller_id in self._brokers else self.any()

    def coordinator(self, key: str, kind: int = GROUP) -> Connection:
        """The broker that coordinates a group or a transactional id."""
        from kafkawire.api import find_coordinator

        def find() -> Connection:
            request = find_coordinator.Request(key_type=kind, coordinator_keys=[key])
            [found] = self.any().call(request, at_least=4).coordinators
            check(found.error_code, f"coordinator of {key!r}", found.error_message)
            self._brokers[found.node_id] = (found.host, found.port)
            return self.broker(found.node_id)

        return self.patiently(find)

    def patiently(self, attempt: Callable[[], T], *, give_up_on: Iterable[ErrorCode] = ()) -> T:
        """Call again for a while, if the answer is a retriable error code or a broker that was there is gone."""
        final = set(give_up_on)
        deadline = self.now + PATIENCE_MS
        while True:
            try:
                return attempt()
            except BrokerRefused as refused:
                if not refused.code.retriable or refused.code in final or self.now > deadline:
                    raise
            except Unreachable:
                if not self._met or self.now > deadline:
                    raise
            pause(RETRY_PAUSE_S)

    def offsets(self, wanted: dict[tuple[str, int], int], isolation_level: int = 0) -> dict[tuple[str, int], Any]:
        """ListOffsets: each partition's answer to its timestamp (−1 latest, −2 earliest, −3 largest timestamp)."""
        from kafkawire.api import list_offsets

        leaders = self.leaders(sorted({topic for topic, _ in wanted}))
        found: dict[tuple[str, int], Any] = {}
        for node_id, mine in by_leader(wanted, leaders).items():
            topics = [
                list_offsets.Topic(
                    name=name,
                    partitions=[
                        list_offsets.Partition(partition_index=index, timestamp=wanted[name, index])
                        for index in indexes
                    ],
                )
                for name, indexes in by_topic(mine).items()
            ]
            request = list_offsets.Request(
                replica_id=-1, isolation_level=isolation_level, topics=topics, timeout_ms=int(REQUEST_TIMEOUT_S * 1000)
            )
            for topic in self.broker(node_id).call(request).topics:
                for partition in topic.partitions:
                    found[topic.name, partition.partition_index] = partition
        return found


def by_leader(
    partitions: Iterable[tuple[str, int]], leaders: dict[tuple[str, int], int]
) -> dict[int, list[tuple[str, int]]]:
    """Partitions grouped by the broker that leads them; those without a leader stop the command."""
    grouped: dict[int, list[tuple[str, int]]] = {}
    for topic, index in partitions:
        leader = leaders.get((topic, index))
        if leader is None:
            raise CommandFailed(f"{topic}-{index}: no such partition, or it has no leader now")
        grouped.setdefault(leader, []).append((topic, index))
    return grouped


def by_topic(partitions: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Partition indexes grouped by topic, both in order."""
    grouped: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        grouped.setdefault(topic, []).append(index)
    return grouped


def _key_of(request: Any) -> int:
    module = type(request).__module__.rpartition(".")[2]
    return next(api.key for api in keys.API.values() if api.module == module)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error)).lower()
