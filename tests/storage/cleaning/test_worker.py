"""The worker process: takes a job, works as told, and is gone when nobody listens."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kafkawire.records import build
from pykafkad.storage import names
from pykafkad.storage.cleaning.job import Cleaned, Failed, Finished, Job, decode, encode
from pykafkad.storage.disk import RealDisk
from tests.storage.helpers import append, open_dir, open_log

MAIN = "from pykafkad.storage.cleaning.worker import main; main()"
RECORDS = 2_000


@pytest.fixture
def job(tmp_path: Path) -> Job:
    directory = open_dir(RealDisk(), str(tmp_path))
    log = open_log(directory, cleanup_policy=("compact",))
    for number in range(0, RECORDS, 100):
        append(log, build([(b"k%d" % (n % 50), b"v" * 500) for n in range(number, number + 100)], timestamp=1_000))
    log.roll(1_000)
    made = Job(
        directory=log.directory,
        segments=[[one.base_offset, one.size] for one in log.segments[:-1]],
        indexed=[0],
        first_dirty=0,
        first_uncleanable=RECORDS,
        now=2_000,
        delete_retention_ms=1_000,
        producers=[],
        segment_bytes=1 << 30,
        index_bytes=1 << 20,
        index_interval=4096,
        map_bytes=1 << 20,
        load_factor=0.9,
        buffer_bytes=1 << 18,
        bytes_per_second=1e18,
    )
    directory.close(clean=True)
    return made


def worker() -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", MAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)


def ask(process: subprocess.Popen[bytes], job: Job) -> None:
    assert process.stdin is not None
    process.stdin.write(encode(job))
    process.stdin.flush()


def told(process: subprocess.Popen[bytes]) -> object:
    assert process.stdout is not None
    return decode(process.stdout.readline())


def test_rounds_one_after_the_other_until_its_input_ends(job: Job) -> None:
    with worker() as process:
        for _ in range(2):
            ask(process, job)
            cleaned, finished = told(process), told(process)
            assert isinstance(cleaned, Cleaned) and cleaned.bases == [0]
            assert isinstance(finished, Finished) and (finished.end, finished.records_kept) == (RECORDS, 50)
            assert os.path.getsize(f"{job.directory}/{names.file_name(0, names.LOG)}{names.CLEANED}") == cleaned.bytes
        ask(process, replace(job, directory=job.directory + "-gone"))
        failed = told(process)
        assert isinstance(failed, Failed) and not failed.corrupt
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def test_it_ends_without_a_word_when_nobody_is_left_to_be_told(job: Job) -> None:
    """The broker has died since the worker looked last."""
    with worker() as process:
        assert process.stdout is not None
        process.stdout.close()
        ask(process, job)
        assert process.wait(30) == 0


def test_it_ends_in_the_middle_of_a_round_when_its_broker_does(job: Job) -> None:
    with worker() as process:
        ask(process, replace(job, bytes_per_second=1.0))  # a round of days
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
