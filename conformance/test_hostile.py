"""Bad input, from outside: Kafka's error or a closed connection, the broker up, memory bounded, its log short.

Only pykafkad is attacked here. Beside each attack a good client goes on being served.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from conformance import brokers
from conformance.clients import eventually
from kafkawire import codec, headers
from kafkawire.api import api_versions, create_topics, fetch, list_offsets, produce
from kafkawire.batches import header_at, seal
from kafkawire.errors import ErrorCode
from kafkawire.keys import API, request_class
from kafkawire.records import build

MB = 1 << 20
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.Broker]:
    with brokers.running("pykafkad", tmp_path_factory.mktemp("hostile")) as broker:
        yield broker


class Wire:
    """One connection that says exactly what it is told."""

    def __init__(self, broker: brokers.Broker) -> None:
        host, port = broker.bootstrap.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), 20)

    def send(self, key: int, version: int, message: object) -> None:
        self.sock.sendall(b"".join(bytes(piece) for piece in frame(key, version, message)))

    def ask(self, key: int, version: int, message: object, answer: type) -> object:
        self.send(key, version, message)
        body = self.receive()
        assert body is not None, "the broker closed the connection"
        return codec.decode(answer, version, body[headers.read_response_header(key, version, body)[1] :])

    def receive(self) -> bytes | None:
        """The next response without its size; None if the broker closes instead."""
        head = self._exactly(4)
        return None if head is None else self._exactly(struct.unpack(">i", head)[0])

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                more = self.sock.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data


@contextmanager
def connected(broker: brokers.Broker) -> Iterator[Wire]:
    wire = Wire(broker)
    with wire.sock:
        yield wire


def frame(key: int, version: int, message: object) -> list[bytes]:
    head = headers.write_request_header(key, version, 7, "hostile")
    body = b"".join(bytes(piece) for piece in codec.encode(message, version))
    return [struct.pack(">i", len(head) + len(body)), head, body]


def fine(broker: brokers.Broker) -> None:
    """A good client is served."""
    with connected(broker) as wire:
        answer = wire.ask(18, 0, api_versions.Request(), api_versions.Response)
        assert answer.error_code == 0  # type: ignore[attr-defined]


def resident(broker: brokers.Broker) -> int:
    return int(psutil.Process(broker.pid).memory_info().rss)


def topic(wire: Wire, name: str, **configs: str) -> None:
    asked = create_topics.CreatableTopic(
        name=name,
        num_partitions=1,
        replication_factor=1,
        configs=[create_topics.CreatableTopicConfig(name=key.replace("_", "."), value=configs[key]) for key in configs],
    )
    answer = wire.ask(19, 5, create_topics.Request(topics=[asked], timeout_ms=10_000), create_topics.Response)
    assert answer.topics[0].error_code in (0, ErrorCode.TOPIC_ALREADY_EXISTS)  # type: ignore[attr-defined]


def put(wire: Wire, name: str, records: bytes | bytearray) -> int:
    data = produce.PartitionProduceData(index=0, records=records)
    topics = [produce.TopicProduceData(name=name, partition_data=[data])]
    asked = produce.Request(acks=-1, timeout_ms=5000, topic_data=topics)
    answer = wire.ask(0, 9, asked, produce.Response)
    return int(answer.responses[0].partition_responses[0].error_code)  # type: ignore[attr-defined]


def end_of(wire: Wire, name: str) -> int:
    where = list_offsets.Partition(partition_index=0, timestamp=-1)
    asked = list_offsets.Request(topics=[list_offsets.Topic(name=name, partitions=[where])])
    answer = wire.ask(2, 5, asked, list_offsets.Response)
    return int(answer.topics[0].partitions[0].offset)  # type: ignore[attr-defined]


def test_garbage_closes_the_connection(victim: brokers.Broker) -> None:
    chance = random.Random(1)
    for size in (1, 4, 100, 5000):
        with connected(victim) as wire:
            wire.sock.sendall(struct.pack(">i", max(1, size)) + chance.randbytes(size))
            assert wire.receive() is None, size
    fine(victim)


@pytest.mark.parametrize("size", [-1, -(1 << 31), (1 << 31) - 1, 104857601])
def test_an_impossible_size_closes_the_connection(victim: brokers.Broker, size: int) -> None:
    with connected(victim) as wire:
        wire.sock.sendall(struct.pack(">i", size) + b"x" * 100)
        assert wire.receive() is None
    fine(victim)


def test_half_frames_cost_what_they_sent(victim: brokers.Broker) -> None:
    fine(victim)
    before = resident(victim)
    with ExitStack() as stack:
        for _ in range(2000):
            wire = stack.enter_context(connected(victim))
            wire.sock.sendall(struct.pack(">i", 50 * MB) + b"\0\0\0\7" * 10)
        fine(victim)
        assert resident(victim) - before < 60 * MB, "2,000 announced frames of 50 MB"
    fine(victim)


def test_two_thousand_idle_connections(victim: brokers.Broker) -> None:
    fine(victim)
    before = resident(victim)
    with ExitStack() as stack:
        for _ in range(2000):
            stack.enter_context(connected(victim))
        fine(victim)
        assert resident(victim) - before < 2000 * 10 * 1024, "at most 10 KB each"


def test_bad_batches_get_kafkas_errors_and_leave_nothing(victim: brokers.Broker) -> None:
    with connected(victim) as wire:
        topic(wire, "bad-batches")
        good = build([(b"k", b"v" * 100)], timestamp=1)
        wrong_crc = bytearray(good)
        wrong_crc[-1] ^= 1
        assert put(wire, "bad-batches", wrong_crc) == ErrorCode.CORRUPT_MESSAGE
        wrong = {0: ErrorCode.INVALID_RECORD, 1: ErrorCode.INVALID_RECORD, 3: ErrorCode.CORRUPT_MESSAGE}
        for magic, error in wrong.items():
            wrong_magic = bytearray(good)
            wrong_magic[16] = magic
            assert put(wire, "bad-batches", wrong_magic) == error, magic
        assert put(wire, "bad-batches", good + good) == ErrorCode.INVALID_RECORD
        assert put(wire, "bad-batches", build([(b"k", b"v" * (2 * MB))], timestamp=1)) == ErrorCode.MESSAGE_TOO_LARGE
        assert end_of(wire, "bad-batches") == 0
        assert put(wire, "bad-batches", good) == 0
        assert end_of(wire, "bad-batches") == 1


@pytest.mark.parametrize("codec_number", [1, 3, 4], ids=["gzip", "lz4", "zstd"])
def test_a_compressed_bomb_claims_no_memory(victim: brokers.Broker, codec_number: int) -> None:
    """On a compacted topic every record's key is looked at, so the broker has to decompress."""
    name = f"bomb-{codec_number}"
    with connected(victim) as wire:
        topic(wire, name, cleanup_policy="compact", max_message_bytes=str(4 * MB))
        bomb = bytearray(build([(b"k", bytes(400 * MB))], timestamp=1, codec=codec_number))
        assert len(bomb) < 4 * MB, "small enough to be let in"
        before = resident(victim)
        assert put(wire, name, bomb) != 0
        assert resident(victim) - before < 300 * MB
    fine(victim)


