"""A whole broker in the process of the test, and as a process of its own: start, stop, and starts that can't be."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kafkawire.api import api_versions, create_topics, fetch, list_offsets, metadata, produce
from kafkawire.codec import decode
from kafkawire.errors import ErrorCode
from kafkawire.headers import read_response_header, request_frame
from kafkawire.records import build
from pykafkad.app import Broker
from pykafkad.config import Config
from pykafkad.errors import ConfigError
from pykafkad.storage.disk import RealDisk, RealFile

ROOT = Path(__file__).parent.parent


def config(directory: Path, **changed: str) -> Config:
    texts = {
        "log.dirs": str(directory),
        "listeners": "PLAINTEXT://127.0.0.1:0",
        "http.listen": "127.0.0.1:0",
        "node.id": "1",
    }
    return Config.load({**texts, **{key.replace("_", "."): value for key, value in changed.items()}})


class Client:
    """Speaks the wire protocol, one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, address: str) -> Client:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host.strip("[]"), int(port)))

    async def send(self, key: int, version: int, request: Any) -> None:
        self._writer.write(b"".join(map(bytes, request_frame(key, version, 1, "test", request))))  # type: ignore[arg-type]

    async def answer(self, key: int, version: int, response: type[Any]) -> Any:
        (size,) = struct.unpack(">i", await self._reader.readexactly(4))
        payload = await self._reader.readexactly(size)
        _, position = read_response_header(key, version, payload)
        return decode(response, version, payload[position:])

    async def ask(self, key: int, version: int, request: Any, response: type[Any]) -> Any:
        await self.send(key, version, request)
        return await self.answer(key, version, response)

    async def closed(self) -> bool:
        return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def create(client: Client, topic: str, partitions: int = 1) -> None:
    wanted = create_topics.CreatableTopic(name=topic, num_partitions=partitions, replication_factor=1)
    answer = await client.ask(19, 7, create_topics.Request(topics=[wanted], timeout_ms=5000), create_topics.Response)
    assert [one.error_code for one in answer.topics] == [0]


def producing(topic: str, *values: bytes) -> produce.Request:
    batch = build([(None, value) for value in values], timestamp=1_700_000_000_000)
    data = produce.PartitionProduceData(index=0, records=batch)
    return produce.Request(
        acks=-1, timeout_ms=5000, topic_data=[produce.TopicProduceData(name=topic, partition_data=[data])]
    )


async def end_offset(client: Client, topic: str) -> int:
    asked = list_offsets.Topic(name=topic, partitions=[list_offsets.Partition(partition_index=0, timestamp=-1)])
    answer = await client.ask(2, 7, list_offsets.Request(replica_id=-1, topics=[asked]), list_offsets.Response)
    found: int = answer.topics[0].partitions[0].offset
    return found


async def get(address: str, path: str) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body.decode()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    running = await Broker.start(config(tmp_path / "data"))
    yield running
    await running.stop()


async def test_clients_are_told_the_address_that_they_reached(tmp_path: Path) -> None:
    broker = await Broker.start(config(tmp_path / "data", listeners="PLAINTEXT://:0"))
    port = int(broker.bootstrap.rpartition(":")[2])
    for host in ("127.0.0.1", "127.0.0.2"):
        client = await Client.to(f"{host}:{port}")
        answer = await client.ask(3, 9, metadata.Request(topics=[]), metadata.Response)
        assert [(one.host, one.port) for one in answer.brokers] == [(host, port)]
        await client.close()
    await broker.stop()


async def test_advertised_listeners_are_told_by_listener(tmp_path: Path) -> None:
    settings = config(
        tmp_path / "data",
        listeners="INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0",
        listener_security_protocol_map="INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
        advertised_listeners="OUTSIDE://kafka.example.org:1234",
        inter_broker_listener_name="INSIDE",
    )
    broker = await Broker.start(settings)
    for door, expected in zip(broker._doors, (None, ("kafka.example.org", 1234)), strict=True):
        client = await Client.to(f"127.0.0.1:{door.port}")
        answer = await client.ask(3, 9, metadata.Request(topics=[]), metadata.Response)
        assert [(one.host, one.port) for one in answer.brokers] == [expected or ("127.0.0.1", door.port)]
        await client.close()
    await broker.stop()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    settings = config(tmp_path / "data")
    for number in range(3):
        broker = await Broker.start(settings)
        client = await Client.to(broker.bootstrap)
        if not number:
            await create(client, "kept")
        assert await end_offset(client, "kept") == number
        answer = await client.ask(0, 9, producing("kept", b"x"), produce.Response)
        assert answer.responses[0].partition_responses[0].base_offset == number
        await client.close()
        await broker.stop()
        assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


