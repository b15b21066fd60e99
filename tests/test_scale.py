"""Many partitions in a broker of its own process: what it may not use up."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from kafkawire.api import create_topics, fetch, produce
from kafkawire.records import build
from pykafkad.cli.client import Client

FILES = 600
PARTITIONS = 700


def test_open_files_stay_below_the_limit_and_segments_are_opened_again(tmp_path: Path) -> None:
    """With more segments than files may be open, every one is written and read as if there were no limit."""

    def fewer_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES // 2, FILES))

    settings = (f"log.dirs={tmp_path / 'data'}", "listeners=PLAINTEXT://127.0.0.1:0", "http.listen=")
    words = [word for setting in settings for word in ("--override", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pykafkad", "serve", "--log-json", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=fewer_files,
    )
    assert process.stderr is not None
    with process, process.stderr:
        try:
            said = json.loads(process.stderr.readline())
            assert said["open_files"] == FILES and said["open_segments"] == FILES // 2
            with Client(said["listeners"].partition("://")[2]) as client:
                many = create_topics.CreatableTopic(name="many", num_partitions=PARTITIONS, replication_factor=1)
                client.any().call(create_topics.Request(topics=[many], timeout_ms=30_000))
                for number in range(2):
                    data = [
                        produce.PartitionProduceData(
                            index=index, records=build([(None, b"%d of %d" % (number, index))], timestamp=1_000)
                        )
                        for index in range(PARTITIONS)
                    ]
                    topic = produce.TopicProduceData(name="many", partition_data=data)
                    request = produce.Request(acks=-1, timeout_ms=30_000, topic_data=[topic])
                    answer = client.any().call(request, at_most=9)
                    assert {part.error_code for part in answer.responses[0].partition_responses} == {0}
                missing = set(range(PARTITIONS))
                while missing:  # an answer doesn't bring records of all: each may hold a file open
                    wanted = [fetch.Partition(partition=index, partition_max_bytes=1000) for index in missing]
                    asked = fetch.Request(session_epoch=-1, topics=[fetch.Topic(topic="many", partitions=wanted)])
                    answer = client.any().call(asked, at_most=12)
                    found = {part.partition_index: bytes(part.records) for part in answer.responses[0].partitions}
                    assert {part.error_code for part in answer.responses[0].partitions} == {0} and any(found.values())
                    for index, records in found.items():
                        if records:
                            assert b"0 of %d" % index in records and b"1 of %d" % index in records
                            missing.remove(index)
                assert len(os.listdir(f"/proc/{process.pid}/fd")) < FILES
        finally:
            process.terminate()
            process.stderr.read()
    assert process.returncode == 0
