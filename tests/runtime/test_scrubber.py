"""Damage in closed segments is found, told, and not served; and what is sound around it is."""

from __future__ import annotations

import asyncio
import errno

import pytest

from kafkawire.api import describe_log_dirs
from kafkawire.errors import ErrorCode
from pykafkad.errors import Refused
from pykafkad.logs import log as log_of_events
from pykafkad.storage.disk import FileSlice
from tests.kit.broker import Broker, records_of
from tests.kit.loop import run


def filled() -> Broker:
    broker = Broker()
    broker.add("t", segment_bytes="1048576")
    for number in range(60):
        broker.write("t", b"%02d" % number + bytes(50_000))
    assert len(broker.partition("t").log.segments) > 2
    return broker


def read(broker: Broker, offset: int) -> list[int] | ErrorCode:
    partition = broker.partition("t")
    found = partition.read(offset, 60_000, partition.high_watermark, True)
    if isinstance(found, Refused):
        return found.code
    assert isinstance(found, FileSlice)
    data = found.read()
    return [offset for offset, _ in records_of(data[: 12 + int.from_bytes(data[8:12], "big")])]


def test_a_flipped_bit_in_a_closed_segment_is_found_and_not_served() -> None:
    async def main() -> None:
        broker = filled()
        log = broker.partition("t").log
        broker.disk.flip_bit(log.segments[1].path, log.segments[1].position_of(25) + 1_000)
        assert read(broker, 25) == [25]  # nobody has looked yet
        broker.partitions.start()
        await asyncio.sleep(100)
        (damage,) = log.damage
        assert damage[:2] == (25, 26) and damage.finding.path == log.segments[1].path
        assert damage.finding.position == log.segments[1].position_of(25)
        assert read(broker, 25) == ErrorCode.CORRUPT_MESSAGE
        assert read(broker, 24) == [24] and read(broker, 26) == [26] and read(broker, 59) == [59]
        partition = broker.partition("t")
        piece = partition.read(20, 1 << 20, 60, True)
        assert isinstance(piece, FileSlice)
        assert [offset for offset, _ in records_of(piece)] == [20, 21, 22, 23, 24]
        (result,) = (await broker.answer(describe_log_dirs.Request(topics=None), 5, key=35)).results
        assert result.error_code == ErrorCode.CORRUPT_MESSAGE and result.topics
        assert broker.partitions.scrubber.known() == 1
        await broker.partitions.stop()

    run(main())


@pytest.mark.parametrize("damage", ["producer", "first offset", "version", "cut", "gone"])
def test_a_damaged_index_of_aborted_transactions_is_told_and_written_anew(
    damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(log_of_events, "error", lambda event, **fields: told.append((event, fields)))

    async def main() -> None:
        broker = Broker()
        broker.add("t", segment_bytes="1048576")
        log = broker.partition("t").log
        for number in range(50):
            broker.write_in_transaction("t", b"x" * 40_000, producer=(number, 0, 0))
            broker.write("t", b"y" * 10_000)
            broker.end("t", number, 0, commit=number % 3 == 0)
        truth = log.aborted(0, log.end_offset)
        _, second, *_ = (segment for segment in log.segments if segment.transactions is not None)
        assert second is not log.segments[-1] and second.transactions is not None
        path = second.transactions.path
        match damage:
            case "producer" | "first offset" | "version":
                broker.disk.flip_bit(path, {"version": 1, "producer": 9, "first offset": 17}[damage])
            case "cut":
                broker.disk.open(path).truncate(34)
            case _:
                broker.disk.remove(path)
        broker = await broker.restarted()
        log = broker.partition("t").log
        await broker.partitions.scrubber.once()
        assert log.aborted(0, log.end_offset) == truth
        ((event, fields),) = told
        assert (event, fields["file"]) == ("an index of aborted transactions is damaged", path)
        assert fields["position"] == {"cut": 34, "gone": None}.get(damage, 0)
        broker = broker.crashed(power_cut=True)
        log = broker.partition("t").log
        await broker.partitions.scrubber.once()
        assert log.aborted(0, log.end_offset) == truth[: len(log.aborted(0, log.end_offset))]
        assert len(told) == 1

    run(main())


def test_an_unreadable_sector_stops_nobody() -> None:
    async def main() -> None:
        broker = filled()
        log = broker.partition("t").log
        broker.disk.failing["pread", f"/{log.segments[0].base_offset:020d}.log"] = OSError(errno.EIO, "I/O error")
        broker.disk.flip_bit(log.segments[1].path, log.segments[1].position_of(25) + 1_000)
        await broker.partitions.scrubber.once()
        assert len(log.damage) == 1 and not broker.partitions.dirs.offline

    run(main())


def test_sound_logs_are_read_at_their_pace_and_left_alone() -> None:
    async def main() -> None:
        broker = filled()
        log = broker.partition("t").log
        closed = sum(segment.size for segment in log.segments[:-1])
        begun = asyncio.get_running_loop().time()
        await broker.partitions.scrubber.once()
        assert asyncio.get_running_loop().time() - begun >= closed / (1 << 20)
        assert log.damage == ()

    run(main())
