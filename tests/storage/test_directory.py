"""A log directory: identity, lock, marker, what it finds, what it deletes, what it checkpoints."""

from __future__ import annotations

import pytest

from pykafkad.errors import ConfigError, StorageFailed
from pykafkad.model import TopicPartition, uuid_text
from pykafkad.storage import names
from pykafkad.storage.checkpoints import decode_offsets, decode_partition_metadata, decode_properties
from pykafkad.storage.directory import SYNC_TOGETHER
from tests.kit.disk import MemoryDisk
from tests.storage.helpers import TOPIC_ID, append, batch, open_dir, open_log, read_all


def test_a_new_directory_gets_an_identity_and_keeps_it() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    properties = decode_properties(disk.read("/data/meta.properties"))
    assert properties == {
        "version": "1",
        "cluster.id": directory.cluster_id,
        "node.id": "1",
        "directory.id": uuid_text(directory.directory_id),
    }
    directory.close(True)
    again = open_dir(disk, cluster_id=directory.cluster_id)
    assert (again.cluster_id, again.directory_id) == (directory.cluster_id, directory.directory_id)


def test_a_directory_of_somebody_else_is_refused_in_one_line() -> None:
    disk = MemoryDisk()
    open_dir(disk, cluster_id="ours").close(True)
    with pytest.raises(ConfigError, match="belongs to cluster ours, not to theirs"):
        open_dir(disk, cluster_id="theirs")
    with pytest.raises(ConfigError, match="belongs to node 1, not to 2"):
        open_dir(disk, node_id=2)
    open_dir(disk).close(True)  # the refusals have let go of the lock


def test_a_damaged_identity_is_not_taken_for_a_new_one() -> None:
    disk = MemoryDisk()
    open_dir(disk).close(True)
    disk.flip_bit("/data/meta.properties", disk.read("/data/meta.properties").index(b"directory.id"))
    with pytest.raises(ConfigError, match=r"/data/meta.properties: unknown key 'eirectory.id'"):
        open_dir(disk)


def test_version_0_of_meta_properties() -> None:
    disk = MemoryDisk()
    disk.make_directory("/data")
    disk.replace("/data/meta.properties", b"#comment\nversion=0\nbroker.id=1\ncluster.id=abc\n")
    assert open_dir(disk).cluster_id == "abc"
    assert decode_properties(disk.read("/data/meta.properties"))["version"] == "1"


def test_one_owner_at_a_time() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    with pytest.raises(ConfigError, match="in use"):
        open_dir(disk)
    directory.close(False)
    open_dir(disk)


def test_the_clean_marker_is_there_only_between_owners() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    assert not directory.clean
    directory.close(True)
    assert disk.read("/data/.kafka_cleanshutdown") == b'{"version": 0, "brokerEpoch": -1}'
    directory = open_dir(disk)
    assert directory.clean
    assert not disk.exists("/data/.kafka_cleanshutdown")
    disk.crash()
    assert not open_dir(disk).clean


def test_a_log_opened_while_a_checkpoint_was_asked_for_keeps_its_start_in_it() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(5))
    log.advance_start(3)
    directory.close(True)
    directory = open_dir(disk)
    open_log(directory)
    directory.checkpoint([], {})  # asked for when none was open
    disk.kill()
    assert open_log(open_dir(disk)).start_offset == 3


def test_what_is_found() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    open_log(directory, "a-b", 12)
    open_log(directory, "lazy", lazy=True)
    disk.make_directory("/data/not_a_partition")
    disk.make_directory("/data/old-0.0123-stray")
    disk.open("/data/cluster.sqlite", create=True)
    assert not disk.exists("/data/lazy-0")
    directory.close(True)
    found = open_dir(disk).found()
    assert [(f.topic, f.partition, f.topic_id, f.path) for f in found] == [("a-b", 12, TOPIC_ID, "/data/a-b-12")]


def test_a_lazy_log_appears_with_its_first_record() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, lazy=True)
    log.flush()
    assert not disk.exists("/data/t-0")
    append(log, batch(3))
    assert decode_partition_metadata(disk.read("/data/t-0/partition.metadata")) == TOPIC_ID
    directory.close(True)
    assert open_log(open_dir(disk), lazy=True).end_offset == 3


def test_deleting_frees_the_name_at_once_and_the_disk_later() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory, file_delete_delay_ms=100)
    append(log, batch(3))
    held = log.read(0, 1 << 20, 3, at_least_one=True)
    directory.delete_log(log, 1_000)
    again = open_log(directory)
    assert again.end_offset == 0
    append(again, batch(1))
    assert held is not None and len(held.read()) == len(held)
    doomed = [name for name in disk.list("/data") if name.endswith("-delete")]
    assert len(doomed) == 1 and doomed[0].startswith("t-0.")
    assert directory.purge(1_099) == 0
    assert directory.purge(1_100) == 1
    assert not disk.exists(f"/data/{doomed[0]}")
    assert len(read_all(again)) == 1


