"""The dump: one line per thing, stored records decoded, damage told with file and position."""

from __future__ import annotations

import io
from pathlib import Path

from kafkawire.stored import group_log
from pykafkad.cli.dump import dump
from pykafkad.cli.main import main
from pykafkad.state.sequences import Producers
from pykafkad.storage.disk import RealDisk
from tests.storage.helpers import append, batch, open_dir, open_log, settle


def printed(*paths: Path, **options: object) -> tuple[list[str], int]:
    out = io.StringIO()
    problems = dump(*map(str, paths), out=out, **options)  # type: ignore[arg-type]
    return out.getvalue().splitlines(), problems


def made(path: Path, topic: str = "t", **config: int) -> Path:
    directory = open_dir(RealDisk(), str(path))
    producers = Producers()
    log = open_log(directory, topic, producers=producers, index_interval_bytes=100, **config)
    for number in range(6):
        options = {"producer_id": 7, "producer_epoch": 1, "base_sequence": 2 * number} if number % 2 else {}
        for header in append(log, batch(2, timestamp=1_700_000_000_000 + number, codec=number % 5, **options), epoch=3):
            producers.replay(header)
    settle(log)
    directory.close(True)
    return path / f"{topic}-0"


def test_a_whole_directory(tmp_path: Path) -> None:
    made(tmp_path, internal_segment_bytes=300)
    lines, problems = printed(tmp_path)
    assert problems == 0
    assert sum("crc" in line for line in lines) == 6
    assert any(line.startswith("  cluster.id=") for line in lines)
    assert "  t-0 12" in lines
    assert "  epoch 3 from offset 0" in lines
    assert any("producer 7/1  sequence 2..3" in line for line in lines)
    assert any(line.startswith("  producer 7 epoch 1  last sequence 11 at offset 11") for line in lines)
    assert any("2023-11-14T22:13:20.001Z  gzip" in line for line in lines)


def test_records(tmp_path: Path) -> None:
    lines, _ = printed(made(tmp_path), records=True, offset=10)
    assert "    10  2023-11-14T22:13:20.005Z  k0 = vvvvvvvvvv" in lines
    assert not any(line.startswith("    9 ") for line in lines)


def test_group_records_are_decoded(tmp_path: Path) -> None:
    directory = open_dir(RealDisk(), str(tmp_path))
    log = open_log(directory, "__consumer_offsets", 3)
    key = group_log.OffsetCommitKey(group="g", topic="t", partition=1)
    value = group_log.OffsetCommitValue(offset=42, metadata="m")
    from kafkawire.records import build

    pairs = [group_log.write(key, value, 3), group_log.write(key, None, 3), (b"\x7f\xff", b"?")]
    append(log, build(pairs, timestamp=1))
    directory.close(True)
    lines, problems = printed(tmp_path / "__consumer_offsets-3", records=True)
    assert problems == 0
    text = "\n".join(lines)
    assert "OffsetCommitKey(group='g', topic='t', partition=1) = OffsetCommitValue(offset=42," in text
    assert "partition=1) = (deleted)" in text
    assert "0x7fff = ?" in text
    text = "\n".join(printed(tmp_path / "__consumer_offsets-3", records=True, stored="text")[0])
    assert "OffsetCommitKey" not in text


def test_damage_is_told_with_file_and_position(tmp_path: Path) -> None:
    folder = made(tmp_path)
    log = folder / f"{0:020d}.log"
    content = bytearray(log.read_bytes())
    content[70] ^= 1  # a record of the first batch
    log.write_bytes(content[:-5])
    index = folder / f"{0:020d}.index"
    entries = bytearray(index.read_bytes())
    entries[7] ^= 1
    index.write_bytes(entries + b"xyz")
    (folder / "leader-epoch-checkpoint").write_bytes(b"0\n9\n")
    snapshot = folder / f"{12:020d}.snapshot"
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    lines, problems = printed(folder, folder / "absent.log", folder.parent / "nothing")
    corrupt = [line for line in lines if line.startswith("CORRUPT")]
    assert problems == len(corrupt)
    assert f"CORRUPT {log} at 0: batch 0 fails its CRC" in corrupt
    assert any(line.startswith(f"CORRUPT {log} at ") and "is cut short" in line for line in corrupt)
    assert any(line.startswith(f"CORRUPT {index} at 0: no batch ends with") for line in corrupt)
    assert f"CORRUPT {index} at {len(entries)}: 3 bytes are no whole entry" in corrupt
    assert any("leader-epoch-checkpoint: 9 entries announced" in line for line in corrupt)
    assert any(f"{snapshot} at 0" in line for line in corrupt)
    assert main(["log", "dump", str(folder)]) == 1


def test_garbage_never_raises(tmp_path: Path) -> None:
    for name in (f"{0:020d}.log", f"{0:020d}.index", f"{0:020d}.timeindex", f"{0:020d}.snapshot", f"{0:020d}.txnindex"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 3)
    (tmp_path / "meta.properties").write_bytes(b"\xff\xfe")
    (tmp_path / "recovery-point-offset-checkpoint").write_bytes(b"\xff\xfe")
    _, problems = printed(tmp_path)
    assert problems >= 4


def test_preallocated_indexes_of_a_running_kafka(tmp_path: Path) -> None:
    folder = made(tmp_path)
    for suffix in ("index", "timeindex"):
        file = folder / f"{0:020d}.{suffix}"
        file.write_bytes(file.read_bytes() + bytes(24 * 100))
    lines, problems = printed(folder)
    assert problems == 0
    assert sum("entries not used yet" in line for line in lines) == 2
