"""Stored records and embedded metadata: keys and values, tombstones, unknown types, damage.

kio has no stored records; their fields are held against Kafka's message data (test_declarations.py), their bytes
against the obvious codec (test_round_trip.py), and a few here against bytes spelt out by hand.
"""

from __future__ import annotations

from random import Random
from types import ModuleType
from typing import Any

import pytest

from kafkawire import consumer_protocol
from kafkawire.errors import WireError
from kafkawire.stored import group_log, metadata_log, share_log, txn_log
from kafkawire.stored.group_log import GroupMetadataKey, OffsetCommitKey, OffsetCommitValue
from kafkawire.stored.txn_log import TransactionLogKey, TransactionLogValue
from tests.kit.strategies import sample

PAIRS = [
    pytest.param(module, *pair, id=pair[0].__name__)
    for module in (group_log, txn_log, share_log)
    for pair in module._TYPES.values()
]


@pytest.mark.parametrize(("module", "key_class", "value_class"), PAIRS)
def test_round_trip(module: ModuleType, key_class: type[Any], value_class: type[Any]) -> None:
    random = Random(3)
    first, last = value_class.__wire__.versions
    for version in range(first, last + 1):
        key, value = sample(key_class, 0, random), sample(value_class, version, random)
        data = module.write(key, value, version)
        read_key, read_value = module.read(*data)
        assert read_value == value
        assert type(read_key) is type(key) or key_class.__name__.startswith("Legacy")
        assert [getattr(read_key, name) for name in key.__wire__.texts] == [
            getattr(key, name) for name in key.__wire__.texts
        ]
    key_data, nothing = module.write(key, None, last)
    assert nothing is None
    assert module.read(key_data, None)[1] is None


def test_an_offset_as_bytes() -> None:
    key = OffsetCommitKey(group="g", topic="t", partition=3)
    value = OffsetCommitValue(offset=5, leader_epoch=2, metadata="m", commit_timestamp=9)
    assert group_log.write(key, value, 3) == (
        bytes.fromhex("0001 0001 67 0001 74 00000003"),
        bytes.fromhex("0003 0000000000000005 00000002 0001 6d 0000000000000009"),
    )
    old = bytes.fromhex("0001 0000000000000005 0001 6d 0000000000000009 000000000000000b")
    assert group_log.read(bytes.fromhex("0001 0001 67 0001 74 00000003"), old) == (
        key,
        OffsetCommitValue(offset=5, leader_epoch=-1, metadata="m", commit_timestamp=9, expire_timestamp=11),
    )


def test_a_group_key_as_bytes() -> None:
    assert group_log.write(GroupMetadataKey(group="grp"), None, 3) == (bytes.fromhex("0002 0003 677270"), None)


def test_a_transaction_of_version_0_has_no_tags() -> None:
    key, value = (
        TransactionLogKey(transactional_id="x"),
        TransactionLogValue(producer_id=7, transaction_partitions=None),
    )
    data = txn_log.write(key, value, 0)
    assert data == (
        bytes.fromhex("0000 0001 78"),
        bytes.fromhex("0000 0000000000000007 0000 00000000 00 ffffffff 0000000000000000 0000000000000000"),
    )
    assert txn_log.read(*data) == (key, value)


@pytest.mark.parametrize("module", [group_log, txn_log, share_log])
def test_unknown_types_are_told_from_garbage(module: Any) -> None:
    assert module.read(b"\x7f\x01rest", b"\0\0") == (None, None)
    assert module.read(b"", b"") == (None, None)
    good = next(iter(module._TYPES.values()))[0]
    key, _ = module.write(good(), None, 0)
    for value in (b"", b"\0", b"\x7f\xff", b"\xff\xff", b"\0\0"):
        with pytest.raises(WireError):
            module.read(key, value)
    with pytest.raises(WireError):
        module.read(key[:-1], None)


class TestClusterMetadata:
    @pytest.mark.parametrize("cls", metadata_log._TYPES.values(), ids=lambda cls: cls.__name__)
    def test_round_trip(self, cls: type[Any]) -> None:
        random = Random(5)
        first, last = cls.__wire__.versions
        for version in range(first, last + 1):
            record = sample(cls, version, random)
            assert metadata_log.read(metadata_log.write(record, version)) == record

    def test_a_feature_as_bytes(self) -> None:
        record = metadata_log.FeatureLevelRecord(name="metadata.version", feature_level=30)
        frame = bytes.fromhex("01 0c 00 11") + b"metadata.version" + bytes.fromhex("001e 00")
        assert metadata_log.write(record, 0) == frame
        assert metadata_log.read(frame) == record

    @pytest.mark.parametrize("frame", [b"", b"\1", b"\1\x0c", b"\0\x0c\0\1\0\0\0", b"\1\x63\0\0", b"\1\x0c\1\1\0\0\0"])
    def test_garbage_and_what_is_newer(self, frame: bytes) -> None:
        with pytest.raises(WireError):
            metadata_log.read(frame)


class TestConsumerProtocol:
    def test_round_trip(self) -> None:
        wanted = consumer_protocol.Subscription(topics=["a", "b"], user_data=b"u", rack_id="r", generation_id=4)
        assert consumer_protocol.read_subscription(consumer_protocol.write_subscription(wanted)) == wanted
        given = consumer_protocol.Assignment(
            assigned_partitions=[consumer_protocol.AssignmentTopicPartition(topic="a", partitions=[0, 1])]
        )
        assert consumer_protocol.read_assignment(consumer_protocol.write_assignment(given)) == given

    def test_newer_versions_are_read_as_far_as_we_know_them(self) -> None:
        blob = bytearray(consumer_protocol.write_subscription(consumer_protocol.Subscription(topics=["a"])))
        blob[1] = 9
        assert consumer_protocol.read_subscription(blob + b"something new").topics == ["a"]
        blob[1] = 3
        with pytest.raises(WireError):
            consumer_protocol.read_subscription(blob + b"something new")

    @pytest.mark.parametrize("blob", [b"", b"\0", b"\xff\xff\0\0\0\0", b"\0\0", b"\0\0\x7f\xff\xff\xff"])
    def test_garbage(self, blob: bytes) -> None:
        with pytest.raises(WireError):
            consumer_protocol.read_subscription(blob)
        with pytest.raises(WireError):
            consumer_protocol.read_assignment(blob)