def test_a_client_that_never_reads_stops_being_served(victim: brokers.Broker) -> None:
    with connected(victim) as wire, connected(victim) as greedy:
        topic(wire, "unread")
        for _ in range(20):
            assert put(wire, "unread", build([(None, b"x" * 900_000)], timestamp=1)) == 0
        where = fetch.Partition(partition=0, fetch_offset=0, partition_max_bytes=MB)
        asked = fetch.Request(max_bytes=MB, topics=[fetch.Topic(topic="unread", partitions=[where])])
        request = b"".join(frame(1, 11, asked))
        before = resident(victim)
        greedy.sock.settimeout(0)
        sent = 0
        try:
            while sent < 64 * MB:
                sent += greedy.sock.send(request * 100)
        except BlockingIOError:
            pass
        assert sent < 64 * MB, "the broker stopped reading"
        fine(victim)
        assert resident(victim) - before < 40 * MB


def test_mutated_requests_of_all_apis(victim: brokers.Broker) -> None:
    """20,000 of them: no defect, a short log, a good client served all the way."""
    chance = random.Random(20)
    apis = [api for api in API.values() if "broker" in api.listeners]
    logged = len(victim.log())
    wire: Wire | None = None
    for number in range(20_000):
        api = apis[number % len(apis)]
        version = chance.randint(api.min_version, api.max_version)
        data = bytearray(b"".join(frame(api.key, version, request_class(api.key)())))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        struct.pack_into(">hh", data, 4, api.key, version)
        try:
            wire = wire or Wire(victim)
            wire.sock.sendall(data)
            if number % 50 == 49:
                wire.sock.close()
                wire = None
                if number % 1000 == 999:
                    fine(victim)
        except ConnectionError:
            wire = None
    fine(victim)
    log = victim.log()[logged:]
    assert "Traceback" not in log
    assert len(log) < 200_000