async def test_several_brokers_live_in_one_process(tmp_path: Path) -> None:
    brokers = [await Broker.start(config(tmp_path / str(number))) for number in range(3)]
    assert len({broker.node.cluster_id for broker in brokers}) == 3
    for broker in brokers:
        client = await Client.to(broker.bootstrap)
        await create(client, "own")
        await client.close()
        await broker.stop()


async def test_a_long_poll_in_flight_does_not_hold_a_stop_up(broker: Broker) -> None:
    client = await Client.to(broker.bootstrap)
    await create(client, "quiet")
    waiting = fetch.Topic(topic="quiet", partitions=[fetch.Partition(partition_max_bytes=1 << 20)])
    await client.send(1, 4, fetch.Request(max_wait_ms=600_000, min_bytes=1, max_bytes=1 << 20, topics=[waiting]))
    while not broker.server.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await broker.stop()
    assert await client.closed()
    await client.close()


async def test_metrics_and_health(broker: Broker) -> None:
    assert broker.http is not None
    address = broker.http.address
    client = await Client.to(broker.bootstrap)
    await create(client, "orders", 3)
    await client.ask(0, 9, producing("orders", b"a", b"b"), produce.Response)
    assert await get(address, "/health/live") == (200, "live\n")
    assert await get(address, "/health/ready") == (200, "ready\n")
    status, text = await get(address, "/metrics")
    assert status == 200
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["kafka_server_replicamanager_partitioncount",] == 3
    assert samples["kafka_server_brokertopicmetrics_messagesin_total", "orders"] == 2
    assert samples["kafka_controller_kafkacontroller_activecontrollercount",] == 1
    assert samples["kafka_server_replicamanager_underreplicatedpartitions",] == 0
    assert samples["kafka_log_log_logendoffset", "0", "orders"] == 2
    assert samples["kafka_network_requestmetrics_requests_total", "9", "Produce"] == 1
    broker.state = 6
    assert (await get(address, "/health/ready"))[0] == 503
    broker.state = 3
    await client.close()


async def test_half_frames_of_many_cost_what_they_sent(broker: Broker) -> None:
    clients = [await Client.to(broker.bootstrap) for _ in range(100)]
    for client in clients:
        client._writer.write(struct.pack(">i", 50_000_000) + b"\x00" * 1000)
    good = await Client.to(broker.bootstrap)
    while broker.server.kept_bytes < 100 * 1004:  # noqa: ASYNC110
        await asyncio.sleep(0)
    answer = await good.ask(18, 0, api_versions.Request(), api_versions.Response)
    assert answer.error_code == 0
    assert broker.server.kept_bytes == 100 * 1004
    for client in (*clients, good):
        await client.close()


