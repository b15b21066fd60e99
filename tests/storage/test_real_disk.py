"""The same on the operating system: what the memory disk can't show, and kill -9 of a process that writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kafkawire.batches import headers
from pykafkad.errors import ConfigError
from pykafkad.storage.disk import FileSlice, RealDisk
from tests.storage.helpers import append, batch, open_dir, open_log, read_all

WRITER = """
import sys
from pykafkad.storage.disk import RealDisk
from tests.storage.helpers import append, batch, open_dir, open_log

directory = open_dir(RealDisk(), sys.argv[1])
log = open_log(directory, internal_segment_bytes=200_000)
print(log.end_offset, flush=True)
for number in range(10**9):
    append(log, batch(3, size=number % 700, timestamp=number), epoch=number // 300)
    if number % 50 == 0:
        print(log.end_offset, flush=True)
"""


def test_append_pread_truncate(tmp_path: Path) -> None:
    disk = RealDisk()
    file = disk.open(f"{tmp_path}/x", create=True)
    file.append(b"ab", bytearray(b"cd"), memoryview(b"ef"))
    file.append(b"gh")
    file.append(*[b"i"] * 3_000)  # more pieces than one writev takes
    assert (file.size, file.pread(100, 2)[:6]) == (3_008, b"cdefgh")
    file.truncate(3)
    file.append(b"X")
    assert disk.read(f"{tmp_path}/x") == b"abcX"
    assert disk.open(f"{tmp_path}/x").size == 4


def test_a_slice_keeps_its_file_open(tmp_path: Path) -> None:
    disk = RealDisk()
    file = disk.open(f"{tmp_path}/x", create=True)
    file.append(b"0123456789")
    piece = FileSlice(file, 2, 3)
    fd = file.fd
    disk.remove(f"{tmp_path}/x")
    del file
    assert piece.read() == b"234"
    assert os.fstat(fd).st_nlink == 0
    del piece
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_sendfile_of_a_slice(tmp_path: Path) -> None:
    log = open_log(open_dir(RealDisk(), str(tmp_path)))
    append(log, batch(3), batch(2))
    piece = log.read(3, 1 << 20, 5, at_least_one=True)
    assert piece is not None
    with open(tmp_path / "out", "wb") as out:
        assert os.sendfile(out.fileno(), piece.fd, piece.offset, len(piece)) == len(piece)
    assert [header.base_offset for header in headers((tmp_path / "out").read_bytes())] == [3]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    directory = open_dir(RealDisk(), str(tmp_path))
    with pytest.raises(ConfigError, match="in use"):
        open_dir(RealDisk(), str(tmp_path))
    other = "import sys; from tests.storage.helpers import *; from pykafkad.storage.disk import RealDisk\n"
    other += "try: open_dir(RealDisk(), sys.argv[1])\nexcept Exception as error: print(error)"
    said = subprocess.run([sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, env=_env())
    assert "in use by another broker" in said.stdout, said
    directory.close(True)
    open_dir(RealDisk(), str(tmp_path)).close(True)


def test_many_logs_through_few_descriptors(tmp_path: Path) -> None:
    directory = open_dir(RealDisk(8), str(tmp_path))
    logs = [open_log(directory, partition=number) for number in range(40)]
    before = len(os.listdir("/proc/self/fd"))
    for log in logs * 2:
        append(log, batch(2))
    assert len(os.listdir("/proc/self/fd")) <= before + 8
    assert all(len(read_all(log)) == 2 for log in logs)
    directory.close(True)
    directory = open_dir(RealDisk(8), str(tmp_path))
    assert all(open_log(directory, partition=number).end_offset == 4 for number in range(40))
    assert directory.notes == []


def test_flushing_beside_appends_rolls_and_retention(tmp_path: Path) -> None:
    log = open_log(open_dir(RealDisk(), str(tmp_path)), internal_segment_bytes=2_000, retention_ms=50)
    stop, failures, points = threading.Event(), [], [0]

    def flush() -> None:
        while not stop.is_set():
            try:
                log.flush()
                points.append(log.recovery_point)
            except Exception as error:  # the test looks at it
                failures.append(error)
                return

    thread = threading.Thread(target=flush)
    thread.start()
    for number in range(600):
        append(log, batch(2, size=50, timestamp=number))
        if number % 40 == 0:
            log.retain(number, log.end_offset)
            log.purge_deleted(1 << 60)
    stop.set()
    thread.join()
    assert failures == []
    assert points == sorted(points)
    log.flush()
    assert log.recovery_point == log.end_offset == 1_200


def test_kill_9_of_a_writer_loses_nothing_it_had_written(tmp_path: Path) -> None:
    end = 0
    for lives in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=_env())
        assert process.stdout is not None
        assert int(process.stdout.readline()) >= end
        for _ in range(4 + lives):
            end = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        directory = open_dir(RealDisk(), str(tmp_path))
        assert not directory.clean
        log = open_log(directory, internal_segment_bytes=200_000)
        found = read_all(log)
        assert log.end_offset >= end
        assert [header.base_offset for header in found] == list(range(0, log.end_offset, 3))
        end = log.end_offset
        directory.close(False)


def _env() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root}:{root / 'protocol'}"}
