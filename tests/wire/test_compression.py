"""The codecs: through other people's libraries, bounded against bombs, WireError on garbage."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings
from random import Random

import cramjam
import lz4.frame
import pytest
import zstandard

from kafkawire.compression import GZIP, LZ4, NAMES, NONE, SNAPPY, ZSTD, compress, decompress
from kafkawire.errors import WireError

with warnings.catch_warnings():  # kafka-python reads its own resources in a way that is going out of fashion
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.codec import snappy_encode

CODECS = (GZIP, SNAPPY, LZ4, ZSTD)
TEXT = b"".join(b"line %d of many\n" % number for number in range(20_000))
LIMIT = 1 << 24


def named(codec: int) -> str:
    return NAMES[codec]


@pytest.mark.parametrize("codec", (NONE, *CODECS), ids=named)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, Random(1).randbytes(100_000)], ids=["empty", "one", "text", "noise"])
def test_round_trip(codec: int, data: bytes) -> None:
    packed = compress(codec, data)
    assert decompress(codec, packed, LIMIT) == data
    assert decompress(codec, memoryview(packed), len(data)) == data
    assert compress(codec, memoryview(bytearray(data))) == packed or codec == GZIP


def test_others_read_ours() -> None:
    assert gzip.decompress(compress(GZIP, TEXT)) == TEXT
    assert lz4.frame.decompress(compress(LZ4, TEXT)) == TEXT
    assert zstandard.ZstdDecompressor().decompressobj().decompress(compress(ZSTD, TEXT)) == TEXT
    assert bytes(cramjam.snappy.decompress_raw(snappy_blocks(compress(SNAPPY, TEXT))[0])) == TEXT[: 32 * 1024]


def snappy_blocks(data: bytes) -> list[bytes]:
    """The blocks of the Java library's framing."""
    assert data[:8] == b"\x82SNAPPY\0"
    position, found = 16, []
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        found.append(data[position + 4 : position + 4 + size])
        position += 4 + size
    return found


def test_we_read_others() -> None:
    assert decompress(GZIP, gzip.compress(TEXT), LIMIT) == TEXT
    assert decompress(SNAPPY, snappy_encode(TEXT), LIMIT) == TEXT  # framed, by kafka-python
    assert decompress(SNAPPY, snappy_encode(TEXT, xerial_compatible=False), LIMIT) == TEXT  # raw: librdkafka
    assert decompress(ZSTD, zstandard.ZstdCompressor(level=9).compress(TEXT), LIMIT) == TEXT
    for linked in (True, False):
        for size in (lz4.frame.BLOCKSIZE_MAX64KB, lz4.frame.BLOCKSIZE_MAX4MB):
            for checks in (True, False):
                frame = lz4.frame.compress(
                    TEXT, block_size=size, block_linked=linked, content_checksum=checks, block_checksum=checks
                )
                assert decompress(LZ4, frame, LIMIT) == TEXT


def test_zstd_frames_without_a_size_and_several_in_a_row() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = compressor.compress(TEXT) + compressor.flush()
    assert decompress(ZSTD, frame + frame, LIMIT) == TEXT + TEXT
    member = gzip.compress(TEXT)
    assert decompress(GZIP, member + member, LIMIT) == TEXT + TEXT


def test_lz4_is_written_in_independent_blocks_of_64_kib() -> None:
    info = lz4.frame.get_frame_info(compress(LZ4, TEXT))
    assert (info["block_size"], info["block_linked"]) == (64 * 1024, False)


@pytest.mark.parametrize("codec", CODECS, ids=named)
def test_the_limit_is_exact(codec: int) -> None:
    packed = compress(codec, TEXT)
    assert decompress(codec, packed, len(TEXT)) == TEXT
    with pytest.raises(WireError, match="more than"):
        decompress(codec, packed, len(TEXT) - 1)


@pytest.mark.parametrize("codec", CODECS, ids=named)
def test_a_bomb_never_fills_the_memory(codec: int) -> None:
    bomb = compress(codec, bytes(64 << 20))
    decompress(codec, compress(codec, b"warm"), 100)
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="more than"):
            decompress(codec, bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < (4 << 20) + 2 * len(bomb)
    finally:
        tracemalloc.stop()


def test_snappy_that_announces_gigabytes() -> None:
    announced = b"\xff\xff\xff\xff\x0f"
    with pytest.raises(WireError):
        decompress(SNAPPY, announced + b"abc", 1 << 20)
    framed = compress(SNAPPY, b"")
    with pytest.raises(WireError):
        decompress(SNAPPY, framed + b"\0\0\0\x08" + announced + b"abc", 1 << 20)
    for size in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0"):
        with pytest.raises(WireError):
            decompress(SNAPPY, framed + size, 1 << 20)


@pytest.mark.parametrize("codec", CODECS, ids=named)
def test_garbage(codec: int) -> None:
    random = Random(codec)
    packed = compress(codec, TEXT)
    for size in (1, 5, 17, len(packed) // 2, len(packed) - 1):
        with pytest.raises(WireError):
            decompress(codec, packed[:size], LIMIT)
    for _ in range(300):
        spoilt = bytearray(packed)
        for _ in range(random.choice((1, 4))):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        for data in (bytes(spoilt), random.randbytes(50)):
            try:
                assert len(decompress(codec, data, LIMIT)) <= LIMIT
            except WireError:
                pass


def test_unknown_codecs() -> None:
    for codec in (5, 7, -1):
        with pytest.raises(WireError):
            compress(codec, b"")
        with pytest.raises(WireError):
            decompress(codec, b"x", LIMIT)
