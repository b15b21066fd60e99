"""Every kind of file with a bit flipped in it: found, and named with its place; and what is sound is left alone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from kafkawire.batches import header_at, headers, stamp
from pykafkad.cli.main import main
from pykafkad.model import TopicPartition
from pykafkad.state.sequences import Producers, marker_batch
from pykafkad.storage.directory import LogDir
from pykafkad.storage.disk import RealDisk
from pykafkad.storage.log import PartitionLog
from pykafkad.storage.verify import Finding, Verifier
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import append, batch, open_dir, open_log, settle

LOG = "/data/t-0/00000000000000000000.log"


def written(disk: MemoryDisk) -> LogDir:
    """A directory that has every kind of file in it."""
    directory = open_dir(disk, cluster_id="cluster")
    log = open_log(directory, producers=Producers(), internal_segment_bytes=1_000, index_interval_bytes=100)
    for number in range(20):
        options = {"producer_id": 7, "producer_epoch": 0, "base_sequence": 3 * number}
        (header,) = append(log, batch(3, size=30, timestamp=1_000 + number, **options), epoch=number // 10)
        log.producers.replay(header, None)
    settle(log)
    directory.checkpoint([log], {TopicPartition("t", 0): 60})
    transactions(directory)
    directory.close(True)
    return directory


def transactions(directory: LogDir) -> PartitionLog:
    """A log with aborted transactions in several segments, some across their borders, some around others."""
    producers = Producers()
    log = open_log(directory, partition=1, producers=producers, internal_segment_bytes=1_000)

    def write(producer: int) -> None:
        options = {"producer_id": producer, "producer_epoch": 0, "base_sequence": 0, "transactional": True}
        (header,) = append(log, batch(2, timestamp=1_000, **options))
        producers.replay(header)

    def end(producer: int, commit: bool) -> None:
        raw, offset = marker_batch(producer, 0, commit, 0, 1_000), log.end_offset
        stamp(raw, 0, offset, 0)
        header = header_at(raw, 0)
        aborted = None if commit else producers.would_abort(producer, offset)
        log.append_marker(raw, header, aborted, 1_000)
        producers.replay(header, raw)

    for number in range(10):
        for producer in (1, 2, 3):
            write(producer)
        end(1, commit=number % 2 == 0)
        end(2, commit=False)
        write(1)
        end(3, commit=number % 3 == 0)
        end(1, commit=False)
    return log


def findings(disk: MemoryDisk | RealDisk, path: str = "/data") -> list[Finding]:
    return list(Verifier(disk).directory(path))


def test_what_a_broker_wrote_is_sound() -> None:
    disk = MemoryDisk()
    written(disk)
    assert findings(disk) == [] and findings(disk, "/data/t-0") == []


def test_a_partition_that_has_no_segment_yet_is_sound() -> None:
    """Its folder is there, and a broker beside us is about to write the first one."""
    disk = MemoryDisk()
    directory = open_dir(disk, cluster_id="cluster")
    disk.make_directory("/data/t-0")
    directory.close(True)
    assert findings(disk) == []


# (file, byte, bit): where a flip must not go unnoticed.
FLIPS = [
    pytest.param("t-0/{0}.log", 5, 6, id="base offset"),
    pytest.param("t-0/{0}.log", 10, 0, id="length"),
    pytest.param("t-0/{0}.log", 15, 0, id="leader epoch"),
    pytest.param("t-0/{0}.log", 16, 0, id="magic"),
    pytest.param("t-0/{0}.log", 18, 3, id="crc"),
    pytest.param("t-0/{0}.log", 40, 1, id="timestamp"),
    pytest.param("t-0/{0}.log", 100, 7, id="records"),
    pytest.param("t-0/{0}.log", 700, 0, id="a later batch"),
    pytest.param("t-0/{0}.index", 3, 1, id="index offset"),
    pytest.param("t-0/{0}.index", 7, 2, id="index position"),
    pytest.param("t-0/{0}.timeindex", 7, 0, id="time index timestamp"),
    pytest.param("t-0/{0}.timeindex", 11, 1, id="time index offset"),
    pytest.param("t-0/{60}.snapshot", 30, 0, id="producer snapshot"),
    pytest.param("t-0/leader-epoch-checkpoint", 0, 0, id="epochs version"),
    pytest.param("t-0/leader-epoch-checkpoint", 4, 0, id="epochs"),
    pytest.param("t-0/partition.metadata", 2, 0, id="partition.metadata key"),
    pytest.param("t-0/partition.metadata", 25, 7, id="partition.metadata id"),
    pytest.param("meta.properties", 0, 0, id="meta.properties key"),
    pytest.param("recovery-point-offset-checkpoint", 2, 0, id="recovery points count"),
    pytest.param("replication-offset-checkpoint", 8, 3, id="high watermarks"),
    pytest.param(".kafka_cleanshutdown", 0, 0, id="clean shutdown"),
]


@pytest.mark.parametrize(("file", "position", "bit"), FLIPS)
def test_a_flipped_bit_is_found_and_named(file: str, position: int, bit: int) -> None:
    disk = MemoryDisk()
    written(disk)
    path = "/data/" + file.format(*[f"{n:020d}" for n in range(61)])
    disk.flip_bit(path, position, bit)
    found = findings(disk)
    assert path in {one.path for one in found}, found
    if path.endswith((".log", "index")):
        near = next(one.position for one in found if one.path == path)
        assert near is not None and near <= position < near + 250


def test_every_bit_of_an_index_of_aborted_transactions_counts() -> None:
    disk = MemoryDisk()
    written(disk)
    indexes = [f"/data/t-1/{name}" for name in disk.list("/data/t-1") if name.endswith(".txnindex")]
    assert len(indexes) > 3
    for path in indexes:
        for position in range(disk.size(path)):
            disk.flip_bit(path, position, position % 8)
            found = [one for one in findings(disk, "/data/t-1") if one.path == path]
            assert found and found[0].position == position - position % 34, position
            disk.flip_bit(path, position, position % 8)
    assert findings(disk) == []


def test_an_index_of_aborted_transactions_that_lacks_one_is_found() -> None:
    disk = MemoryDisk()
    written(disk)
    first, second, *_ = (f"/data/t-1/{name}" for name in sorted(disk.list("/data/t-1")) if name.endswith(".txnindex"))
    size = disk.size(first)
    disk.open(first).truncate(size - 34)
    disk.remove(second)
    said = [(one.path, one.position) for one in findings(disk)]
    assert said[:2] == [(first, size - 34), (second, None)]


def test_what_retention_and_compaction_leave_of_transactions_is_sound() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = transactions(directory)
    log.advance_start(log.segments[2].base_offset)
    log.retain(1_000, log.end_offset)
    directory.close(True)
    assert findings(disk) == []
    disk.remove(f"/data/t-1/{log.segments[0].base_offset:020d}.snapshot")  # who was open when the log begins?
    assert findings(disk) == []


def test_every_bit_under_the_crc_counts() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(2))
    directory.close(True)
    for position in range(16, disk.size(LOG)):
        disk.flip_bit(LOG, position, position % 8)
        assert [one.path for one in findings(disk, "/data/t-0")] == [LOG], position
        disk.flip_bit(LOG, position, position % 8)


def test_the_batches_behind_a_damaged_one_are_checked_too() -> None:
    disk = MemoryDisk()
    written(disk)
    size = disk.size(LOG)
    first, *_, last = headers(disk.read(LOG))
    disk.flip_bit(LOG, 100)
    disk.flip_bit(LOG, size - 1)
    assert [one.position for one in findings(disk) if one.path == LOG] == [first.position, last.position]


def test_files_that_are_cut_or_gone() -> None:
    disk = MemoryDisk()
    written(disk)
    second = sorted(name for name in disk.list("/data/t-0") if name.endswith(".log"))[1]
    disk.open(f"/data/t-0/{second}").truncate(100)
    disk.remove("/data/t-0/00000000000000000000.timeindex")
    index = disk.open("/data/t-0/00000000000000000000.index")
    index.append(b"abc")
    said = {str(one) for one in findings(disk)}
    assert f"/data/t-0/{second} at 0: a batch of 178 bytes where 100 are left; 100 bytes can't be read" in said
    assert "/data/t-0/00000000000000000000.timeindex: is missing" in said
    assert any("3 bytes are no whole entry" in line for line in said)


def test_beside_a_broker_that_writes(tmp_path: Path) -> None:
    directory = open_dir(RealDisk(), str(tmp_path))
    log = open_log(directory, internal_segment_bytes=20_000, retention_ms=1)
    verifier = Verifier(RealDisk())
    for number in range(2_000):
        append(log, batch(3, size=100, timestamp=number))
        if number % 100 == 0:
            log.retain(number, log.end_offset)
            log.purge_deleted(1 << 60)
            assert list(verifier.directory(str(tmp_path))) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    directory = open_dir(RealDisk(), str(data))
    append(open_log(directory), batch(3))
    directory.close(True)
    assert main(["log", "verify", str(data)]) == 0
    assert capsys.readouterr() == ("", "nothing is damaged in 0.0 MB of records\n")
    path = data / "t-0" / "00000000000000000000.log"
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)
    store = sqlite3.connect(data / "cluster.sqlite")
    store.execute("CREATE TABLE kv (key TEXT, value BLOB)")
    store.execute("INSERT INTO kv VALUES ('topics/t', '{')")
    store.commit()
    store.close()
    assert main(["log", "verify", str(data)]) == 1
    said, summary = capsys.readouterr()
    assert said.splitlines()[0] == f"{path} at 0: batch 0 fails its CRC"
    assert said.splitlines()[1].startswith(f"{data}/cluster.sqlite: topics/t: ")
    assert summary.startswith("2 findings")
    assert main(["log", "verify", "--json", str(data)]) == 1
    first, _ = json.loads(capsys.readouterr().out)
    assert first == {"file": str(path), "position": 0, "reason": "batch 0 fails its CRC"}
    assert main(["log", "verify", str(tmp_path / "nowhere")]) != 0
