"""Broken messages of every kind, against every decoder: ``python -m tests.wire.fuzz [SECONDS] [SEED]``.

Valid messages are cut, stretched, spliced, and get their bytes and lengths changed. A decoder must give a message or
raise WireError; nothing else, and not for more memory than a small multiple of what it was given. A failure prints the
class, the version and the bytes, which then belong into tests/wire/test_hostile.py.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator
from random import Random

from kafkawire import codec
from kafkawire.errors import WireError
from tests.kit import obvious
from tests.kit.strategies import sample
from tests.wire.classes import CLASSES, Kind

# Bytes that mean much to a decoder: the ends of varints, the signs of lengths, null, one, and large counts.
_SPITEFUL = (0x00, 0x01, 0x7F, 0x80, 0xFF)
_RUNS = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff\x0f",
    b"\xff" * 11,
    b"\x7f\xff",
)


def broken(data: bytes, random: Random) -> bytes:
    """One of many ways to spoil a message."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(len(out) + 1)
        match random.randrange(6):
            case 0:
                del out[at:]
            case 1:
                out += random.randbytes(random.randrange(1, 9))
            case 2 if at < len(out):
                out[at] = random.choice(_SPITEFUL)
            case 3 if at < len(out):
                out[at] = random.randrange(256)
            case 4:
                run = random.choice(_RUNS)
                out[at : at + len(run)] = run
            case _:
                stop = random.randrange(len(out) + 1)
                out[at:at] = out[min(at, stop) : max(at, stop)][:64]
    return bytes(out)


def attempts(kind: Kind, version: int, random: Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        data = obvious.encode(sample(kind.cls, version, random), version)
        yield data[: random.randrange(len(data) + 1)]
        for _ in range(4):
            yield broken(data, random)
    yield random.randbytes(64)


def attack(kind: Kind, version: int, data: bytes) -> bool:
    """Whether it decoded; raises whatever isn't a WireError."""
    try:
        codec.decode(kind.cls, version, data)
    except WireError:
        return False
    return True


def memory_for(kind: Kind, version: int, data: bytes) -> int:
    """The most memory that decoding held at once, in bytes. The codec is compiled before."""
    codec.decoder(kind.cls, version)
    tracemalloc.start()
    try:
        attack(kind, version, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main(seconds: float, seed: int) -> None:
    random = Random(seed)
    end = time.monotonic() + seconds
    tried = decoded = 0
    while time.monotonic() < end:
        kind = random.choice(CLASSES)
        version = random.choice(kind.versions)
        for data in attempts(kind, version, random, 4):
            tried += 1
            try:
                decoded += attack(kind, version, data)
            except Exception:
                print(f"{kind} v{version}: bytes.fromhex({data.hex()!r})")
                raise
    print(f"{tried} messages tried, {decoded} decoded, the others refused; seed {seed}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
