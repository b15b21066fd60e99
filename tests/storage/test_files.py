"""The small formats, byte for byte as Kafka writes them, and what their readers refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykafkad.model import ProducerEntry, TopicPartition
from pykafkad.storage import checkpoints, names, snapshots

INT16, INT32, INT64 = (st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (16, 32, 64))
KAFKA_SNAPSHOT = """
000176378889000000040000000000000000000000000bb70000000000000bb700000005000001a20af31a83ffffffffffff
ffffffffffff0000000000000001000000000bb7000000000000176f00000005000001a20af3265fffffffffffffffffffff
ffff0000000000000002000000000bb7000000000000232700000005000001a20af32e50ffffffffffffffffffffffff0000
000000000003000000000063000000000000238b00000063000001a20af338b200000000ffffffffffffffff
"""
ENTRIES = st.lists(st.builds(ProducerEntry, INT64, INT16, INT32, INT64, INT32, INT64, INT32, INT64), max_size=5)


@given(ENTRIES)
def test_snapshots_round_trip(entries: list[ProducerEntry]) -> None:
    assert snapshots.decode(snapshots.encode(entries)) == entries


@given(ENTRIES, st.data())
def test_a_damaged_snapshot_is_refused(entries: list[ProducerEntry], data: st.DataObject) -> None:
    content = bytearray(snapshots.encode(entries))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(snapshots.CorruptSnapshot):
        snapshots.decode(bytes(content))
    with pytest.raises(snapshots.CorruptSnapshot):
        snapshots.decode(snapshots.encode(entries)[: data.draw(st.integers(0, len(content) - 1))])


def test_a_snapshot_of_apache_kafka() -> None:
    """Written by Apache Kafka 4.3.1: three idempotent producers, then a transactional one."""
    content = bytes.fromhex(KAFKA_SNAPSHOT)
    entries = snapshots.decode(content)
    assert len(entries) == 4
    assert entries[0] == ProducerEntry(0, 0, 2999, 2999, 5, 1795480033923, -1, -1)
    assert entries[3] == ProducerEntry(3, 0, 99, 9099, 99, 1795480041650, 0, -1)
    assert snapshots.encode(entries) == content


def test_offset_checkpoints() -> None:
    offsets = {TopicPartition("a", 0): 5, TopicPartition("b-c", 11): 1 << 40}
    content = checkpoints.encode_offsets(offsets)
    assert content == b"0\n2\na 0 5\nb-c 11 1099511627776\n"
    assert checkpoints.decode_offsets(content) == offsets
    assert checkpoints.decode_offsets(b"") == {}


@pytest.mark.parametrize(
    "content", [b"1\n0\n", b"0\n", b"0\n1\n", b"0\n1\na 0\n", b"0\nx\n", b"\xff\n", b"0\n1\na b c\n", b"0\n1\na 0 5"]
)
def test_bad_checkpoints(content: bytes) -> None:
    with pytest.raises(checkpoints.CorruptCheckpoint):
        checkpoints.decode_offsets(content)


def test_epoch_checkpoints() -> None:
    assert checkpoints.encode_epochs([(0, 0), (3, 17)]) == b"0\n2\n0 0\n3 17\n"
    assert checkpoints.decode_epochs(b"0\n2\n0 0\n3 17\n") == [(0, 0), (3, 17)]


def test_partition_metadata() -> None:
    topic_id = bytes(range(100, 116))
    content = checkpoints.encode_partition_metadata(topic_id)
    assert content == b"version: 0\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw"
    assert checkpoints.decode_partition_metadata(content) == topic_id
    assert checkpoints.decode_partition_metadata(b"") == bytes(16)


def test_names() -> None:
    assert names.file_name(42, names.LOG) == "00000000000000000042.log"
    assert names.offset_of("00000000000000000042.log", names.LOG) == 42
    assert names.offset_of("00000000000000000042.log.deleted", names.LOG) is None
    assert names.offset_of("42.log", names.LOG) is None
    assert names.partition_of("a-b-7") == ("a-b", 7)
    assert names.partition_of("a-b") is None
    assert names.partition_of("a-07") is None
    assert names.partition_of("t-0.0123456789abcdef0123456789abcdef-delete") is None
    deleted = names.deleted_directory_name("x" * 249, 100, bytes(16))
    assert len(deleted) == 255 and deleted.endswith(f"-100.{'0' * 32}-delete")
