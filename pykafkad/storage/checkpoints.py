"""The small text files that survive a restart: offsets per partition, leader epochs, topic ids, the directory's
identity.

Line 1 a version, line 2 a count, then the entries, all in text as Kafka writes them. A file that can't be believed
raises ``CorruptCheckpoint``; each reader says what it then falls back to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from pykafkad.model import ZERO_UUID, TopicPartition, uuid_from_text, uuid_text

KAFKAS = b"# Apache Kafka wrote what is here\n"
"""``meta.properties`` begins so where logs may be as Kafka leaves them. Kafka's has a comment there, ours hasn't."""


class CorruptCheckpoint(ValueError):
    """The content makes no sense."""


def _encode(lines: list[str]) -> bytes:
    return "\n".join(["0", str(len(lines)), *lines, ""]).encode()


def _decode(data: bytes) -> list[list[str]]:
    if not data:  # Kafka makes the file before there is anything to say
        return []
    try:
        lines = data.decode().split("\n")
        if lines[0] != "0":
            raise CorruptCheckpoint(f"version {lines[0]!r} is unknown")
        count = int(lines[1])
    except (UnicodeDecodeError, IndexError, ValueError) as error:
        raise CorruptCheckpoint(str(error)) from error
    entries = [line.split() for line in lines[2:] if line]
    if len(entries) != count:
        raise CorruptCheckpoint(f"{count} entries announced, {len(entries)} found")
    if lines[-1]:  # a number that lost its last digits is a number still
        raise CorruptCheckpoint("the last line has no end")
    return entries


def _int(text: str, bits: int) -> int:
    value = int(text)
    if not 0 <= value < 1 << bits:
        raise CorruptCheckpoint(f"{text} is out of range")
    return value


def encode_offsets(offsets: Mapping[TopicPartition, int]) -> bytes:
    return _encode([f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items()])


def decode_offsets(data: bytes) -> dict[TopicPartition, int]:
    try:
        return {
            TopicPartition(intern(topic), _int(partition, 31)): _int(offset, 63)
            for topic, partition, offset in _decode(data)
        }
    except ValueError as error:
        raise CorruptCheckpoint(str(error)) from error


def encode_epochs(entries: Iterable[tuple[int, int]]) -> bytes:
    return _encode([f"{epoch} {start}" for epoch, start in entries])


def decode_epochs(data: bytes) -> list[tuple[int, int]]:
    try:
        return [(_int(epoch, 31), _int(start, 63)) for epoch, start in _decode(data)]
    except ValueError as error:
        raise CorruptCheckpoint(str(error)) from error


def encode_partition_metadata(topic_id: bytes) -> bytes:
    return f"version: 0\ntopic_id: {uuid_text(topic_id)}".encode()


def decode_partition_metadata(data: bytes) -> bytes:
    """The topic's id; zeros when the file says nothing (a crash may have left it empty)."""
    for line in data.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "topic_id":
            try:
                return uuid_from_text(value.strip())
            except ValueError as error:
                raise CorruptCheckpoint(str(error)) from error
    return ZERO_UUID


def encode_properties(values: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def decode_properties(data: bytes) -> dict[str, str]:
    """As much of Java's properties format as meta.properties uses."""
    values: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        line = line.strip()
        if line and line[0] not in "#!":
            key, _, value = line.partition("=")
            values[key.strip()] = value.strip().replace("\\:", ":").replace("\\=", "=")
    return values