async def start_refused(settings: Config, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as refused:
        await Broker.start(settings)
    assert "\n" not in str(refused.value)


async def test_starts_that_cannot_be_are_one_line_and_leave_nothing(broker: Broker, tmp_path: Path) -> None:
    held = tmp_path / "data"
    await start_refused(config(held), "in use by another broker")
    await start_refused(config(tmp_path / "b", listeners=f"PLAINTEXT://{broker.bootstrap}"), "the port is in use")
    assert broker.http is not None
    await start_refused(config(tmp_path / "b", http_listen=broker.http.address), "http.listen=.*: the port is in use")
    await start_refused(config(tmp_path / "b", listeners="SSL://127.0.0.1:0"), "SSL isn't supported yet")
    await broker.stop()
    await start_refused(config(held, node_id="2"), "belongs to node 1")
    (held / "cluster.sqlite").unlink()
    properties = (held / "meta.properties").read_text()
    other = await Broker.start(config(tmp_path / "c"))
    await other.stop()
    (held / "cluster.sqlite").write_bytes((tmp_path / "c" / "cluster.sqlite").read_bytes())
    await start_refused(config(held), "belongs to cluster")
    assert (held / "meta.properties").read_text() == properties


async def test_a_copy_of_a_directory_is_refused(tmp_path: Path) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    await (await Broker.start(config(first))).stop()
    copy.mkdir()
    (copy / "meta.properties").write_bytes((first / "meta.properties").read_bytes())
    await start_refused(config(first, log_dirs=f"{first},{copy}"), "have the same directory.id: one is a copy")


async def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await start_refused(config(tmp_path / "file" / "below"), "file/below")


def serve(*arguments: str, python: tuple[str, ...] = (), **changed: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'protocol'}"
    return subprocess.Popen(
        [sys.executable, *python, "-m", "pykafkad", "serve", *arguments],
        env={**environment, **changed},
        stderr=subprocess.PIPE,
        text=True,
    )


def overrides(directory: Path, *more: str) -> list[str]:
    settings = (f"log.dirs={directory}", "listeners=PLAINTEXT://127.0.0.1:0", "http.listen=", *more)
    return [word for setting in settings for word in ("--override", setting)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = serve(*overrides(tmp_path / "data"), "--log-json")
    assert process.stderr is not None
    line = process.stderr.readline()
    assert '"event": "broker started"' in line and '"http": "off"' in line
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(10) == 0
    assert "broker stopped" in rest and "Traceback" not in rest
    process.stderr.close()
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_a_taken_port_is_exit_code_2_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listeners = f"PLAINTEXT://127.0.0.1:{taken.getsockname()[1]}"
        process = serve(*overrides(tmp_path / "data", f"listeners={listeners}"))
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said == f"pykafkad serve: listeners={listeners}: the port is in use\n"


def test_python_without_assertions_is_refused(tmp_path: Path) -> None:
    process = serve(*overrides(tmp_path / "data"), python=("-O",))
    _, said = process.communicate(timeout=20)
    assert process.returncode == 2 and "assertions" in said and said.count("\n") == 1


class NoSync(RealDisk):
    """Real files whose syncs fail below the paths in ``broken``."""

    __slots__ = ("broken",)

    def __init__(self) -> None:
        super().__init__()
        self.broken: list[str] = []

    def open(self, path: str, *, create: bool = False) -> RealFile:
        file = NoSyncFile(os.open(path, os.O_RDWR | os.O_CREAT if create else os.O_RDWR, 0o644), 0)
        file.size = os.fstat(file.fd).st_size
        file.fails = lambda: any(path.startswith(broken) for broken in self.broken)
        return file


class NoSyncFile(RealFile):
    __slots__ = ("fails",)

    def fsync(self) -> None:
        if self.fails():
            raise OSError(errno.EIO, "Input/output error")
        super().fsync()


async def test_a_failed_fsync_refuses_the_acknowledgement_and_ends_its_directory(tmp_path: Path) -> None:
    disk = NoSync()
    dirs = f"{tmp_path}/one,{tmp_path}/two"
    broker = await Broker.start(config(tmp_path, log_dirs=dirs, log_flush_interval_messages="1"), disk=disk)
    client = await Client.to(broker.bootstrap)
    await create(client, "a")
    await create(client, "b")

    async def write(topic: str) -> int:
        answer = await client.ask(0, 9, producing(topic, b"x"), produce.Response)
        code: int = answer.responses[0].partition_responses[0].error_code
        return code

    assert [await write("a"), await write("b")] == [0, 0]
    home = next(path for name in ("one", "two") if (path := tmp_path / name / "a-0").exists()).parent
    disk.broken.append(str(home))
    assert await write("a") == ErrorCode.KAFKA_STORAGE_ERROR
    disk.broken.clear()
    assert [await write("a"), await write("b")] == [ErrorCode.KAFKA_STORAGE_ERROR, 0]
    assert not broker.lost.done()
    disk.broken.append(str(tmp_path))
    assert await write("b") == ErrorCode.KAFKA_STORAGE_ERROR
    assert broker.lost.result() == "every log directory has failed"
    await client.close()
    await broker.stop()
