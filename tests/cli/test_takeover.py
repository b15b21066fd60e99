"""``pykafkad import``: what is brought over, what is shared, and every reason not to begin."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kafkawire.batches import headers
from kafkawire.stored import metadata_log as m
from pykafkad.cli.main import main
from pykafkad.clock import SystemClock
from pykafkad.cluster.image import BROKER, TOPIC, ClusterImage
from pykafkad.cluster.picture import from_entries
from pykafkad.cluster.sqlite import SqliteStore
from pykafkad.errors import ConfigError
from pykafkad.storage import names
from pykafkad.storage.disk import RealDisk
from tests.cli.conftest import start, stop
from tests.kit.kraft import CLICKS, CLUSTER, ORDERS, Kafka, feature, topic
from tests.storage.helpers import open_dir, open_log, read_all


def tree(path: Path) -> Mapping[str, tuple[str, int]]:
    return {
        str(one.relative_to(path)): (hashlib.sha256(one.read_bytes()).hexdigest(), one.stat().st_mtime_ns)
        for one in path.rglob("*")
        if one.is_file()
    }


def image(data: Path) -> ClusterImage:
    async def read() -> ClusterImage:
        store = SqliteStore(str(data / "cluster.sqlite"), SystemClock())
        await store.open()
        try:
            return from_entries(*await store.range())
        finally:
            await store.close()

    return asyncio.run(read())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "ours"


def refused(capsys: pytest.CaptureFixture[str], source: object, data: object) -> str:
    """The one line of a refusal, which left nothing behind."""
    assert main(["import", str(source), str(data)]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.splitlines()) == 1
    return said.err


def test_the_cluster_is_the_same(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka").written(
        m.ConfigRecord(resource_type=4, resource_name="", name="log.cleaner.threads", value="2"),
        m.ConfigRecord(resource_type=4, resource_name="1", name="listeners", value="PLAINTEXT://:1"),
        m.ConfigRecord(resource_type=2, resource_name="clicks", name="remote.storage.enable", value="true"),
        m.AccessControlEntryRecord(id=CLICKS),
    )
    assert main(["import", str(source), str(data)]) == 0
    said = capsys.readouterr()
    assert not said.err, "no meter where no terminal is"
    assert "note: 1 ACLs are left out" in said.out
    assert "topic clicks: remote.storage.enable left out" in said.out
    assert "broker 1: listeners left out" in said.out
    assert f"imported node 1 of cluster {CLUSTER}: 2 topics, 3 partitions" in said.out
    assert f"--override log.dirs={data}" in said.out
    made = image(data)
    assert made.cluster_id == CLUSTER
    assert {name: (found.id, len(found.partitions)) for name, found in made.topics.items()} == {
        "orders": (ORDERS, 2),
        "clicks": (CLICKS, 1),
    }
    state = made.topics["orders"].partitions[1]
    assert (state.leader, state.isr, state.leader_epoch) == (1, (1,), 4), "a new leader's epoch"
    assert made.features == {"metadata.version": 30}, "levels of what is served here"
    assert made.config(TOPIC, "orders") == {"retention.ms": "-1"}
    assert made.config(TOPIC, "clicks") == {}
    assert made.config(BROKER, "") == {"log.cleaner.threads": "2"}
    assert "producer-ids" in made.revisions


@pytest.mark.parametrize("clean", [True, False])
def test_records_are_the_same_and_the_source_is_untouched(tmp_path: Path, data: Path, clean: bool) -> None:
    kafka = Kafka(tmp_path / "kafka", clean=clean)
    source = kafka.written()
    before = tree(source)
    assert main(["import", str(source), str(data)]) == 0
    assert tree(source) == before
    directory = open_dir(RealDisk(), str(data), cluster_id=CLUSTER)
    assert directory.clean is clean
    shared = [path.stat().st_nlink > 1 for path in sorted((data / "orders-0").glob("*.log"))]
    assert len(shared) > 2
    assert shared[0]
    assert shared == sorted(shared, reverse=True), "the older ones"
    assert not shared[-1], "the active one is appended to"
    log = open_log(directory, "orders", topic_id=ORDERS, internal_segment_bytes=200)
    assert not [note for note in directory.notes if "offsets" in note]
    assert [(header.base_offset, header.crc) for header in read_all(log)] == [
        (header.base_offset, header.crc) for header in read_all(_original(source, tmp_path))
    ]
    log.truncate_to(3)  # a segment that was shared
    log.close()
    directory.close(True)
    assert tree(source) == before


def test_gaps_that_a_killed_kafkas_compaction_left_are_no_losses(tmp_path: Path, data: Path) -> None:
    """Its first round was broken off, so that no checkpoint tells of it."""
    source = Kafka(tmp_path / "kafka", clean=False).written()
    (source / names.RECOVERY_POINTS).unlink()
    expected = []
    *closed, active = sorted((source / "orders-0").glob("*.log"))
    for path in closed:
        *kept, gone = headers(path.read_bytes())
        os.truncate(path, gone.position)
        expected += kept
    expected += headers(active.read_bytes())
    assert main(["import", str(source), str(data)]) == 0
    directory = open_dir(RealDisk(), str(data), cluster_id=CLUSTER)
    log = open_log(directory, "orders", topic_id=ORDERS, internal_segment_bytes=200)
    assert len(closed) > 1
    assert [header.crc for header in read_all(log)] == [header.crc for header in expected]
    directory.close(True)


def _original(source: Path, scratch: Path):  # type: ignore[no-untyped-def]
    """The source's log, opened on a copy."""
    shutil.copytree(source, scratch / "copy")
    directory = open_dir(RealDisk(), str(scratch / "copy"), cluster_id=CLUSTER)
    return open_log(directory, "orders", topic_id=ORDERS, internal_segment_bytes=200)


