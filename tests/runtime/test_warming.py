"""Asking without waiting, warming, asking again: until it helps, or waiting is the only way."""

from __future__ import annotations

from kafkawire.errors import ErrorCode
from pykafkad.runtime.warming import ROUNDS, settled, warm
from pykafkad.storage.cold import Cold
from tests.kit.broker import Broker
from tests.kit.disk import MemoryDisk
from tests.kit.loop import run


def test_one_round_is_enough_where_pages_stay() -> None:
    async def main() -> None:
        disk = MemoryDisk()
        disk.make_directory("/d")
        file = disk.open("/d/x", create=True)
        file.append(b"content")
        disk.cold.add("/d/x")
        asked = []

        def ask(wait: bool) -> bytes:
            asked.append(wait)
            data = file.peek(7, 0)
            if data is None:
                raise Cold(file, 7, 0)
            return data

        assert await settled(ask) == b"content"
        assert asked == [False, False]

    run(main())


def test_where_pages_never_stay_the_last_round_waits() -> None:
    async def main() -> None:
        disk = MemoryDisk()
        disk.make_directory("/d")
        file = disk.open("/d/x", create=True)
        asked = []

        def ask(wait: bool) -> str:
            asked.append(wait)
            if not wait:
                raise Cold(file, 1, 0)
            return "waited"

        assert await settled(ask) == "waited"
        assert asked == [False] * ROUNDS + [True]

    run(main())


def test_a_disk_that_refuses_is_met_by_whoever_asks() -> None:
    async def main() -> None:
        broker = Broker()
        broker.add("t", internal_segment_bytes="300", index_interval_bytes="0")
        for _ in range(3):
            broker.write("t", b"x" * 100)
        path = "/data/t-0/" + f"{0:020d}.log"
        broker.disk.cold.add(path)
        broker.disk.failing["pread", path] = OSError(5, "I/O error")
        partition = broker.partition("t")
        await warm([Cold(broker.disk.open(path), 10, 0)])
        broker.disk.cold.clear()
        refused = partition.read(0, 10, 3, True)
        assert getattr(refused, "code", None) == ErrorCode.KAFKA_STORAGE_ERROR

    run(main())