def refused(arguments: list[str], environment: dict[str, str]) -> str:
    """What a broker that can't start says: exit code 2 and one line."""
    done = subprocess.run(
        [sys.executable, "-m", "pykafkad", "serve", *arguments],
        env=environment, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def start(victim: brokers.Broker, tmp_path: Path) -> Callable[..., str]:
    (port,) = brokers.free_ports(1)

    def try_to(**settings: object) -> str:
        chosen = {"listeners": f"PLAINTEXT://127.0.0.1:{port}", "log.dirs": tmp_path / "data", "http.listen": ""}
        chosen |= {key.replace("__", "."): value for key, value in settings.items()}
        return refused([f"--override={key}={value}" for key, value in chosen.items()], victim.environment())

    return try_to


def test_a_port_in_use(victim: brokers.Broker, start: Callable[..., str]) -> None:
    assert victim.bootstrap.rsplit(":", 1)[1] in start(listeners=f"PLAINTEXT://{victim.bootstrap}")
    fine(victim)


def test_a_second_broker_on_the_same_directory(victim: brokers.Broker, start: Callable[..., str]) -> None:
    assert str(victim.data) in start(log__dirs=victim.data)
    fine(victim)


@pytest.mark.parametrize(
    ("key", "value"),
    [("log.retention.hours", "soon"), ("num.partitions", "0"), ("listeners", "nonsense"), ("compression.type", "rar")],
)
def test_a_bad_value_is_named(start: Callable[..., str], key: str, value: str) -> None:
    line = start(**{key.replace(".", "__"): value})
    assert key in line and value in line


def test_the_directory_of_another_cluster(tmp_path: Path, start: Callable[..., str]) -> None:
    with brokers.running("pykafkad", tmp_path / "other") as other:
        data = other.data
        fine(other)
    kept = (data / "meta.properties").read_text()
    (data / "meta.properties").write_text(re.sub(r"cluster\.id=.*", "cluster.id=AAAAAAAAAAAAAAAAAAAAAA", kept))
    assert "cluster" in start(log__dirs=data)


def test_unknown_keys_warn_and_the_broker_starts(tmp_path: Path) -> None:
    with brokers.running("pykafkad", tmp_path, {"no.such.key": "1"}) as broker:
        fine(broker)
        eventually(lambda: "no.such.key" in broker.log(), "a warning names the key")


def test_a_sealed_batch_with_another_count(victim: brokers.Broker) -> None:
    """The checksum is right, the header lies."""
    with connected(victim) as wire:
        topic(wire, "liars")
        batch = build([(b"a", b"1"), (b"b", b"2")], timestamp=1)
        struct.pack_into(">i", batch, 57, 3)
        seal(batch, 0, len(batch))
        assert header_at(batch, 0).count == 3
        assert put(wire, "liars", batch) == ErrorCode.INVALID_RECORD
        assert end_of(wire, "liars") == 0