def test_copies_where_links_are_not_wanted(tmp_path: Path, data: Path) -> None:
    source = Kafka(tmp_path / "kafka").written()
    assert main(["import", str(source), str(data), "--copy"]) == 0
    assert all(path.stat().st_nlink == 1 for path in data.rglob("*.log"))


def test_a_dry_run_writes_nothing(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka").written()
    assert main(["import", str(source), str(data), "--dry-run"]) == 0
    assert "would import node 1" in capsys.readouterr().out
    assert not data.exists()


def test_a_broker_serves_it(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka", node_id=7).written()
    assert main(["import", str(source), str(data)]) == 0
    started = start(data, **{"node.id": "7"})
    try:
        capsys.readouterr()
        assert main(["topics", "offsets", "orders", "--bootstrap-server", started.address]) == 0
        assert capsys.readouterr().out.count("12") == 2
    finally:
        stop(started)


def test_several_directories_become_as_many_or_one(tmp_path: Path, data: Path) -> None:
    first, second = Kafka(tmp_path / "a").written(), tmp_path / "b"
    second.mkdir()
    shutil.move(first / "orders-1", second)
    (second / "meta.properties").write_text((first / "meta.properties").read_text().replace("directory.id=", "x="))
    assert main(["import", f"{first},{second}", f"{data}-a,{data}-b"]) == 0
    assert Path(f"{data}-b/orders-1").is_dir()
    assert Path(f"{data}-a/cluster.sqlite").exists()
    assert main(["import", str(first), str(second), str(data)]) == 0
    assert (data / "orders-1").is_dir()


# -- refusals --------------------------------------------------------------------------------------------------------


def test_a_running_broker(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka").written()
    holds = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); "
    holds += "print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, source / ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert "a broker is running on it" in refused(capsys, source, data)
        holder.communicate()
    assert main(["import", str(source), str(data)]) == 0


def test_nobody_starts_on_a_source_meanwhile(tmp_path: Path, data: Path) -> None:
    from pykafkad.runtime.takeover import survey

    source = Kafka(tmp_path / "kafka").written()
    made = survey([str(source)], [str(data)], {"metadata.version": (7, 30)})
    wants = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    try:
        assert subprocess.run([sys.executable, "-c", wants, source / ".lock"], stderr=subprocess.DEVNULL).returncode
    finally:
        made.close()
    with (source / ".lock").open("r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_target_that_is_not_empty(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka").written()
    data.mkdir()
    (data / "lost+found").mkdir()
    assert main(["import", str(source), str(data)]) == 0, "a new file system is empty enough"
    capsys.readouterr()
    assert "is not empty" in refused(capsys, source, data)
    assert "an import changes nothing there" in refused(capsys, source, source / "new")
    assert "an import changes nothing there" in refused(capsys, source, source)


def test_no_kafka_directory(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in refused(capsys, tmp_path / "nowhere", data)
    (tmp_path / "empty").mkdir()
    assert "is no Kafka log directory" in refused(capsys, tmp_path / "empty", data)
    kafka = Kafka(tmp_path / "kafka")
    assert "no __cluster_metadata-0 in" in refused(capsys, kafka.path, data)
    (kafka.path / "meta.properties").write_text("version=0\nbroker.id=1\ncluster.id=c\n")
    assert "not from a KRaft broker" in refused(capsys, kafka.path, data)
    assert main(["import", str(tmp_path)]) == 2


def test_metadata_versions_of_other_times(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kafka = Kafka(tmp_path / "kafka")
    for level in (6, 31):
        said = refused(capsys, kafka.written(feature("metadata.version", level)), data)
        assert f"its metadata.version is {level}; 7 to 30 are known" in said
    kafka.records = [m.RegisterBrokerRecord(broker_id=1)]
    assert "formatted and never ran" in refused(capsys, kafka.written(), data)


def test_other_nodes_replicas(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Kafka(tmp_path / "kafka").written(*topic("shared", bytes(range(3, 19)), [1], [2, 1]))
    assert "shared-1 has its replicas on nodes 2, 1" in refused(capsys, source, data)


def test_a_directory_that_was_not_named(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = bytes(range(4, 20))
    kafka = Kafka(tmp_path / "kafka")
    moved = m.PartitionChangeRecord(partition_id=0, topic_id=CLICKS, directories=[elsewhere])
    shutil.rmtree(kafka.path / "clicks-0")
    assert "clicks-0 is in log directory BAUGBwgJCgsMDQ4PEBESEw" in refused(capsys, kafka.written(moved), data)
    assert main(["import", str(kafka.written()), str(data)]) == 0, "without a folder it begins empty"


def test_metadata_beyond_repair(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kafka = Kafka(tmp_path / "kafka")
    source = kafka.written()
    (kafka.metadata / f"{0:020}.log").rename(kafka.metadata / f"{7:020}.log")
    assert "offsets 0 to 7 are missing" in refused(capsys, source, data)
    kafka.written(m.RemoveTopicRecord(topic_id=bytes(range(5, 21))))
    assert "has a hole" in refused(capsys, source, data)
    assert not data.exists()


def test_folders_of_no_topic_stay_behind(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kafka = Kafka(tmp_path / "kafka")
    source = kafka.written(m.RemoveTopicRecord(topic_id=CLICKS))
    os.mkdir(source / "orders-0.0123-future")
    assert main(["import", str(source), str(data)]) == 0
    said = capsys.readouterr().out
    assert "clicks-0 is left behind: its topic was deleted" in said
    assert "orders-0.0123-future is left behind" in said
    assert sorted(path.name for path in data.iterdir() if path.is_dir()) == ["orders-0", "orders-1"]


def test_a_failure_in_the_middle_leaves_the_target_empty(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Kafka(tmp_path / "kafka").written()
    data.mkdir()
    monkeypatch.setattr(RealDisk, "space", lambda self, path: (100, 100))
    assert "100 are free" in refused(capsys, source, data)
    assert not list(data.iterdir())


def test_no_broker_starts_on_what_a_killed_import_leaves(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pykafkad.runtime import takeover

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    source = Kafka(tmp_path / "kafka").written()
    monkeypatch.setattr(takeover, "write_checkpoints", killed)
    monkeypatch.setattr(takeover, "_clear", lambda *_: None)  # a killed process clears nothing
    with pytest.raises(Killed):
        main(["import", str(source), str(data)])
    assert (data / "orders-0").is_dir()
    with pytest.raises(ConfigError, match="belongs to node import-unfinished, not to 1"):
        open_dir(RealDisk(), str(data))