def test_an_interrupted_deletion_goes_on_at_the_next_start() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    log = open_log(directory)
    append(log, batch(3))
    directory.delete_log(log, 10**12)
    disk.kill()
    directory = open_dir(disk)
    assert directory.found() == []
    assert directory.purge(0) == 1


def test_a_folder_of_an_earlier_topic_of_that_name_is_set_aside() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    append(open_log(directory), batch(3))
    directory.close(True)
    directory = open_dir(disk)
    log = open_log(directory, topic_id=bytes(15) + b"\x01")
    assert log.end_offset == 0
    assert any(name.endswith(names.STRAY_DIRECTORY) for name in disk.list("/data"))
    assert directory.notes


def test_a_flipped_bit_in_the_topic_id_does_not_cost_the_log() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    append(open_log(directory), batch(3))
    directory.close(True)
    disk.flip_bit("/data/t-0/partition.metadata", 25, 1)
    directory = open_dir(disk)
    assert open_log(directory).end_offset == 3
    assert directory.notes == ["/data/t-0/partition.metadata is damaged: written anew"]
    assert decode_partition_metadata(disk.read("/data/t-0/partition.metadata")) == TOPIC_ID


def test_a_topic_id_lost_in_a_crash_is_written_again() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    append(open_log(directory), batch(3))
    disk.kill()
    disk.replace("/data/t-0/partition.metadata", b"")
    directory = open_dir(disk)
    assert open_log(directory).end_offset == 3
    assert decode_partition_metadata(disk.read("/data/t-0/partition.metadata")) == TOPIC_ID


def test_checkpoints_keep_what_was_not_opened() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    one, two = open_log(directory, "one"), open_log(directory, "two")
    for log in (one, two):
        append(log, batch(5))
        log.flush()
    one.advance_start(2)
    marks = {TopicPartition("one", 0): 4, TopicPartition("two", 0): 5}
    directory.checkpoint([one, two], marks)
    directory.close(True)
    assert decode_offsets(disk.read("/data/log-start-offset-checkpoint")) == {TopicPartition("one", 0): 2}
    directory = open_dir(disk)
    assert directory.high_watermarks() == marks
    two = open_log(directory, "two")
    directory.checkpoint([two], {TopicPartition("two", 0): 5})
    disk.kill()
    directory = open_dir(disk)
    assert directory.high_watermarks() == marks
    assert open_log(directory, "one").start_offset == 2


def test_many_logs_are_synced_together_when_they_close() -> None:
    disk = MemoryDisk()
    directory = open_dir(disk)
    for partition in range(SYNC_TOGETHER):
        append(open_log(directory, partition=partition), batch(2))
    directory.close(True)
    disk.crash()
    directory = open_dir(disk)
    assert directory.clean
    assert [open_log(directory, partition=p).end_offset for p in range(SYNC_TOGETHER)] == [2] * SYNC_TOGETHER
    assert directory.notes == []


def test_a_disk_that_refuses_is_a_storage_failure() -> None:
    disk = MemoryDisk()
    disk.failing["make_directory", "/data"] = PermissionError(13, "Permission denied")
    with pytest.raises(StorageFailed, match="Permission denied"):
        open_dir(disk)
    disk.failing.clear()
    directory = open_dir(disk)
    disk.failing["make_directory", "/t-0"] = OSError(28, "No space left on device")
    with pytest.raises(StorageFailed, match="create t-0"):
        open_log(directory)


def test_an_idle_partition_is_small() -> None:
    import tracemalloc

    directory = open_dir(MemoryDisk())
    open_log(directory, "warm")
    from pykafkad.config import TopicConfig
    from pykafkad.storage.recovery import NoProducers

    config, producers = TopicConfig(), NoProducers()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [directory.open_log("idle", p, TOPIC_ID, config, producers, 0, lazy=True) for p in range(200)]
    size = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    assert size < 2_000


def test_a_new_directory_survives_a_power_cut() -> None:
    """Its own name lives in its parent, and so on up."""
    for seed in range(10):
        disk = MemoryDisk(seed)
        directory = open_dir(disk, "/var/lib/data")
        log = open_log(directory)
        append(log, batch(3))
        log.flush()
        disk.crash()
        assert open_log(open_dir(disk, "/var/lib/data")).end_offset == 3
