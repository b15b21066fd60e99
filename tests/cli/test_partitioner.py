"""murmur2 against the vectors of Kafka's own tests."""

from __future__ import annotations

import pytest

from pykafkad.cli.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_digest_is_that_of_the_java_clients(data: bytes, digest: int) -> None:
    assert murmur2(data) == digest & 0xFFFFFFFF


def test_a_partition_is_within_the_topic() -> None:
    assert {partition_of(b"%d" % n, 3) for n in range(100)} == {0, 1, 2}
