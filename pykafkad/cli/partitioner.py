"""Which partition a key goes to: Kafka's default, so that this producer and a Java one agree."""

from __future__ import annotations


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a keyed record among so many."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 over little-endian words with the seed of Kafka's clients, as an unsigned 32-bit number."""
    multiplier, rotation, mask = 0x5BD1E995, 24, 0xFFFFFFFF
    digest = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for position in range(0, whole, 4):
        word = int.from_bytes(data[position : position + 4], "little") * multiplier & mask
        word = (word ^ (word >> rotation)) * multiplier & mask
        digest = (digest * multiplier & mask) ^ word
    if len(data) > whole:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    digest = (digest ^ (digest >> 13)) * multiplier & mask
    return digest ^ (digest >> 15)
