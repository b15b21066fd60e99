"""Failing disks with a real kernel behind them: brokers as processes of their own, on small volumes that fill up, turn
read-only and lose files, and a stock client that keeps using them.

Volumes are mounted in a mount namespace that dies with the broker, which takes root.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

ROOT = Path(__file__).parents[2]
MOUNTS = "mount -t tmpfs -o size=12m none {0}"


def _can_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not _can_mount(), reason="mounts take root, unshare and nsenter")


class Process:
    """A broker with a volume of its own for each data directory."""

    def __init__(self, folder: Path, volumes: int, *, mounts: list[str] | None = None) -> None:
        self.volumes = [folder / f"volume{number}" for number in range(volumes)]
        for volume in self.volumes:
            volume.mkdir()
        self.log = folder / "log"
        each = mounts or [MOUNTS] * volumes
        mounted = " && ".join(mount.format(volume) for mount, volume in zip(each, self.volumes, strict=True))
        dirs = ",".join(f"{volume}/data" for volume in self.volumes)
        words = (
            f"log.dirs={dirs}",
            f"cluster.store=sqlite:{folder}/cluster.sqlite",
            "listeners=PLAINTEXT://127.0.0.1:0",
            "http.listen=",
            "node.id=1",
        )
        serve = " ".join(f"--override '{word}'" for word in words)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protocol'}"}
        command = f"{mounted} && exec {sys.executable} -m pykafkad serve {serve}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", command], stderr=log, env=environment)
        self.address = self.told(r"listeners=\S*?(127\.0\.0\.1:\d+)")

    def told(self, pattern: str) -> str:
        """Wait until the log says something; its first group."""
        for _ in range(300):
            if (found := re.search(pattern, self.log.read_text())) is not None:
                return found[1] if found.groups() else found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{pattern} is not in the log:\n{self.log.read_text()}")

    def inside(self, path: Path) -> Path:
        """A path as the broker sees it."""
        return Path(f"/proc/{self.process.pid}/root{path}")

    def run(self, *command: str) -> None:
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", *command], check=True)

    def fill(self, volume: Path) -> None:
        with open(self.inside(volume / "balloon"), "wb", buffering=0) as balloon:
            try:
                while True:
                    balloon.write(bytes(4096))
            except OSError:
                pass

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Client:
    """A producer that keeps trying, and what became of what it sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.delivered: list[tuple[int, int]] = []
        self.failed: list[KafkaError] = []
        self.producer = Producer(
            {"bootstrap.servers": address, "message.timeout.ms": 60_000, "retry.backoff.ms": 50, "log_level": 0}
        )

    def send(self, count: int, partition: int = 0, topic: str = "t") -> None:
        def heard(error: KafkaError | None, message: object) -> None:
            if error is not None:
                self.failed.append(error)
            else:
                self.delivered.append((message.partition(), message.offset()))  # type: ignore[attr-defined]

        for _ in range(count):
            self.producer.produce(topic, bytes(1_000), partition=partition, on_delivery=heard)

    def read(self, count: int, partition: int = 0, topic: str = "t") -> int:
        """How many records from the beginning come within a while."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "g", "log_level": 0})
        consumer.assign([TopicPartition(topic, partition, 0)])
        try:
            found = consumer.consume(count, 10)
            return sum(message.error() is None for message in found)
        finally:
            consumer.close()


def create(address: str, topic: str, partitions: int) -> None:
    from pykafkad.cli.main import main

    assert main(["topics", "create", topic, "--partitions", str(partitions), "--bootstrap-server", address]) == 0


def test_a_full_disk_refuses_writes_serves_reads_and_heals(tmp_path: Path) -> None:
    broker = Process(tmp_path, 1)
    try:
        create(broker.address, "t", 1)
        client = Client(broker.address)
        client.send(50)
        assert client.producer.flush(20) == 0
        broker.fill(broker.volumes[0])
        client.send(100)
        broker.told("writes are refused .*No space left")
        assert client.read(50) == 50
        assert len(client.delivered) < 150
        broker.inside(broker.volumes[0] / "balloon").unlink()
        assert client.producer.flush(30) == 0
        broker.told("writes are accepted again")
        assert client.failed == [] and sorted(offset for _, offset in client.delivered) == list(range(150))
        assert client.read(150) == 150
        assert broker.stop() == 0
    finally:
        broker.end()


def test_new_files_on_a_read_only_volume_are_refused_until_it_is_writable(tmp_path: Path) -> None:
    broker = Process(tmp_path, 1)
    volume = str(broker.volumes[0])
    try:
        create(broker.address, "t", 1)
        client = Client(broker.address)
        client.send(20)
        assert client.producer.flush(20) == 0
        broker.run("mount", "--bind", volume, volume)
        broker.run("mount", "-o", "remount,bind,ro", volume)
        create(broker.address, "later", 1)
        client.send(1, topic="later")
        broker.told("could not open a partition .*Read-only file system")
        assert client.read(20) == 20
        broker.run("umount", volume)
        assert client.producer.flush(30) == 0
        assert client.failed == [] and client.read(1, topic="later") == 1
    finally:
        broker.end()


def test_a_volume_that_the_kernel_turned_read_only_serves_reads_and_the_other_one_everything(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(20 << 20)
    if shutil.which("mkfs.ext4") is None or subprocess.run(["mkfs.ext4", "-q", image]).returncode:
        pytest.skip("mkfs.ext4 is missing")
    if subprocess.run(["unshare", "-m", "mount", "-o", "loop", image, "/mnt"], capture_output=True).returncode:
        pytest.skip("no loop devices here")
    broker = Process(tmp_path, 2, mounts=[MOUNTS, f"mount -o loop {image} {{0}}"])
    try:
        create(broker.address, "t", 4)
        client = Client(broker.address)
        for partition in range(4):
            client.send(10, partition)
        assert client.producer.flush(20) == 0
        on_second = {index for index in range(4) if broker.inside(broker.volumes[1] / "data" / f"t-{index}").exists()}
        assert len(on_second) == 2
        broker.run("mount", "-o", "remount,abort", str(broker.volumes[1]))  # what the kernel does after an error
        for partition in on_second:
            client.send(1, partition)
        assert "volume1" in broker.told(r"writes are refused directory=(\S+)")
        for partition in range(4):
            if partition not in on_second:
                client.send(5, partition)
        for partition in range(4):
            count = 10 if partition in on_second else 15
            assert client.read(count, partition) == count
        assert broker.stop() == 0
        assert "volume1" in broker.told(r"log directory not closed cleanly directory=(\S+)")
    finally:
        broker.end()


def test_files_deleted_under_a_running_broker(tmp_path: Path) -> None:
    broker = Process(tmp_path, 1)
    try:
        create(broker.address, "t", 2)
        client = Client(broker.address)
        client.send(10, 0)
        client.send(10, 1)
        assert client.producer.flush(20) == 0
        shutil.rmtree(broker.inside(broker.volumes[0] / "data" / "t-1"))
        assert "t-1" in broker.told(r"a file was deleted while it was in use file=(\S+)")
        client.send(10, 0)
        assert client.producer.flush(20) == 0 and client.read(20, 0) == 20
    finally:
        broker.end()


def test_the_last_directory_to_fail_ends_the_broker(tmp_path: Path) -> None:
    broker = Process(tmp_path, 1)
    try:
        create(broker.address, "t", 1)
        broker.run("umount", "-l", str(broker.volumes[0]))
        broker.told("every log directory has failed")
        assert broker.process.wait(20) == 1
    finally:
        broker.end()
