"""Hostile bytes: a WireError or a message, nothing else, and no memory for what was only announced."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import pytest

from kafkawire import codec, headers
from kafkawire.api import delete_groups, fetch, metadata, offset_commit, produce
from kafkawire.errors import TrailingBytes, WireError
from kafkawire.varint import read_uvarint, read_varint, read_varlong, uvarint, varint
from tests.kit import obvious
from tests.kit.strategies import sample
from tests.wire.classes import API_CLASSES, APIS, CLASSES, Kind
from tests.wire.fuzz import attack, attempts, memory_for


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_broken_messages_are_refused_or_read(kind: Kind) -> None:
    for version in kind.versions:
        random = Random(zlib.crc32(f"hostile {kind} {version}".encode()))
        for data in attempts(kind, version, random, 8):
            attack(kind, version, data)


@pytest.mark.parametrize("kind", API_CLASSES, ids=str)
def test_broken_messages_cost_no_more_memory_than_a_multiple(kind: Kind) -> None:
    for version in {kind.versions[0], kind.versions[-1]}:
        random = Random(zlib.crc32(f"memory {kind} {version}".encode()))
        for data in attempts(kind, version, random, 2):
            assert memory_for(kind, version, data) < 40_000 + 100 * len(data), data.hex()


@pytest.mark.parametrize("kind", CLASSES, ids=str)
def test_every_cut_is_refused(kind: Kind) -> None:
    version = kind.versions[-1]
    data = obvious.encode(sample(kind.cls, version, Random(1)), version)
    for size in range(min(len(data), 400)):
        with pytest.raises(WireError):
            codec.decode(kind.cls, version, data[:size])


@pytest.mark.parametrize(
    ("cls", "version", "data"),
    [
        (delete_groups.Request, 1, b"\x7f\xff\xff\xff"),
        (delete_groups.Request, 2, b"\xff\xff\xff\xff\x0f"),
        (metadata.Request, 12, b"\xff\xff\xff\xff\x07\0\0\0"),
        (offset_commit.Request, 7, b"\0\0\0\0\0\0\0\0\xff\xff\x7f\xff\xff\xff"),
        (offset_commit.Request, 9, b"\x01\0\0\0\0\x01\0\xff\xff\xff\xff\x0f"),
        (produce.Request, 9, b"\0\0\1\0\0\0\0\2\2t\2\0\0\0\0\xff\xff\xff\xff\x0f"),
    ],
)
def test_announced_sizes_cost_nothing(cls: type[Any], version: int, data: bytes) -> None:
    kind = Kind(cls.__module__, cls, range(version, version + 1))
    with pytest.raises(WireError):
        codec.decode(cls, version, data)
    assert memory_for(kind, version, data + bytes(50)) < 40_000


def test_trailing_bytes_are_refused_and_can_be_overlooked() -> None:
    data = bytes(codec.encode(delete_groups.Request(groups_names=["g"]), 2)[0])  # type: ignore[arg-type]
    with pytest.raises(TrailingBytes) as caught:
        codec.decode(delete_groups.Request, 2, data + b"\0\0\0")
    assert caught.value.decoded == delete_groups.Request(groups_names=["g"])


def test_null_where_there_is_none() -> None:
    for version, data in ((1, b"\xff\xff\xff\xff"), (2, b"\0\0"), (2, b"\2\0\0"), (1, b"\0\0\0\1\xff\xff")):
        with pytest.raises(WireError, match="null"):
            codec.decode(delete_groups.Request, version, data)


def test_any_negative_length_is_null_where_null_may_stand() -> None:
    for version, data in ((4, b"\xff\xff\xff\xff\0"), (4, b"\x80\0\0\0\0"), (9, b"\xff\xff\xff\xff\x0f\0\0\0\0")):
        assert codec.decode(metadata.Request, version, data).topics is None


def test_text_that_is_no_utf8_is_read_as_java_reads_it() -> None:
    assert codec.decode(delete_groups.Request, 2, b"\2\4a\xff\xfe\0").groups_names == ["a\ufffd\ufffd"]


class TestTags:
    """DeleteGroups v2 knows no tags; a Fetch request v12 knows tag 0, the cluster id."""

    EMPTY = b"\1"

    def test_unknown_ones_are_skipped(self) -> None:
        for tags in (b"\2\x05\3abc\x88\1\0", b"\2\5\0\5\0", b"\2\5\0\4\0"):
            assert codec.decode(delete_groups.Request, 2, self.EMPTY + tags) == delete_groups.Request()

    @pytest.mark.parametrize(
        "tags",
        [b"\1\5\7abc", b"\1\5\xff\xff\xff\xff\x0f", b"\1", b"\xff\xff\xff\xff\x0f"],
    )
    def test_bad_ones_are_refused(self, tags: bytes) -> None:
        with pytest.raises(WireError):
            codec.decode(delete_groups.Request, 2, self.EMPTY + tags)

    def test_a_known_one_must_fill_its_size(self) -> None:
        request = fetch.Request(cluster_id="abc", replica_id=-1)
        data = bytes(codec.encode(request, 12)[0])  # type: ignore[arg-type]
        assert data.endswith(b"\1\0\4\4abc")
        assert codec.decode(fetch.Request, 12, data) == request
        for wrong in (b"\1\0\5\4abc\0", b"\1\0\3\4abc"):
            with pytest.raises(WireError):
                codec.decode(fetch.Request, 12, data[:-7] + wrong)


class TestRecords:
    def test_are_slices_of_what_came(self) -> None:
        batch = bytes(1000)
        partition = produce.PartitionProduceData(index=1, records=batch)
        request = produce.Request(topic_data=[produce.TopicProduceData(name="t", partition_data=[partition])])
        pieces = codec.encode(request, 9)
        assert any(piece is batch for piece in pieces)
        frame = bytearray(b"".join(map(bytes, pieces)))  # type: ignore[arg-type]
        records = codec.decode(produce.Request, 9, frame).topic_data[0].partition_data[0].records
        assert isinstance(records, memoryview)
        assert records.obj is frame

    def test_may_be_slices_of_files_and_lists(self) -> None:
        class Slice:
            def __len__(self) -> int:
                return 300

        slices: list[Any] = [Slice(), b"x" * 7, Slice()]
        answer = fetch.Response(
            responses=[
                fetch.FetchableTopicResponse(
                    topic="t",
                    partitions=[
                        fetch.PartitionData(partition_index=0, records=slices),
                        fetch.PartitionData(partition_index=1, records=None),
                        fetch.PartitionData(partition_index=2, records=b""),
                        fetch.PartitionData(partition_index=3, records=slices[0]),
                    ],
                )
            ]
        )
        for version in (4, 11, 12):
            pieces = headers.response_frame(5, answer, version)
            assert [piece for piece in pieces if isinstance(piece, Slice)] == [slices[0], slices[2], slices[0]]
            frame = b"".join(bytes(300) if isinstance(piece, Slice) else bytes(piece) for piece in pieces)  # type: ignore
            assert int.from_bytes(frame[:4], "big") == len(frame) - 4
            correlation, start = headers.read_response_header(1, version, frame[4:])
            assert correlation == 5
            read = codec.decode(fetch.Response, version, frame, 4 + start).responses[0].partitions
            sizes = [None if each.records is None else len(each.records) for each in read]
            assert sizes == [607, None, 0, 300]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_broken_headers(api: Any) -> None:
    random = Random(api.key)
    good = headers.write_request_header(api.key, api.max_version, 3, "client")
    for size in range(len(good)):
        with pytest.raises(WireError):
            headers.read_request_header(good[:size])
    for _ in range(200):
        bad = bytearray(good)
        bad[random.randrange(len(bad))] = random.randrange(256)
        try:
            headers.read_request_header(bad)
        except WireError:
            pass


class TestVarints:
    @pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**14, 2**31, 2**32 - 1])
    def test_unsigned(self, value: int) -> None:
        data = uvarint(value)
        assert read_uvarint(data, 0) == (value, len(data))

    @pytest.mark.parametrize("value", [0, -1, 1, 63, 64, -64, -65, 2**31 - 1, -(2**31)])
    def test_zigzag(self, value: int) -> None:
        data = varint(value)
        assert read_varint(data, 0) == read_varlong(data, 0) == (value, len(data))

    @pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**40])
    def test_long_zigzag(self, value: int) -> None:
        data = varint(value)
        assert read_varlong(data, 0) == (value, len(data))

    def test_too_long(self) -> None:
        for read, data in (
            (read_uvarint, b"\xff\xff\xff\xff\x1f"),
            (read_uvarint, b"\xff" * 6),
            (read_varint, b"\x80" * 6 + b"\0"),
            (read_varlong, b"\xff" * 11),
            (read_varlong, b"\xff" * 9 + b"\x02"),
        ):
            with pytest.raises(WireError):
                read(data, 0)
